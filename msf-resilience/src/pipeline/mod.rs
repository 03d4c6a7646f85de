//! The layers of this crate in the right order, as one layer.
//!
//! Which layer stands inside which decides what they do: a retry inside a breaker hides from it what fails, a timeout
//! outside of the retries leaves them no time. A pipeline has the order built in; its parts can be given in any order, or be
//! left out.
//!
//! ```text
//! http_client   deadline ▶ retry ▶ hedge ▶ rate limit ▶ bulkhead ▶ breaker ▶ attempt timeout ▶ the callee
//! http_server   deadline ▶ load shed ▶ rate limit ▶ bulkhead, or adaptive limit ▶ the handler
//! ```

mod client;
mod enter;
mod error;
mod invalid;
mod maybe;
mod part;

pub use self::{
    client::{
        ClientConfig, HttpClient, HttpClientBuilder, HttpClientFuture, HttpClientService, Once,
        TotalLimit, TotalLimitFuture, http_client,
    },
    enter::{Enter, EnterFuture},
    error::Error,
    invalid::{InvalidPart, InvalidPipeline},
    maybe::{Maybe, MaybeFuture, MaybeService},
};
