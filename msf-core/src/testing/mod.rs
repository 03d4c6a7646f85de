//! Tools for testing services and layers.
//!
//! | tool | for |
//! |---|---|
//! | [`TestClient`] | calling a service in memory: no port, no task, works with a paused clock |
//! | [`TestServer`] | the same over a real socket on a free port |
//! | [`assert_problem!`](crate::assert_problem) | an error answer with the right code |
//! | [`LogCapture`] | what was logged, with the fields of the spans around it |
//! | [`StatefulInner`] | proving that a layer never calls a service that is not ready |
//! | [`advance`], [`pause`] | stepping the clock of everything in msf |
//! | `allocations` | counting allocations (feature `testing-alloc`) |
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use msf_core::{
//!     assert_problem,
//!     problem::{Code, Problem},
//!     server::Body,
//!     testing::TestClient,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let client = TestClient::new(tower::service_fn(|request: Request<Body>| async move {
//!     Ok::<_, Infallible>(match request.uri().path() {
//!         "/hello" => Response::new(Body::from("hello")),
//!         _ => Problem::new(Code::NotFound).into_response(),
//!     })
//! }));
//!
//! assert_eq!(client.get("/hello").await.text(), "hello");
//! assert_problem!(client.get("/nowhere").await, Code::NotFound);
//! # }
//! ```

#[cfg(feature = "testing-alloc")]
mod alloc;
#[cfg(feature = "testing")]
mod capture;
#[cfg(feature = "testing")]
mod client;
#[cfg(feature = "testing")]
mod probe;
#[cfg(feature = "testing")]
mod response;
#[cfg(feature = "testing")]
mod server;

#[cfg(feature = "testing")]
pub use tokio::time::{advance, pause};

#[cfg(feature = "testing-alloc")]
pub use self::alloc::{Allocations, allocations};
#[cfg(feature = "testing")]
pub use self::{
    capture::{CapturedEvent, LogCapture},
    client::TestClient,
    probe::{NotReady, StatefulInner},
    response::TestResponse,
    server::TestServer,
};
