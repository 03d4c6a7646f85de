//! One line for each request, with who ended it and why.
//!
//! The trace layer of `msf_core` writes an access line through `tracing` by default, with what any service
//! knows of a request. This log has what only a gateway knows: the client behind trusted proxies, the route,
//! the cluster and the instance, bytes both ways, the time that the service took, and the
//! [flag](crate::failure::Flag) of a failure. Where it is on, the line of the trace layer is off, unless
//! [`GatewayBuilder::trace`](crate::GatewayBuilder::trace) asks for it.
//!
//! ```
//! # use msf_client::Client;
//! # use msf_gateway::{Gateway, Route};
//! # use msf_registry::{Registry, backend::memory::MemoryRegistry};
//! use msf_gateway::AccessLog;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
//! let gateway = Gateway::builder(client)
//!     .route(Route::prefix("/api/orders").to("order").public())
//!     .access_log(AccessLog::json())
//!     .build()?;
//!
//! let short = AccessLog::template("{time} {client} \"{method} {path}\" {status} {flag} {duration_ms}")?;
//! let typo = AccessLog::template("{tiem}").unwrap_err();
//! assert_eq!(typo.to_string(), "`tiem` is no field of an access line; did you mean `time`?");
//! # drop((gateway, short));
//! # Ok(())
//! # }
//! ```
//!
//! # Fields
//!
//! | field | |
//! |---|---|
//! | `time` | when the request came, RFC 3339, UTC, milliseconds |
//! | `request_id` | `x-request-id` |
//! | `client` | its address, as trusted proxies tell it |
//! | `method`, `host`, `path`, `protocol` | the canonical path; never the query, which may hold secrets |
//! | `route` | the template or id of the route |
//! | `cluster`, `instance` | the service, and the address that answered |
//! | `status` | of the answer; 499 if the client left before there was one |
//! | `flag`, `failure` | two letters, and words; see [`failure`](crate::failure) |
//! | `ended_by` | `client`, `gateway` or `upstream` |
//! | `bytes_in`, `bytes_out` | of the bodies |
//! | `duration_ms` | to the end of the answer's body |
//! | `upstream_ms` | from the call of the service to the head of its answer |
//! | `user_agent` | |
//!
//! What is not known is left out of JSON and is `-` in a template. A text cannot forge a line: in JSON it is
//! escaped; in a template what is not printable ASCII, and `"` and `\`, is written as `\xHH`. Paths are cut at
//! 1024 bytes, other texts at 256.
//!
//! What the server refuses before there is a request (a head that is too large, too slow, or no HTTP; a body that is
//! announced too large; a host that the TLS connection was not let in for) has a line with the address of the connection, status, flag and nothing of what was sent. Not in the log: the
//! gateway's own paths, and who is closed without an answer, which `msf_server_refused_total` counts.
//!
//! # Cost
//!
//! Off, it costs a branch. On, a request makes its record (one allocation, one more if it has a body) and hands
//! it to a queue at its end; the line is put together and written by a thread of its own. A queue that is full
//! drops records and counts them in `msf_gateway_access_log_dropped_total`: a slow disk is never a request's
//! problem. A file is opened to append, so that `logrotate` with `copytruncate` works.

mod exchange;
mod field;
mod format;
mod queue;
mod record;
mod sink;

pub(crate) use self::{
    exchange::{Exchange, note},
    queue::{Queue, StartQueueError},
};
pub use self::{format::InvalidTemplate, record::AccessRecord, sink::AccessLog};
