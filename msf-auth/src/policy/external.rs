//! Decisions that somebody else makes.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Method;
use msf_core::BoxError;
use tokio::{sync::Semaphore, time};

use super::PathParams;
use crate::principal::Principal;

/// Decides what a policy cannot know: a policy engine, a table of memberships, another service.
///
/// ```
/// use async_trait::async_trait;
/// use msf_auth::policy::{Decide, Question};
/// use msf_core::BoxError;
///
/// /// Who is a member of which team.
/// struct Teams;
///
/// #[async_trait]
/// impl Decide for Teams {
///     async fn decide(&self, question: &Question) -> Result<bool, BoxError> {
///         let team = question.params().get("team").unwrap_or_default();
///         Ok(team == "blue" && question.caller().subject() == "7")
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no decisions",
    note = "implement `msf_auth::policy::Decide` for it"
)]
pub trait Decide: Send + Sync + 'static {
    /// Whether the caller may do what the question is about.
    ///
    /// # Errors
    ///
    /// When it cannot be said. The caller does not pass, and is told to come back.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the time is over or the caller goes away.
    async fn decide(&self, question: &Question) -> Result<bool, BoxError>;
}

/// Who wants to do what.
#[derive(Clone, Debug)]
pub struct Question {
    pub(crate) caller: Arc<Principal>,
    pub(crate) method: Method,
    pub(crate) path: Box<str>,
    pub(crate) params: PathParams,
}

impl Question {
    /// A question about a request.
    #[must_use]
    pub fn new(
        caller: Arc<Principal>,
        method: Method,
        path: impl Into<Box<str>>,
        params: PathParams,
    ) -> Self {
        Self {
            caller,
            method,
            path: path.into(),
            params,
        }
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Principal {
        &self.caller
    }

    /// The method of the request.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the request, as it came: whole also behind a prefix, and not percent-decoded. To decide about a part
    /// of it take the [parameters](Self::params), which a handler sees in the same way.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The parameters of the path; none behind a layer that was not told how to [find
    /// them](crate::layer::AuthLayerBuilder::params), and none where one is not UTF-8. Say no when one is missing.
    #[must_use]
    pub const fn params(&self) -> &PathParams {
        &self.params
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a decision that is neither could be taken for a yes"
)]
pub enum Answer {
    /// The caller may.
    Yes,
    /// It may not.
    No,
    /// Nothing can be said, so it does not pass.
    Failed,
}

/// A [`Decide`] with a bound on time and number. Cloning shares both.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`timeout`](Self::timeout) | 500 ms | a request waits for it; as for keys that have to be fetched |
/// | [`in_flight_max`](Self::in_flight_max) | 64 | what hangs must not keep every request of the service in memory |
///
/// ```
/// use std::time::Duration;
/// # use async_trait::async_trait;
/// # use msf_auth::policy::{Decide, Question};
/// # use msf_core::BoxError;
/// use msf_auth::policy::Decider;
/// # struct Teams;
/// # #[async_trait]
/// # impl Decide for Teams {
/// #     async fn decide(&self, _: &Question) -> Result<bool, BoxError> { Ok(false) }
/// # }
///
/// let teams = Decider::new(Teams).timeout(Duration::from_millis(200)).in_flight_max(16);
/// ```
#[derive(Clone)]
#[must_use = "a decider is asked by policies only"]
pub struct Decider {
    decide: Arc<dyn Decide>,
    timeout: Duration,
    permits: Arc<Semaphore>,
}

const TIMEOUT_DEFAULT: Duration = Duration::from_millis(500);
const IN_FLIGHT_DEFAULT: usize = 64;

impl Decider {
    /// Asks `decide`, within the defaults.
    pub fn new(decide: impl Decide) -> Self {
        Self {
            decide: Arc::new(decide),
            timeout: TIMEOUT_DEFAULT,
            permits: Arc::new(Semaphore::new(IN_FLIGHT_DEFAULT)),
        }
    }

    /// How long an answer may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many questions may be open at once; further ones fail at once. At least 1.
    pub fn in_flight_max(mut self, in_flight_max: usize) -> Self {
        let permits = in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        self.permits = Arc::new(Semaphore::new(permits));
        self
    }

    /// The answer; [`Answer::Failed`] for an error, when the time is over, and when too many questions are open.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the question.
    pub async fn ask(&self, question: &Question) -> Answer {
        let Ok(_permit) = self.permits.try_acquire() else {
            tracing::warn!(target: "msf_auth::policy", "too many decisions at once");
            return Answer::Failed;
        };
        match time::timeout(self.timeout, self.decide.decide(question)).await {
            Ok(Ok(true)) => Answer::Yes,
            Ok(Ok(false)) => Answer::No,
            Ok(Err(error)) => {
                tracing::warn!(target: "msf_auth::policy", error = &*error, "no decision");
                Answer::Failed
            }
            Err(_) => {
                tracing::warn!(target: "msf_auth::policy", timeout = ?self.timeout, "no decision in time");
                Answer::Failed
            }
        }
    }
}

impl<D: Decide> From<D> for Decider {
    fn from(decide: D) -> Self {
        Self::new(decide)
    }
}

impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decider")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
