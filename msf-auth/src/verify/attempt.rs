//! One look at a token, from its text to its caller.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicU64},
};

use super::{
    HeaderPolicy, Keys, Reason, TrustedIssuer, check,
    decoded::Scratch,
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

/// What a token says of itself, for the audit.
struct Said<'a> {
    key_id: Option<&'a str>,
    token_id: Option<Cow<'a, str>>,
    /// Only an issuer that is trusted: any other name is noise that the sender chose.
    issuer: Option<&'a str>,
}

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

/// What a signature has to be good for.
#[derive(Clone, Copy)]
struct Signed<'a> {
    message: &'a [u8],
    signature: &'a [u8],
}

/// Under what the signature of a token is good.
struct Proof {
    issuer: usize,
    /// `None` for a shared secret, whose tokens are not kept.
    key: Option<VerifyingKey>,
    generation: u64,
}

/// What a header with algorithm, type and id has, twice.
const HEADER_BYTES_USUAL: usize = 256;
/// Claims of three quarters of a KiB and the signature of an RSA key of 2048 bits.
const BODY_BYTES_USUAL: usize = 1_024;

/// Where a verified token is to be kept.
type Place<'a> = Option<(&'a Store, TokenHash)>;

impl Shared {
    /// `wait` says what to wait for when the issuer may have published the key since its keys were fetched.
    pub(super) fn attempt<W>(
        &self,
        token: &str,
        wait: impl FnOnce(&RemoteKeys) -> Option<W>,
    ) -> Attempt<W> {
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
        self.read(&parts, place, wait)
    }

    fn refused<W>(&self, reason: Reason) -> Attempt<W> {
        Attempt::Done(Err(self.told(reason, Event::new(Kind::TokenRefused))))
    }

    fn refused_saying<W>(&self, reason: Reason, said: &Said<'_>) -> Attempt<W> {
        Attempt::Done(Err(self.told(reason, said.event())))
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

    fn read<W>(
        &self,
        parts: &Compact<'_>,
        place: Place<'_>,
        wait: impl FnOnce(&RemoteKeys) -> Option<W>,
    ) -> Attempt<W> {
        let mut scratch = Scratch::<HEADER_BYTES_USUAL>::new();
        let Some([header]) = scratch.decode([parts.header]) else {
            return self.refused(Reason::Form);
        };
        let Ok(header) = Header::parse(header) else {
            return self.refused(Reason::Header);
        };
        self.read_after(&header, parts, place, wait)
    }

    /// What follows the header, which most of what is no token does not have.
    fn read_after<W>(
        &self,
        header: &Header<'_>,
        parts: &Compact<'_>,
        place: Place<'_>,
        wait: impl FnOnce(&RemoteKeys) -> Option<W>,
    ) -> Attempt<W> {
        let mut scratch = Scratch::<BODY_BYTES_USUAL>::new();
        let mut said = Said {
            key_id: header.key_id.as_deref(),
            token_id: None,
            issuer: None,
        };
        // The header decides before the claims are read.
        let algorithm = match check_header(header) {
            Ok(algorithm) => algorithm,
            Err(reason) => return self.refused_saying(reason, &said),
        };
        let Some([payload, signature]) = scratch.decode([parts.payload, parts.signature]) else {
            return self.refused_saying(Reason::Form, &said);
        };
        let Ok(json) = str::from_utf8(payload) else {
            return self.refused_saying(Reason::Claims, &said);
        };
        let Ok(mut claims) = Claims::parse(json) else {
            return self.refused_saying(Reason::Claims, &said);
        };
        let trusted = self.trusted(&claims);
        said.token_id = claims.token_id.map(|text| claims.text(text));
        said.issuer = trusted.ok().map(|(_, issuer)| &*issuer.issuer);
        let proof = trusted.map_err(Stop::from).and_then(|(index, issuer)| {
            let signed = Signed {
                message: parts.signing_input.as_bytes(),
                signature,
            };
            self.prove(signed, header, algorithm, index, issuer)
        });
        let outcome = proof.and_then(|proof| {
            let caller = self.caller(&mut claims, header, &proof)?;
            Ok(self.keep(caller, proof, header, place)?)
        });
        let reason = match outcome {
            Ok(caller) => return Attempt::Done(Ok(caller)),
            Err(Stop::Refused(reason)) => reason,
            Err(Stop::KeyMissing(keys)) => match wait(keys) {
                Some(until) => return Attempt::KeyMissing(until),
                None if keys.is_usable() => Reason::UnknownKey,
                None => Reason::KeysUnavailable,
            },
        };
        Attempt::Done(Err(self.told(reason, said.event())))
    }

    /// The issuer that a token names, with its place.
    fn trusted(&self, claims: &Claims<'_>) -> Result<(usize, &TrustedIssuer), Reason> {
        let named = claims.issuer.ok_or(Reason::MissingClaim)?;
        let mut issuers = self.issuers.iter().enumerate();
        issuers
            .find(|(_, trusted)| named.says(&trusted.issuer, claims.json()))
            .ok_or(Reason::Issuer)
    }

    /// Whether the signature is that of a key of the issuer.
    fn prove<'a>(
        &self,
        signed: Signed<'_>,
        header: &Header<'_>,
        algorithm: Algorithm,
        index: usize,
        issuer: &'a TrustedIssuer,
    ) -> Result<Proof, Stop<'a>> {
        self.check_feed()?;
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
            if !key.verify(signed.message, signed.signature) {
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
        claims: &mut Claims<'_>,
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

impl Said<'_> {
    fn event(&self) -> Event<'_> {
        let mut event = Event::new(Kind::TokenRefused);
        if let Some(issuer) = self.issuer {
            event = event.issuer(issuer);
        }
        if let Some(id) = self.key_id {
            event = event.key_id(id);
        }
        if let Some(id) = self.token_id.as_deref() {
            event = event.token_id(id);
        }
        event
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
