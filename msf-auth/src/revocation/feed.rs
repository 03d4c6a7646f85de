//! How revocations of others come here.

use std::time::Duration;

use async_trait::async_trait;
use msf_core::{
    BoxError,
    backoff::Backoff,
    task::{self, Task},
};
use thiserror::Error;
use tokio::time;

use super::{Revocation, Revocations};

/// Tells what others take back: a topic, a table that is polled, a stream.
///
/// The first call, and each one after a call that failed or was dropped, gives everything that is in force; those
/// after it what is new. To give something twice does no harm. It has to answer within
/// [`silence_max`](super::RevocationsBuilder::silence_max), with nothing if there is nothing: silence is taken
/// for a broken connection, and the call is dropped.
#[async_trait]
pub trait RevocationFeed: Send + 'static {
    /// Waits for what is new.
    ///
    /// # Errors
    ///
    /// [`RevocationFeedError`]; the call is made again after 1 s, and later ones up to 60 s apart.
    async fn next(&mut self) -> Result<Vec<Revocation>, RevocationFeedError>;
}

/// A feed could not be read.
#[derive(Debug, Error)]
#[error("the revocations could not be read")]
pub struct RevocationFeedError {
    #[source]
    source: BoxError,
}

impl RevocationFeedError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

impl Revocations {
    /// Applies what a feed tells until the task is dropped, after which the list counts as
    /// [behind](Self::is_behind). It does so too until the feed is heard for the first time.
    ///
    /// A list follows one feed: of two, the one that is heard would hide that the other is silent.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn follow(&self, mut feed: impl RevocationFeed) -> Task<()> {
        let revocations = self.clone();
        revocations.follows();
        task::spawn("revocation_feed", async move {
            let backoff = Backoff::exponential(BACKOFF_BASE, BACKOFF_MAX)
                .expect("the base is above zero and below the cap");
            let mut delays = backoff.delays();
            loop {
                match time::timeout(revocations.silence_max(), feed.next()).await {
                    Ok(Ok(news)) => {
                        for some in news.chunks(AT_ONCE) {
                            for revocation in some {
                                revocations.apply(revocation);
                            }
                            // All that is in force may be a hundred thousand, and others have work, too.
                            tokio::task::yield_now().await;
                        }
                        revocations.heard();
                        delays = backoff.delays();
                        if news.is_empty() {
                            time::sleep(PAUSE).await;
                        }
                        continue;
                    }
                    Ok(Err(error)) => {
                        let error: &(dyn std::error::Error + 'static) = &error;
                        tracing::warn!(target: TARGET, error, "the feed of revocations failed");
                    }
                    Err(_) => tracing::warn!(target: TARGET, "the feed of revocations is silent"),
                }
                time::sleep(delays.next_delay()).await;
            }
        })
    }
}

/// Some milliseconds of work.
const AT_ONCE: usize = 256;
/// A feed that answers nothing at once would otherwise be asked without end.
const PAUSE: Duration = Duration::from_millis(100);
const TARGET: &str = "msf_auth::revocation";
/// The first wait after a failure.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
