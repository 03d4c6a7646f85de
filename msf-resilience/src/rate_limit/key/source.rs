//! [`KeySource`], the common face of all sources.

use http::{Extensions, HeaderMap, Request};

use super::{combine::Or, write::WriteKey};

/// Finds out whose request it is.
///
/// ```
/// use http::{Extensions, HeaderMap};
/// use msf_resilience::rate_limit::key::KeySource;
///
/// /// Limits by how long the request says its body is, rounded to a power of two.
/// #[derive(Clone)]
/// struct Size;
///
/// impl KeySource for Size {
///     type Key = u32;
///
///     fn key(&self, headers: &HeaderMap, _: &Extensions) -> Option<u32> {
///         let length: u64 = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
///         Some(length.checked_ilog2().unwrap_or(0))
///     }
/// }
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(Size.key(&headers, &Extensions::new()), None);
/// headers.insert("content-length", 1000.into());
/// assert_eq!(Size.key(&headers, &Extensions::new()), Some(9));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of keys",
    note = "implement `KeySource`, or give the layer a closure from a request to `Option<Key>`"
)]
pub trait KeySource {
    /// What a limiter counts by.
    type Key;

    /// Whose request it is, `None` if that is not known.
    fn key(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<Self::Key>;

    /// Asks `other` where this source finds nothing. The keys of the two never meet.
    fn or<S: KeySource>(self, other: S) -> Or<Self, S>
    where
        Self: Sized,
    {
        Or::new(self, other)
    }
}

/// The closure that a layer takes.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_core::server;
/// use msf_resilience::rate_limit::{Quota, RateLimitLayer, RateLimiter, key::{self, ClientIp, Everyone, KeySource}};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder(Quota::per_minute(1)).name("per-client").build()?;
/// let source = ClientIp::new(server::peer).or(Everyone);
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(RateLimitLayer::answering(limiter, key::by(source)));
///
/// let first = app.clone().oneshot(Request::new(Body::empty())).await?;
/// let second = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 429));
/// # Ok(())
/// # }
/// ```
pub fn by<S: KeySource + Clone, B>(source: S) -> impl Fn(&Request<B>) -> Option<S::Key> + Clone {
    move |request| source.key(request.headers(), request.extensions())
}

/// The closure that the layer of a shared limit takes: the key as text, see [`WriteKey`].
///
/// ```
/// use http::Request;
/// use msf_resilience::rate_limit::key::{self, Everyone, TextHeader};
///
/// let key_of = key::by_text((TextHeader::new("x-tenant".parse()?)?, Everyone));
/// let request = Request::builder().header("x-tenant", "acme|eu").body(())?;
/// assert_eq!(key_of(&request).unwrap(), "acme%7Ceu|*");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn by_text<S, B>(source: S) -> impl Fn(&Request<B>) -> Option<String> + Clone
where
    S: KeySource<Key: WriteKey> + Clone,
{
    move |request| {
        let key = source.key(request.headers(), request.extensions())?;
        let mut text = String::new();
        // Text always takes more; a key whose `Display` fails is not one.
        key.write_key(&mut text).ok().map(|()| text)
    }
}

/// All requests have the key `()`: one limit for everyone together, or the last resort of [`KeySource::or`].
///
/// ```
/// use http::{Extensions, HeaderMap};
/// use msf_resilience::rate_limit::key::{Everyone, KeySource};
///
/// assert_eq!(Everyone.key(&HeaderMap::new(), &Extensions::new()), Some(()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct Everyone;

impl KeySource for Everyone {
    type Key = ();

    fn key(&self, _: &HeaderMap, _: &Extensions) -> Option<()> {
        Some(())
    }
}
