//! The claims: known ones checked for their type, further ones where they lie.

use std::{borrow::Cow, sync::OnceLock};

use serde_json::Value;

use super::{
    list,
    numeric_date::numeric_date,
    scan::{Kind, Malformed, Raw, Scanner, Text, are_distinct},
};

/// The claim that says that the subject is a service.
pub(crate) const KIND_CLAIM: &str = "msf_kind";
/// Its value.
pub(crate) const KIND_SERVICE: &str = "service";

/// What a payload says, with every known claim of the right type and no member twice.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) json: &'a str,
    pub(crate) issuer: Option<Text>,
    pub(crate) subject: Option<Text>,
    pub(crate) audience: Option<Raw>,
    pub(crate) expires_s: Option<u64>,
    pub(crate) not_before_s: Option<u64>,
    pub(crate) issued_s: Option<u64>,
    pub(crate) authenticated_s: Option<u64>,
    pub(crate) token_id: Option<Text>,
    pub(crate) scope: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) session_id: Option<Text>,
    pub(crate) client_id: Option<Text>,
    pub(crate) members: Vec<Member>,
    /// What all values would take as trees, at most.
    pub(crate) tree_bytes: usize,
}

/// A claim where it lies, and its value once somebody asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Text,
    pub(crate) raw: Raw,
    pub(crate) value: OnceLock<Box<Value>>,
}

/// What an honest token has, so that the list is allocated once.
const MEMBERS_USUAL: usize = 16;
/// A value of a tree, with its share of a vector that has grown.
const VALUE_BYTES: usize = 72;
/// The first node of an object, which has room for eleven members.
const OBJECT_BYTES: usize = 680;
/// A member of an object, beside its value: nodes are half full at worst.
const MEMBER_BYTES: usize = 56;
/// The first room of an array, for four values.
const ARRAY_BYTES: usize = 128;

impl<'a> Claims<'a> {
    pub(crate) fn parse(json: &'a str) -> Result<Self, Malformed> {
        let mut claims = Self {
            json,
            members: Vec::with_capacity(MEMBERS_USUAL),
            ..Self::default()
        };
        let mut scanner = Scanner::new(json);
        scanner.open_object()?;
        while let Some(name) = scanner.next_name(claims.members.is_empty())? {
            let raw = scanner.value()?;
            claims.take(name, raw)?;
        }
        scanner.end()?;
        claims.check_names()?;
        let counts = scanner.counts();
        let inner_members = counts.members - claims.members.len();
        claims.tree_bytes = json.len()
            + counts.values * VALUE_BYTES
            + counts.objects * OBJECT_BYTES
            + inner_members * MEMBER_BYTES
            + counts.arrays * ARRAY_BYTES;
        Ok(claims)
    }

    /// What a string says.
    pub(crate) fn text(&self, text: Text) -> Cow<'a, str> {
        text.of(self.json)
    }

    /// The whole text.
    pub(crate) const fn json(&self) -> &'a str {
        self.json
    }

    /// A claim of any name.
    pub(crate) fn member(&self, name: &str) -> Option<Raw> {
        let mut members = self.members.iter();
        let member = members.find(|member| member.name.says(name, self.json))?;
        Some(member.raw)
    }

    /// Whether a claim that is a string, or an array of strings, is or has this one.
    pub(crate) fn has(&self, raw: Raw, wanted: &str) -> bool {
        match raw.text() {
            Some(text) => text.says(wanted, self.json),
            None => list::contains(raw.span.of(self.json), wanted),
        }
    }

    /// The strings of a claim that is one, with spaces between words, or an array of such words.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for anything else.
    pub(crate) fn words(&self, raw: Raw) -> Result<Cow<'a, str>, Malformed> {
        match raw.text() {
            Some(text) => Ok(self.text(text)),
            None => list::join(raw.span.of(self.json)).map(Cow::Owned),
        }
    }

    fn take(&mut self, name: Text, raw: Raw) -> Result<(), Malformed> {
        let json = self.json;
        let text = || raw.text().ok_or(Malformed);
        let date = || match raw.kind {
            Kind::Number => numeric_date(raw.span.of(json)).ok_or(Malformed),
            _ => Err(Malformed),
        };
        match &*name.of(json) {
            "iss" => self.issuer = Some(text()?),
            "sub" => self.subject = Some(text()?),
            "jti" => self.token_id = Some(text()?),
            "scope" => self.scope = Some(text()?),
            "sid" => self.session_id = Some(text()?),
            "client_id" => self.client_id = Some(text()?),
            KIND_CLAIM => self.kind = Some(text()?),
            "exp" => self.expires_s = Some(date()?),
            "nbf" => self.not_before_s = Some(date()?),
            "iat" => self.issued_s = Some(date()?),
            "auth_time" => self.authenticated_s = Some(date()?),
            "aud" => {
                self.is_text_or_list(raw)?;
                self.audience = Some(raw);
            }
            "acr" => drop(text()?),
            "amr" if raw.kind == Kind::Array => self.is_text_or_list(raw)?,
            "amr" => return Err(Malformed),
            // Taken for none, a caller that acts for another would pass for that one.
            "act" if raw.kind != Kind::Object => return Err(Malformed),
            _ => {}
        }
        self.members.push(Member {
            name,
            raw,
            value: OnceLock::new(),
        });
        Ok(())
    }

    fn is_text_or_list(&self, raw: Raw) -> Result<(), Malformed> {
        match raw.kind {
            Kind::Text { .. } => Ok(()),
            Kind::Array if list::is_texts(raw.span.of(self.json)) => Ok(()),
            _ => Err(Malformed),
        }
    }

    /// No member twice: known ones are among them.
    fn check_names(&self) -> Result<(), Malformed> {
        let json = self.json;
        let members = self.members.as_slice();
        let is_simple =
            members.len() <= MEMBERS_USUAL && members.iter().all(|member| !member.name.has_escapes);
        let is_distinct = if is_simple {
            // Equal names begin equally, and numbers are compared sooner than texts.
            let mut beginnings = [0; MEMBERS_USUAL];
            members.iter().enumerate().all(|(index, member)| {
                let beginning = member.name.beginning(json);
                beginnings[index] = beginning;
                let is_new = !beginnings[..index].contains(&beginning);
                is_new || {
                    let name = member.name.span.of(json);
                    !members[..index]
                        .iter()
                        .any(|other| other.name.span.of(json) == name)
                }
            })
        } else {
            let mut names: Vec<_> = members.iter().map(|member| member.name.of(json)).collect();
            are_distinct(&mut names)
        };
        if is_distinct { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
        sample::Index,
    };

    use super::*;
    use crate::token::json::Strict;

    #[test]
    fn known_claims_are_typed_and_others_found() {
        let json =
            r#"{"iss":"i","aud":["a","\u0062"],"exp":5,"scope":"x y","role":["r"],"s\u0069d":"s"}"#;
        let claims = Claims::parse(json).unwrap();
        assert_eq!(claims.text(claims.issuer.unwrap()), "i");
        let audience = claims.audience.unwrap();
        assert!(claims.has(audience, "b") && !claims.has(audience, "c"));
        assert_eq!(claims.expires_s, Some(5));
        assert_eq!(claims.member("role").unwrap().span.of(json), r#"["r"]"#);
        assert_eq!(claims.text(claims.session_id.unwrap()), "s");
        assert_eq!(claims.words(claims.member("role").unwrap()).unwrap(), "r");
    }

    #[test]
    fn wrong_types_and_duplicates_are_refused() {
        for json in [
            r#"{"iss":["i"]}"#,
            r#"{"iss":null}"#,
            r#"{"aud":7}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"aud":{}}"#,
            r#"{"exp":"5"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":-1}"#,
            r#"{"auth_time":"5"}"#,
            r#"{"sub":7}"#,
            r#"{"scope":["x"]}"#,
            r#"{"sid":7}"#,
            r#"{"client_id":7}"#,
            r#"{"acr":1}"#,
            r#"{"amr":"pwd"}"#,
            r#"{"amr":[1]}"#,
            r#"{"act":"7"}"#,
            r#"{"exp":5,"exp":5}"#,
            r#"{"aud":"a","\u0061ud":"b"}"#,
            r#"{"r":1,"r":1}"#,
            r#"{"r":{"a":1,"a":1}}"#,
            "[]",
            "\"\"",
            "{}x",
            "",
        ] {
            assert_eq!(Claims::parse(json).err(), Some(Malformed), "{json}");
        }
    }

    /// What a tree has on the heap: exactly for arrays and strings, at least for objects.
    fn heap(value: &Value) -> usize {
        match value {
            Value::String(text) => text.capacity(),
            Value::Array(items) => {
                items.capacity() * size_of::<Value>() + items.iter().map(heap).sum::<usize>()
            }
            Value::Object(members) => {
                // Eleven members to a node, of which a split leaves five or six.
                let member_bytes = size_of::<String>() + size_of::<Value>();
                let nodes = if members.len() <= 11 {
                    1
                } else {
                    members.len() / 6
                };
                let inner: usize = members.iter().map(|(name, v)| name.len() + heap(v)).sum();
                nodes * 11 * member_bytes + inner
            }
            _ => 0,
        }
    }

    #[test]
    fn a_tree_takes_no_more_than_was_estimated() {
        let nested = format!("{}1{}", "[".repeat(31), "]".repeat(31));
        let wide = |names: std::ops::Range<u32>| {
            let members: Vec<String> = names.map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        for value in [
            format!("[{}]", vec![nested.as_str(); 40].join(",")),
            format!("[{}]", vec!["[1]"; 500].join(",")),
            format!("[{}]", vec!["[]"; 513].join(",")),
            format!("[{}]", vec!["0"; 1_025].join(",")),
            format!("[{}]", vec![r#"{"a":[{}]}"#; 100].join(",")),
            wide(0..12),
            wide(0..250),
        ] {
            let json = format!(r#"{{"a":{value}}}"#);
            let claims = Claims::parse(&json).unwrap();
            let tree: Value = serde_json::from_str(&value).unwrap();
            let (takes, at_most) = (size_of::<Value>() + heap(&tree), claims.tree_bytes);
            assert!(takes <= at_most, "{takes} {at_most} {value:.40}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("[a-c\"\\u{e9}]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The text as it is written, and with one place changed, as the tree reads it.
        #[test]
        fn what_is_taken_is_what_the_tree_takes(
            members in btree_map("[xyz]{0,2}", any_value(), 0..5),
            is_pretty in any::<bool>(),
            place in any::<Index>(),
            with in prop_oneof![Just(""), Just("\""), Just("\\"), Just(","), Just("["), Just("x"), Just("\u{0}"), Just("}")],
        ) {
            let value = Value::Object(members.into_iter().collect());
            let json = if is_pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let places: Vec<usize> = json.char_indices().map(|(at, _)| at).collect();
            let at = places[place.index(places.len())];
            let rest = json[at..].char_indices().nth(1).map_or("", |(next, _)| &json[at + next..]);
            let changed = format!("{}{with}{rest}", &json[..at]);
            for json in [json, changed] {
                let tree: Option<Value> = serde_json::from_str(&json).ok().map(|Strict(tree)| tree);
                let tree = tree.filter(Value::is_object);
                let claims = Claims::parse(&json).ok();
                prop_assert_eq!(claims.is_some(), tree.is_some(), "{}", json);
                let (Some(claims), Some(tree)) = (claims, tree) else {
                    continue;
                };
                prop_assert_eq!(claims.members.len(), tree.as_object().unwrap().len());
                for member in &claims.members {
                    let value: Value = serde_json::from_str(member.raw.span.of(&json)).unwrap();
                    prop_assert_eq!(&value, &tree[&*claims.text(member.name)]);
                }
            }
        }
    }

    #[test]
    fn names_that_begin_equally_are_told_apart() {
        let parse = |names: &[&str]| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            Claims::parse(&format!("{{{}}}", members.join(","))).map(|claims| claims.members.len())
        };
        let distinct = [
            "",
            "a",
            "aa",
            "12345678",
            "123456789",
            "1234567",
            "12345678\u{e9}",
        ];
        assert_eq!(parse(&distinct), Ok(distinct.len()));
        for name in distinct {
            let mut names = distinct.to_vec();
            names.push(name);
            assert_eq!(parse(&names), Err(Malformed), "{name}");
        }
    }

    #[test]
    fn a_member_twice_among_many_is_found() {
        let members: Vec<String> = (0..40).chain([7]).map(|n| format!("\"{n}\":0")).collect();
        let json = format!("{{{}}}", members.join(","));
        assert_eq!(Claims::parse(&json).err(), Some(Malformed));
    }
}
