//! How an answer says that it is another one.

use std::sync::Arc;

use http::{HeaderName, Response};

use super::{decide::Cause, handle::Shared};

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
    /// The fallback that gave it.
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

/// Marks answers. Implemented by [`Unmarked`] and [`Marked`].
pub trait Mark<Res>: sealed::Sealed {
    #[doc(hidden)]
    fn mark(&self, response: &mut Res, by: By<'_>);
}

/// Who marks, and why.
#[derive(Debug)]
pub struct By<'a> {
    pub(super) shared: &'a Shared,
    pub(super) cause: Cause,
}

mod sealed {
    pub trait Sealed {}
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

impl sealed::Sealed for Unmarked {}
impl sealed::Sealed for Marked {}

impl<Res> Mark<Res> for Unmarked {
    fn mark(&self, _response: &mut Res, _by: By<'_>) {}
}

impl<B> Mark<Response<B>> for Marked {
    fn mark(&self, response: &mut Response<B>, by: By<'_>) {
        response.extensions_mut().insert(FellBack {
            name: Arc::clone(by.shared.name()),
            cause: by.cause,
        });
        if self.in_header
            && let Some(value) = by.shared.header()
        {
            response.headers_mut().insert(HEADER, value.clone());
        }
    }
}
