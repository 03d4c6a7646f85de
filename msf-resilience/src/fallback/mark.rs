//! How an answer says that it is another one.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Response};

use super::decide::Cause;

/// The header of an answer that a fallback gave, where it is switched on; its value is the fallback's name.
pub const HEADER: HeaderName = HeaderName::from_static("x-msf-fallback");

/// In the extensions of an answer: a fallback gave it.
///
/// ```
/// use msf_resilience::fallback::FellBack;
///
/// let response = http::Response::new(());
/// assert!(response.extensions().get::<FellBack>().is_none(), "it is the service's own");
/// ```
#[derive(Clone, Debug)]
pub struct FellBack {
    name: Arc<str>,
    cause: Cause,
}

impl FellBack {
    pub(super) const fn new(name: Arc<str>, cause: Cause) -> Self {
        Self { name, cause }
    }

    /// The fallback that gave it; `unknown` if that was dropped, with hundreds of others, while the call was under way.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it was asked.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }
}

/// Marks answers that a fallback gave: [`Unmarked`], [`Marked`], or one of your own.
pub trait Mark<Res> {
    /// Marks one.
    fn mark(&self, response: &mut Res, fell_back: FellBack);
}

/// Answers stay as they are: a response of any type has no place for a mark.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Unmarked;

/// Answers carry [`FellBack`], and [`HEADER`] if that is switched on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marked {
    pub(super) in_header: bool,
}

impl<Res> Mark<Res> for Unmarked {
    fn mark(&self, _response: &mut Res, _fell_back: FellBack) {}
}

impl<B> Mark<Response<B>> for Marked {
    fn mark(&self, response: &mut Response<B>, fell_back: FellBack) {
        if self.in_header
            && let Ok(value) = HeaderValue::from_bytes(fell_back.name.as_bytes())
        {
            response.headers_mut().insert(HEADER, value);
        }
        response.extensions_mut().insert(fell_back);
    }
}
