//! Lists come in pages, however long they are.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

/// Entries of a page when the caller does not say, and at most.
const LIMIT: u32 = 20;
const LIMIT_MAX: u32 = 100;

/// Which page is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    after: Option<i64>,
    limit: Option<u32>,
}

impl Query {
    /// The id after which the page begins, and how many entries it has.
    pub(crate) fn bounds(&self) -> (i64, u32) {
        (self.after.unwrap_or(0), limit(self.limit))
    }
}

/// How many entries are answered: what was asked for, within the bounds.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
}

/// Where the next page is (RFC 8288), when this one is full.
pub(crate) fn next(
    path: &str,
    parameter: &str,
    entries: usize,
    limit: u32,
    last: Option<impl fmt::Display>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let is_full = entries >= usize::try_from(limit).unwrap_or(usize::MAX);
    if let Some(last) = last.filter(|_| is_full) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let link = format!("<{path}{joint}{parameter}={last}&limit={limit}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            headers.insert(header::LINK, link);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_than_a_page() {
        assert_eq!(
            [None, Some(0), Some(7), Some(u32::MAX)].map(limit),
            [20, 1, 7, 100]
        );
    }

    #[test]
    fn a_full_page_says_where_the_next_one_is() {
        let link = next("/api/orders", "before", 2, 2, Some(5));
        assert_eq!(link["link"], "</api/orders?before=5&limit=2>; rel=\"next\"");
        assert!(next("/api/orders", "before", 1, 2, Some(5)).is_empty());
    }
}
