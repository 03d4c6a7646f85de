//! A copy of some requests for another cluster: to see a new version under real load before anybody depends on it.
//!
//! The copy is sent beside the request, by a task of its own, with an instance, a breaker and connections as any other
//! call. Nobody waits for it: its answer is read and dropped, its failure is counted and told to nobody, and when too
//! many copies are under way, the next ones are not made.
//!
//! A copy says so in `x-msf-mirrored: 1`. It is made after authentication, limits and transforms, so that strangers
//! cannot double the load; it has the same headers, the caller's token included, so mirror to services of the same
//! trust only. Where the route has [`internal_identity`](crate::Route::internal_identity), the copy has a token for its
//! own service and none that is good elsewhere.
//!
//! | setting | default | why |
//! |---|---|---|
//! | [`percent`](Mirror::percent) | 100 | |
//! | [`body_max`](Mirror::body_max) | 64 KiB | the copy waits in memory for the end of the body; what is larger is not mirrored |
//! | [`in_flight_max`](Mirror::in_flight_max) | 64 | a shadow that hangs costs a bounded number of tasks |
//! | [`timeout`](Mirror::timeout) | 5 s | |
//!
//! ```
//! use msf_gateway::{Mirror, Route};
//!
//! let users = Route::prefix("/api/users").to("users").public().mirror(Mirror::to("users-v2").percent(5.0));
//! # drop(users);
//! ```

mod metrics;
mod running;
mod settings;
mod tee;
#[cfg(test)]
mod tests;

pub(crate) use self::running::Mirroring;
pub use self::settings::Mirror;
