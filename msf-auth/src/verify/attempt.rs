//! One look at a token, from its text to its caller.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicU64},
};

use super::{
    HeaderPolicy, Keys, Reason, check,
    decoded::{Decoded, SCRATCH_BYTES},
    verifier::{Attempt, Shared},
};
use crate::{
    algorithm::Algorithm,
    audit::{Event, Kind},
    cache::{Entry, Store, TokenHash},
    keys::{Key, VerifyingKey, is_key_id},
    principal::Principal,
    remote::RemoteKeys,
    token::{Claims, Compact, Header},
};

/// Why there is no caller.
enum Stop<'a> {
    Refused(Reason),
    KeyMissing(&'a RemoteKeys),
}

impl From<Reason> for Stop<'_> {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// Under what the signature of a token is good.
struct Proof {
    issuer: usize,
    /// `None` for a shared secret, whose tokens are not kept.
    key: Option<VerifyingKey>,
    generation: u64,
}

/// Where a verified token is to be kept.
type Place<'a> = Option<(&'a Store, TokenHash)>;

impl Shared {
    pub(super) fn attempt(&self, token: &str) -> Attempt<'_> {
        if token.len() > self.token_bytes_max {
            return self.refused(Reason::Size);
        }
        let Some(parts) = Compact::split(token) else {
            return self.refused(Reason::Form);
        };
        if parts.header.len() > Header::TEXT_BYTES_MAX {
            return self.refused(Reason::Size);
        }
        let place = self.place(token, &parts);
        if let Some((store, hash)) = &place {
            if let Some(outcome) = self.kept(store, hash) {
                return Attempt::Done(outcome);
            }
            store.missed();
        }
        self.read(&parts, place)
    }

    fn refused(&self, reason: Reason) -> Attempt<'_> {
        Attempt::Done(Err(self.told(reason, Event::new(Kind::TokenRefused))))
    }

    /// Whether a token could be kept, without reading it.
    fn place(&self, token: &str, parts: &Compact<'_>) -> Place<'_> {
        let store = self.cache.as_deref()?;
        // Hashing costs as much as HMAC does, so tokens with one are not looked for: their signatures have
        // lengths that no other has, but for HS512. And a header begins with `{"`, unless somebody plays.
        let may_be_kept =
            !matches!(parts.signature.len(), 43 | 64) && parts.header.starts_with("ey");
        may_be_kept.then(|| (store, TokenHash::of(token)))
    }

    fn read<'a>(&'a self, parts: &Compact<'_>, place: Place<'a>) -> Attempt<'a> {
        let mut scratch = [0; SCRATCH_BYTES];
        let mut heap = Vec::new();
        let Some(decoded) = Decoded::new(parts, &mut scratch, &mut heap) else {
            return self.refused(Reason::Form);
        };
        let Ok(header) = Header::parse(decoded.header) else {
            return self.refused(Reason::Header);
        };
        let event = Event::new(Kind::TokenRefused);
        let event = match header.key_id.as_deref() {
            Some(id) => event.key_id(id),
            None => event,
        };
        // The header decides before the claims are read.
        let key_and_claims = check_header(&header).and_then(|algorithm| {
            let json = str::from_utf8(decoded.payload).map_err(|_| Reason::Claims)?;
            let claims = Claims::parse(json).map_err(|_| Reason::Claims)?;
            Ok((algorithm, claims))
        });
        let (algorithm, claims) = match key_and_claims {
            Ok(both) => both,
            Err(reason) => return Attempt::Done(Err(self.told(reason, event))),
        };
        let said = |text| Some(claims.text(text?));
        let token_id: Option<Cow<'_, str>> = said(claims.token_id);
        let proof = self.prove(parts, &decoded, &header, algorithm, &claims);
        let outcome = proof.and_then(|proof| {
            let caller = self.caller(claims, &header, &proof)?;
            Ok(self.keep(caller, proof, &header, place)?)
        });
        match outcome {
            Ok(caller) => Attempt::Done(Ok(caller)),
            Err(Stop::KeyMissing(keys)) => Attempt::KeyMissing(keys),
            Err(Stop::Refused(reason)) => {
                let event = match token_id.as_deref() {
                    Some(id) => event.token_id(id),
                    None => event,
                };
                Attempt::Done(Err(self.told(reason, event)))
            }
        }
    }

    /// Whether the signature is that of a key of the issuer that the token names.
    fn prove(
        &self,
        parts: &Compact<'_>,
        decoded: &Decoded<'_>,
        header: &Header<'_>,
        algorithm: Algorithm,
        claims: &Claims<'_>,
    ) -> Result<Proof, Stop<'_>> {
        self.check_feed()?;
        let named = claims.issuer.ok_or(Reason::MissingClaim)?;
        let mut issuers = self.issuers.iter().enumerate();
        let (index, issuer) = issuers
            .find(|(_, trusted)| named.says(&trusted.issuer, claims.json()))
            .ok_or(Reason::Issuer)?;
        if header.has_key_hint && issuer.header_policy == HeaderPolicy::Strict {
            return Err(Reason::HeaderMember.into());
        }
        if !issuer.takes_type(header.token_type.as_deref()) {
            return Err(Reason::Type.into());
        }
        if !issuer.algorithms.contains(&algorithm) {
            return Err(Reason::Algorithm.into());
        }
        let check = |key: &Key, generation: u64| {
            if key.algorithm() != algorithm {
                return Err(Reason::KeyAlgorithm);
            }
            if !key.verify(parts.signing_input.as_bytes(), decoded.signature) {
                return Err(Reason::Signature);
            }
            let key = match key {
                Key::Public(key) => Some(key.clone()),
                Key::Hmac(_) => None,
            };
            Ok(Proof {
                issuer: index,
                key,
                generation,
            })
        };
        let key_id = header.key_id.as_deref();
        let proof = match &issuer.keys {
            Keys::Static(keys) => check(keys.find(key_id).ok_or(Reason::UnknownKey)?, 0),
            Keys::Remote(remote) => remote
                .lookup(key_id, check)
                .ok_or(Stop::KeyMissing(remote))?,
        };
        Ok(proof?)
    }

    fn caller(
        &self,
        claims: Claims<'_>,
        header: &Header<'_>,
        proof: &Proof,
    ) -> Result<Principal, Reason> {
        let issuer = self.issuers.get(proof.issuer).ok_or(Reason::Issuer)?;
        let key_id = header
            .key_id
            .as_deref()
            .or_else(|| proof.key.as_ref().map(VerifyingKey::id));
        check::principal(
            claims,
            issuer,
            key_id,
            self.times,
            self.clock.unix_seconds(),
        )
    }

    /// The last check, and then the caller is kept, if at all.
    fn keep(
        &self,
        caller: Principal,
        proof: Proof,
        header: &Header<'_>,
        place: Place<'_>,
    ) -> Result<Arc<Principal>, Reason> {
        let mut epoch = 0;
        if let Some(revocations) = &self.revocations {
            // Before the look, so that what is taken back meanwhile is looked for again.
            epoch = revocations.epoch();
            if revocations.is_revoked(&caller) {
                return Err(Reason::Revoked);
            }
        }
        let caller = Arc::new(caller);
        if let (Some((store, hash)), Some(key)) = (place, proof.key) {
            let lease = store.lease(&caller, self.times, self.clock.unix_seconds());
            let entry = Entry {
                principal: caller.clone(),
                lease,
                issuer: proof.issuer,
                key,
                names_key: header.key_id.is_some(),
                generation: AtomicU64::new(proof.generation),
                epoch: AtomicU64::new(epoch),
            };
            store.keep(hash, entry);
        }
        Ok(caller)
    }
}

/// What has to be right whoever the issuer is.
fn check_header(header: &Header<'_>) -> Result<Algorithm, Reason> {
    if header.has_forbidden {
        return Err(Reason::HeaderMember);
    }
    let algorithm = header.algorithm.as_deref().and_then(Algorithm::from_name);
    let algorithm = algorithm.ok_or(Reason::Algorithm)?;
    if header.key_id.as_deref().is_some_and(|id| !is_key_id(id)) {
        return Err(Reason::KeyId);
    }
    Ok(algorithm)
}
