//! Policies in files.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    Node, Policy,
    parse::{Budget, parse},
};

/// The text that it is displayed as.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text, or a table of one entry: `{ any = [..] }`, `{ all = [..] }` or `{ not = .. }`.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        One(&mut Budget::FULL.clone())
            .deserialize(deserializer)
            .map(Self)
    }
}

struct One<'b>(&'b mut Budget);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy: a text, or one of { any = [..] }, { all = [..] }, { not = .. }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        match parse(text, self.0) {
            Ok(policy) => Ok(policy.0),
            Err(error) => Err(E::custom(error)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let Self(budget) = self;
        let Some(word) = map.next_key::<Word>()? else {
            return Err(A::Error::custom(
                "expected `any`, `all` or `not`, found an empty table",
            ));
        };
        let left = (budget.depth.checked_sub(1), budget.nodes.checked_sub(1));
        let (Some(depth), Some(nodes)) = left else {
            return Err(A::Error::custom(
                "a policy has at most 16 levels and 256 nodes",
            ));
        };
        *budget = Budget { depth, nodes };
        let node = match word {
            Word::Any => Node::Any(map.next_value_seed(Several(budget))?),
            Word::All => Node::All(map.next_value_seed(Several(budget))?),
            Word::Not => Node::Not(Box::new(map.next_value_seed(One(budget))?)),
        };
        budget.depth += 1;
        match map.next_key::<Word>()? {
            None => Ok(node),
            Some(_) => Err(A::Error::custom("a policy is a table of one entry")),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Any,
    All,
    Not,
}

struct Several<'b>(&'b mut Budget);

impl<'de> DeserializeSeed<'de> for Several<'_> {
    type Value = Box<[Node]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Several<'_> {
    type Value = Box<[Node]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of policies")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element_seed(One(self.0))? {
            nodes.push(node);
        }
        Ok(nodes.into())
    }
}
