//! From a path to what is asked for.

use http::Method;

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint<'a> {
    Page,
    Style,
    Script,
    /// Answered as on the operations listener.
    Own,
    Routes,
    Clusters,
    Config,
    Explain,
    Breakers,
    LogLevel,
    Drain,
    Breaker(&'a str, Order),
}

/// What an operator wants of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// No call passes.
    Open,
    /// Every call passes, and is counted.
    Close,
    /// It decides by itself again.
    Release,
}

impl<'a> Endpoint<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/admin.css" => Self::Style,
            "/admin.js" => Self::Script,
            "/livez" | "/readyz" | "/healthz" | "/health" | "/metrics" => Self::Own,
            "/routes" => Self::Routes,
            "/clusters" => Self::Clusters,
            "/config" => Self::Config,
            "/explain" => Self::Explain,
            "/breakers" => Self::Breakers,
            "/log-level" => Self::LogLevel,
            "/drain" => Self::Drain,
            _ => {
                let (service, order) = path.strip_prefix("/breakers/")?.split_once('/')?;
                Self::Breaker(service, Order::of(order)?)
            }
        })
    }

    /// Whether anybody may have it: probes come without a token, and the page has nothing in it.
    pub(super) fn is_open(self, path: &str) -> bool {
        match self {
            Self::Page | Self::Style | Self::Script => true,
            Self::Own => matches!(path, "/livez" | "/readyz" | "/healthz"),
            _ => false,
        }
    }

    /// The methods, as `Allow` has them.
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Drain | Self::Breaker(..) => "POST",
            Self::LogLevel => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }

    pub(super) fn takes(self, method: &Method) -> bool {
        self.allow().split(", ").any(|word| word == method.as_str())
    }
}

impl Order {
    fn of(word: &str) -> Option<Self> {
        match word {
            "open" => Some(Self::Open),
            "close" => Some(Self::Close),
            "release" => Some(Self::Release),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_here_is_there() {
        let drain = Endpoint::of("/drain").unwrap();
        assert!(!drain.takes(&Method::GET) && drain.takes(&Method::POST));
        let open = Endpoint::of("/breakers/order/open").unwrap();
        assert_eq!(open, Endpoint::Breaker("order", Order::Open));
        assert!(!open.takes(&Method::GET));
        assert!(Endpoint::of("/routes").unwrap().takes(&Method::HEAD));
        assert!(!Endpoint::of("/routes").unwrap().takes(&Method::POST));
        for path in [
            "/drain/",
            "/breakers/",
            "/breakers/order",
            "/breakers/order/explode",
            "/Drain",
            "/breakers/order/open/x",
            "//",
            "",
        ] {
            assert_eq!(Endpoint::of(path), None, "{path}");
        }
    }

    #[test]
    fn without_a_token_there_are_probes_and_an_empty_page() {
        let open: Vec<&str> = [
            "/",
            "/admin.css",
            "/admin.js",
            "/livez",
            "/readyz",
            "/healthz",
            "/health",
            "/metrics",
            "/routes",
            "/clusters",
            "/config",
            "/explain",
            "/breakers",
            "/log-level",
            "/drain",
            "/breakers/order/open",
        ]
        .into_iter()
        .filter(|path| Endpoint::of(path).unwrap().is_open(path))
        .collect();
        assert_eq!(
            open,
            [
                "/",
                "/admin.css",
                "/admin.js",
                "/livez",
                "/readyz",
                "/healthz"
            ]
        );
    }
}
