//! Issuing, exchanging and taking back.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::rand;
use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use tokio::{task, time};

use super::{
    Family, FamilyId, Grant, InvalidRefreshPolicy, Owner, Presented, RefreshError, RefreshPolicy,
    RefreshStore,
    clock::ForwardClock,
    family::FIRST_GENERATION,
    judge::{Evidence, Verdict},
    metrics::TokenMetrics,
    seal,
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
    metrics: Arc<TokenMetrics>,
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

/// The successor of a token.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the token that it succeeds ends with the grace"]
pub struct Rotated {
    /// The token, for the client only.
    pub token: Secret<String>,
    /// What was granted at login.
    pub grant: Grant,
    /// The scopes of the next access token: those asked for, or all.
    pub scopes: Box<[Box<str>]>,
    /// How long the token is good for if it is not used.
    pub expires_in: Duration,
    /// Whether it was made for an earlier request with the same token.
    pub is_repeat: bool,
}

impl RefreshTokens {
    /// Tokens that are kept in a store, with events in the log and without metrics.
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

    /// Exchanges a token for its successor. See the [table](super#rules) for what it is answered with.
    ///
    /// # Errors
    ///
    /// [`RefreshError`]; the client is told `invalid_grant` if it [is refused](RefreshError::is_refused).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the token is as valid as before, or gives the same successor within the grace.
    pub async fn rotate(&self, presented: &Presented<'_>) -> Result<Rotated, RefreshError> {
        let outcome = self.within(self.exchange(presented)).await;
        match &outcome {
            Ok(rotated) if rotated.is_repeat => self.metrics.repeated.inc(),
            Ok(_) => self.metrics.rotated.inc(),
            Err(error) => self.metrics.failed(error),
        }
        outcome
    }

    async fn exchange(&self, presented: &Presented<'_>) -> Result<Rotated, RefreshError> {
        let token = Token::parse(presented.token()).ok_or(RefreshError::Unknown)?;
        let hash = token.hash();
        let mut is_reported = false;
        for _ in 0..CONFLICTS_MAX {
            let family = self.store.fetch(token.family()).await?;
            let family = family.ok_or(RefreshError::Unknown)?;
            let evidence = Evidence {
                is_genuine: token.is_genuine(&family.tag_key.0),
                generation: token.generation(),
                hash: &hash,
                client: presented.client_id(),
            };
            let now_ms = self.clock.now_ms();
            let verdict = family.judge(&evidence, &self.policy, now_ms);
            if let Some(error) = refusal(verdict) {
                if verdict != Verdict::Unknown {
                    self.record(Kind::TokenRefused, &family.grant, Some(error.as_str()));
                }
                return Err(error);
            }
            if verdict == Verdict::Reused {
                // Told before it is acted upon: who breaks off now cannot keep it quiet.
                if !is_reported {
                    is_reported = true;
                    self.record(Kind::RefreshReused, &family.grant, None);
                }
                if self.store.replace(family.revoked(now_ms)).await? {
                    self.record(Kind::RefreshRevoked, &family.grant, Some("reused"));
                    return Err(RefreshError::Reused {
                        subject: family.subject().into(),
                        session: family.session().into(),
                    });
                }
            } else {
                let scopes = presented.narrow(&family.grant).ok_or(RefreshError::Scope)?;
                let (next, family) = if verdict == Verdict::Repeat {
                    (self.successor(&family, &token)?, family)
                } else {
                    let generation = family.generation.checked_add(1);
                    let generation = generation.ok_or(RefreshError::Expired)?;
                    let next = Token::generate(family.id, generation, &family.tag_key.0)?;
                    let sealed = seal::seal(&next, &token)?;
                    let rotated = family.rotated(next.hash(), sealed, &self.policy, now_ms);
                    let rotated = rotated.ok_or(RefreshError::Expired)?;
                    if !self.store.replace(rotated.clone()).await? {
                        // Another request was first: its successor is the one.
                        task::yield_now().await;
                        continue;
                    }
                    self.record(Kind::RefreshRotated, &rotated.grant, None);
                    (next, rotated)
                };
                return Ok(Rotated {
                    token: next.text(),
                    scopes,
                    expires_in: Duration::from_millis(family.ends_ms.saturating_sub(now_ms)),
                    grant: family.grant,
                    is_repeat: verdict == Verdict::Repeat,
                });
            }
            task::yield_now().await;
        }
        Err(StoreError::Busy.into())
    }

    fn successor(&self, family: &Family, token: &Token) -> Result<Token, RefreshError> {
        let sealed = family.previous.as_ref().and_then(|p| p.successor.as_ref());
        let opened = sealed.and_then(|sealed| seal::open(&sealed.0, token));
        // It was sealed for this very token, so the row was damaged.
        opened.ok_or_else(|| StoreError::Corrupt("a successor cannot be opened".into()).into())
    }

    /// What a token is good for, without using it; `None` for one that would not be exchanged for a new successor.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not answer.
    pub async fn inspect(&self, token: &str) -> Result<Option<Family>, RefreshError> {
        let Some(token) = Token::parse(token) else {
            return Ok(None);
        };
        let fetched = self.within(async { Ok(self.store.fetch(token.family()).await?) });
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
        Ok((verdict == Verdict::Rotate).then_some(family))
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
        Ok(families)
    }

    /// Ends the family of a token (RFC 7009), whichever of its tokens it is. `None` when there was nothing to end.
    ///
    /// # Errors
    ///
    /// [`RefreshError::OtherClient`] when it was issued to another client, [`RefreshError::Store`] when the store did
    /// not do it.
    pub async fn revoke(&self, presented: &Presented<'_>) -> Result<Option<Grant>, RefreshError> {
        self.within(async {
            let Some(token) = Token::parse(presented.token()) else {
                return Ok(None);
            };
            for _ in 0..CONFLICTS_MAX {
                let Some(family) = self.store.fetch(token.family()).await? else {
                    return Ok(None);
                };
                if family.is_revoked || !token.is_genuine(&family.tag_key.0) {
                    return Ok(None);
                }
                if family.grant.client_id() != presented.client_id() {
                    return Err(RefreshError::OtherClient);
                }
                if self.end(&family, "token").await? {
                    return Ok(Some(family.grant));
                }
                task::yield_now().await;
            }
            Err(StoreError::Busy.into())
        })
        .await
    }

    /// Ends every family of a session: a logout. Gives how many there were.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not do it; some families may have ended, so try again.
    pub async fn revoke_session(&self, session: &str) -> Result<usize, RefreshError> {
        self.revoke_all(Owner::Session(session), "session").await
    }

    /// Ends every session of a subject: a logout everywhere, a changed password. Gives how many there were.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not do it; some sessions may have ended, so try again.
    pub async fn revoke_subject(&self, subject: &str) -> Result<usize, RefreshError> {
        self.revoke_all(Owner::Subject(subject), "subject").await
    }

    async fn revoke_all(&self, owner: Owner<'_>, why: &str) -> Result<usize, RefreshError> {
        let mut ended = 0;
        for _ in 0..ROUNDS_MAX {
            let found = async { Ok(self.store.find(owner, BATCH).await?) };
            let mut live = self.within(found).await?;
            live.retain(|family| !family.is_revoked);
            if live.is_empty() {
                return Ok(ended);
            }
            for family in &live {
                // One that was rotated meanwhile is found again.
                let end = async { Ok(self.end(family, why).await?) };
                ended += usize::from(self.within(end).await?);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Ends a family; `false` when it was changed meanwhile.
    async fn end(&self, family: &Family, why: &str) -> Result<bool, StoreError> {
        let revoked = family.revoked(self.clock.now_ms());
        let is_ended = self.store.replace(revoked).await?;
        if is_ended {
            self.record(Kind::RefreshRevoked, &family.grant, Some(why));
        }
        Ok(is_ended)
    }

    /// Ends the sessions of a subject that are above the bound, and forgets revoked ones above it.
    async fn trim(&self, subject: &str) -> Result<(), RefreshError> {
        let max = self.policy.families_max;
        let owner = Owner::Subject(subject);
        let families = self.store.find(owner, 2 * max + SURPLUS).await?;
        let (revoked, live): (Vec<_>, Vec<_>) =
            families.into_iter().partition(|family| family.is_revoked);
        for family in &live[..live.len().saturating_sub(max)] {
            self.end(family, "limit").await?;
        }
        for family in &revoked[..revoked.len().saturating_sub(max)] {
            self.store.remove(family.id, family.version).await?;
        }
        Ok(())
    }

    fn record(&self, kind: Kind, grant: &Grant, reason: Option<&str>) {
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

fn refusal(verdict: Verdict) -> Option<RefreshError> {
    match verdict {
        Verdict::Rotate | Verdict::Repeat | Verdict::Reused => None,
        Verdict::Expired => Some(RefreshError::Expired),
        Verdict::Revoked => Some(RefreshError::Revoked),
        Verdict::OtherClient => Some(RefreshError::OtherClient),
        Verdict::Unknown => Some(RefreshError::Unknown),
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
const CONFLICTS_MAX: usize = 16;
/// What logins at the same moment may have added.
const SURPLUS: usize = 64;
pub(super) const BATCH: usize = 64;
/// Of so many batches each: more sessions than a subject can have.
const ROUNDS_MAX: usize = 64;
