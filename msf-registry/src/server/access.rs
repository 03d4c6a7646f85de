//! Who may do what.

use http::{HeaderMap, HeaderValue, Response, header};
use msf_core::{
    config::Secret,
    problem::{Code, Problem},
    server::Body,
};

use crate::token::{InvalidToken, Token};

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing: whether the server is there.
    Open,
    /// The token of those who register and look up.
    Client,
    /// The token of those who speak for others' instances.
    Operator,
}

/// The tokens that a server takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    clients: Vec<Token>,
    operators: Vec<Token>,
}

/// Why a request is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It presents no token.
    Missing,
    /// It presents one that is not known.
    Wrong,
    /// Its token is good, but not for this.
    Scope,
    /// Nobody is an operator here.
    NoOperators,
}

impl Access {
    pub(crate) fn client(&mut self, token: Secret<String>) -> Result<(), InvalidToken> {
        self.clients.push(Token::new(token)?);
        Ok(())
    }

    pub(crate) fn operator(&mut self, token: Secret<String>) -> Result<(), InvalidToken> {
        self.operators.push(Token::new(token)?);
        Ok(())
    }

    pub(crate) fn check(&self, scope: Scope, headers: &HeaderMap) -> Result<(), Denied> {
        let is_open = match scope {
            Scope::Open => true,
            Scope::Client => self.clients.is_empty(),
            Scope::Operator if self.operators.is_empty() => return Err(Denied::NoOperators),
            Scope::Operator => false,
        };
        if is_open {
            return Ok(());
        }
        let presented = presented(headers).ok_or(Denied::Missing)?;
        // All are compared, so that how long it takes does not say which one was met.
        let is_one_of = |tokens: &[Token]| {
            tokens
                .iter()
                .fold(false, |is, token| is | token.is(presented))
        };
        let (is_client, is_operator) = (is_one_of(&self.clients), is_one_of(&self.operators));
        match scope {
            _ if is_operator => Ok(()),
            Scope::Operator if is_client => Err(Denied::Scope),
            Scope::Client if is_client => Ok(()),
            _ => Err(Denied::Wrong),
        }
    }
}

impl Denied {
    pub(crate) fn into_response(self) -> Response<Body> {
        let (problem, challenge) = match self {
            Self::Missing => (Problem::new(Code::Unauthenticated), Some("Bearer")),
            Self::Wrong => (
                Problem::new(Code::InvalidToken),
                Some("Bearer error=\"invalid_token\""),
            ),
            Self::Scope => (
                Problem::new(Code::Forbidden).with_detail("only an operator may do this"),
                Some("Bearer error=\"insufficient_scope\""),
            ),
            Self::NoOperators => (
                Problem::new(Code::Forbidden)
                    .with_detail("this registry was started without an operator token"),
                None,
            ),
        };
        let mut answer: Response<Body> = problem.into_response();
        if let Some(challenge) = challenge {
            let challenge = HeaderValue::from_static(challenge);
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

/// The token of `Authorization: Bearer`, whose scheme is written in any case (RFC 9110 section 11.1).
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    let token = rest.strip_prefix(b" ")?.trim_ascii();
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}

const SCHEME: &[u8] = b"Bearer";

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "client-0123456789";
    const OPERATOR: &str = "operator-0123456789";

    fn access(clients: &[&str], operators: &[&str]) -> Access {
        let mut access = Access::default();
        for token in clients {
            access.client(Secret::new((*token).to_owned())).unwrap();
        }
        for token in operators {
            access.operator(Secret::new((*token).to_owned())).unwrap();
        }
        access
    }

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn the_table_of_who_may_do_what() {
        let both = access(&[CLIENT], &[OPERATOR]);
        let (client, operator) = (
            with(&format!("Bearer {CLIENT}")),
            with(&format!("bearer {OPERATOR}")),
        );
        let (nobody, wrong) = (HeaderMap::new(), with("Bearer client-0123456780"));
        for (scope, headers, expected) in [
            (Scope::Open, &nobody, Ok(())),
            (Scope::Client, &nobody, Err(Denied::Missing)),
            (Scope::Client, &wrong, Err(Denied::Wrong)),
            (Scope::Client, &client, Ok(())),
            (Scope::Client, &operator, Ok(())),
            (Scope::Operator, &nobody, Err(Denied::Missing)),
            (Scope::Operator, &wrong, Err(Denied::Wrong)),
            (Scope::Operator, &client, Err(Denied::Scope)),
            (Scope::Operator, &operator, Ok(())),
        ] {
            assert_eq!(
                both.check(scope, headers),
                expected,
                "{scope:?} {headers:?}"
            );
        }
    }

    #[test]
    fn without_tokens_everybody_is_a_client_and_nobody_an_operator() {
        let open = Access::default();
        let nobody = HeaderMap::new();
        assert_eq!(open.check(Scope::Client, &nobody), Ok(()));
        assert_eq!(
            open.check(Scope::Operator, &nobody),
            Err(Denied::NoOperators)
        );
    }

    #[test]
    fn a_second_token_is_taken_while_the_first_is_replaced() {
        let rotating = access(&[CLIENT, "client-new-0123456789"], &[]);
        for token in [CLIENT, "client-new-0123456789"] {
            let headers = with(&format!("Bearer {token}"));
            assert_eq!(rotating.check(Scope::Client, &headers), Ok(()));
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        let access = access(&[CLIENT], &[]);
        for value in [
            "",
            "Bearer",
            "Bearer ",
            CLIENT,
            &format!("Basic {CLIENT}"),
            &format!("Bearer{CLIENT}"),
            &format!("Bearer {CLIENT} {CLIENT}"),
        ] {
            assert!(
                access.check(Scope::Client, &with(value)).is_err(),
                "{value}"
            );
        }
    }
}
