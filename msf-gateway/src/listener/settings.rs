//! [`GatewayListener`].

use std::net::SocketAddr;

#[cfg(feature = "tls")]
use msf_core::server::Tls;
use msf_core::server::{BindError, Limits, Listener, ProxyProtocol};

/// One address of a gateway; see the [module documentation](super) for an example.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`limits`](Self::limits) | those of the server | |
/// | [`proxy_protocol`](Self::proxy_protocol) | off | whoever may say whose a connection is may say to be anybody |
/// | `tls` (feature `tls`) | off | plain HTTP |
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a server has it"]
pub struct GatewayListener {
    pub(crate) addr: SocketAddr,
    limits: Option<Limits>,
    proxy_protocol: Option<ProxyProtocol>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl GatewayListener {
    /// At this address, plain and without a balancer in front.
    pub const fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            limits: None,
            proxy_protocol: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// What clients are granted here. The body limit is that of the routes.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Expects a balancer in front that says by the PROXY protocol whose each connection is.
    pub fn proxy_protocol(mut self, expected: ProxyProtocol) -> Self {
        self.proxy_protocol = Some(expected);
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(crate) const fn is_encrypted(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// One for each worker, all at the same address.
    pub(crate) fn bind(&self, place: usize, workers: usize) -> Result<Vec<Listener>, BindError> {
        let settle = |mut listener: Listener| {
            listener = listener.place(place);
            if let Some(limits) = self.limits {
                // How long bodies are is for the routes to say.
                let limits = limits.body_limit(usize::MAX).or_half_per_address();
                listener = listener.limits(limits);
            }
            if let Some(expected) = &self.proxy_protocol {
                listener = listener.proxy_protocol(expected.clone());
            }
            #[cfg(feature = "tls")]
            if let Some(tls) = &self.tls {
                listener = listener.tls(tls.clone());
            }
            listener
        };
        let bound = Listener::bind_shared(self.addr, workers)?;
        Ok(bound.into_iter().map(settle).collect())
    }
}
