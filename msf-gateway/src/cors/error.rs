//! What can be wrong with the settings.

/// CORS settings that cannot work, or that would let everybody in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCors {
    /// Every page on the web could act as the user.
    #[error("credentials cannot be allowed to any origin; name the origins")]
    CredentialsForAll,
    /// No origin is allowed.
    #[error("no origin is allowed; `.origins([..])` names them")]
    NoOrigins,
    /// A text that is no origin.
    #[error("{0:?} is no origin such as \"https://shop.example\" or \"https://*.shop.example\"")]
    Origin(String),
    /// A text that is no name of a header.
    #[error("{0:?} is no name of a header")]
    Header(String),
}
