//! The attacks on tokens that are known, row by row: each token has to be refused for the right reason.
//!
//! Beside it stands what `jsonwebtoken::decode` says of the same token when it is given the right key, the algorithm
//! of that key, the audience and the issuer.

mod algorithm;
mod beside;
mod claims;
mod comparison;
#[cfg(feature = "jwks")]
mod discovery;
mod form;
mod header;
mod keys;
mod others;
mod signature;
mod single;
mod world;

use msf_auth::Reason;
use serde_json::Value;

use self::world::World;
use crate::conformance::{section, table};

/// A kind of attack, and tokens that try it.
struct Row {
    number: u8,
    attack: &'static str,
    cases: Vec<Case>,
}

/// A token, and why it is refused; `None` when there is nothing wrong with it.
struct Case {
    what: String,
    token: String,
    reason: Option<Reason>,
    /// What the issuer publishes, if that is not what it should.
    document: Option<String>,
    /// It is about a claim that only msf knows or has to know, so it says nothing about others.
    is_ours: bool,
}

impl Row {
    fn new(number: u8, attack: &'static str) -> Self {
        let cases = Vec::new();
        Self {
            number,
            attack,
            cases,
        }
    }

    fn refused(self, what: impl Into<String>, token: String, reason: Reason) -> Self {
        self.case(what.into(), token, Some(reason))
    }

    fn accepted(self, what: impl Into<String>, token: String) -> Self {
        self.case(what.into(), token, None)
    }

    fn case(mut self, what: String, token: String, reason: Option<Reason>) -> Self {
        self.cases.push(Case {
            what,
            token,
            reason,
            document: None,
            is_ours: false,
        });
        self
    }

    /// Changes of the header of a good token.
    fn headers(self, world: &World, changes: impl IntoIterator<Item = (Value, Reason)>) -> Self {
        changes.into_iter().fold(self, |row, (change, reason)| {
            let token = world.with_header(&change);
            row.refused(label(&change), token, reason)
        })
    }

    /// As [`claims`](Self::claims), of claims that only msf knows or has to know.
    fn own_claims(
        mut self,
        world: &World,
        changes: impl IntoIterator<Item = (Value, Reason)>,
    ) -> Self {
        let known = self.cases.len();
        self = self.claims(world, changes);
        self.cases[known..]
            .iter_mut()
            .for_each(|case| case.is_ours = true);
        self
    }

    /// Changes of the claims of a good token.
    fn claims(self, world: &World, changes: impl IntoIterator<Item = (Value, Reason)>) -> Self {
        changes.into_iter().fold(self, |row, (change, reason)| {
            let token = world.with_claims(&change);
            row.refused(label(&change), token, reason)
        })
    }
}

fn label(change: &Value) -> String {
    let mut members = change.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((name, Value::Null)), None) => format!("no {name}"),
        _ => change.to_string(),
    }
}

fn rows(world: &World) -> Vec<Row> {
    let mut rows = algorithm::rows(world);
    rows.extend(header::rows(world));
    rows.extend(signature::rows(world));
    rows.extend(form::rows(world));
    rows.extend(claims::rows(world));
    rows.sort_by_key(|row| row.number);
    rows
}

#[tokio::test]
async fn each_attack_is_refused_for_its_reason() {
    let world = World::new();
    let mut wrong = Vec::new();
    for row in rows(&world) {
        for case in row.cases {
            let outcome = world.verifier.verify(&case.token).await;
            let reason = outcome.err().map(|error| error.reason());
            if reason != case.reason {
                wrong.push((row.number, case.what, case.reason, reason));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same tokens with a signature that is not of the key: whatever the reason was, none gets in.
#[tokio::test]
async fn no_attack_gets_in_without_a_signature_either() {
    let world = World::new();
    for case in rows(&world).into_iter().flat_map(|row| row.cases) {
        let Some((message, _)) = case.token.rsplit_once('.') else {
            continue;
        };
        let token = format!("{message}.{}", "A".repeat(86));
        let outcome = world.verifier.verify(&token).await;
        assert!(outcome.is_err(), "{}", case.what);
    }
}

#[test]
fn what_jsonwebtoken_lets_through_is_counted() {
    let world = World::new();
    let (mut refused, mut through) = (0, 0);
    let mut lines = Vec::new();
    let mut all = rows(&world);
    all.push(keys::row(&world));
    all.sort_by_key(|row| row.number);
    for row in all {
        let attacks: Vec<_> = row
            .cases
            .iter()
            .filter(|case| case.reason.is_some())
            .collect();
        let passed: Vec<_> = attacks
            .iter()
            .filter(|case| !case.is_ours && world.jsonwebtoken_accepts(case))
            .map(|case| format!("`{}`", case.what.replace('|', "\\|")))
            .collect();
        refused += attacks.len();
        through += passed.len();
        lines.push([
            row.number.to_string(),
            row.attack.to_owned(),
            match attacks.len() {
                0 => "is taken, as it has to be".to_owned(),
                count => count.to_string(),
            },
            passed.len().to_string(),
            passed.join(", "),
        ]);
    }
    lines.extend(others::rows());
    lines.sort_by_key(|line| line[0].parse::<u8>().unwrap_or(u8::MAX));
    let head = [
        "",
        "attack",
        "refused here",
        "let through by `decode`",
        "which",
    ];
    let text = format!(
        "{refused} tokens, of which msf-auth accepts none and `jsonwebtoken::decode` {through}.\n\n{}",
        table(head, lines)
    );
    section("attacks", &text);
}
