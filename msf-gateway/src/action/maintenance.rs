//! [`Maintenance`].

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use msf_core::problem::{Code, Problem};

use crate::{failure::ProxyError, headers::IpRange, respond};

/// A route that is closed for a while: 503 with the code `unavailable`.
///
/// Clones share whether it is on, so that a program that keeps one can [switch](Self::set) it while requests come.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`retry_after`](Self::retry_after) | none | only who works there knows |
/// | [`detail`](Self::detail) | none | |
/// | [`except`](Self::except) | nobody | who works there looks at it first |
///
/// ```
/// use msf_gateway::Maintenance;
///
/// let closed = Maintenance::new().detail("we are back at noon");
/// closed.set(false);
/// assert!(!closed.is_on());
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a route has it"]
pub struct Maintenance {
    is_on: Arc<AtomicBool>,
    retry_after: Option<Duration>,
    detail: Option<String>,
    except: Vec<IpRange>,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self::new()
    }
}

impl Maintenance {
    /// On, for everybody.
    pub fn new() -> Self {
        Self {
            is_on: Arc::new(AtomicBool::new(true)),
            retry_after: None,
            detail: None,
            except: Vec::new(),
        }
    }

    /// When clients may come again, in whole seconds.
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What clients are told.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Clients in these blocks of addresses are served.
    pub fn except(mut self, clients: impl IntoIterator<Item = IpRange>) -> Self {
        self.except.extend(clients);
        self
    }

    /// Switches it on or off; requests that begin afterwards see it.
    pub fn set(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// The answer to this client, if it is not served.
    pub(crate) fn refuse(&self, client: Option<IpAddr>) -> Option<Response<Bytes>> {
        let is_excepted = |client| self.except.iter().any(|range| range.contains(client));
        if !self.is_on() || client.is_some_and(is_excepted) {
            return None;
        }
        let mut problem = Problem::new(Code::Unavailable);
        if let Some(detail) = &self.detail {
            problem = problem.with_detail(detail.clone());
        }
        if let Some(wait) = self.retry_after {
            problem = problem.with_retry_after(wait);
        }
        Some(respond::marked(problem, ProxyError::Maintenance))
    }
}
