//! What a token is asked for with.

use std::time::Duration;

use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use thiserror::Error;

use super::{TokenClient, client::Ask, metrics::RequestMetrics};
use crate::outbound::{Form, InvalidEndpoint, Network, Outbound, basic};

/// Sets what a [`TokenClient`] asks for. Made by [`TokenClient::builder`].
///
/// ```
/// use msf_auth::{InvalidTokenClient, TokenClient};
/// use msf_core::config::Secret;
///
/// let tokens = TokenClient::builder("https://id.example/oauth/token")
///     .client("order", Secret::new("a secret of the client".to_owned()))
///     .scopes(["stock:reserve"])
///     .build()?;
/// assert!(matches!(
///     TokenClient::builder("https://id.example/oauth/token").build(),
///     Err(InvalidTokenClient::NoClient)
/// ));
/// # Ok::<(), InvalidTokenClient>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct TokenClientBuilder {
    endpoint: Box<str>,
    client: Option<(Box<str>, Secret<String>)>,
    scopes: Vec<Box<str>>,
    audience: Option<Box<str>>,
    resource: Option<Box<str>>,
    name: Box<str>,
    network: Network,
    clock: WallClock,
    metrics: Option<Metrics>,
}

/// A client that could not ask for a token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidTokenClient {
    /// The endpoint may not be called.
    #[error("the token endpoint cannot be called")]
    Endpoint(#[from] InvalidEndpoint),
    /// The client has no name or no secret.
    #[error("the client has no name or no secret")]
    NoClient,
    /// A scope is empty or has characters that RFC 6749 section 3.3 does not allow.
    #[error("`{0}` is no scope")]
    Scope(Box<str>),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl TokenClientBuilder {
    pub(super) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.into(),
            client: None,
            scopes: Vec::new(),
            audience: None,
            resource: None,
            name: "default".into(),
            network: Network::DEFAULT,
            clock: WallClock::system(),
            metrics: None,
        }
    }

    /// The name and the secret of the client, sent in the header (`client_secret_basic`). Required.
    pub fn client(mut self, id: impl Into<Box<str>>, secret: Secret<String>) -> Self {
        self.client = Some((id.into(), secret));
        self
    }

    /// The scopes to ask for; by default the server decides.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Whom the token is for, as the parameter `audience`.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Whom the token is for, as the parameter `resource` (RFC 8707).
    pub fn resource(mut self, resource: impl Into<Box<str>>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// What the tokens are called in metrics and logs.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Takes `http` to this machine (`localhost`, `127.0.0.0/8`, `::1`), for tests and sidecars.
    pub const fn allow_http_loopback(mut self) -> Self {
        self.network.allow_http_loopback();
        self
    }

    /// Takes addresses of the own network, for servers that run beside the service.
    pub const fn allow_private_addresses(mut self) -> Self {
        self.network.allow_private_addresses();
        self
    }

    /// Certificate authorities in PEM that are trusted besides those of the system.
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.network.roots.push(pem.into());
        self
    }

    /// How long one request may take; default 2 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.network.timeout = timeout;
        self
    }

    /// Where the wall time comes from; for tests.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts requests in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The client; nothing is asked for yet.
    ///
    /// # Errors
    ///
    /// [`InvalidTokenClient`] for what is missing or cannot be sent.
    pub fn build(self) -> Result<TokenClient, InvalidTokenClient> {
        let endpoint = self.network.endpoint(&self.endpoint)?;
        let (id, secret) = self.client.ok_or(InvalidTokenClient::NoClient)?;
        if id.is_empty() || secret.expose().is_empty() {
            return Err(InvalidTokenClient::NoClient);
        }
        let authorization = basic(&id, &secret).map_err(|_| InvalidTokenClient::NoClient)?;
        if let Some(wrong) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(InvalidTokenClient::Scope(wrong.clone()));
        }
        let mut form = Form::default().field("grant_type", "client_credentials");
        if !self.scopes.is_empty() {
            form = form.field("scope", &self.scopes.join(" "));
        }
        let targets = [("audience", self.audience), ("resource", self.resource)];
        for (name, value) in targets {
            form = value
                .iter()
                .fold(form, |form, value| form.field(name, value));
        }
        let metrics = match &self.metrics {
            Some(metrics) => RequestMetrics::new(metrics, &self.name)?,
            None => RequestMetrics::noop(),
        };
        let ask = Ask {
            outbound: Outbound::new(self.network)?,
            endpoint,
            authorization,
            body: form.into_body().into(),
        };
        Ok(TokenClient::assemble(ask, self.name, self.clock, metrics))
    }
}

/// `scope-token` of RFC 6749 section 3.3.
fn is_scope(text: &str) -> bool {
    let is_char = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(is_char)
}
