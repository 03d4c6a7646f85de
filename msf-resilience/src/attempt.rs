//! Which try of a call a request is, and where the earlier ones went.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::Extensions;

/// Which attempt a request is, in its extensions: set by retries and hedges for the second and later ones.
///
/// A client that chooses among several hosts avoids those that were [`tried`](Self::tried), and says which one it
/// chose with [`record_host`](Self::record_host).
///
/// A first attempt is marked only if hosts are tracked, since a mark costs allocations and most calls are first attempts;
/// [`of`](Self::of) takes a request without a mark for one.
///
/// ```
/// use http::Extensions;
/// use msf_resilience::Attempt;
///
/// let mut request = Extensions::new();
/// assert_eq!(Attempt::of(&request).number(), 1);
///
/// let first = Attempt::tracked();
/// first.record_host("10.0.0.1:80");
/// request.insert(first.next());
///
/// let second = Attempt::of(&request);
/// assert_eq!(second.number(), 2);
/// assert_eq!(&*second.tried()[0], "10.0.0.1:80");
/// ```
#[derive(Clone)]
pub struct Attempt {
    number: u32,
    tried: Option<Arc<[Arc<str>]>>,
    log: Option<Arc<Mutex<Vec<Arc<str>>>>>,
}

impl Attempt {
    /// A first attempt whose hosts nobody asks for.
    #[must_use]
    pub const fn first() -> Self {
        Self {
            number: 1,
            tried: None,
            log: None,
        }
    }

    /// A first attempt that remembers, together with those made from it by [`next`](Self::next), its hosts.
    #[must_use]
    pub fn tracked() -> Self {
        Self::first().tracking()
    }

    /// This attempt, its hosts remembered from now on.
    pub(crate) fn tracking(mut self) -> Self {
        self.log.get_or_insert_default();
        self
    }

    pub(crate) const fn is_tracked(&self) -> bool {
        self.log.is_some()
    }

    /// The attempt that a request is.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or(Self::first())
    }

    /// The attempt after this one; what it knows as tried is what was recorded until now.
    #[must_use]
    pub fn next(&self) -> Self {
        let tried = self.log.as_ref().map(|log| {
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::from(log.as_slice())
        });
        Self {
            number: self.number.saturating_add(1),
            tried,
            log: self.log.clone(),
        }
    }

    /// 1 for the first attempt.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The hosts of earlier attempts, as they were recorded, without repetition.
    #[must_use]
    pub fn tried(&self) -> &[Arc<str>] {
        self.tried.as_deref().unwrap_or_default()
    }

    /// Says to which host the attempt goes, such as `10.0.0.1:80`. Nothing happens if hosts are not tracked.
    ///
    /// At most [`HOSTS_MAX`](Self::HOSTS_MAX) hosts are remembered.
    pub fn record_host(&self, host: impl AsRef<str>) {
        let Some(log) = &self.log else { return };
        let host = host.as_ref();
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < Self::HOSTS_MAX && log.iter().all(|known| **known != *host) {
            log.push(Arc::from(host));
        }
    }

    /// How many hosts are remembered.
    pub const HOSTS_MAX: usize = 16;
}

impl Default for Attempt {
    fn default() -> Self {
        Self::first()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("tried", &self.tried())
            .finish_non_exhaustive()
    }
}
