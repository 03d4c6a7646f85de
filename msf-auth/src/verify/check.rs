//! What the claims have to say: a pure function of claims, issuer and time.

use super::{BoundTokens, Reason, TrustedIssuer, provider::Audience};
use crate::{
    principal::{Origin, Principal, PrincipalKind},
    token::{Claims, KIND_SERVICE},
};

/// What is allowed about times, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) leeway_s: u64,
    pub(crate) lifetime_max_s: u64,
}

/// The caller that the claims of a token with a good signature describe; its members are taken out of them.
pub(super) fn principal(
    claims: &mut Claims<'_>,
    issuer: &TrustedIssuer,
    key_id: Option<&str>,
    times: Times,
    now_s: u64,
) -> Result<Principal, Reason> {
    let found = issuer.shape.read(claims)?;
    let is_ours = match issuer.shape.audience {
        Audience::Aud => {
            let given = claims.audience.ok_or(Reason::MissingClaim)?;
            issuer.audiences.iter().any(|own| claims.has(given, own))
        }
        Audience::ClientId => {
            let given = found.client_id.as_deref().ok_or(Reason::MissingClaim)?;
            issuer.audiences.iter().any(|own| **own == *given)
        }
    };
    if !is_ours {
        return Err(Reason::Audience);
    }
    let expires_at_s = claims.expires_s.ok_or(Reason::MissingClaim)?;
    times.check(claims, expires_at_s, now_s)?;
    check_binding(claims, issuer.bound_tokens)?;
    let subject = claims.subject.ok_or(Reason::MissingClaim)?;
    let kind = match kind(claims.kind.map(|word| claims.text(word)).as_deref())? {
        PrincipalKind::User if found.is_service => PrincipalKind::Service,
        kind => kind,
    };
    let may_speak_for_it = match kind {
        PrincipalKind::User => {
            let named_by = found.subject_issuer.as_deref().unwrap_or(&issuer.issuer);
            issuer.takes_users() && issuer.takes_user_of(named_by)
        }
        PrincipalKind::Service => issuer.takes_service(&claims.text(subject)),
    };
    if !may_speak_for_it {
        return Err(Reason::Subject);
    }
    let origin = Origin {
        issuer: issuer.issuer.clone(),
        kind,
        expires_at_s,
        key_id,
        tenant_claim: &issuer.tenant_claim,
        scope: found.scope.as_deref(),
        client_id: found.client_id.as_deref(),
        subject_issuer: found.subject_issuer.as_deref(),
        subject_suffices: issuer.subject_suffices,
    };
    Principal::assemble(claims, origin)
}

impl Times {
    fn check(self, claims: &Claims<'_>, expires_s: u64, now_s: u64) -> Result<(), Reason> {
        if now_s >= expires_s.saturating_add(self.leeway_s) {
            return Err(Reason::Expired);
        }
        let soon_s = now_s.saturating_add(self.leeway_s);
        let starts = [claims.not_before_s, claims.issued_s];
        if starts.into_iter().flatten().any(|start_s| start_s > soon_s) {
            return Err(Reason::NotYetValid);
        }
        // Without `iat` what is left of the life stands for the whole.
        let start_s = claims.issued_s.unwrap_or(soon_s);
        if expires_s.saturating_sub(start_s) > self.lifetime_max_s {
            return Err(Reason::Lifetime);
        }
        Ok(())
    }
}

/// RFC 7800 section 3: `cnf` is an object, and whoever cannot do what it says does not take the token.
fn check_binding(claims: &Claims<'_>, policy: BoundTokens) -> Result<(), Reason> {
    let Some(key) = claims.member("cnf") else {
        return Ok(());
    };
    match policy {
        BoundTokens::Refuse => Err(Reason::Bound),
        BoundTokens::CheckedElsewhere if key.span.of(claims.json()).starts_with('{') => Ok(()),
        BoundTokens::CheckedElsewhere => Err(Reason::Claims),
    }
}

/// Words that are not known could mean less than a user.
fn kind(word: Option<&str>) -> Result<PrincipalKind, Reason> {
    match word {
        None | Some("user") => Ok(PrincipalKind::User),
        Some(KIND_SERVICE) => Ok(PrincipalKind::Service),
        Some(_) => Err(Reason::Subject),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;
    use crate::keys::KeySet;

    const TIMES: Times = Times {
        leeway_s: 30,
        lifetime_max_s: 3_600,
    };

    fn check(exp: u64, nbf: Option<u64>, iat: Option<u64>, now_s: u64) -> Result<(), Reason> {
        let claims = Claims {
            not_before_s: nbf,
            issued_s: iat,
            ..Claims::default()
        };
        TIMES.check(&claims, exp, now_s)
    }

    #[test]
    fn a_token_ends_at_its_expiry_plus_the_leeway() {
        assert_eq!(check(1_000, None, None, 1_029), Ok(()));
        assert_eq!(check(1_000, None, None, 1_030), Err(Reason::Expired));
    }

    #[test]
    fn a_token_begins_at_its_start_less_the_leeway() {
        assert_eq!(check(2_000, Some(1_030), None, 1_000), Ok(()));
        assert_eq!(
            check(2_000, Some(1_031), None, 1_000),
            Err(Reason::NotYetValid)
        );
        assert_eq!(
            check(2_000, None, Some(1_031), 1_000),
            Err(Reason::NotYetValid)
        );
    }

    #[test]
    fn a_life_is_bounded_with_and_without_a_start() {
        assert_eq!(check(4_600, None, Some(1_000), 1_000), Ok(()));
        assert_eq!(
            check(4_601, None, Some(1_000), 1_000),
            Err(Reason::Lifetime)
        );
        assert_eq!(check(4_630, None, None, 1_000), Ok(()));
        assert_eq!(check(4_631, None, None, 1_000), Err(Reason::Lifetime));
        assert_eq!(check(u64::MAX, None, None, 1_000), Err(Reason::Lifetime));
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_is_refused_unless_the_proof_is_checked_elsewhere() {
        let strict = TrustedIssuer::new("i", KeySet::default()).audience("a");
        let open = strict.clone().bound_tokens(BoundTokens::CheckedElsewhere);
        let outcome = |issuer: &TrustedIssuer, cnf: &str| {
            let json = format!(r#"{{"aud":"a","exp":1000,"sub":"7"{cnf}}}"#);
            let mut claims = Claims::parse(&json).unwrap();
            principal(&mut claims, issuer, Some("k"), TIMES, 900).err()
        };
        for cnf in [
            r#","cnf":{"jkt":"x"}"#,
            r#","c\u006ef":{"jkt":"x"}"#,
            r#","cnf":{}"#,
        ] {
            assert_eq!(outcome(&strict, cnf), Some(Reason::Bound), "{cnf}");
            assert_eq!(outcome(&open, cnf), None, "{cnf}");
        }
        for cnf in [r#","cnf":null"#, r#","cnf":"x""#, r#","cnf":["{"]"#] {
            assert_eq!(outcome(&strict, cnf), Some(Reason::Bound), "{cnf}");
            assert_eq!(outcome(&open, cnf), Some(Reason::Claims), "{cnf}");
        }
        for cnf in ["", r#","CNF":{}"#] {
            assert_eq!(outcome(&strict, cnf), None, "{cnf}");
        }
    }

    #[test]
    fn a_service_is_only_taken_from_its_own_issuer() {
        let base = TrustedIssuer::new("i", KeySet::default()).audience("a");
        let orders = base.clone().service("order");
        let outcome = |issuer: &TrustedIssuer,
                       kind: Option<&'static str>,
                       subject: &'static str| {
            let kind = kind.map(|kind| format!(r#","msf_kind":"{kind}""#));
            let kind = kind.unwrap_or_default();
            let json = format!(r#"{{"aud":"a","exp":1000,"sub":"{subject}"{kind}}}"#);
            let mut claims = Claims::parse(&json).unwrap();
            principal(&mut claims, issuer, Some("k"), TIMES, 900).map(|principal| principal.kind())
        };
        assert_eq!(outcome(&base, None, "order"), Ok(PrincipalKind::User));
        assert_eq!(
            outcome(&base, Some("service"), "order"),
            Err(Reason::Subject)
        );
        assert_eq!(
            outcome(&orders, Some("service"), "order"),
            Ok(PrincipalKind::Service)
        );
        assert_eq!(
            outcome(&orders, Some("service"), "payment"),
            Err(Reason::Subject)
        );
        assert_eq!(outcome(&orders, None, "7"), Err(Reason::Subject));
        assert_eq!(
            outcome(&orders.clone().users(), None, "7"),
            Ok(PrincipalKind::User)
        );
        assert_eq!(outcome(&base, Some("robot"), "7"), Err(Reason::Subject));
        assert_eq!(outcome(&base, None, ""), Err(Reason::MissingClaim));
        // A client's own token is no user's, also where nothing but RFC 9068 marks it.
        let own = r#"{"aud":"a","exp":1000,"sub":"order","client_id":"order"}"#;
        let outcome = |issuer: &TrustedIssuer| {
            let mut claims = Claims::parse(own).unwrap();
            principal(&mut claims, issuer, None, TIMES, 900).map(|principal| principal.kind())
        };
        assert_eq!(outcome(&base), Err(Reason::Subject));
        assert_eq!(outcome(&orders), Ok(PrincipalKind::Service));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_alive(
            exp in any::<u64>(),
            nbf in option::of(any::<u64>()),
            iat in option::of(any::<u64>()),
            now in any::<u64>(),
        ) {
            if check(exp, nbf, iat, now).is_ok() {
                prop_assert!(now < exp.saturating_add(30));
                prop_assert!(nbf.is_none_or(|nbf| nbf <= now.saturating_add(30)));
                prop_assert!(iat.is_none_or(|iat| iat <= now.saturating_add(30)));
                prop_assert!(exp.saturating_sub(now) <= 3_600 + 30);
            }
        }
    }
}
