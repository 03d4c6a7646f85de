//! [`Redirect`].

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, uri::Authority};

use crate::transform::{CheckedPath, InvalidTransform, PathTransform, Template, Values};

/// Sends a client elsewhere. What is not set stays as the client said it, the query too.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`status`](Self::status) | 307 | keeps method and body, and is not remembered |
/// | [`to`](Self::to), [`path`](Self::path), [`prefix`](Self::prefix) | | one of them, or another scheme, host or port |
///
/// The host that the client said is sent back to it where no other is set; an unknown one is not, and the
/// redirect is then relative.
///
/// ```
/// use msf_gateway::{Redirect, Route};
///
/// let to_https = Route::prefix("/").public().redirect(Redirect::https().permanent());
/// let moved = Route::exact("/about").public().redirect(Redirect::to("https://shop.example/company"));
/// # drop((to_https, moved));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a route has it"]
pub struct Redirect {
    status: StatusCode,
    target: Option<String>,
    scheme: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: PathTransform,
}

/// A redirect that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// The host.
    #[error("{0:?} is no host")]
    Host(String),
    /// It leads to where it comes from.
    #[error("it leads to where it comes from")]
    Loop,
    /// The path, or a name in it.
    #[error(transparent)]
    Path(#[from] InvalidTransform),
    /// The scheme.
    #[error("the scheme is http or https, not {0:?}")]
    Scheme(String),
    /// The status.
    #[error("the status is 301, 302, 303, 307 or 308, not {0}")]
    Status(StatusCode),
    /// The whole target.
    #[error("{0:?} is neither an address nor a path")]
    Target(String),
}

/// A redirect that was checked.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRedirect {
    status: StatusCode,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    Target(Template),
    Parts {
        scheme: Option<Box<str>>,
        host: Option<Box<str>>,
        port: Option<u16>,
        path: Option<CheckedPath>,
    },
}

impl Redirect {
    /// To what the client asked for, until something is said.
    pub(crate) const fn new() -> Self {
        Self {
            status: StatusCode::TEMPORARY_REDIRECT,
            target: None,
            scheme: None,
            host: None,
            port: None,
            path: PathTransform::Keep,
        }
    }

    /// To an address or a path, as it is written; it may [name](crate::transform) what the route captured. The query of
    /// the request is not added: `?{query}` does.
    pub fn to(target: impl Into<String>) -> Self {
        Self {
            target: Some(target.into()),
            ..Self::new()
        }
    }

    /// To the same address over TLS, at its usual port.
    pub fn https() -> Self {
        Self::new().scheme("https")
    }

    /// To another path at the same host; it may [name](crate::transform) what the route captured.
    pub fn path(path: impl Into<String>) -> Self {
        Self {
            path: PathTransform::Rewrite(path.into()),
            ..Self::new()
        }
    }

    /// To the path below another prefix than that of the route.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self {
            path: PathTransform::ReplacePrefix(prefix.into()),
            ..Self::new()
        }
    }

    /// Over `http` or `https`, at the usual port unless one is set.
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.scheme = Some(scheme.into());
        self
    }

    /// At another host.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// At another port.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With another status: 301, 302, 303, 307 or 308.
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With 308, which browsers remember.
    pub const fn permanent(self) -> Self {
        self.status(StatusCode::PERMANENT_REDIRECT)
    }

    pub(crate) fn check(
        &self,
        prefix: Option<&str>,
        captures: &[&str],
    ) -> Result<CheckedRedirect, InvalidRedirect> {
        if ![301, 302, 303, 307, 308].contains(&self.status.as_u16()) {
            return Err(InvalidRedirect::Status(self.status));
        }
        let to = match &self.target {
            Some(target) => To::Target(self.check_target(target, captures)?),
            None => self.check_parts(prefix, captures)?,
        };
        Ok(CheckedRedirect {
            status: self.status,
            to,
        })
    }

    fn check_target(&self, target: &str, captures: &[&str]) -> Result<Template, InvalidRedirect> {
        let template = Template::parse(target, captures)?;
        let fixed = template.literals().next().unwrap_or_default();
        // What a client chooses must not be where the host stands: `//evil.example` is another host, too.
        let after = fixed
            .strip_prefix("https://")
            .or_else(|| fixed.strip_prefix("http://"));
        let is_fixed = match after {
            Some(rest) => {
                let (host, has_path) = match rest.split_once(['/', '?', '#']) {
                    Some((host, _)) => (host, true),
                    None => (rest, template.as_literal().is_some()),
                };
                has_path && host.parse::<Authority>().is_ok()
            }
            None => {
                let is_path = fixed.starts_with('/') && !fixed.starts_with("//");
                is_path && (fixed.len() > 1 || template.as_literal().is_some())
            }
        };
        if is_fixed && target.starts_with(fixed.get(..1).unwrap_or("\0")) && !fixed.contains('\\') {
            Ok(template)
        } else {
            Err(InvalidRedirect::Target(target.to_owned()))
        }
    }

    fn check_parts(&self, prefix: Option<&str>, captures: &[&str]) -> Result<To, InvalidRedirect> {
        if let Some(scheme) = &self.scheme
            && !matches!(scheme.as_str(), "http" | "https")
        {
            return Err(InvalidRedirect::Scheme(scheme.clone()));
        }
        if let Some(host) = &self.host {
            let is_host = host
                .parse::<Authority>()
                .is_ok_and(|it| it.port().is_none() && it.host() == host);
            if !is_host {
                return Err(InvalidRedirect::Host(host.clone()));
            }
        }
        let path = CheckedPath::new(&self.path, prefix, captures)?;
        let stays = self.scheme.is_none() && self.host.is_none() && self.port.is_none();
        let same_path = match &self.path {
            PathTransform::Keep => true,
            PathTransform::ReplacePrefix(by) => prefix == Some(by.trim_end_matches('/')),
            PathTransform::Rewrite(_) => false,
        };
        if stays && same_path {
            return Err(InvalidRedirect::Loop);
        }
        Ok(To::Parts {
            scheme: self.scheme.as_deref().map(Into::into),
            host: self.host.as_deref().map(Into::into),
            port: self.port,
            path,
        })
    }
}

impl CheckedRedirect {
    /// The answer to a request; `None` where what it has makes no target.
    pub(crate) fn response(&self, values: &Values<'_>) -> Option<Response<Bytes>> {
        let target = match &self.to {
            To::Target(template) => template.render(values)?,
            To::Parts {
                scheme,
                host,
                port,
                path,
            } => {
                let path = match path {
                    Some(path) => path.apply(values)?,
                    None => values.path.to_owned(),
                };
                let query = values.query.map(|query| format!("?{query}"));
                let base = base(scheme.as_deref(), host.as_deref(), *port, values)?;
                format!("{base}{path}{}", query.unwrap_or_default())
            }
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        let location = HeaderValue::try_from(target).ok()?;
        response.headers_mut().insert(header::LOCATION, location);
        Some(response)
    }
}

/// The status and where it leads, for people.
impl fmt::Display for CheckedRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        match &self.to {
            To::Target(_) => f.write_str(" to an address of its own"),
            To::Parts {
                scheme,
                host,
                port,
                path,
            } => {
                let set = [
                    (scheme.is_some(), "scheme"),
                    (host.is_some(), "host"),
                    (port.is_some(), "port"),
                    (path.is_some(), "path"),
                ];
                let mut set = set
                    .into_iter()
                    .filter_map(|(is_set, name)| is_set.then_some(name));
                write!(f, " to another {}", set.next().unwrap_or_default())?;
                set.try_for_each(|name| write!(f, ", {name}"))
            }
        }
    }
}

/// Scheme and authority, or nothing for the same ones.
fn base(
    scheme: Option<&str>,
    host: Option<&str>,
    port: Option<u16>,
    values: &Values<'_>,
) -> Option<String> {
    if scheme.is_none() && host.is_none() && port.is_none() {
        return Some(String::new());
    }
    let said = values.host.and_then(|host| host.parse::<Authority>().ok());
    let host = match (host, &said) {
        (Some(host), _) => host,
        (None, Some(said)) => said.host(),
        (None, None) => return None,
    };
    // Another scheme has another port; the same one keeps what the client said.
    let port = port.or_else(|| match scheme {
        None => said.as_ref().and_then(Authority::port_u16),
        Some(_) => None,
    });
    let scheme = scheme
        .map(|scheme| format!("{scheme}:"))
        .unwrap_or_default();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}//{host}{port}"))
}
