//! One look over the names, so that a request without rare headers pays for none of them.

use http::{
    HeaderMap,
    header::{COOKIE, TRAILER},
};

use super::{forwarded, hop_by_hop};

/// What there is to do about a request's headers.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one kind of header and one step of `receive`"
)]
pub(super) struct Seen {
    pub(super) has_connection_headers: bool,
    pub(super) has_trailer: bool,
    pub(super) has_cookie: bool,
    pub(super) has_forwarding: bool,
}

impl Seen {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            seen.has_connection_headers |= hop_by_hop::is_of_request(name);
            seen.has_trailer |= *name == TRAILER;
            seen.has_cookie |= *name == COOKIE;
            seen.has_forwarding |= forwarded::is_forwarding(name);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Version};

    use super::{
        super::{IdentityHeaders, cookie, forwarded::Forwarding, trailers, via},
        *,
    };

    /// Every kind of name, alone and with every other: the short way leaves what the long way leaves.
    #[test]
    fn what_is_not_seen_is_not_there() {
        let names = [
            "accept",
            "connection",
            "keep-alive",
            "te",
            "transfer-encoding",
            "upgrade",
            "proxy-connection",
            "proxy-authorization",
            "http2-settings",
            "close",
            "proxy-features",
            "trailer",
            "cookie",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-anything",
            "via",
            "x-user-id",
        ];
        for (one, other) in names
            .iter()
            .flat_map(|one| names.iter().map(move |other| (one, other)))
        {
            let request = |()| {
                let mut headers = HeaderMap::new();
                headers.append(*one, HeaderValue::from_static("x-sum, accept"));
                headers.append(*other, HeaderValue::from_static("trailers"));
                headers
            };
            let (identity, forwarding) = (IdentityHeaders::default(), Forwarding::default());
            let peer = Some([192, 0, 2, 7].into());

            let mut long = request(());
            hop_by_hop::strip_request(&mut long);
            identity.strip(&mut long);
            trailers::restrict(&mut long, &identity);
            forwarding.rewrite(peer, None, &mut long);
            via::append(Version::HTTP_11, &mut long);
            cookie::join(&mut long);

            let (mut parts, ()) = http::Request::new(()).into_parts();
            parts.headers = request(());
            super::super::receive(&mut parts, None, None, &identity, &forwarding);
            parts
                .headers
                .insert("x-forwarded-for", HeaderValue::from_static("192.0.2.7"));
            assert_eq!(parts.headers, long, "{one} {other}");
        }
    }
}
