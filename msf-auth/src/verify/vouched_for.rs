//! Claims that an issuer vouches for by answering, instead of by a signature.

use std::{slice, time::Duration};

use super::{
    BoundTokens, InvalidVerifier, Namers, Reason, TrustedIssuer,
    check::{self, Times},
};
use crate::{principal::Principal, token::Claims};

/// The checks of an issuer's claims without those of a signature.
#[derive(Debug)]
pub(crate) struct VouchedFor {
    issuer: TrustedIssuer,
    times: Times,
}

impl VouchedFor {
    pub(crate) fn new(
        mut issuer: TrustedIssuer,
        leeway: Duration,
        lifetime_max: Duration,
    ) -> Result<Self, InvalidVerifier> {
        let name = &issuer.issuer;
        if name.is_empty() {
            return Err(InvalidVerifier::Issuer(name.clone()));
        }
        if issuer.audiences.is_empty() || issuer.audiences.iter().any(|a| a.is_empty()) {
            return Err(InvalidVerifier::NoAudience(name.clone()));
        }
        if leeway > InvalidVerifier::LEEWAY_MAX {
            return Err(InvalidVerifier::Leeway);
        }
        issuer.subject_suffices = Namers::of(slice::from_ref(&issuer)).subject_suffices();
        let times = Times {
            leeway_s: leeway.as_secs(),
            lifetime_max_s: lifetime_max.as_secs(),
        };
        Ok(Self { issuer, times })
    }

    /// The caller that the claims describe; a client that speaks for itself is a service.
    pub(crate) fn principal(&self, json: &[u8], now_s: u64) -> Result<Principal, Reason> {
        let json = str::from_utf8(json).map_err(|_| Reason::Claims)?;
        let mut claims = Claims::parse(json).map_err(|_| Reason::Claims)?;
        let issuer = claims.issuer.ok_or(Reason::MissingClaim)?;
        if !issuer.says(&self.issuer.issuer, json) {
            return Err(Reason::Issuer);
        }
        check::principal(&mut claims, &self.issuer, None, self.times, now_s)
    }

    /// Whether tokens are taken whose proof of a key is checked elsewhere.
    pub(crate) fn takes_bound(&self) -> bool {
        self.issuer.bound_tokens == BoundTokens::CheckedElsewhere
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer.issuer
    }

    /// Whether a caller that was found earlier still counts.
    pub(crate) fn is_alive(&self, principal: &Principal, now_s: u64) -> bool {
        let (_, _, expires_at_s) = principal.times_s();
        now_s < expires_at_s.saturating_add(self.times.leeway_s)
    }
}
