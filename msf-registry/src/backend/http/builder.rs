//! The settings of the client.

use std::sync::Arc;

use http::{HeaderMap, header};
use msf_core::config::Secret;

use super::client::HttpRegistry;
use crate::{
    backend::remote::{InvalidLimit, Limits, base_of, client, limit_setters},
    token::{InvalidToken, Token},
};

/// Builds an [`HttpRegistry`]. Made by [`HttpRegistry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::http::HttpRegistry;
///
/// let registry = HttpRegistry::builder("http://127.0.0.1:8500")
///     .timeout(Duration::from_secs(1))
///     .build()?;
/// # drop(registry);
/// # Ok::<(), msf_registry::backend::http::InvalidHttp>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpRegistryBuilder {
    url: String,
    token: Option<Secret<String>>,
    limits: Limits,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHttp {
    /// An address that no request can be sent to.
    #[error(
        "the address of the registry must begin with http:// and a host, without user, query and \
         fragment"
    )]
    Url,
    /// A token that no registry takes: too short, too long, or of other bytes than visible ASCII. The source says
    /// which.
    #[error("the token is not one that a registry takes")]
    Token(#[from] InvalidToken),
    /// A limit out of its range.
    #[error("{setting} must be {allowed}")]
    Limit {
        /// The setter's name.
        setting: &'static str,
        /// The range.
        allowed: &'static str,
    },
    /// The client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

impl HttpRegistryBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            limits: Limits::default(),
        }
    }

    /// Presents a bearer token with every request; none unless set. It is one of those that the
    /// [server](crate::server::RegistryServer::token) was given: 16 to 512 characters of visible ASCII. It goes over
    /// plain HTTP: use it on a network that nobody else listens to.
    pub fn token(mut self, token: impl Into<Secret<String>>) -> Self {
        self.token = Some(token.into());
        self
    }

    limit_setters! { near: "the registry is near or it is away", instances: "50 000" }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`InvalidHttp`] with the setting that cannot work.
    pub fn build(self) -> Result<HttpRegistry, InvalidHttp> {
        let base = base_of(&self.url).ok_or(InvalidHttp::Url)?;
        let limits = self.limits.validate()?;
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token.map(Token::new).transpose()? {
            headers.insert(header::AUTHORIZATION, token.header());
        }
        let client = client(limits).default_headers(headers);
        Ok(HttpRegistry {
            client: client.build().map_err(InvalidHttp::Client)?,
            base: base.into(),
            limits,
            held: Arc::default(),
            is_told: Arc::default(),
        })
    }
}

impl From<InvalidLimit> for InvalidHttp {
    fn from(InvalidLimit { setting, allowed }: InvalidLimit) -> Self {
        Self::Limit { setting, allowed }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_named() {
        let build = |f: fn(HttpRegistryBuilder) -> HttpRegistryBuilder| {
            f(HttpRegistry::builder("http://127.0.0.1:8500")).build()
        };
        assert!(build(|b| b).is_ok());
        let refused = HttpRegistry::new("http://ada:lovelace@registry").unwrap_err();
        assert!(matches!(refused, InvalidHttp::Url));
        assert!(!format!("{refused} {refused:?}").contains("lovelace"));
        let token = build(|b| b.token("short".to_owned()));
        assert!(matches!(token, Err(InvalidHttp::Token(_))));
    }

    #[test]
    fn limits_out_of_their_range_are_refused_and_named() {
        let builder = || HttpRegistry::builder("http://127.0.0.1:8500");
        for (builder, expected) in [
            (
                builder().connect_timeout(Duration::ZERO),
                "connect_timeout must be 1 ms to 60 s",
            ),
            (
                builder().timeout(Duration::MAX),
                "timeout must be 1 ms to 60 s",
            ),
            (builder().wait(Duration::MAX), "wait must be 100 ms to 60 s"),
            (builder().answer_max(0), "answer_max must be 1 KiB to 1 GiB"),
        ] {
            assert_eq!(builder.build().unwrap_err().to_string(), expected);
        }
    }
}
