//! Which requests may be made twice.

use http::{HeaderMap, HeaderName, Method, Request};

use super::methods::Methods;

/// Says whether a request may be made more than once.
///
/// A closure `Fn(&Req) -> bool` is one, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say whether a `{Req}` may be made twice",
    note = "use `Always`, or for `http::Request<_>` `Idempotent`, or a closure `Fn(&Req) -> bool`"
)]
pub trait Repeatable<Req> {
    /// Whether this request may be made again. `methods` are those of the policy. Runs for every call.
    fn is_repeatable(&self, request: &Req, methods: Methods) -> bool;
}

/// HTTP requests whose method is one of the policy's, or that have an `Idempotency-Key`.
///
/// A key is one header with something in it, with or without quotes: an empty one, or several, do not tell one request from
/// another. A `CONNECT` has none, since what goes through the tunnel can not be sent again.
///
/// ```
/// use http::Request;
/// use msf_resilience::retry::{Idempotent, Methods, Repeatable};
///
/// let post = Request::post("/").body(())?;
/// assert!(!Idempotent.is_repeatable(&post, Methods::IDEMPOTENT));
/// let keyed = Request::post("/").header("idempotency-key", "4711").body(())?;
/// assert!(Idempotent.is_repeatable(&keyed, Methods::IDEMPOTENT));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a rule without parts")]
pub struct Idempotent;

/// Every request.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a rule without parts")]
pub struct Always;

impl<B> Repeatable<Request<B>> for Idempotent {
    #[inline]
    fn is_repeatable(&self, request: &Request<B>, methods: Methods) -> bool {
        methods.contains(request.method())
            || request.method() != Method::CONNECT && has_key(request.headers())
    }
}

impl<Req> Repeatable<Req> for Always {
    #[inline]
    fn is_repeatable(&self, _request: &Req, _methods: Methods) -> bool {
        true
    }
}

impl<F, Req> Repeatable<Req> for F
where
    F: Fn(&Req) -> bool,
{
    fn is_repeatable(&self, request: &Req, _methods: Methods) -> bool {
        self(request)
    }
}

fn has_key(headers: &HeaderMap) -> bool {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).into_iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return false;
    };
    key.as_bytes()
        .iter()
        .any(|byte| !matches!(byte, b' ' | b'\t' | b'"'))
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
