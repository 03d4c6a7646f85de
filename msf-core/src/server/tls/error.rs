//! What is wrong with certificates.

use std::io;

/// Why certificates cannot be served. `place` is the file, or what the text was given as; what the file contains is
/// never told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file for client certificates has no usable authority.
    #[error(
        "{place} holds no certificate of an authority that clients can be checked by: {reason}"
    )]
    Authorities {
        /// The file.
        place: String,
        /// What the library says.
        reason: String,
    },
    /// Two certificates are for the same name.
    #[error("two certificates are for {name:?}; give one of them other names")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A text is no name that a client could ask for.
    #[error("{name:?} is no name such as \"shop.example\" or \"*.shop.example\"")]
    InvalidName {
        /// The text.
        name: String,
    },
    /// A file is not what it should be.
    #[error("{place} cannot be used: {reason}")]
    Malformed {
        /// The file.
        place: String,
        /// What the library says.
        reason: String,
    },
    /// The key is that of another certificate.
    #[error(
        "the key in {key} is not that of the first certificate in {chain}; the chain begins with the server's own certificate"
    )]
    Mismatch {
        /// The file of the chain.
        chain: String,
        /// The file of the key.
        key: String,
    },
    /// A file without a certificate.
    #[error("{place} holds no certificate; a chain in PEM begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate {
        /// The file.
        place: String,
    },
    /// There is no certificate at all.
    #[error("there is no certificate to serve")]
    NoCertificates,
    /// A file without a key.
    #[error(
        "{place} holds no private key; one in PEM begins with -----BEGIN PRIVATE KEY-----, and is not encrypted"
    )]
    NoKey {
        /// The file.
        place: String,
    },
    /// A certificate is for no name, so that nobody could be served it.
    #[error(
        "the certificate in {place} has no DNS name; say for which names it is, or make it the default"
    )]
    NoNames {
        /// The file.
        place: String,
    },
    /// A file cannot be read.
    #[error("{place} cannot be read: {source}")]
    Read {
        /// The file.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file is longer than any chain.
    #[error("{place} has more than {limit} bytes, which is no chain of certificates")]
    TooLarge {
        /// The file.
        place: String,
        /// How many bytes are read.
        limit: u64,
    },
}
