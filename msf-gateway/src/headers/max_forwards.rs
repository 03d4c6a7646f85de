//! `Max-Forwards`, by which a client asks who is on the way (RFC 9110 §7.6.2).
//!
//! It counts for `OPTIONS` alone here: `TRACE` is never forwarded, and for other methods it has no meaning and passes
//! as it is.

use http::{HeaderMap, HeaderValue, header::MAX_FORWARDS};

use super::message::InvalidMessage;

/// Whether a request may go further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is nothing else to do with a request"
)]
pub enum Hop {
    /// It goes on, with one less.
    On,
    /// This gateway is the last one, and answers.
    Last,
}

/// Counts the hop to this gateway.
///
/// ```
/// use http::HeaderMap;
/// use msf_gateway::headers::max_forwards::{self, Hop};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("max-forwards", "1".parse()?);
/// assert_eq!(max_forwards::count_down(&mut headers), Ok(Hop::On));
/// assert_eq!(headers["max-forwards"], "0");
/// assert_eq!(max_forwards::count_down(&mut headers), Ok(Hop::Last));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
///
/// # Errors
///
/// [`InvalidMessage::MaxForwards`] if it is not one number.
pub fn count_down(headers: &mut HeaderMap) -> Result<Hop, InvalidMessage> {
    let mut values = headers.get_all(MAX_FORWARDS).iter();
    let (left, more) = (values.next(), values.next());
    let Some(left) = left else {
        return Ok(Hop::On);
    };
    let digits = left.as_bytes();
    if more.is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidMessage::MaxForwards);
    }
    // More than a number can hold is as good as the most.
    let left: u32 = left
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(u32::MAX);
    Ok(match left.checked_sub(1) {
        None => Hop::Last,
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left));
            Hop::On
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_number_is_counted_down() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(MAX_FORWARDS, value.parse().unwrap());
            }
            let hop = count_down(&mut headers);
            (hop, headers.get(MAX_FORWARDS).cloned())
        };
        assert_eq!(with(&[]), (Ok(Hop::On), None));
        assert_eq!(with(&["0"]).0, Ok(Hop::Last));
        assert_eq!(with(&["00"]).0, Ok(Hop::Last));
        assert_eq!(with(&["10"]).1.unwrap(), "9");
        assert_eq!(with(&["99999999999999999999"]).1.unwrap(), "4294967294");
        for malformed in [&["-1"][..], &["+1"], &["x"], &[""], &["1", "1"], &["1, 1"]] {
            assert_eq!(
                with(malformed).0,
                Err(InvalidMessage::MaxForwards),
                "{malformed:?}"
            );
        }
    }
}
