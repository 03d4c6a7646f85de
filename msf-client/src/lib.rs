#![doc = include_str!("../README.md")]

mod catalogue;
mod client;
mod error;
#[cfg(doctest)]
mod guide;
pub mod transport;
mod typed;

pub use self::{
    catalogue::catalogue,
    client::{
        Call, CallHash, Client, ClientBuilder, InvalidClient, InvalidService, ResponseBody,
        ServiceClient, ServiceSettings,
    },
    error::Error,
    typed::{RequestBuilder, Response},
};
