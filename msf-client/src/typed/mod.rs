//! Requests and answers as values of the program.

mod query;
mod request;
mod response;

pub use self::{request::RequestBuilder, response::Response};
