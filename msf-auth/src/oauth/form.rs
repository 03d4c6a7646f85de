//! `application/x-www-form-urlencoded`, read strictly (RFC 6749 section 3.2 and appendix B).

/// The parameters of a request. They have secrets, so nothing prints them.
pub(super) struct Form(Vec<(String, String)>);

/// A body that is no form, in words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormFault(pub(super) &'static str);

/// The longest request that is defined here has twelve.
const PARAMETERS_MAX: usize = 32;

impl Form {
    pub(super) fn parse(body: &[u8]) -> Result<Self, FormFault> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default());
            let value = decode(halves.next().unwrap_or_default());
            let (Some(name), Some(value)) = (name, value) else {
                return Err(FormFault("a parameter is not form-encoded text"));
            };
            // Also of those that are not known: whoever reads another one of the two reads another request.
            if parameters.iter().any(|(own, _)| *own == name) {
                return Err(FormFault("a parameter is there twice"));
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(FormFault("too many parameters"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// A parameter; one without a value is as if it were not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        parameters
            .find(|(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// `None` for anything that is not the encoding of text without control characters.
pub(super) fn decode(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(*rest.next()?)?, digit(*rest.next()?)?);
                high << 4 | low
            }
            0x21..=0x7e => byte,
            _ => return None,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn parameters_are_decoded() {
        let form = Form::parse(b"a=1+2&b=%C3%A4%2b&&c&d=&e=x=y").unwrap_or(Form(Vec::new()));
        assert_eq!(form.get("a"), Some("1 2"));
        assert_eq!(form.get("b"), Some("\u{e4}+"));
        assert_eq!(form.get("c"), None);
        assert_eq!(form.get("d"), None);
        assert_eq!(form.get("e"), Some("x=y"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let many = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1&"));
        let many: String = many.collect();
        for body in [
            "a=1&a=1",
            "a=1&%61=2",
            "a=&a=1",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%ff",
            "a=%00",
            "a=%0d%0a",
            "a=\u{e4}",
            "a=1 2",
            "a=1\r\nb=2",
            many.as_str(),
        ] {
            assert!(Form::parse(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_through(text in "[^\\p{Cc}]{0,40}") {
            prop_assert_eq!(decode(encode(&text).as_bytes()), Some(text));
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::parse(&body) {
                prop_assert!(form.0.len() <= PARAMETERS_MAX);
            }
        }
    }
}
