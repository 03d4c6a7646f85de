//! What a token is asked for with.

use std::time::Duration;

use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use thiserror::Error;

use super::{TokenClient, client::Ask, metrics::RequestMetrics};
use crate::outbound::{
    Form, InvalidEndpoint,
    called::{self, Settings, setters},
};

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
    server: Settings,
    scopes: Vec<Box<str>>,
    audience: Option<Box<str>>,
    resource: Option<Box<str>>,
    name: Box<str>,
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

impl From<called::Invalid> for InvalidTokenClient {
    fn from(invalid: called::Invalid) -> Self {
        match invalid {
            called::Invalid::Endpoint(error) => Self::Endpoint(error),
            called::Invalid::NoClient => Self::NoClient,
        }
    }
}

impl TokenClientBuilder {
    pub(super) fn new(endpoint: &str) -> Self {
        Self {
            server: Settings::at(endpoint),
            scopes: Vec::new(),
            audience: None,
            resource: None,
            name: "default".into(),
            clock: WallClock::system(),
            metrics: None,
        }
    }

    setters!();

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

    /// The client; nothing is asked for yet.
    ///
    /// # Errors
    ///
    /// [`InvalidTokenClient`] for what is missing or cannot be sent.
    pub fn build(self) -> Result<TokenClient, InvalidTokenClient> {
        let endpoint = self.server.endpoint()?;
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
            endpoint,
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
