//! The settings of the client.

use std::time::Duration;

use super::client::HttpRegistry;

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
}

/// Not an address that a registry can be reached at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegistryUrl {
    /// Not an address at all.
    #[error("{url:?} is not a URL")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        #[source]
        source: http::uri::InvalidUri,
    },
    /// An address of another kind.
    #[error("{0:?} must begin with http:// and a host, and have no query")]
    Kind(String),
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
        }
    }

    /// How long connecting may take; 1 s unless set: the registry is near or it is away.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an answer may take; 3 s unless set, well below the usual time to live.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one question for changes waits at the server; 25 s unless set. The connection is
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
        let uri: http::Uri = self.url.parse().map_err(|source| InvalidRegistryUrl::Url {
            url: self.url.clone(),
            source,
        })?;
        let is_http = uri.scheme_str() == Some("http") && uri.host().is_some_and(|h| !h.is_empty());
        if !is_http || uri.query().is_some() {
            return Err(InvalidRegistryUrl::Kind(self.url));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(InvalidRegistryUrl::Client)?;
        Ok(HttpRegistry {
            client,
            base: self.url.trim_end_matches('/').into(),
            timeout: self.timeout,
            wait: self.wait,
            answer_max: self.answer_max,
        })
    }
}
