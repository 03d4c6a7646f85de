//! Making, checking and revoking keys.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::constant_time;
use msf_core::{
    clock::{Epoch, WallClock},
    config::Secret,
    metrics::Metrics,
};
use quick_cache::sync::Cache;
use tokio::{sync::Semaphore, time};

use super::{
    ApiKeyError, ApiKeyId, ApiKeyRecord, ApiKeyRefusal, ApiKeyStore, InvalidApiKeys, NewApiKey,
    metrics::ApiKeyMetrics,
    text::{self, Presented},
};
use crate::{
    audit::{Audit, Event, Kind},
    issue::is_scope,
    principal::Principal,
    store::StoreError,
    verify::Verify,
};

/// Keys for programs. Cloning shares everything.
///
/// See the [module documentation](super).
#[derive(Clone)]
pub struct ApiKeys(Arc<Shared>);

struct Shared {
    store: Arc<dyn ApiKeyStore>,
    issuer: Arc<str>,
    environment: Box<str>,
    kept: Cache<ApiKeyId, Arc<Kept>>,
    keep_nanos: u64,
    epoch: Epoch,
    /// Counts revocations: what was read from the store before one is not kept.
    revocations: AtomicU64,
    lookups: Semaphore,
    /// For keys that the store gave before: ids that somebody makes up do not take their places.
    renewals: Semaphore,
    clock: WallClock,
    audit: Audit,
    metrics: ApiKeyMetrics,
}

/// Forgets what is kept of a key when it goes, however a revocation ends.
struct Forget<'a> {
    shared: &'a Shared,
    id: ApiKeyId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.revocations.fetch_add(1, Ordering::AcqRel);
        self.shared.kept.remove(&self.id);
    }
}

/// A key that the store gave.
struct Kept {
    record: ApiKeyRecord,
    principal: Arc<Principal>,
    until_nanos: u64,
    /// When the store was last told that it is used.
    told_s: AtomicU64,
}

/// A key that was made. The only time that the key itself can be seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the key is shown once"]
pub struct CreatedApiKey {
    /// The key, for its owner.
    pub key: Secret<String>,
    /// What the store has of it.
    pub record: ApiKeyRecord,
}

/// Collects what [`ApiKeys`] need; from [`ApiKeys::builder`].
#[must_use]
pub struct ApiKeysBuilder {
    store: Arc<dyn ApiKeyStore>,
    issuer: Arc<str>,
    environment: Box<str>,
    keep: Duration,
    clock: WallClock,
    audit: Audit,
    metrics: Option<Metrics>,
}

impl ApiKeys {
    /// Begins with the name that principals of these keys have as their issuer, and with the store.
    ///
    /// Where users have tokens too, give the issuer of those: user `7` is then the same user with either.
    pub fn builder(issuer: impl Into<Arc<str>>, store: impl ApiKeyStore) -> ApiKeysBuilder {
        ApiKeysBuilder {
            store: Arc::new(store),
            issuer: issuer.into(),
            environment: "live".into(),
            keep: KEEP,
            clock: WallClock::system(),
            audit: Audit::log(),
            metrics: None,
        }
    }

    /// Makes a key.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError::Invalid`] for a name, scope or subject that cannot be written, else what the store says.
    pub async fn create(&self, new: NewApiKey) -> Result<CreatedApiKey, ApiKeyError> {
        check(&new)?;
        let now_s = self.0.clock.unix_seconds();
        let expires_s = new.life.map(|life| now_s.saturating_add(life.as_secs()));
        let (key, id, hash) = text::generate(&self.0.environment).ok_or(ApiKeyError::Random)?;
        let record = ApiKeyRecord {
            id,
            hash,
            subject: new.subject,
            is_service: new.kind == crate::PrincipalKind::Service,
            name: new.name,
            scope: new.scopes.join(" ").into(),
            tenant: new.tenant,
            created_s: now_s,
            expires_s: expires_s.map(|end_s| end_s.min(TIME_S_MAX)),
            revoked_s: None,
            used_s: None,
        };
        // What cannot become a principal must not become a key.
        self.principal(&record)?;
        if !self.0.store.insert(record.clone()).await? {
            // 80 random bits that are there already: the source of randomness is broken.
            return Err(ApiKeyError::Random);
        }
        let event = Event::new(Kind::ApiKeyCreated).subject(&record.subject);
        self.0.audit.record(&event.client(id.as_str()));
        Ok(CreatedApiKey { key, record })
    }

    /// The caller that a key speaks for.
    ///
    /// A text that was never made here costs one hash and no look into the store. What the store said is kept for a few
    /// seconds. At most 64 keys that are not kept are looked up at once, and 16 that are kept and have to be renewed.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError::Refused`], and [`ApiKeyError::Store`] when nothing is known about the key.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing has happened, but that the store may know of the use.
    pub async fn verify(&self, key: &str) -> Result<Arc<Principal>, ApiKeyError> {
        let mut id = None;
        let outcome = self.check(key, &mut id).await;
        self.0.metrics.count(&outcome);
        if let Err(ApiKeyError::Refused(reason)) = &outcome
            && let Some((id, subject)) = &id
        {
            // Of texts that are no key of ours there is nothing to tell.
            let mut event = Event::new(Kind::ApiKeyRefused)
                .client(id.as_str())
                .reason(reason.as_str());
            if let Some(subject) = subject {
                event = event.subject(subject);
            }
            self.0.audit.record(&event);
        }
        outcome
    }

    /// Whose users its callers are.
    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// As [`verify`](Self::verify), for a layer that verifies tokens too.
    pub(crate) fn verifying(&self, key: &str) -> Verify {
        // A longer one is none, and is not copied.
        let key = text::bounded(key).to_owned();
        let keys = self.clone();
        Verify::elsewhere(async move { Ok(keys.verify(&key).await?) })
    }

    async fn check(
        &self,
        key: &str,
        seen: &mut Option<(ApiKeyId, Option<Box<str>>)>,
    ) -> Result<Arc<Principal>, ApiKeyError> {
        let refused = |reason| Err(ApiKeyError::Refused(reason));
        let Some(Presented {
            environment,
            id,
            hash,
        }) = text::parse(key)
        else {
            return refused(ApiKeyRefusal::Form);
        };
        if *environment != *self.0.environment {
            return refused(ApiKeyRefusal::Environment);
        }
        let Some(kept) = self.kept(id).await? else {
            *seen = Some((id, None));
            return refused(ApiKeyRefusal::Unknown);
        };
        let record = &kept.record;
        let reason = if constant_time::verify_slices_are_equal(&record.hash, &hash).is_err() {
            ApiKeyRefusal::Secret
        } else if record.revoked_s.is_some() {
            ApiKeyRefusal::Revoked
        } else if !record.is_valid_at(self.0.clock.now()) {
            ApiKeyRefusal::Expired
        } else {
            self.tell_use(&kept).await;
            return Ok(Arc::clone(&kept.principal));
        };
        *seen = Some((id, Some(record.subject.clone())));
        refused(reason)
    }

    async fn kept(&self, id: ApiKeyId) -> Result<Option<Arc<Kept>>, ApiKeyError> {
        let Shared {
            kept,
            epoch,
            revocations,
            lookups,
            renewals,
            store,
            ..
        } = &*self.0;
        let is_fresh = |found: &Arc<Kept>| epoch.nanos() < found.until_nanos;
        let known = kept.get(&id);
        let _turn = match known {
            Some(found) if is_fresh(&found) => return Ok(Some(found)),
            Some(_) => {
                let turn = time::timeout(RENEWAL_WAIT, renewals.acquire()).await;
                let turn = turn.map_err(|_| StoreError::Busy)?;
                // Meanwhile another call has looked.
                if let Some(found) = kept.get(&id).filter(is_fresh) {
                    return Ok(Some(found));
                }
                turn.map_err(|_| StoreError::Closed)?
            }
            None => lookups.try_acquire().map_err(|_| StoreError::Busy)?,
        };
        let before = revocations.load(Ordering::Acquire);
        let Some(record) = store.fetch(id).await? else {
            return Ok(None);
        };
        if record.id != id {
            let error = StoreError::Corrupt("a key was found under another's id".into());
            return Err(error.into());
        }
        let found = Arc::new(Kept {
            principal: Arc::new(self.principal(&record)?),
            until_nanos: epoch.nanos().saturating_add(self.0.keep_nanos),
            told_s: AtomicU64::new(record.used_s.unwrap_or(0)),
            record,
        });
        // One that is revoked while this runs may have been read before.
        if self.0.keep_nanos > 0 && revocations.load(Ordering::Acquire) == before {
            kept.insert(id, Arc::clone(&found));
            if revocations.load(Ordering::Acquire) != before {
                kept.remove(&id);
            }
        }
        Ok(Some(found))
    }

    /// Tells the store, at most once in ten minutes for each key and by one caller.
    async fn tell_use(&self, kept: &Kept) {
        let now_s = self.0.clock.unix_seconds();
        let told_s = kept.told_s.load(Ordering::Relaxed);
        if now_s < told_s.saturating_add(USE_S) {
            return;
        }
        let is_mine =
            kept.told_s
                .compare_exchange(told_s, now_s, Ordering::Relaxed, Ordering::Relaxed);
        if is_mine.is_err() {
            return;
        }
        if let Err(error) = self.0.store.used(kept.record.id, now_s).await {
            // The key is right all the same.
            tracing::warn!(%error, id = %kept.record.id, "the use of an API key was not noted");
        }
    }

    /// Takes a key back. Here it is refused from now on, and by other instances of the service when what they know is
    /// over; see [`keep`](ApiKeysBuilder::keep). Whether there is such a key.
    ///
    /// # Errors
    ///
    /// What the store says. Whether the key is revoked is then not known: try again.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is not known either. What was kept of the key is forgotten in any case.
    pub async fn revoke(&self, id: ApiKeyId) -> Result<bool, ApiKeyError> {
        let forget = Forget {
            shared: &self.0,
            id,
        };
        let revoked = self.0.store.revoke(id, self.0.clock.unix_seconds()).await;
        // Also after an error, and after the store: what is read from now on is read anew.
        drop(forget);
        let is_there = revoked?;
        if is_there {
            let event = Event::new(Kind::ApiKeyRevoked).client(id.as_str());
            self.0.audit.record(&event);
        }
        Ok(is_there)
    }

    /// The keys of a subject, latest first; at most 1000.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn list(
        &self,
        subject: &str,
        limit: usize,
    ) -> Result<Vec<ApiKeyRecord>, ApiKeyError> {
        Ok(self.0.store.list(subject, limit.min(LIST_MAX)).await?)
    }

    /// Removes keys that were revoked or over for so long; how many.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn remove_after(&self, age: Duration) -> Result<usize, ApiKeyError> {
        let time_s = self.0.clock.unix_seconds().saturating_sub(age.as_secs());
        Ok(self.0.store.remove_before(time_s).await?)
    }

    fn principal(&self, record: &ApiKeyRecord) -> Result<Principal, ApiKeyError> {
        let mut builder = Principal::builder(self.0.issuer.clone(), &record.subject, record.kind())
            .key_id(record.id.as_str())
            .claim("client_id", record.id.as_str())
            .claim("scope", &*record.scope)
            .claim("iat", record.created_s);
        if let Some(end_s) = record.expires_s {
            builder = builder.claim("exp", end_s);
        }
        if let Some(tenant) = &record.tenant {
            builder = builder.claim("tenant", &**tenant).tenant_claim("tenant");
        }
        builder.build().map_err(|reason| {
            let reason = format!("a key cannot be read: {reason}");
            StoreError::Corrupt(reason.into()).into()
        })
    }
}

fn check(new: &NewApiKey) -> Result<(), ApiKeyError> {
    let invalid = |field, rule| Err(ApiKeyError::Invalid { field, rule });
    if !(1..=TEXT_BYTES_MAX).contains(&new.subject.len()) {
        return invalid("subject", "has 1 to 256 bytes");
    }
    if new.name.chars().count() > NAME_CHARS_MAX || new.name.chars().any(char::is_control) {
        return invalid(
            "name",
            "has at most 128 characters, none of them a control character",
        );
    }
    let bytes: usize = new.scopes.iter().map(|scope| scope.len() + 1).sum();
    if bytes > SCOPE_BYTES_MAX || !new.scopes.iter().all(|scope| is_scope(scope)) {
        return invalid(
            "scopes",
            "are printable ASCII without quotes, 2048 bytes together",
        );
    }
    match &new.tenant {
        Some(tenant) if !(1..=TEXT_BYTES_MAX).contains(&tenant.len()) => {
            invalid("tenant", "has 1 to 256 bytes")
        }
        _ => Ok(()),
    }
}

impl ApiKeysBuilder {
    /// The environment in the text of keys, such as `live` or `test`; others are refused without a look. Default `live`.
    pub fn environment(mut self, environment: impl Into<Box<str>>) -> Self {
        self.environment = environment.into();
        self
    }

    /// For how long what the store said of a key is kept, at most 5 min; default 5 s. So long a key that was revoked by
    /// another instance of the service is still taken. Zero asks the store each time.
    pub const fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Where the time of day comes from.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told about keys; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The keys.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys`].
    pub fn build(self) -> Result<ApiKeys, InvalidApiKeys> {
        if !text::is_environment(&self.environment) {
            return Err(InvalidApiKeys::Environment);
        }
        if self.issuer.is_empty() {
            return Err(InvalidApiKeys::Issuer);
        }
        if self.keep > KEEP_MAX {
            return Err(InvalidApiKeys::Keep);
        }
        let metrics = match &self.metrics {
            Some(metrics) => ApiKeyMetrics::new(metrics)?,
            None => ApiKeyMetrics::noop(),
        };
        Ok(ApiKeys(Arc::new(Shared {
            store: self.store,
            issuer: self.issuer,
            environment: self.environment,
            kept: Cache::new(KEPT_MAX),
            keep_nanos: u64::try_from(self.keep.as_nanos()).unwrap_or(u64::MAX),
            epoch: Epoch::new(),
            revocations: AtomicU64::new(0),
            lookups: Semaphore::new(LOOKUPS_MAX),
            renewals: Semaphore::new(RENEWALS_MAX),
            clock: self.clock,
            audit: self.audit,
            metrics,
        })))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("issuer", &self.0.issuer)
            .field("environment", &self.0.environment)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeysBuilder")
            .field("issuer", &self.issuer)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// Long enough that a busy key costs a look-up each five seconds, short enough that a revoked one is of no use.
const KEEP: Duration = Duration::from_secs(5);
const KEEP_MAX: Duration = Duration::from_secs(300);
/// Keys in use at once; about 1 KB each.
const KEPT_MAX: usize = 10_000;
/// Look-ups at once. Who makes up ids takes these places and not the store.
const LOOKUPS_MAX: usize = 64;
/// Renewals at once. All calls of a busy key want one at the same moment, and after the first none needs it.
const RENEWALS_MAX: usize = 16;
/// How long a call waits for that; as long as one of the stores here waits for its turn.
const RENEWAL_WAIT: Duration = Duration::from_secs(2);
/// The last use is for people.
const USE_S: u64 = 600;
const LIST_MAX: usize = 1_000;
const TEXT_BYTES_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 128;
const SCOPE_BYTES_MAX: usize = 2_048;
/// The end of the year 9999, as for tokens.
const TIME_S_MAX: u64 = 253_402_300_799;
