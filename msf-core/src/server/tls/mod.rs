//! TLS 1.2 and 1.3 for a listener: certificates by name, reloaded while it serves, and client certificates.
//!
//! ```no_run
//! use std::time::Duration;
//! use msf_core::server::{Listener, Tls, TlsSettings, tls::{Certificate, ClientCertificates}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let shop = Certificate::files("/etc/tls/shop.pem", "/etc/tls/shop-key.pem");
//! let partners = Certificate::files("/etc/tls/partners.pem", "/etc/tls/partners-key.pem")
//!     .names(["partners.shop.example"])
//!     .clients(ClientCertificates::required("/etc/tls/partners-ca.pem"));
//! let tls = Tls::load(TlsSettings::new().default_certificate(shop).certificate(partners))?;
//!
//! let listener = Listener::bind(([0, 0, 0, 0], 8443).into())?.tls(tls.clone());
//! let watch = tls.watch(Duration::from_secs(10));
//! # drop((listener, watch));
//! # Ok(())
//! # }
//! ```
//!
//! # Which certificate
//!
//! The name that the client asks for (SNI) is looked up among the [names](Certificate::names) of the certificates:
//! the exact one first, then `*.example.com`, which stands for one label. Who asks for another name, or for none, gets the
//! [default](TlsSettings::default_certificate); without one the handshake is refused.
//!
//! # Client certificates
//!
//! They are asked for by certificate, so one host can demand them and another not. A client may send a request for
//! any host over a connection that it has, and would come to the host that demands a certificate over a connection to
//! one that does not: such a request gets 421 (RFC 9110 section 15.5.20), before a handler sees it. Where two hosts ask
//! for the same (the same authorities, required or optional), connections to one serve the other. Connections of
//! hosts that ask for certificates are not resumed from tickets: each one proves who it is.
//!
//! # Files that change
//!
//! [`Tls::reload`] reads the files again and [`Tls::watch`] does so now and then. New connections get the new
//! certificates, open ones stay open. What is wrong with the new files is told, and the ones before stay in use.
//!
//! # What is fixed
//!
//! ALPN offers `h2` and `http/1.1`. The ciphers are those of rustls with aws-lc: AEADs with forward secrecy. No early
//! data (0-RTT), since it can be replayed. A client that speaks plain HTTP to the port is told so in one line.

mod connection;
mod error;
mod handle;
mod handshake;
mod load;
mod names;
mod settings;
mod snapshot;

pub(super) use self::handshake::HandshakeFailed;
pub use self::{
    connection::{ClientCertificate, TlsConnection},
    error::TlsError,
    handle::Tls,
    settings::{Certificate, ClientCertificates, TlsSettings},
};
