//! What a policy comes to: a pure function of what is known.
//!
//! Besides yes and no there is "not known": a path parameter that is missing, a decision that could not be had. It
//! lets nobody pass, also under `not`, which would make a yes of a no.

use super::{Answer, Decision, Missing, Node, PathParams, StepUp, caller};
use crate::principal::Principal;

/// How far the clock of an issuer may be ahead, as for tokens.
const SKEW_S: u64 = 30;

/// What a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) caller: Option<&'a Principal>,
    pub(crate) params: &'a PathParams,
    /// Seconds of wall time. 0 where no policy asks for the time: then no authentication is young enough.
    pub(crate) now_s: u64,
    /// What external decisions were, by their names.
    pub(crate) answers: &'a [(Box<str>, Answer)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    Yes,
    No(Decision<'a>),
    Unknown(Decision<'a>),
    /// It depends on an external decision of this name.
    Ask(&'a str),
}

impl<'a> Outcome<'a> {
    /// What it means when nobody is asked any more.
    pub(crate) const fn decision(self) -> Decision<'a> {
        match self {
            Self::Yes => Decision::Allow,
            Self::No(decision) | Self::Unknown(decision) => decision,
            Self::Ask(name) => Decision::Undecided(name),
        }
    }

    const fn yes_if(is_so: bool, otherwise: Decision<'a>) -> Self {
        if is_so {
            Self::Yes
        } else {
            Self::No(otherwise)
        }
    }

    /// A name that is only written in another way may be the same one to the handler: then it is not known, so that
    /// `not` does not let it pass.
    fn is(name: &str, parameter: &str) -> Self {
        if name == parameter {
            Self::Yes
        } else if caller::are_alike(name, parameter) {
            Self::Unknown(Decision::Hidden)
        } else {
            Self::No(Decision::Hidden)
        }
    }

    fn known(is_so: Option<bool>, missing: Missing<'a>) -> Self {
        match is_so {
            Some(is_so) => Self::forbidden(is_so, missing),
            None => Self::Unknown(Decision::Forbidden(missing)),
        }
    }

    const fn forbidden(is_so: bool, missing: Missing<'a>) -> Self {
        Self::yes_if(is_so, Decision::Forbidden(missing))
    }
}

impl Node {
    pub(crate) fn evaluate<'a>(&'a self, facts: Facts<'_>) -> Outcome<'a> {
        match self {
            Self::Public => Outcome::Yes,
            Self::Any(nodes) => any(nodes.iter().map(|node| node.evaluate(facts)), facts),
            Self::All(nodes) => all(nodes.iter().map(|node| node.evaluate(facts)), facts),
            Self::Not(node) => not(node.evaluate(facts), facts),
            leaf => match facts.caller {
                Some(caller) => leaf.of_caller(caller, facts),
                None => Outcome::No(Decision::Unauthenticated),
            },
        }
    }

    fn of_caller<'a>(&'a self, caller: &Principal, facts: Facts<'_>) -> Outcome<'a> {
        match self {
            Self::Public | Self::Authenticated => Outcome::Yes,
            Self::User => Outcome::forbidden(!caller.is_service(), Missing::User),
            Self::Mfa => Outcome::yes_if(
                caller::has_several_factors(caller),
                Decision::StepUp(StepUp::Mfa),
            ),
            Self::Scope(scope) => {
                Outcome::forbidden(caller.has_scope(scope), Missing::Scope(scope))
            }
            Self::Role(role) => Outcome::known(caller::has_role(caller, role), Missing::Role(role)),
            Self::Claim(name, _) if is_typed_claim(name) => {
                Outcome::Unknown(Decision::Forbidden(Missing::Claim(name)))
            }
            Self::Claim(name, value) => {
                let claim = caller::claim(caller, name);
                let is_it = claim.map_or(Some(false), |claim| value.matches(claim));
                Outcome::known(is_it, Missing::Claim(name))
            }
            Self::Issuer(issuer) => {
                Outcome::forbidden(caller.issuer() == &**issuer, Missing::Issuer(issuer))
            }
            Self::Client(client) => {
                let is_it = caller.client_id() == Some(client);
                Outcome::forbidden(is_it, Missing::Client(client))
            }
            Self::Service(name) => {
                let is_it = caller.is_service() && caller.subject() == &**name;
                Outcome::forbidden(is_it, Missing::Service(name))
            }
            Self::Owner(parameter, issuer) => match facts.params.get(parameter) {
                None => Outcome::Unknown(Decision::Hidden),
                Some(_) if caller.is_service() => Outcome::No(Decision::Hidden),
                Some(own) => owner(caller, own, issuer.as_deref()),
            },
            Self::Tenant(parameter) => match (facts.params.get(parameter), caller.tenant()) {
                (None, _) => Outcome::Unknown(Decision::Hidden),
                // The empty text is no tenant: else all that have none would be one.
                (Some(_), None | Some("")) => Outcome::No(Decision::Hidden),
                (Some(own), Some(tenant)) => Outcome::is(tenant, own),
            },
            Self::Acr(acr) => Outcome::yes_if(
                caller.acr() == Some(acr),
                Decision::StepUp(StepUp::Acr(acr)),
            ),
            Self::MaxAuthAge(max_s) => {
                let refused = Decision::StepUp(StepUp::MaxAge { seconds: *max_s });
                match caller::authenticated_at_s(caller) {
                    Some(at_s) if at_s <= facts.now_s.saturating_add(SKEW_S) => {
                        Outcome::yes_if(facts.now_s.saturating_sub(at_s) <= *max_s, refused)
                    }
                    _ => Outcome::Unknown(refused),
                }
            }
            Self::External(name) => match facts.answers.iter().find(|(own, _)| own == name) {
                None => Outcome::Ask(name),
                Some((_, Answer::Yes)) => Outcome::Yes,
                Some((_, Answer::No)) => Outcome::No(Decision::Forbidden(Missing::External(name))),
                Some((_, Answer::Failed)) => Outcome::Unknown(Decision::Undecided(name)),
            },
            Self::Any(_) | Self::All(_) | Self::Not(_) => self.evaluate(facts),
        }
    }
}

/// Whether a user is the one of this name that this issuer named. Without an issuer, among users of several, one that
/// has the name may be it.
fn owner<'a>(caller: &Principal, own: &str, issuer: Option<&str>) -> Outcome<'a> {
    let outcome = Outcome::is(caller.subject(), own);
    match issuer {
        Some(issuer) if issuer != caller.subject_issuer() => Outcome::No(Decision::Hidden),
        None if outcome == Outcome::Yes && !caller.subject_suffices() => {
            Outcome::Unknown(Decision::Hidden)
        }
        _ => outcome,
    }
}

/// Claims that are no property of a caller, or that have a policy which reads them as they are meant; also by a
/// pointer.
pub(super) fn is_typed_claim(name: &str) -> bool {
    matches!(
        &*caller::split(name).0,
        "" | "iss" | "sub" | "aud" | "exp" | "nbf" | "iat" | "jti" | "scope" | "msf_kind"
    )
}

pub(super) fn any<'a>(
    outcomes: impl Iterator<Item = Outcome<'a>>,
    facts: Facts<'_>,
) -> Outcome<'a> {
    let mut ask = None;
    let mut is_unknown = false;
    let mut refusal = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Yes => return Outcome::Yes,
            Outcome::Ask(name) => ask = ask.or(Some(name)),
            Outcome::Unknown(_) => is_unknown = true,
            Outcome::No(_) => {}
        }
        let own = outcome.decision();
        // A part that nobody passes is no reason, where another has one.
        if own != Decision::Forbidden(Missing::Nobody) {
            refusal = Some(refusal.map_or(own, |refusal| quieter(refusal, own)));
        }
    }
    let refusal = refusal.unwrap_or_else(|| nobody(facts));
    match ask {
        Some(name) => Outcome::Ask(name),
        None if is_unknown => Outcome::Unknown(refusal),
        None => Outcome::No(refusal),
    }
}

pub(super) fn all<'a>(
    outcomes: impl Iterator<Item = Outcome<'a>>,
    facts: Facts<'_>,
) -> Outcome<'a> {
    let mut ask = None;
    let mut is_refused = false;
    let mut decision = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Ask(name) => {
                // Whoever is refused by the others is not worth the question.
                ask = ask.or(Some(name));
                continue;
            }
            Outcome::No(_) => is_refused = true,
            Outcome::Yes | Outcome::Unknown(_) => {}
        }
        let own = outcome.decision();
        decision = Some(decision.map_or(own, |decision| quieter(decision, own)));
    }
    match (decision, ask) {
        (Some(decision), _) if is_refused => Outcome::No(decision),
        (_, Some(name)) => Outcome::Ask(name),
        (None, None) => Outcome::No(nobody(facts)),
        (Some(Decision::Allow), None) => Outcome::Yes,
        (Some(decision), None) => Outcome::Unknown(decision),
    }
}

pub(super) fn not<'a>(outcome: Outcome<'a>, facts: Facts<'_>) -> Outcome<'a> {
    match outcome {
        _ if facts.caller.is_none() => Outcome::No(Decision::Unauthenticated),
        Outcome::Yes => Outcome::No(Decision::Forbidden(Missing::Exclusion)),
        Outcome::No(_) => Outcome::Yes,
        other => other,
    }
}

const fn nobody(facts: Facts<'_>) -> Decision<'static> {
    if facts.caller.is_some() {
        Decision::Forbidden(Missing::Nobody)
    } else {
        Decision::Unauthenticated
    }
}

/// The one that tells the caller less; of two alike the first.
fn quieter<'a>(first: Decision<'a>, second: Decision<'a>) -> Decision<'a> {
    if rank(second) > rank(first) {
        second
    } else {
        first
    }
}

const fn rank(decision: Decision<'_>) -> u8 {
    match decision {
        Decision::Allow => 0,
        Decision::StepUp(_) => 1,
        Decision::Forbidden(_) => 2,
        Decision::Undecided(_) => 3,
        Decision::Hidden => 4,
        Decision::Unauthenticated => 5,
    }
}
