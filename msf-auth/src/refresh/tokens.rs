//! Issuing, exchanging and taking back.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::rand;
use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use tokio::time;

use super::{
    Family, FamilyId, Grant, InvalidRefreshPolicy, Owner, RefreshError, RefreshPolicy,
    RefreshStore,
    clock::ForwardClock,
    family::FIRST_GENERATION,
    judge::{Evidence, Verdict},
    metrics::TokenMetrics,
    text::Token,
};
use crate::{
    audit::{Audit, Event, Kind},
    store::StoreError,
    token::base64url,
};

/// The refresh tokens of an issuer. Cloning shares the store.
///
/// See the [module documentation](super).
#[derive(Clone)]
pub struct RefreshTokens {
    pub(super) store: Arc<dyn RefreshStore>,
    pub(super) policy: RefreshPolicy,
    pub(super) clock: Arc<ForwardClock>,
    audit: Audit,
    pub(super) metrics: Arc<TokenMetrics>,
}

/// The first token of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the token is nowhere else"]
pub struct Issued {
    /// The token, for the client only.
    pub token: Secret<String>,
    /// What was granted, with the id of the session.
    pub grant: Grant,
    /// How long the token is good for if it is not used.
    pub expires_in: Duration,
}

impl RefreshTokens {
    /// Tokens that are kept in a store, with events in the log and without metrics. Have it [swept](Self::keep_swept), or
    /// sessions that are over stay in the store until it is full.
    ///
    /// # Errors
    ///
    /// [`InvalidRefreshPolicy`] names the field that is out of range.
    pub fn new(
        store: impl RefreshStore,
        policy: RefreshPolicy,
    ) -> Result<Self, InvalidRefreshPolicy> {
        policy.check()?;
        Ok(Self {
            store: Arc::new(store),
            policy,
            clock: Arc::new(ForwardClock::new(WallClock::system())),
            audit: Audit::log(),
            metrics: Arc::new(TokenMetrics::noop()),
        })
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: WallClock) -> Self {
        self.clock = Arc::new(ForwardClock::new(clock));
        self
    }

    /// Tells another sink who got, lost and reused tokens.
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts in `metrics`.
    ///
    /// # Errors
    ///
    /// When the metrics could not be registered.
    pub fn with_metrics(mut self, metrics: &Metrics) -> Result<Self, MetricsError> {
        self.metrics = Arc::new(TokenMetrics::new(metrics)?);
        Ok(self)
    }

    /// Begins a session and gives its first token. If the subject has too many sessions by that, the one that was
    /// unused for the longest ends.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Grant`] for a grant that cannot be kept, [`RefreshError::Store`] when the store did not do it.
    pub async fn issue(&self, grant: Grant) -> Result<Issued, RefreshError> {
        let issued = self.within(self.begin(grant)).await;
        let issued = issued.inspect_err(|error| self.metrics.failed(error))?;
        self.metrics.issued.inc();
        self.record(Kind::RefreshIssued, &issued.grant, None);
        // The session is there, whatever becomes of the old ones; the next login tries again.
        let trimmed = self.within(self.trim(issued.grant.subject())).await;
        if let Err(error) = trimmed {
            tracing::warn!(
                target: "msf_auth::refresh",
                error = &error as &dyn std::error::Error,
                "sessions above the bound stay for now"
            );
        }
        Ok(issued)
    }

    async fn begin(&self, mut grant: Grant) -> Result<Issued, RefreshError> {
        if grant.session_id().is_empty() {
            grant = grant.session(base64url::encode(random::<16>()?));
        }
        grant.check()?;
        let (id, tag_key) = (FamilyId::from_bytes(random()?), random()?);
        let token = Token::generate(id, FIRST_GENERATION, &tag_key)?;
        let now_ms = self.clock.now_ms();
        let family = Family::new(
            id,
            grant.clone(),
            tag_key,
            token.hash(),
            &self.policy,
            now_ms,
        );
        let expires_in = Duration::from_millis(family.ends_ms.saturating_sub(now_ms));
        if !self.store.insert(family).await? {
            // Of 128 random bits, so the store is wrong.
            return Err(StoreError::Failed("the id of the family is taken".into()).into());
        }
        Ok(Issued {
            token: token.text(),
            grant,
            expires_in,
        })
    }

    /// What a token is good for, without using it; `None` for one that would not be exchanged for a new successor.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not answer.
    pub async fn inspect(&self, token: &str) -> Result<Option<Family>, RefreshError> {
        let judged = self.judged(token).await?;
        let valid = judged.filter(|(_, verdict)| *verdict == Verdict::Rotate);
        Ok(valid.map(|(family, _)| family))
    }

    /// The family of a token, and what the client of that family would be answered with; `None` for a token that
    /// nobody issued.
    pub(crate) async fn judged(
        &self,
        token: &str,
    ) -> Result<Option<(Family, Verdict)>, RefreshError> {
        let Some(token) = Token::parse(token) else {
            return Ok(None);
        };
        let fetched = self.within(async {
            let family = self.store.fetch(token.family()).await?;
            Ok(family.map(|family| self.as_of_today(family)))
        });
        let Some(family) = fetched.await? else {
            return Ok(None);
        };
        let evidence = Evidence {
            is_genuine: token.is_genuine(&family.tag_key.0),
            generation: token.generation(),
            hash: &token.hash(),
            client: family.grant.client_id(),
        };
        let verdict = family.judge(&evidence, &self.policy, self.clock.now_ms());
        Ok((verdict != Verdict::Unknown).then_some((family, verdict)))
    }

    /// The sessions of a subject that have not ended, those that were unused for the longest first.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not answer.
    pub async fn families(&self, subject: &str) -> Result<Vec<Family>, RefreshError> {
        let limit = self.policy.families_max + SURPLUS;
        let found = async { Ok(self.store.find(Owner::Subject(subject), limit).await?) };
        let mut families = self.within(found).await?;
        let now_ms = self.clock.now_ms();
        families.retain(|family| !family.is_revoked && !family.has_ended(&self.policy, now_ms));
        let families = families.into_iter();
        Ok(families.map(|family| self.as_of_today(family)).collect())
    }

    /// With the end that the policy of today gives it, which may be before that of the row.
    fn as_of_today(&self, mut family: Family) -> Family {
        family.ends_ms = family.end_ms(&self.policy);
        family
    }

    /// Ends the sessions of a subject that are above the bound, and forgets revoked ones above it.
    async fn trim(&self, subject: &str) -> Result<(), RefreshError> {
        let max = self.policy.families_max;
        let owner = Owner::Subject(subject);
        let families = self.store.find(owner, 2 * max + SURPLUS).await?;
        let (revoked, mut live): (Vec<_>, Vec<_>) =
            families.into_iter().partition(|family| family.is_revoked);
        // Those that are over, or of a clock that was wrong, are of no use and must not drive out the others.
        let now_ms = self.clock.now_ms();
        live.sort_by_key(|family| {
            !family.has_ended(&self.policy, now_ms) && !family.is_ahead_of(now_ms)
        });
        let surplus = live.len().saturating_sub(max);
        for family in &live[..surplus] {
            self.end(family, "limit").await?;
        }
        let forgotten = (revoked.len() + surplus).saturating_sub(max);
        for family in revoked.iter().take(forgotten) {
            self.store.remove(family.id, family.version).await?;
        }
        Ok(())
    }

    pub(super) fn record(&self, kind: Kind, grant: &Grant, reason: Option<&str>) {
        let mut event = Event::new(kind)
            .subject(grant.subject())
            .session(grant.session_id());
        if let Some(client) = grant.client_id() {
            event = event.client(client);
        }
        if let Some(reason) = reason {
            event = event.reason(reason);
        }
        self.audit.record(&event);
    }

    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, RefreshError>>,
    ) -> Result<T, RefreshError> {
        time::timeout(self.policy.wait_max, call)
            .await
            .unwrap_or_else(|_| Err(StoreError::Timeout.into()))
    }
}

fn random<const N: usize>() -> Result<[u8; N], RefreshError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RefreshError::Random)?;
    Ok(bytes)
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokens")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Each conflict means that another request made its change, and after one of these nobody changes the row again.
pub(super) const CONFLICTS_MAX: usize = 16;
/// What logins at the same moment may have added.
const SURPLUS: usize = 64;
pub(super) const BATCH: usize = 64;
