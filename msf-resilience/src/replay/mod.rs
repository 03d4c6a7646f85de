//! Request bodies that can be sent again, within a bound.
//!
//! A retry needs the body of the request again, and a body can be read only once. [`ReplayBody::keep`] splits one into
//! what is sent now and a [`Kept`] from which the same bytes can be sent again:
//!
//! | the body | what is kept | cost |
//! |---|---|---|
//! | empty | nothing | none |
//! | whole in memory, within the limit | its `Bytes` | a reference, no copy |
//! | longer than the limit, as its size says | nothing: it goes out once, as it is | none |
//! | any other | what has been read of it, up to the limit and 1024 frames | a copy of frames below 16 KiB, two locks per frame |
//!
//! A body that turns out to be too long while it is sent is sent nonetheless; only [`again`](Kept::again) is over then.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::{BodyExt, Full};
//! use msf_resilience::replay::ReplayBody;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let (first, kept) = ReplayBody::keep(Full::new(Bytes::from("order 7")), 1024);
//! drop(first); // the connection broke
//!
//! let second = kept.and_then(|kept| kept.again()).ok_or("within the limit")?;
//! assert_eq!(second.collect().await?.to_bytes(), "order 7");
//! # Ok(())
//! # }
//! ```
//!
//! # Streaming
//!
//! Nothing is read ahead: a frame is read from the body when a reader asks for it, and the next reader finds it. Any number of
//! readers may be under way at the same time, as with hedged requests; a reader that was left in the middle, or is woken
//! and does not come, holds up nobody. Trailers are kept as well.
//!
//! Small frames are copied: as slices they could keep buffers alive that are many times the limit.
//!
//! The one exception: a body whose exact size is known and within the limit is asked once for its first frame when it
//! is split, to see whether it is in memory.
//!
//! # Cancel safety
//!
//! Reading is; a frame that a dropped reader waited for wakes all others that wait for it.

mod body;
mod error;
mod kept;
mod shared;
#[cfg(test)]
mod tests;

pub use self::{body::ReplayBody, error::Lost, kept::Kept};

/// How many bytes are kept unless told otherwise: 64 KiB.
pub const DEFAULT_LIMIT: usize = 64 * 1024;
