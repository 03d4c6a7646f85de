//! The header of a token.

use serde_json::Value;

use super::json;
use crate::token::Header;

/// The header says what serde_json reads, and is refused for its form or types only.
///
/// # Panics
///
/// When that is not so.
pub fn header(data: &[u8]) {
    let tree = json::strict(data);
    match Header::parse(data) {
        Ok(header) => {
            let tree = tree.expect("a header that is taken is strict JSON");
            let members = tree
                .as_object()
                .expect("a header that is taken is an object");
            let text = |name| {
                members
                    .get(name)
                    .map(|value| value.as_str().expect("a string"))
            };
            assert_eq!(header.algorithm.as_deref(), text("alg"));
            assert_eq!(header.token_type.as_deref(), text("typ"));
            assert_eq!(header.key_id.as_deref(), text("kid"));
            let has = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
            assert_eq!(
                header.has_forbidden,
                has(&["crit", "b64", "zip", "enc", "cty"])
            );
            assert_eq!(header.has_key_hint, has(&["jku", "jwk", "x5u", "x5c"]));
        }
        Err(_) => assert!(
            !tree.is_some_and(|tree| is_good(&tree)),
            "an honest header is taken"
        ),
    }
}

/// Whether nothing is wrong with a header.
fn is_good(tree: &Value) -> bool {
    let Some(members) = tree.as_object() else {
        return false;
    };
    let known = ["alg", "typ", "kid"];
    let is_text = |name: &&str| members.get(*name).is_none_or(Value::is_string);
    json::is_small(tree) && members.len() <= 12 && known.iter().all(is_text)
}
