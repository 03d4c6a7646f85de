//! How an instance asks to be checked.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How somebody beside the registry finds out whether an instance works. Written as a URL, or as a path.
///
/// | written | asks |
/// |---|---|
/// | `/readyz` | `GET` at the instance's own endpoint |
/// | `http://10.0.0.1:9000/readyz` | `GET` at another address |
/// | `tcp:`, `tcp://10.0.0.1:5432` | a TCP connection |
/// | `grpc:`, `grpc:/my.Service`, `grpc://10.0.0.1:9090/my.Service` | `grpc.health.v1.Health/Check` |
///
/// What a check runs as a command is never part of a registration: it is configured where checks run.
///
/// ```
/// use msf_registry::HealthCheck;
///
/// let check: HealthCheck = "/readyz".parse()?;
/// assert_eq!(check, HealthCheck::http("/readyz")?);
/// assert!("http://metadata/latest".parse::<HealthCheck>().is_err());
/// # Ok::<(), msf_registry::InvalidHealthCheck>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthCheck {
    /// `GET` over plain HTTP; passes on 2xx.
    Http {
        /// Whom to ask; the instance's own endpoint if absent.
        at: Option<SocketAddr>,
        /// The path, with its query.
        path: Box<str>,
    },
    /// A TCP connection; passes when it is accepted.
    Tcp {
        /// Whom to ask; the instance's own endpoint if absent.
        at: Option<SocketAddr>,
    },
    /// The gRPC health protocol over plain HTTP/2; passes on `SERVING`.
    Grpc {
        /// Whom to ask; the instance's own endpoint if absent.
        at: Option<SocketAddr>,
        /// The name of the gRPC service; empty for the whole server.
        service: Box<str>,
    },
}

/// Not a way to check an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHealthCheck {
    /// Neither a path nor a URL of a known scheme.
    #[error("a health check is a path such as /readyz, or a URL with the scheme http, tcp or grpc")]
    Form,
    /// A name, or an address that nobody can connect to.
    #[error(
        "the host of a health check must be an IP address with a port that can be connected to"
    )]
    Host,
    /// Not an absolute path in visible ASCII of at most 256 bytes.
    #[error(
        "the path of a health check must begin with one '/' and be at most {PATH_LEN_MAX} bytes of \
         visible ASCII without '#'"
    )]
    Path,
}

impl HealthCheck {
    /// `GET` of a path at the instance's own endpoint.
    ///
    /// # Errors
    ///
    /// [`InvalidHealthCheck::Path`] when it is no absolute path.
    pub fn http(path: &str) -> Result<Self, InvalidHealthCheck> {
        if is_bad_path(path) {
            return Err(InvalidHealthCheck::Path);
        }
        Ok(Self::Http {
            at: None,
            path: path.into(),
        })
    }

    /// Whom it asks, if not the instance's own endpoint.
    #[must_use]
    pub const fn at(&self) -> Option<SocketAddr> {
        match self {
            Self::Http { at, .. } | Self::Tcp { at } | Self::Grpc { at, .. } => *at,
        }
    }

    /// The word in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tcp { .. } => "tcp",
            Self::Grpc { .. } => "grpc",
        }
    }

    /// Whether it could be made.
    ///
    /// # Errors
    ///
    /// [`InvalidHealthCheck`] with the rule that is broken.
    pub fn validate(&self) -> Result<(), InvalidHealthCheck> {
        if self
            .at()
            .is_some_and(|at| at.port() == 0 || at.ip().is_unspecified())
        {
            return Err(InvalidHealthCheck::Host);
        }
        let is_bad = match self {
            Self::Http { path, .. } => is_bad_path(path),
            Self::Tcp { .. } => false,
            Self::Grpc { service, .. } => is_bad_service(service),
        };
        if is_bad {
            Err(InvalidHealthCheck::Path)
        } else {
            Ok(())
        }
    }
}

impl FromStr for HealthCheck {
    type Err = InvalidHealthCheck;

    fn from_str(text: &str) -> Result<Self, InvalidHealthCheck> {
        if text.starts_with('/') {
            return Self::http(text);
        }
        let (scheme, rest) = text.split_once(':').ok_or(InvalidHealthCheck::Form)?;
        let (at, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let at = rest[..end]
                    .parse()
                    .map_err(|_no_addr| InvalidHealthCheck::Host)?;
                (Some(at), &rest[end..])
            }
            None => (None, rest),
        };
        let check = match scheme {
            "http" => Self::Http {
                at,
                path: if path.is_empty() { "/" } else { path }.into(),
            },
            "tcp" if matches!(path, "" | "/") => Self::Tcp { at },
            "grpc" => Self::Grpc {
                at,
                service: path.strip_prefix('/').unwrap_or(path).into(),
            },
            _ => return Err(InvalidHealthCheck::Form),
        };
        check.validate()?;
        Ok(check)
    }
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.at()) {
            (Self::Http { path, .. }, None) => f.write_str(path),
            (Self::Http { path, .. }, Some(at)) => write!(f, "http://{at}{path}"),
            (Self::Tcp { .. }, None) => f.write_str("tcp:"),
            (Self::Tcp { .. }, Some(at)) => write!(f, "tcp://{at}"),
            (Self::Grpc { service, .. }, None) => write!(f, "grpc:/{service}"),
            (Self::Grpc { service, .. }, Some(at)) => write!(f, "grpc://{at}/{service}"),
        }
    }
}

impl Serialize for HealthCheck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HealthCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// `//host` would be read as another host by a client that joins URLs; a fragment is never sent.
fn is_bad_path(path: &str) -> bool {
    path.len() > PATH_LEN_MAX
        || !path.starts_with('/')
        || path.starts_with("//")
        || !path
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'#' && b != b'\\')
}

fn is_bad_service(service: &str) -> bool {
    service.len() > PATH_LEN_MAX
        || !service
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
}

const PATH_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "/",
            "/readyz?full=1",
            "http://10.0.0.1:9000/readyz",
            "tcp:",
            "tcp://[::1]:5432",
            "grpc:/",
            "grpc:/my.Service",
            "grpc://10.0.0.1:9090/my.Service",
        ] {
            let check: HealthCheck = text.parse().unwrap();
            assert_eq!(check.to_string(), text);
        }
    }

    #[test]
    fn a_path_stays_on_the_instance() {
        for bad in ["//evil/", "/a b", "/a\r\nb", "/a#b", "/\\evil"] {
            let checked = bad.parse::<HealthCheck>();
            assert_eq!(checked, Err(InvalidHealthCheck::Path), "{bad:?}");
        }
    }

    #[test]
    fn a_url_names_an_address_and_no_host() {
        for bad in [
            "http://evil/",
            "http://evil:80/",
            "http://a@10.0.0.1:80/",
            "http://10.0.0.1/",
            "http://10.0.0.1:0/",
            "http://0.0.0.0:80/",
        ] {
            let checked = bad.parse::<HealthCheck>();
            assert_eq!(checked, Err(InvalidHealthCheck::Host), "{bad:?}");
        }
        for bad in [
            "",
            "readyz",
            "exec:/bin/sh",
            "https://10.0.0.1:1/",
            "tcp:/x",
        ] {
            let checked = bad.parse::<HealthCheck>();
            assert_eq!(checked, Err(InvalidHealthCheck::Form), "{bad:?}");
        }
    }
}
