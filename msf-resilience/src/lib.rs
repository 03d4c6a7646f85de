#![doc = include_str!("../README.md")]

mod catalogue;
pub mod circuit_breaker;
pub mod rate_limit;

pub use self::catalogue::catalogue;
