//! What policies ask of a caller.

use std::time::SystemTime;

use serde_json::Value;

use crate::principal::Principal;

/// The claim of RFC 9068 section 2.2.3.1.
const ROLES: &str = "roles";
/// What an issuer says in `amr` when there was more than one factor (RFC 8176 section 2).
const MFA: &str = "mfa";

pub(super) fn has_role(caller: &Principal, role: &str) -> bool {
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
    let Some(pointer) = name.strip_prefix('/') else {
        return caller.claim(name);
    };
    let (name, inner) = match pointer.find('/') {
        Some(end) => pointer.split_at(end),
        None => (pointer, ""),
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    caller.claim(&name)?.pointer(inner)
}

fn is_or_has(claim: Option<&Value>, word: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == word,
        Some(Value::Array(words)) => words.iter().any(|own| own.as_str() == Some(word)),
        _ => false,
    }
}
