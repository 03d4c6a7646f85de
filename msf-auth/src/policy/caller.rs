//! What policies ask of a caller.

use std::{borrow::Cow, time::SystemTime};

use serde_json::Value;

use crate::principal::Principal;

/// The claim of RFC 9068 section 2.2.3.1.
const ROLES: &str = "roles";
/// What an issuer says in `amr` when there was more than one factor (RFC 8176 section 2).
const MFA: &str = "mfa";

pub(super) fn has_role(caller: &Principal, role: &str) -> Option<bool> {
    is_or_has(caller.claim(ROLES), role)
}

pub(super) fn has_several_factors(caller: &Principal) -> bool {
    caller.amr().any(|method| method == MFA)
}

pub(super) fn authenticated_at_s(caller: &Principal) -> Option<u64> {
    let since = caller
        .authenticated_at()?
        .duration_since(SystemTime::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

/// A claim by its name, or by a pointer (RFC 6901) into one.
pub(super) fn claim<'a>(caller: &'a Principal, name: &str) -> Option<&'a Value> {
    let (name, inner) = split(name);
    caller.claim(&name)?.pointer(inner)
}

/// The name of a claim, and the pointer into it.
pub(super) fn split(name: &str) -> (Cow<'_, str>, &str) {
    let Some(pointer) = name.strip_prefix('/') else {
        return (name.into(), "");
    };
    let (name, inner) = match pointer.find('/') {
        Some(end) => pointer.split_at(end),
        None => (pointer, ""),
    };
    if name.contains('~') {
        (name.replace("~1", "/").replace("~0", "~").into(), inner)
    } else {
        (name.into(), inner)
    }
}

/// `None` for a claim that is neither a text nor a list of them: what it says is not known.
fn is_or_has(claim: Option<&Value>, word: &str) -> Option<bool> {
    match claim {
        None | Some(Value::Null) => Some(false),
        Some(Value::String(one)) => Some(one == word),
        Some(Value::Array(words)) => {
            let has = words.iter().any(|own| own.as_str() == Some(word));
            (has || words.iter().all(Value::is_string)).then_some(has)
        }
        Some(_) => None,
    }
}

/// Whether two texts that are not the same may be so to a handler: `07` is 7 to one that reads numbers, and the case
/// of a UUID is nothing.
pub(super) fn are_alike(one: &str, other: &str) -> bool {
    let plain = |text: &'_ str| {
        text.trim()
            .trim_start_matches(['+', '0'])
            .to_ascii_lowercase()
    };
    plain(one) == plain(other)
}
