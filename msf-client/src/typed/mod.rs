//! Requests and answers as values of the program.

mod decode;
mod path;
mod query;
mod request;
mod response;

pub use self::{request::RequestBuilder, response::Response};
