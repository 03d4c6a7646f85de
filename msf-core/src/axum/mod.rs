//! For services built with axum: extractors that fail with problem+json, and route templates.
//!
//! axum's own extractors answer bad input with plain text. These take the same place and answer with a
//! [`Problem`] that says where the input is wrong; [`Problem`] itself is a response and a rejection.
//!
//! ```
//! use axum::{Router, routing::post};
//! use msf_core::{
//!     assert_problem,
//!     axum::{Json, Path},
//!     problem::{Code, Problem},
//!     testing::TestClient,
//! };
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Item {
//!     quantity: u32,
//! }
//!
//! async fn add(Path(order): Path<u64>, Json(item): Json<Item>) -> Result<String, Problem> {
//!     if item.quantity == 0 {
//!         return Err(Problem::new(Code::ValidationFailed)
//!             .with_error("/quantity", "must be at least 1"));
//!     }
//!     Ok(format!("{} in {order}", item.quantity))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let client = TestClient::new(Router::new().route("/orders/{id}/items", post(add)));
//!
//! let wrong = client
//!     .post_json("/orders/7/items", &serde_json::json!({ "quantity": "many" }))
//!     .await;
//! let problem = assert_problem!(wrong, Code::ValidationFailed);
//! assert_eq!(problem.errors[0].pointer, "/quantity");
//! # }
//! ```

mod extract;
mod route;

use axum::response::{IntoResponse, Response};

pub use self::{
    extract::{Json, Path, Query},
    route::route_template,
};
use crate::problem::Problem;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Self::into_response(self)
    }
}
