//! A token that was verified a moment ago, and all that may have changed since.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Keys, Reason, TrustedIssuer, verifier::Shared};
use crate::{
    audit::{Event, Kind},
    cache::{Entry, Eviction, Store, TokenHash},
    keys::Key,
    principal::Principal,
    revocation::WhenBehind,
};

/// How long a token is kept while nobody knows what is taken back.
const TTL_BEHIND: Duration = Duration::from_secs(5);

impl Shared {
    /// The caller of a token that is kept and still holds; `None` when it has to be verified.
    pub(super) fn kept(
        &self,
        store: &Store,
        hash: &TokenHash,
    ) -> Option<Result<Arc<Principal>, Reason>> {
        let entry = store.find(hash)?;
        if let Err(reason) = self.check_feed() {
            return Some(Err(self.told(reason, refused(&entry.principal))));
        }
        match self.check_kept(store, &entry) {
            Ok(()) => {
                store.hit();
                Some(Ok(entry.principal.clone()))
            }
            Err(eviction) => {
                store.drop(hash, eviction);
                if eviction != Eviction::Revoked {
                    return None;
                }
                Some(Err(self.told(Reason::Revoked, refused(&entry.principal))))
            }
        }
    }

    /// Whether it is known well enough what is taken back.
    pub(super) fn check_feed(&self) -> Result<(), Reason> {
        let must_refuse = self.revocations.as_ref().is_some_and(|revocations| {
            revocations.when_behind() == WhenBehind::Refuse && revocations.is_behind()
        });
        if must_refuse {
            Err(Reason::RevocationsUnavailable)
        } else {
            Ok(())
        }
    }

    fn check_kept(&self, store: &Store, entry: &Entry) -> Result<(), Eviction> {
        let now = store.instants(self.clock.unix_seconds());
        if !entry.lease.holds(now) {
            return Err(Eviction::Expired);
        }
        let issuer = self.issuers.get(entry.issuer).ok_or(Eviction::Key)?;
        if !issuer.still_has_key(entry) {
            return Err(Eviction::Key);
        }
        let Some(revocations) = &self.revocations else {
            return Ok(());
        };
        if revocations.is_behind() && !entry.lease.is_younger(TTL_BEHIND, now) {
            return Err(Eviction::Expired);
        }
        let epoch = revocations.epoch();
        if entry.epoch.load(Ordering::Relaxed) != epoch {
            if revocations.is_revoked(&entry.principal) {
                return Err(Eviction::Revoked);
            }
            entry.epoch.store(epoch, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The token of a caller who was verified a moment ago is refused.
fn refused(caller: &Principal) -> Event<'_> {
    let mut event = Event::new(Kind::TokenRefused)
        .issuer(caller.issuer())
        .subject(caller.subject());
    if let Some(id) = caller.key_id() {
        event = event.key_id(id);
    }
    if let Some(id) = caller.token_id() {
        event = event.token_id(id);
    }
    event
}

impl TrustedIssuer {
    /// Whether the key that a token was verified with would be found again.
    fn still_has_key(&self, entry: &Entry) -> bool {
        let remote = match &self.keys {
            Keys::Static(_) => return true,
            Keys::Remote(remote) => remote,
        };
        let id = entry.names_key.then(|| entry.key.id());
        let known = entry.generation.load(Ordering::Relaxed);
        let found = remote.recheck(
            known,
            |keys| matches!(keys.find(id), Some(Key::Public(key)) if *key == entry.key),
        );
        match found {
            Some(generation) => {
                entry.generation.store(generation, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }
}
