//! The minter.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::HeaderValue;
use serde_json::{Value, json};

use super::{
    InternalCall, InternalTokenError, InternalTokensBuilder, SUBJECT_ISSUER_CLAIM, TOKEN_TYPE,
    builder::ALWAYS,
    digest::{Digest, Digester},
    kept::{Entry, Kept},
    metrics::TokenMetrics,
};
use crate::{issue::TokenIssuer, principal::Principal};

/// Mints tokens for services inside, in the name of callers that were verified at the edge. Cloning shares what is kept.
///
/// See the [module documentation](super) for an example and for what is in a token.
#[derive(Clone)]
pub struct InternalTokens(Arc<Shared>);

struct Shared {
    issuer: TokenIssuer,
    settings: Settings,
    kept: Kept,
    metrics: TokenMetrics,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) ttl: Duration,
    pub(super) keep: Duration,
    pub(super) kept_max: usize,
    pub(super) carried: Vec<Box<str>>,
}

/// What the tenant is called inside, whatever its claim is called outside.
pub(super) const TENANT_CLAIM: &str = "tenant";
/// Gateways behind gateways; a chain that is longer is a loop.
const ACTORS_MAX: usize = 4;

impl InternalTokens {
    /// A minter with the default settings; `issuer` is the gateway's own.
    #[must_use]
    pub fn new(issuer: TokenIssuer) -> Self {
        // The default settings are in the range of any issuer.
        Self::builder(issuer).assemble(TokenMetrics::noop())
    }

    /// A minter with settings.
    pub fn builder(issuer: TokenIssuer) -> InternalTokensBuilder {
        InternalTokensBuilder::new(issuer)
    }

    pub(super) fn assemble(issuer: TokenIssuer, settings: Settings, metrics: TokenMetrics) -> Self {
        Self(Arc::new(Shared {
            issuer,
            kept: Kept::new(settings.kept_max),
            settings,
            metrics,
        }))
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.0.kept.len()
    }

    /// The `Authorization` header of a call in the name of a caller.
    ///
    /// Most of the time it was minted a moment ago, and costs a hash. It waits for nothing.
    ///
    /// # Errors
    ///
    /// [`InternalTokenError`]; the call must not be made without the header.
    pub fn bearer(
        &self,
        caller: &Principal,
        call: &InternalCall<'_>,
    ) -> Result<HeaderValue, InternalTokenError> {
        let outcome = self.0.bearer(caller, call);
        if outcome.is_err() {
            self.0.metrics.failed.inc();
        }
        outcome
    }
}

impl Shared {
    fn bearer(
        &self,
        caller: &Principal,
        call: &InternalCall<'_>,
    ) -> Result<HeaderValue, InternalTokenError> {
        let now_s = self.issuer.clock().unix_seconds();
        if call.request.is_some() || self.settings.keep.is_zero() {
            return self.mint(caller, call, now_s).map(|(header, _)| header);
        }
        let digest = self.digest(caller, call);
        if let Some(header) = self.kept.header(&digest, now_s) {
            self.metrics.kept.inc();
            return Ok(header);
        }
        let (header, ttl) = self.mint(caller, call, now_s)?;
        // Never in the second half of a life, which the end of the caller's token may have made short.
        let keep = self.settings.keep.min(ttl / 2);
        let entry = Entry {
            header: header.clone(),
            issued_s: now_s,
            keep_until_s: now_s.saturating_add(keep.as_secs()),
        };
        self.kept.keep(digest, entry);
        Ok(header)
    }

    fn mint(
        &self,
        caller: &Principal,
        call: &InternalCall<'_>,
        now_s: u64,
    ) -> Result<(HeaderValue, Duration), InternalTokenError> {
        let ends_s = caller.expires_at().duration_since(UNIX_EPOCH);
        let left_s = ends_s
            .map_or(0, |ends| ends.as_secs())
            .saturating_sub(now_s);
        if left_s == 0 {
            return Err(InternalTokenError::Expired);
        }
        let ttl = self.settings.ttl.min(Duration::from_secs(left_s));
        let mut token = self
            .issuer
            .token(caller.subject())
            .token_type(TOKEN_TYPE)
            .audience(call.audience)
            .service(caller.is_service())
            .scopes(scopes(caller, call))
            .ttl(ttl)
            .claim(SUBJECT_ISSUER_CLAIM, caller.subject_issuer())
            .claim("act", self.actors(caller)?);
        if let Some(client) = caller.client_id() {
            token = token.client(client);
        }
        for (name, value) in self.carried(caller) {
            token = token.claim(name, value.clone());
        }
        if let Some(tenant) = caller.tenant() {
            token = token.claim(TENANT_CLAIM, tenant);
        }
        if let Some(request) = call.request {
            token = token.claim("txn", request);
        }
        let token = token.sign()?;
        let header = HeaderValue::try_from(format!("Bearer {token}"));
        let mut header = header.expect("a token is base64url and dots");
        header.set_sensitive(true);
        self.metrics.minted.inc();
        Ok((header, ttl))
    }

    /// This gateway, and whoever acted before it.
    fn actors(&self, caller: &Principal) -> Result<Value, InternalTokenError> {
        let before = caller.claim("act");
        let depth = caller.actor().map_or(0, |actor| actor.chain().count());
        if depth >= ACTORS_MAX {
            return Err(InternalTokenError::Actors { max: ACTORS_MAX });
        }
        Ok(match before {
            Some(before) => json!({ "sub": self.issuer.issuer(), "act": before }),
            None => json!({ "sub": self.issuer.issuer() }),
        })
    }

    /// What of the caller's claims goes along.
    fn carried<'a>(&'a self, caller: &'a Principal) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let further = self.settings.carried.iter().map(|name| &**name);
        let names = ALWAYS.into_iter().chain(further);
        names.filter_map(|name| Some((name, caller.claim(name)?)))
    }

    fn digest(&self, caller: &Principal, call: &InternalCall<'_>) -> Digest {
        let mut digest = Digester::new();
        digest.text(call.audience);
        digest.text(caller.subject_issuer());
        digest.text(caller.subject());
        digest.number(u64::from(caller.is_service()));
        digest.optional(caller.client_id());
        // A token must not outlive that of its caller, so callers with different ends are different.
        let ends = caller.expires_at().duration_since(UNIX_EPOCH);
        digest.number(ends.map_or(0, |ends| ends.as_secs()));
        for scope in scopes(caller, call) {
            digest.text(scope);
        }
        digest.number(0);
        if let Some(act) = caller.claim("act") {
            digest.value(act);
        }
        digest.optional(caller.tenant());
        for (name, value) in self.carried(caller) {
            digest.text(name);
            digest.value(value);
        }
        digest.finish()
    }
}

fn scopes<'a>(caller: &'a Principal, call: &'a InternalCall<'_>) -> impl Iterator<Item = &'a str> {
    let is_meant = |scope: &&str| call.scopes.is_none_or(|scopes| scopes.contains(scope));
    caller.scopes().filter(is_meant)
}

impl fmt::Debug for InternalTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InternalTokens")
            .field("issuer", &self.0.issuer)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
