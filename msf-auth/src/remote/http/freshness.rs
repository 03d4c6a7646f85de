//! How long an answer may be used, as its headers say (RFC 9111 section 4.2): a pure function of them.

use std::time::Duration;

use http::{
    HeaderMap,
    header::{AGE, CACHE_CONTROL},
};

/// Below this the issuer would be flooded, whatever it says itself.
const MIN: Duration = Duration::from_secs(60);
/// Above this a key that was taken back would be used for too long.
const MAX: Duration = Duration::from_secs(3_600);

/// `None` when the headers do not say.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    // The shortest of several: what is certain to be wanted by none of them is to use the keys for longer.
    let max_age_s = directives
        .filter_map(|directive| seconds(directive.trim()))
        .min()?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok());
    let age_s = age.and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age_s.saturating_sub(age_s)).clamp(MIN, MAX))
}

fn seconds(directive: &str) -> Option<u64> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    if name.eq_ignore_ascii_case("max-age") {
        let digits = value.trim_matches('"');
        // A number that is too large for us is a long time; what is no number is taken for none (section 4.2.1).
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        return Some(if is_number {
            digits.parse().unwrap_or(u64::MAX)
        } else {
            0
        });
    }
    let is_unusable = ["no-cache", "no-store"]
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word));
    is_unusable.then_some(0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn fresh_s(cache_control: &str, age: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_str(cache_control).unwrap());
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_str(age).unwrap());
        }
        of(&headers).map(|fresh| fresh.as_secs())
    }

    #[test]
    fn an_answer_says_how_long_it_may_be_used() {
        assert_eq!(fresh_s("public, max-age=900", None), Some(900));
        assert_eq!(fresh_s("Max-Age=\"900\", must-revalidate", None), Some(900));
        assert_eq!(fresh_s("max-age=900", Some("300")), Some(600));
        assert_eq!(fresh_s("public", None), None);
        assert_eq!(of(&HeaderMap::new()), None);
    }

    #[test]
    fn what_it_says_is_kept_within_bounds() {
        for short in [
            "max-age=0",
            "no-store",
            "no-cache, max-age=900",
            "max-age=x",
            "max-age=",
        ] {
            assert_eq!(fresh_s(short, None), Some(60), "{short}");
        }
        for long in ["max-age=86400", "max-age=99999999999999999999999"] {
            assert_eq!(fresh_s(long, None), Some(3_600), "{long}");
        }
        assert_eq!(fresh_s("max-age=900", Some("99999999")), Some(60));
        assert_eq!(fresh_s("max-age=900", Some("x")), Some(900));
    }

    #[test]
    fn of_several_the_shortest_counts() {
        let mut headers = HeaderMap::new();
        for value in ["max-age=900", "max-age=300"] {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        assert_eq!(of(&headers), Some(Duration::from_secs(300)));
    }

    proptest! {
        #[test]
        fn no_header_leaves_the_bounds(value in "[ -~]{0,40}", age in "[ -~]{0,20}") {
            if let Some(fresh_s) = fresh_s(&value, Some(&age)) {
                prop_assert!((60..=3_600).contains(&fresh_s));
            }
        }
    }
}
