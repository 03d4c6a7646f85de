//! An origin, or all of a domain.

/// Which origins are meant: `https://shop.example`, or `https://*.shop.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    One(Box<str>),
    /// `scheme://`, and `.domain[:port]` as the end of every origin below it.
    Below {
        scheme: Box<str>,
        end: Box<str>,
    },
}

impl Origin {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'));
        let (host, port) = split_port(authority)?;
        if !is_scheme {
            return None;
        }
        // No browser says the usual port of a scheme.
        let port = match (scheme, port) {
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        match host.strip_prefix("*.") {
            Some(domain) => is_domain(domain).then(|| Self::Below {
                scheme: format!("{scheme}://").into(),
                end: format!(".{domain}{port}").into(),
            }),
            None => (is_domain(host) || is_ipv6(host))
                .then(|| Self::One(format!("{scheme}://{host}{port}").into())),
        }
    }

    /// Whether a browser that says so is meant. Browsers say it in lower case.
    pub(super) fn matches(&self, said: &str) -> bool {
        match self {
            Self::One(origin) => **origin == *said,
            Self::Below { scheme, end } => said
                .strip_prefix(&**scheme)
                .and_then(|rest| rest.strip_suffix(&**end))
                .is_some_and(is_domain),
        }
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|it| it.is_ascii_digit());
            Some((host, Some(port.parse().ok().filter(|_| is_number)?)))
        }
        _ => Some((authority, None)),
    }
}

/// Labels of letters, digits, `-` and `_`; an IPv4 address is one, too.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|it| {
                it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'_')
            })
    };
    text.split('.').all(is_label)
}

fn is_ipv6(text: &str) -> bool {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}
