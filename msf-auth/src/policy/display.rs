//! A policy as text, for logs, route tables and files; [`parse`](super::parse) reads it back.

use std::fmt;

use super::{Node, Policy, text};

/// The text that [`FromStr`](std::str::FromStr) reads back.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Node {
    /// What it is called in a text.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Authenticated => "authenticated",
            Self::User => "user",
            Self::Mfa => "mfa",
            Self::Scope(_) => "scope",
            Self::Role(_) => "role",
            Self::Claim(..) => "claim",
            Self::Issuer(_) => "issuer",
            Self::Client(_) => "client",
            Self::Owner(..) => "owner",
            Self::Tenant(_) => "tenant",
            Self::Service(_) => "service",
            Self::Acr(_) => "acr",
            Self::MaxAuthAge(_) => "max_auth_age",
            Self::External(_) => "external",
            Self::Any(_) => "any",
            Self::All(_) => "all",
            Self::Not(_) => "not",
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Public | Self::Authenticated | Self::User | Self::Mfa => return Ok(()),
            _ => f.write_str("(")?,
        }
        match self {
            Self::Public | Self::Authenticated | Self::User | Self::Mfa => {}
            Self::Scope(name)
            | Self::Role(name)
            | Self::Issuer(name)
            | Self::Client(name)
            | Self::Owner(name, None)
            | Self::Tenant(name)
            | Self::Service(name)
            | Self::Acr(name)
            | Self::External(name) => text::write(f, name)?,
            Self::Owner(name, Some(issuer)) => {
                text::write(f, name)?;
                f.write_str(", ")?;
                text::write(f, issuer)?;
            }
            Self::Claim(name, value) => {
                text::write(f, name)?;
                write!(f, ", {value}")?;
            }
            Self::MaxAuthAge(seconds) => text::write_seconds(f, *seconds)?,
            Self::Any(_) | Self::All(_) | Self::Not(_) => {
                for (index, node) in self.children().iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{node}")?;
                }
            }
        }
        f.write_str(")")
    }
}
