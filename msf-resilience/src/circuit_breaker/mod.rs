//! A circuit breaker: callers of a failing service fail fast, and it gets room to recover.

mod answering;
mod breaker;
mod builder;
mod circuit;
mod error;
mod future;
mod layer;
mod machine;
pub(crate) mod metrics;
mod permit;
mod service;
mod settings;
mod state;
mod sync;
#[cfg(test)]
mod tests;
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
