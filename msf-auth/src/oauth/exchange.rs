//! A token that was sent to a service, for one that it calls on with (RFC 8693).

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{
    Client, OAuth,
    error::Fault,
    form::Form,
    grant::{asked, target},
};
use crate::{audit::Kind, verify::Verifier};

pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// It is for one call that is made now.
const TTL_MAX: Duration = Duration::from_secs(60);
/// A call that goes through more services than this is a loop.
const ACTORS_MAX: usize = 4;

impl OAuth {
    pub(super) async fn exchange(
        &self,
        verifier: &Verifier,
        client: &Client,
        form: &Form,
    ) -> Result<Value, Fault> {
        check_types(form)?;
        let presented = form
            .get("subject_token")
            .ok_or(Fault::Request("`subject_token` is missing"))?;
        let subject = match verifier.verify(presented).await {
            Ok(subject) => subject,
            Err(error) if error.is_unavailable() => return Err(Fault::Unavailable),
            // RFC 8693 section 2.2.2.
            Err(_) => return Err(REFUSED),
        };
        // The user 7 of somebody else is not our user 7.
        if subject.issuer() != self.0.issuer.issuer() {
            return Err(REFUSED);
        }
        // One that was sent to another service was not meant for this one to use.
        if !audiences(subject.claim("aud")).any(|audience| client.is(audience)) {
            return Err(REFUSED);
        }
        // The new one would be bound to nothing: the proof came to the client, and here nobody has seen it.
        if subject.claim("cnf").is_some() {
            return Err(REFUSED);
        }
        let audience = target(client, form)?;
        let actor = actor(client.id(), subject.claim("act")).ok_or(REFUSED)?;

        let may_have = |scope: &str| subject.has_scope(scope) && client.may_have(scope);
        let scopes: Vec<&str> = match asked(form)? {
            Some(scopes) if scopes.iter().all(|scope| may_have(scope)) => {
                scopes.into_iter().collect()
            }
            Some(_) => return Err(Fault::Scope),
            None => subject.scopes().filter(|scope| may_have(scope)).collect(),
        };
        let left = left(subject.expires_at(), self.0.issuer.clock().now());
        let ttl = left.min(TTL_MAX).min(self.0.issuer.ttl_max());
        if ttl.is_zero() {
            return Err(REFUSED);
        }

        let mut token = self
            .0
            .issuer
            .token(subject.subject())
            .audience(audience)
            .scopes(&scopes)
            .service(subject.is_service())
            .client(client.id())
            .claim("act", actor)
            .ttl(ttl);
        for name in &self.0.carried {
            if let Some(value) = subject.claim(name) {
                token = token.claim(&**name, value.clone());
            }
        }
        let token = self.sign(token, Kind::TokenExchanged, client, subject.subject())?;
        Ok(json!({
            "access_token": token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": ttl.as_secs(),
            "scope": scopes.join(" "),
        }))
    }
}

const REFUSED: Fault = Fault::Request("the subject token is not taken");

fn check_types(form: &Form) -> Result<(), Fault> {
    let is_token = |name: &str| matches!(form.get(name), Some(ACCESS_TOKEN | JWT));
    if !is_token("subject_token_type") {
        return Err(Fault::Request(
            "`subject_token_type` is not an access token",
        ));
    }
    if form.get("requested_token_type").is_some() && !is_token("requested_token_type") {
        return Err(Fault::Request(
            "`requested_token_type` is not an access token",
        ));
    }
    // The client is the actor, and has proven it.
    if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
        return Err(Fault::Request("actor tokens are not taken"));
    }
    Ok(())
}

/// Those of an `aud`, which is one or several.
pub(super) fn audiences(aud: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, several) = match aud {
        Some(Value::Array(several)) => (None, several.as_slice()),
        one => (one, [].as_slice()),
    };
    one.into_iter().chain(several).filter_map(Value::as_str)
}

/// Who acts, and for whom they act in turn; `None` for a chain that is broken or too long.
fn actor(client: &str, before: Option<&Value>) -> Option<Value> {
    let mut chain = vec![client];
    let mut next = before;
    while let Some(actor) = next {
        if chain.len() == ACTORS_MAX {
            return None;
        }
        chain.push(actor.get("sub")?.as_str()?);
        next = actor.get("act");
    }
    let mut nested = None;
    for subject in chain.into_iter().rev() {
        nested = Some(match nested {
            None => json!({ "sub": subject }),
            Some(before) => json!({ "sub": subject, "act": Value::clone(&before) }),
        });
    }
    nested
}

/// Whole seconds, rounded down: the new token never outlives the old one.
fn left(expires_at: SystemTime, now: SystemTime) -> Duration {
    let left = expires_at.duration_since(now).unwrap_or(Duration::ZERO);
    Duration::from_secs(left.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_actors_grows_by_one_and_ends() {
        let one = actor("a", None).unwrap();
        assert_eq!(one, json!({ "sub": "a" }));
        let two = actor("b", Some(&one)).unwrap();
        assert_eq!(two, json!({ "sub": "b", "act": { "sub": "a" } }));
        let four = actor("d", Some(&actor("c", Some(&two)).unwrap())).unwrap();
        assert_eq!(actor("e", Some(&four)), None);
        for broken in [json!(1), json!({}), json!({ "sub": 1 }), json!([])] {
            assert_eq!(actor("a", Some(&broken)), None, "{broken}");
        }
        // What is not the name of an actor stays behind.
        let more = json!({ "sub": "a", "admin": true });
        assert_eq!(actor("b", Some(&more)), Some(two));
    }

    #[test]
    fn audiences_are_one_or_several_texts() {
        let of = |aud: Value| {
            let names = audiences(Some(&aud)).map(str::to_owned);
            names.collect::<Vec<_>>()
        };
        assert_eq!(of(json!("a")), ["a"]);
        assert_eq!(of(json!(["a", "b"])), ["a", "b"]);
        assert!(of(json!(1)).is_empty());
        assert!(audiences(None).next().is_none());
    }

    #[test]
    fn what_is_left_is_rounded_down() {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!(left(at(10_000), at(8_001)), Duration::from_secs(1));
        assert_eq!(left(at(10_000), at(9_001)), Duration::ZERO);
        assert_eq!(left(at(10_000), at(11_000)), Duration::ZERO);
    }
}
