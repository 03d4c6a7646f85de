//! [`Admin`].

use std::{fmt, net::SocketAddr, sync::Arc};

use msf_core::{BoxError, config::Secret};
use serde_json::Value;

/// The admin listener; see the [module](super).
///
/// | setting | default | why |
/// |---|---|---|
/// | [`token`](Self::token) | none, on loopback only | elsewhere it does not start without one |
/// | [`read_only`](Self::read_only) | off | |
/// | [`config`](Self::config) | none | whoever read a file has more to show than the gateway knows of itself |
/// | [`log_level`](Self::log_level) | none | the log belongs to the program |
#[derive(Clone)]
#[must_use = "a listener does nothing before `GatewayServer::admin`"]
pub struct Admin {
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Secret<String>>,
    pub(super) is_read_only: bool,
    pub(super) config: Option<Arc<dyn Fn() -> Value + Send + Sync>>,
    pub(super) log_level: Option<LogLevel>,
}

/// How the log level is read and changed.
#[derive(Clone)]
pub(super) struct LogLevel {
    pub(super) current: Arc<dyn Fn() -> String + Send + Sync>,
    pub(super) set: Arc<dyn Fn(&str) -> Result<(), BoxError> + Send + Sync>,
}

/// An admin listener that would be open to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address is not loopback, and there is no token.
    #[error(
        "the admin listener at {addr} needs a token, since others than this machine can reach it"
    )]
    NoToken {
        /// The address.
        addr: SocketAddr,
    },
    /// The token can be guessed.
    #[error(
        "the token of the admin listener has fewer than {} characters",
        Admin::TOKEN_LEN_MIN
    )]
    ShortToken,
}

impl Admin {
    /// The shortest token: 16 random characters are out of a guesser's reach.
    pub const TOKEN_LEN_MIN: usize = 16;

    /// A listener at this address, usually one of loopback.
    pub const fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            token: None,
            is_read_only: false,
            config: None,
            log_level: None,
        }
    }

    /// Asks for `Authorization: Bearer` with this token, of at least [`Admin::TOKEN_LEN_MIN`] characters.
    /// Only `/livez`, `/readyz` and the page, which has nothing in it without the token, are there for all.
    pub fn token(mut self, token: impl Into<Secret<String>>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Changes nothing, whoever asks.
    pub const fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// What `/config` shows besides, as `document`. It must hold no secrets: it is shown as it is.
    pub fn config(mut self, document: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        self.config = Some(Arc::new(document));
        self
    }

    /// How `/log-level` reads and changes the level, such as `msf_core::telemetry::LevelHandle` does.
    ///
    /// ```
    /// use msf_gateway::Admin;
    ///
    /// let admin = Admin::new(([127, 0, 0, 1], 9901).into())
    ///     .log_level(|| "info".to_owned(), |directive| Err(format!("no {directive}").into()));
    /// # drop(admin);
    /// ```
    pub fn log_level(
        mut self,
        current: impl Fn() -> String + Send + Sync + 'static,
        set: impl Fn(&str) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.log_level = Some(LogLevel {
            current: Arc::new(current),
            set: Arc::new(set),
        });
        self
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn check(&self) -> Result<(), AdminError> {
        match &self.token {
            None if !self.addr.ip().is_loopback() => Err(AdminError::NoToken { addr: self.addr }),
            Some(token) if token.expose().len() < Self::TOKEN_LEN_MIN => {
                Err(AdminError::ShortToken)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("addr", &self.addr)
            .field("token", &self.token)
            .field("is_read_only", &self.is_read_only)
            .finish_non_exhaustive()
    }
}
