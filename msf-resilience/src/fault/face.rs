//! What an injected fault looks like to the caller: the faces of the layer.

use bytes::Bytes;
use http::{Request, Response};
use msf_core::{
    deadline::Deadline,
    problem::{Code, Problem},
};

use super::{
    body::FaultBody,
    error::{Error, Injected},
    kind::Fault,
};

/// How outcomes are made up. Implemented by the faces of this module only.
pub trait Face<Req, Res, E>: sealed::Sealed {
    /// The response of the layer.
    type Response;
    /// The error of the layer.
    type Error;

    /// An error of the service inside that did not become ready.
    fn unready(error: E) -> Self::Error;

    /// When a call that hangs is given up without its caller, if that is known.
    fn deadline(request: &Req) -> Option<Deadline>;

    /// The outcome that is made up for a fault.
    ///
    /// # Errors
    ///
    /// The made-up error.
    fn make_up(&self, fault: Fault) -> Result<Self::Response, Self::Error>;

    /// The outcome of the service inside.
    ///
    /// # Errors
    ///
    /// That of the service inside.
    fn pass(outcome: Result<Res, E>) -> Result<Self::Response, Self::Error>;

    /// The outcome of the service inside, broken on the way back.
    ///
    /// # Errors
    ///
    /// The made-up error.
    fn break_off(&self, outcome: Result<Res, E>) -> Result<Self::Response, Self::Error>;
}

mod sealed {
    pub trait Sealed {}
}

/// Injected faults are [`Error::Injected`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Typed;

/// Injected faults are errors of the service inside, made by a closure.
#[derive(Clone, Debug)]
pub struct Failing<M>(pub(super) M);

/// Injected errors are problem+json, and a reset is a body that breaks off.
#[derive(Clone, Copy, Debug)]
pub struct Answering(pub(super) Code);

impl sealed::Sealed for Typed {}
impl<M> sealed::Sealed for Failing<M> {}
impl sealed::Sealed for Answering {}

impl<Req, Res, E> Face<Req, Res, E> for Typed {
    type Response = Res;
    type Error = Error<E>;

    fn unready(error: E) -> Error<E> {
        Error::Inner(error)
    }

    fn deadline(_request: &Req) -> Option<Deadline> {
        None
    }

    fn make_up(&self, fault: Fault) -> Result<Res, Error<E>> {
        Err(Error::Injected(Injected::new(fault)))
    }

    fn pass(outcome: Result<Res, E>) -> Result<Res, Error<E>> {
        outcome.map_err(Error::Inner)
    }

    fn break_off(&self, outcome: Result<Res, E>) -> Result<Res, Error<E>> {
        outcome.map_err(Error::Inner)?;
        Err(Error::Injected(Injected::new(Fault::Reset)))
    }
}

impl<Req, Res, E, M: Fn(Injected) -> E> Face<Req, Res, E> for Failing<M> {
    type Response = Res;
    type Error = E;

    fn unready(error: E) -> E {
        error
    }

    fn deadline(_request: &Req) -> Option<Deadline> {
        None
    }

    fn make_up(&self, fault: Fault) -> Result<Res, E> {
        Err((self.0)(Injected::new(fault)))
    }

    fn pass(outcome: Result<Res, E>) -> Result<Res, E> {
        outcome
    }

    fn break_off(&self, outcome: Result<Res, E>) -> Result<Res, E> {
        outcome?;
        Err((self.0)(Injected::new(Fault::Reset)))
    }
}

impl<ReqB, B: From<Bytes>, E> Face<Request<ReqB>, Response<B>, E> for Answering {
    type Response = Response<FaultBody<B>>;
    type Error = E;

    fn unready(error: E) -> E {
        error
    }

    fn deadline(request: &Request<ReqB>) -> Option<Deadline> {
        Deadline::of(request.extensions())
    }

    fn make_up(&self, fault: Fault) -> Result<Self::Response, E> {
        let injected = Injected::new(fault);
        let problem = match fault {
            Fault::Error => Problem::new(self.0).with_log_detail(injected.to_string()),
            _ => injected.into(),
        };
        let mut response = problem.into_response::<B>().map(FaultBody::passing);
        response.extensions_mut().insert(injected);
        Ok(response)
    }

    fn pass(outcome: Result<Response<B>, E>) -> Result<Self::Response, E> {
        Ok(outcome?.map(FaultBody::passing))
    }

    fn break_off(&self, outcome: Result<Response<B>, E>) -> Result<Self::Response, E> {
        let mut response = outcome?.map(FaultBody::breaking_off);
        response
            .extensions_mut()
            .insert(Injected::new(Fault::Reset));
        Ok(response)
    }
}
