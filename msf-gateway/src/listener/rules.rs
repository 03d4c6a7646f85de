//! What is different from one listener to another once a request has arrived.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, uri::Authority};
use msf_core::problem::{Code, Problem};

use crate::headers::{Peer, forwarded::Forwarding};

/// By the places of the listeners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Of all that have none of their own.
    pub(crate) forwarding: Forwarding,
    own: Vec<Option<Forwarding>>,
    /// The ports to which plain requests are sent.
    redirects: Vec<Option<u16>>,
}

impl Rules {
    pub(crate) fn set_forwarding(&mut self, listener: usize, forwarding: Forwarding) {
        set(&mut self.own, listener, forwarding);
    }

    pub(crate) fn set_redirect(&mut self, listener: usize, port: u16) {
        set(&mut self.redirects, listener, port);
    }

    /// Whether a listener takes this address for a proxy's.
    pub(crate) fn trusts(&self, listener: usize, ip: IpAddr) -> bool {
        self.forwarding(listener).trusts(ip)
    }

    pub(crate) fn forwarding(&self, listener: usize) -> &Forwarding {
        let own = self.own.get(listener).and_then(Option::as_ref);
        own.unwrap_or(&self.forwarding)
    }

    /// The answer to a request that came without TLS where it should have come with it.
    pub(crate) fn redirect<B>(
        &self,
        request: &Request<B>,
        host: Option<&HeaderValue>,
    ) -> Option<Response<Bytes>> {
        if self.redirects.is_empty() {
            return None;
        }
        let peer = Peer::of(request.extensions().get());
        let port = (*self.redirects.get(peer.listener)?)?;
        let forwarding = self.forwarding(peer.listener);
        // Something in front may have ended TLS, and says so: sending that client to https again would never end.
        if forwarding.is_https(peer, request.headers()) {
            return None;
        }
        let host = forwarding.said_host(peer, request.headers()).or(host);
        let location = host.and_then(|host| location(host, port, request));
        let Some(location) = location else {
            return Some(
                Problem::new(Code::BadRequest)
                    .with_detail(
                        "this address speaks https only, and without a Host nobody knows where",
                    )
                    .into_response(),
            );
        };
        let mut response = Response::new(Bytes::new());
        // Keeps method and body, and browsers remember it.
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location);
        Some(response)
    }
}

fn set<T>(all: &mut Vec<Option<T>>, place: usize, value: T) {
    if all.len() <= place {
        all.resize_with(place + 1, || None);
    }
    all[place] = Some(value);
}

fn location<B>(host: &HeaderValue, port: u16, request: &Request<B>) -> Option<HeaderValue> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    let host = authority.host();
    // `*` is no path.
    let target = request.uri().path_and_query().map(|it| it.as_str());
    let target = target.filter(|it| it.starts_with('/')).unwrap_or("/");
    let location = if port == HTTPS_PORT {
        format!("https://{host}{target}")
    } else {
        format!("https://{host}:{port}{target}")
    };
    HeaderValue::try_from(location).ok()
}

const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(
        rules: &Rules,
        host: Option<&'static str>,
        target: &str,
    ) -> Option<(u16, String)> {
        let request = Request::get(target).body(()).unwrap();
        let host = host.map(HeaderValue::from_static);
        let response = rules.redirect(&request, host.as_ref())?;
        let location = response.headers().get("location");
        let location = location.map(|it| it.to_str().unwrap().to_owned());
        Some((response.status().as_u16(), location.unwrap_or_default()))
    }

    #[test]
    fn plain_requests_are_sent_to_the_same_place_over_https() {
        let mut rules = Rules::default();
        assert_eq!(redirected(&rules, Some("shop.example"), "/"), None);
        rules.set_redirect(1, 443);
        assert_eq!(
            redirected(&rules, Some("shop.example"), "/"),
            None,
            "another listener"
        );
        rules.set_redirect(0, 443);
        for (host, target, expected) in [
            ("shop.example", "/", "https://shop.example/"),
            (
                "shop.example:80",
                "/a/b?c=d%20e",
                "https://shop.example/a/b?c=d%20e",
            ),
            ("[::1]:8080", "/x", "https://[::1]/x"),
            (
                "shop.example",
                "http://other.example/y?z",
                "https://shop.example/y?z",
            ),
        ] {
            let told = redirected(&rules, Some(host), target);
            assert_eq!(told, Some((308, expected.to_owned())));
        }
        assert_eq!(redirected(&rules, None, "/"), Some((400, String::new())));
        assert_eq!(redirected(&rules, Some("a b"), "/").unwrap().0, 400);

        rules.set_redirect(0, 8443);
        let told = redirected(&rules, Some("shop.example:8080"), "/").unwrap();
        assert_eq!(told.1, "https://shop.example:8443/");
    }

    #[test]
    fn whoever_has_ended_tls_in_front_is_not_sent_round_in_circles() {
        let mut rules = Rules::default();
        rules.set_redirect(0, 443);
        rules.set_forwarding(0, Forwarding::default().https());
        assert_eq!(redirected(&rules, Some("shop.example"), "/"), None);
    }

    #[test]
    fn a_listener_without_rules_of_its_own_has_those_of_all() {
        let mut rules = Rules {
            forwarding: Forwarding::default().https(),
            ..Rules::default()
        };
        rules.set_forwarding(2, Forwarding::default());
        let peer = Peer::default();
        let is_https = |listener| {
            rules
                .forwarding(listener)
                .is_https(peer, &http::HeaderMap::new())
        };
        assert_eq!([0, 1, 2, 3].map(is_https), [true, true, false, true]);
    }
}
