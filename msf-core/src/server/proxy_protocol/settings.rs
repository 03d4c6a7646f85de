//! [`ProxyProtocol`].

use std::{net::IpAddr, time::Duration};

use tokio::net::TcpStream;

use super::{
    header::Said,
    read::{self, Refused},
};
use crate::forwarded::IpRange;

/// Who has to say at the beginning of each connection whose it is; see the [module documentation](super) for the
/// rules.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`trust`](Self::trust) | nobody | whoever is believed may say to be anybody; without it every connection is closed |
/// | [`timeout`](Self::timeout) | 5 s | the header is the first thing that is sent; one lost packet is sent again after 3 s at most |
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a listener has it"]
pub struct ProxyProtocol {
    trusted: Vec<IpRange>,
    timeout: Duration,
}

impl ProxyProtocol {
    /// How long a header may take unless somebody says otherwise.
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

    /// Nobody is believed, and nobody gets in, before [`trust`](Self::trust).
    pub const fn new() -> Self {
        Self {
            trusted: Vec::new(),
            timeout: Self::TIMEOUT_DEFAULT,
        }
    }

    /// Takes connections from balancers in this block of addresses.
    pub fn trust(mut self, balancers: IpRange) -> Self {
        self.trusted.push(balancers);
        self
    }

    /// How long a header may take to arrive, from 1 ms to a day.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = super::super::limits::bounded(timeout);
        self
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(ip))
    }

    /// What the other end of a fresh connection says about it. `on_begin` is called when it has begun to.
    pub(in crate::server) async fn read(
        &self,
        tcp: &TcpStream,
        peer: IpAddr,
        on_begin: impl FnMut(),
    ) -> Result<Said, Refused> {
        if !self.trusts(peer) {
            return Err(Refused::Stranger);
        }
        read::header(tcp, self.timeout, on_begin).await
    }
}

impl Default for ProxyProtocol {
    fn default() -> Self {
        Self::new()
    }
}
