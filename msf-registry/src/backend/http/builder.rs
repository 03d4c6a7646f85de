//! The settings of the client.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use msf_core::config::Secret;

use super::client::HttpRegistry;
use crate::token::{InvalidToken, Token};

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
/// # Ok::<(), msf_registry::backend::http::InvalidRegistryUrl>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpRegistryBuilder {
    url: String,
    connect_timeout: Duration,
    timeout: Duration,
    wait: Duration,
    answer_max: usize,
    token: Option<Secret<String>>,
}

/// Not an address that a registry can be reached at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegistryUrl {
    /// Not an address at all.
    #[error("the address is not a URL")]
    Url(#[source] http::uri::InvalidUri),
    /// An address of another kind.
    #[error("the address must begin with http:// and a host, without user, query and fragment")]
    Kind,
    /// A token that no registry takes.
    #[error("the token is not valid")]
    Token(#[from] InvalidToken),
    /// The client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

impl HttpRegistryBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            wait: Duration::from_secs(25),
            answer_max: 16 * 1024 * 1024,
            token: None,
        }
    }

    /// Presents a bearer token with every request; none unless set. It goes over plain HTTP: use it on a
    /// network that nobody else listens to.
    pub fn token(mut self, token: impl Into<Secret<String>>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How long connecting may take; 1 s unless set: the registry is near or it is away.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an answer may take, at most a minute; 3 s unless set, well below the usual time to live.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one question for changes waits at the server, at most a minute; 25 s unless set. The connection is
    /// given up after this and the timeout.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How large an answer may be; 16 MiB unless set, about 50 000 instances of one service.
    pub const fn answer_max(mut self, bytes: usize) -> Self {
        self.answer_max = bytes;
        self
    }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`InvalidRegistryUrl`] when there cannot be a registry at the address.
    pub fn build(self) -> Result<HttpRegistry, InvalidRegistryUrl> {
        let uri: http::Uri = self.url.parse().map_err(InvalidRegistryUrl::Url)?;
        let is_http = uri.scheme_str() == Some("http") && uri.host().is_some_and(|h| !h.is_empty());
        // A user would end up in logs; behind a query or a fragment our paths would be none.
        if !is_http || self.url.contains(['?', '#', '@']) {
            return Err(InvalidRegistryUrl::Kind);
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token.map(Token::new).transpose()? {
            headers.insert(header::AUTHORIZATION, token.header());
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(InvalidRegistryUrl::Client)?;
        Ok(HttpRegistry {
            client,
            base: self.url.trim_end_matches('/').into(),
            timeout: self.timeout.min(LIMIT_MAX),
            wait: self.wait.min(LIMIT_MAX),
            answer_max: self.answer_max,
            held: Arc::default(),
            is_told: Arc::default(),
        })
    }
}

/// Above it the watch takes the registry for one that hangs.
const LIMIT_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use msf_core::name::ServiceName;

    use super::*;
    use crate::{backend::Discovery, model::Cursor};

    #[test]
    fn an_address_of_anything_but_a_registry_is_refused() {
        for bad in [
            "",
            "registry",
            "https://registry",
            "http://registry/?a=b",
            "http://registry/#top",
            "http://ada:lovelace@registry",
        ] {
            assert!(HttpRegistry::new(bad).is_err(), "{bad}");
        }
        for good in ["http://registry", "http://[::1]:8500/", "http://a/base/"] {
            assert!(HttpRegistry::new(good).is_ok(), "{good}");
        }
        let refused = HttpRegistry::new("http://ada:lovelace@registry").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("lovelace"));
    }

    #[tokio::test]
    async fn limits_without_end_are_taken() {
        let forever = Duration::MAX;
        let nobody = HttpRegistry::builder("http://127.0.0.1:1")
            .wait(forever)
            .timeout(forever)
            .build()
            .unwrap();
        let service = ServiceName::new("payment").unwrap();
        assert!(nobody.next(&service, Cursor::new(1, 1)).await.is_err());
    }
}
