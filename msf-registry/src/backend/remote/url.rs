//! The address of a server, as a user writes it.

/// The address without its trailing slash, if requests can be sent there as it stands.
///
/// A user would end up in logs, and behind a query or a fragment our paths would be none.
pub(in crate::backend) fn base_of(url: &str) -> Option<&str> {
    let uri: http::Uri = url.parse().ok()?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let is_base = uri.scheme_str() == Some("http") && has_host && !url.contains(['?', '#', '@']);
    is_base.then(|| url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_paths_can_be_added_to_is_a_base() {
        for bad in [
            "",
            "registry",
            "https://registry",
            "http://",
            "http://registry/?a=b",
            "http://registry/#top",
            "http://ada:lovelace@registry",
        ] {
            assert_eq!(base_of(bad), None, "{bad}");
        }
        assert_eq!(base_of("http://[::1]:2379/"), Some("http://[::1]:2379"));
        assert_eq!(base_of("http://a/base/"), Some("http://a/base"));
    }
}
