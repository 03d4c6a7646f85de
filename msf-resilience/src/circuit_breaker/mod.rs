//! A circuit breaker: callers of a failing service fail fast, and it gets room to recover.

mod answering;
mod breaker;
mod builder;
mod circuit;
mod error;
mod future;
mod layer;
pub(crate) mod metrics;
mod permit;
mod service;
mod settings;
mod state;
mod sync;
mod window;

pub use self::{
    answering::{AnsweringCircuitBreakerLayer, AnsweringCircuitBreakerService, AnsweringFuture},
    breaker::CircuitBreaker,
    builder::CircuitBreakerBuilder,
    error::{CircuitOpen, Error, InvalidCircuitBreaker},
    future::ResponseFuture,
    layer::CircuitBreakerLayer,
    permit::Permit,
    service::CircuitBreakerService,
    state::State,
};
