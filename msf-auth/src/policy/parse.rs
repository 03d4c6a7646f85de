//! From text to policy.
//!
//! ```text
//! policy   = "public" / "authenticated" / "user" / "mfa"
//!          / ("scope" / "role" / "issuer" / "client" / "tenant" / "service" / "acr" / "external") "(" name ")"
//!          / "owner" "(" name ["," name] ")"
//!          / "claim" "(" name "," value ")"
//!          / "max_auth_age" "(" digits ("s" / "m" / "h" / "d") ")"
//!          / ("any" / "all") "(" [policy *("," policy)] ")"
//!          / "not" "(" policy ")"
//! name     = bare / quoted
//! value    = bare / quoted     ; bare `true`, `false` and digits are no texts
//! ```
//!
//! White space may stand between any two of these.

use std::{borrow::Cow, str::FromStr};

use super::{ClaimValue, InvalidPolicy, Node, Policy, claim_value::is_no_text, evaluate, text};

/// A text that is longer is a mistake, or an attack on who reads it.
pub(super) const BYTES_MAX: usize = 8 * 1_024;
/// Nobody can follow deeper ones, and the parser and every evaluation recurse.
pub(super) const DEPTH_MAX: u8 = 16;
/// The work per request is bounded by it.
pub(super) const NODES_MAX: u16 = 256;

/// How much of a policy may still follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) depth: u8,
    pub(super) nodes: u16,
}

impl Budget {
    pub(super) const FULL: Self = Self {
        depth: DEPTH_MAX,
        nodes: NODES_MAX,
    };
}

/// The inverse of `Display`. At most 8 KiB, 16 levels and 256 nodes.
impl FromStr for Policy {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        parse(text, &mut Budget::FULL.clone())
    }
}

pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<Policy, InvalidPolicy> {
    let mut parser = Parser {
        text,
        at: 0,
        budget,
    };
    if text.len() > BYTES_MAX {
        return Err(parser.error("at most 8 KiB"));
    }
    let node = parser.policy()?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.error("the end"));
    }
    Ok(Policy(node))
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes, at the border of a character.
    at: usize,
    budget: &'a mut Budget,
}

const WORDS: &str = "public, authenticated, user, mfa, scope(..), role(..), claim(.., ..), issuer(..), client(..), \
                     owner(..), tenant(..), service(..), acr(..), max_auth_age(..), external(..), any(..), all(..) or \
                     not(..)";

impl<'a> Parser<'a> {
    fn policy(&mut self) -> Result<Node, InvalidPolicy> {
        self.space();
        let start = self.at;
        let Some(nodes) = self.budget.nodes.checked_sub(1) else {
            return Err(self.error("at most 256 nodes"));
        };
        self.budget.nodes = nodes;
        let make: fn(Box<str>) -> Node =
            match self.take_while(|b| b.is_ascii_lowercase() || b == b'_') {
                "public" => return Ok(Node::Public),
                "authenticated" => return Ok(Node::Authenticated),
                "user" => return Ok(Node::User),
                "mfa" => return Ok(Node::Mfa),
                "any" => return self.list().map(Node::Any),
                "all" => return self.list().map(Node::All),
                "not" => return self.not(),
                "claim" => return self.claim(),
                "owner" => return self.owner(),
                "max_auth_age" => return self.max_auth_age(),
                "scope" => Node::Scope,
                "role" => Node::Role,
                "issuer" => Node::Issuer,
                "client" => Node::Client,
                "tenant" => Node::Tenant,
                "service" => Node::Service,
                "acr" => Node::Acr,
                "external" => Node::External,
                _ => {
                    self.at = start;
                    return Err(self.error(WORDS));
                }
            };
        self.token("(")?;
        let name = self.name()?;
        self.token(")")?;
        Ok(make(name))
    }

    fn list(&mut self) -> Result<Box<[Node]>, InvalidPolicy> {
        self.token("(")?;
        self.deeper()?;
        let mut nodes = Vec::new();
        if !self.try_token(")") {
            loop {
                nodes.push(self.policy()?);
                if self.try_token(")") {
                    break;
                }
                if !self.try_token(",") {
                    return Err(self.error("`,` or `)`"));
                }
            }
        }
        self.budget.depth += 1;
        Ok(nodes.into())
    }

    fn not(&mut self) -> Result<Node, InvalidPolicy> {
        self.token("(")?;
        self.deeper()?;
        let node = self.policy()?;
        self.token(")")?;
        self.budget.depth += 1;
        Ok(Node::Not(Box::new(node)))
    }

    fn deeper(&mut self) -> Result<(), InvalidPolicy> {
        match self.budget.depth.checked_sub(1) {
            Some(depth) => self.budget.depth = depth,
            None => return Err(self.error("at most 16 levels")),
        }
        Ok(())
    }

    fn claim(&mut self) -> Result<Node, InvalidPolicy> {
        self.token("(")?;
        self.space();
        let start = self.at;
        let name = self.name()?;
        if evaluate::is_typed_claim(&name) {
            self.at = start;
            return Err(self.error("a claim that no other policy is about"));
        }
        self.token(",")?;
        let value = self.value()?;
        self.token(")")?;
        Ok(Node::Claim(name, value))
    }

    /// A parameter, and the issuer that names its users.
    fn owner(&mut self) -> Result<Node, InvalidPolicy> {
        self.token("(")?;
        let parameter = self.name()?;
        let issuer = if self.try_token(",") {
            Some(self.name()?)
        } else {
            None
        };
        self.token(")")?;
        Ok(Node::Owner(parameter, issuer))
    }

    fn max_auth_age(&mut self) -> Result<Node, InvalidPolicy> {
        self.token("(")?;
        self.space();
        let start = self.at;
        let Some(seconds) = text::parse_seconds(self.take_while(|b| b.is_ascii_alphanumeric()))
        else {
            self.at = start;
            return Err(self.error("a duration such as 90s, 5m, 12h or 30d"));
        };
        self.token(")")?;
        Ok(Node::MaxAuthAge(seconds))
    }

    fn value(&mut self) -> Result<ClaimValue, InvalidPolicy> {
        self.space();
        let start = self.at;
        if self.rest().starts_with('"') {
            return self.quoted().map(ClaimValue::Text);
        }
        let bare = self.bare()?;
        match &*bare {
            "true" => Ok(ClaimValue::Bool(true)),
            "false" => Ok(ClaimValue::Bool(false)),
            digits if is_no_text(digits) => match digits.parse::<i64>() {
                Ok(number) if number.to_string() == digits => Ok(ClaimValue::Integer(number)),
                _ => {
                    self.at = start;
                    Err(self
                        .error("a number of 64 bits without leading zeros, or a text in quotes"))
                }
            },
            _ => Ok(ClaimValue::Text(bare)),
        }
    }

    fn name(&mut self) -> Result<Box<str>, InvalidPolicy> {
        self.space();
        if self.rest().starts_with('"') {
            self.quoted()
        } else {
            self.bare()
        }
    }

    fn bare(&mut self) -> Result<Box<str>, InvalidPolicy> {
        match self.take_while(text::is_bare) {
            "" => Err(self.error("a name, in \"quotes\" if it is not of plain characters")),
            bare => Ok(bare.into()),
        }
    }

    fn quoted(&mut self) -> Result<Box<str>, InvalidPolicy> {
        self.token("\"")?;
        let mut name = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.error("`\"`"));
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(name.into());
                }
                '\\' => name.push(self.escape()?),
                c if c.is_control() => return Err(self.error("`\\u{..}` for a control character")),
                c => {
                    name.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// `\"`, `\\` or `\u{..}`.
    fn escape(&mut self) -> Result<char, InvalidPolicy> {
        let escaped = self.rest().strip_prefix('\\').unwrap_or_default();
        if let Some(c @ ('"' | '\\')) = escaped.chars().next() {
            self.at += 2;
            return Ok(c);
        }
        let found = escaped.strip_prefix("u{").and_then(|hex| {
            let (hex, _) = hex.split_once('}')?;
            let is_hex = (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
            let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
            is_hex.then_some((c, "\\u{}".len() + hex.len()))
        });
        match found {
            Some((c, length)) => {
                self.at += length;
                Ok(c)
            }
            None => Err(self.error("`\\\"`, `\\\\` or `\\u{..}`")),
        }
    }

    fn token(&mut self, token: &'static str) -> Result<(), InvalidPolicy> {
        if self.try_token(token) {
            Ok(())
        } else {
            Err(self.error(format!("`{token}`")))
        }
    }

    fn try_token(&mut self, token: &str) -> bool {
        self.space();
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    fn space(&mut self) {
        self.take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    /// Takes the ASCII characters that `is_it` likes.
    fn take_while(&mut self, is_it: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii() && is_it(*b))
            .count();
        self.at += length;
        &rest[..length]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, expected: impl Into<Cow<'static, str>>) -> InvalidPolicy {
        InvalidPolicy {
            column: self.text[..self.at].chars().count() + 1,
            expected: expected.into(),
            found: found(self.rest()),
        }
    }
}

/// The next word, or the next character; bounded, and harmless in a log.
fn found(rest: &str) -> Box<str> {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let word: String = rest.chars().take(24).take_while(is_word).collect();
    match rest.chars().next() {
        None => "the end".into(),
        Some(_) if !word.is_empty() => format!("`{word}`").into(),
        Some(c) => format!("{c:?}").into(),
    }
}
