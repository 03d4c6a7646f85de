//! Who the client is when a load balancer passes bytes on: the PROXY protocol, versions 1 and 2.
//!
//! A balancer that looks at no request can add no header to it, and says at the beginning of each connection
//! whose it is: in a line of text (version 1) or in a binary block (version 2), as the specification of HAProxy
//! has it. [`Connection::peer`](super::Connection::peer) is then the client, and
//! [`Connection::proxy`](super::Connection::proxy) the balancer.
//!
//! ```
//! use msf_core::server::{Listener, ProxyProtocol};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let balancers = ProxyProtocol::new().trust("10.0.0.0/8".parse()?);
//! let listener = Listener::bind(([127, 0, 0, 1], 0).into())?.proxy_protocol(balancers);
//! # drop(listener);
//! # Ok(())
//! # }
//! ```
//!
//! # Nothing is guessed
//!
//! Whoever may write such a header may say to be anybody. So a listener that expects it takes connections from
//! [trusted](ProxyProtocol::trust) addresses only, and each of these has to begin with the header; everything else
//! is closed without an answer. A listener that does not expect it never looks for it: there the header is a request
//! that cannot be read.
//!
//! | what arrives | what becomes of it |
//! |---|---|
//! | an address over TCP | it is the client |
//! | `LOCAL`, such as a health check of the balancer | the balancer is the client |
//! | `UNKNOWN`, `UNSPEC` or a Unix socket | the same: there is no address to be told |
//! | UDP, another version, command or family | closed |
//! | more than 107 bytes of version 1, or 4 KiB of version 2 | closed |
//! | extensions (TLV) | skipped |

mod header;
mod read;
mod settings;

pub use self::settings::ProxyProtocol;
pub(super) use self::{header::Said, read::Refused};
