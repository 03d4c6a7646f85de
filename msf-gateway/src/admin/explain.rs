//! `/explain`: what would become of a request.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use msf_core::problem::{Code, Problem};

use crate::Probe;

/// The request that is asked about, as the query tells it: `method=`, `url=`, and `header=name:value` as often
/// as is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

impl Asked {
    pub(super) fn probe(&self) -> Probe {
        let probe = Probe::new(self.method.clone(), self.uri.to_string());
        let headers = self.headers.iter();
        headers.fold(probe, |probe, (name, value)| {
            probe.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
        })
    }

    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut asked = Self {
            method: Method::GET,
            uri: Uri::from_static("/"),
            headers: HeaderMap::new(),
        };
        let mut has_url = false;
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).ok_or_else(|| wrong("an escape is not complete"))?;
            match name {
                "method" => {
                    asked.method = value.parse().map_err(|_| wrong("`method` is none"))?;
                }
                "url" => {
                    has_url = true;
                    asked.uri = value.parse().map_err(|_| wrong("`url` is none"))?;
                }
                "header" => {
                    if asked.headers.len() >= HEADERS_MAX {
                        return Err(wrong("there are too many headers"));
                    }
                    let header = value.split_once(':').and_then(|(name, value)| {
                        let name: HeaderName = name.trim().parse().ok()?;
                        let value: HeaderValue = value.trim().parse().ok()?;
                        Some((name, value))
                    });
                    let (name, value) =
                        header.ok_or_else(|| wrong("`header` is not `name:value`"))?;
                    asked.headers.append(name, value);
                }
                _ => return Err(wrong("the query has `method`, `url` and `header` only")),
            }
        }
        if !has_url {
            return Err(wrong(
                "`url` is missing, such as `/explain?url=/api/users/7`",
            ));
        }
        Ok(asked)
    }
}

fn wrong(detail: &'static str) -> Problem {
    Problem::new(Code::BadRequest).with_detail(detail)
}

/// The text that a form's value stands for.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

const HEADERS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_from_a_query() {
        let query = "method=POST&url=https%3A%2F%2Fshop.local%2Fapi%2Fusers%3Fa%3D1&header=x-tenant:+a&header=x-tenant%3Ab";
        let asked = Asked::parse(Some(query)).unwrap();
        assert_eq!(asked.method, Method::POST);
        assert_eq!(asked.uri.to_string(), "https://shop.local/api/users?a=1");
        let values: Vec<_> = asked.headers.get_all("x-tenant").iter().collect();
        assert_eq!(values, ["a", "b"]);
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        for (query, expected) in [
            (
                None,
                "`url` is missing, such as `/explain?url=/api/users/7`",
            ),
            (Some("url=%zz"), "an escape is not complete"),
            (Some("url=%f"), "an escape is not complete"),
            (Some("url=%ff"), "an escape is not complete"),
            (Some("url=a%20b"), "`url` is none"),
            (Some("url=/&method=G%20T"), "`method` is none"),
            (Some("url=/&header=x"), "`header` is not `name:value`"),
            (
                Some("url=/&header=x%3Aa%0d%0ab"),
                "`header` is not `name:value`",
            ),
            (
                Some("uri=/"),
                "the query has `method`, `url` and `header` only",
            ),
        ] {
            let problem = Asked::parse(query).unwrap_err();
            assert_eq!(problem.detail(), Some(expected), "{query:?}");
        }
    }
}
