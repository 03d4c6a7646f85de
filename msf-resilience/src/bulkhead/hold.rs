//! How long a permit is held.

use http::Response;

use super::body::GuardedBody;

/// Until what moment a layer holds a permit: [`UntilResponse`] or [`UntilBodyEnd`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold a permit for a response of type `{Res}`",
    note = "`UntilBodyEnd` needs an `http::Response<_>`; `UntilResponse` takes anything"
)]
pub trait Hold<Res> {
    /// The response, with the guard if it is held on.
    type Held<G>;

    /// Lets the guard go, or puts it on the response.
    fn hold<G>(response: Res, guard: G) -> Self::Held<G>;
}

/// A permit is held until the response is there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UntilResponse;

/// A permit is held until the response's body has ended, failed or is dropped.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UntilBodyEnd;

impl<Res> Hold<Res> for UntilResponse {
    type Held<G> = Res;

    #[inline]
    fn hold<G>(response: Res, guard: G) -> Res {
        drop(guard);
        response
    }
}

impl<B> Hold<Response<B>> for UntilBodyEnd {
    type Held<G> = Response<GuardedBody<B, G>>;

    #[inline]
    fn hold<G>(response: Response<B>, guard: G) -> Self::Held<G> {
        GuardedBody::attach(response, guard)
    }
}
