//! A circuit for each key: a host, a tenant, a shard.

mod breaker;
mod builder;
mod layer;
mod service;
mod shard;
#[cfg(test)]
mod tests;

pub use self::{
    breaker::KeyedCircuitBreaker, builder::KeyedCircuitBreakerBuilder,
    layer::KeyedCircuitBreakerLayer, service::KeyedCircuitBreakerService,
};
