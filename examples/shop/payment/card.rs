//! Cards, and the made-up company behind them.

use std::{fmt, time::Duration};

use msf_core::config::Secret;
use serde::Serialize;

/// What may be stored of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Card {
    #[serde(rename = "card_brand")]
    pub(crate) brand: String,
    #[serde(rename = "card_last4")]
    pub(crate) last4: String,
}

/// What the card company says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it pays.
    pub(crate) accepted: bool,
    /// How long it takes to say so.
    pub(crate) delay: Duration,
}

/// The reference to a card that a customer sends. It is used once and never stored, logged or shown.
#[derive(Clone)]
pub(crate) struct CardToken(Secret<String>);

impl CardToken {
    /// Wraps what was sent; `None` unless it is 1 to 128 letters, digits, `_` and `-`.
    pub(crate) fn new(text: String) -> Option<Self> {
        let fits = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        fits.then(|| Self(Secret::new(text)))
    }

    /// The token itself, for the one who charges it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What may be kept of the card. A token that is not known is a card of no brand.
    pub(crate) fn card(&self) -> Card {
        let (brand, last4) = match self.expose() {
            "tok_visa" => ("visa", "4242"),
            "tok_declined" => ("visa", "0002"),
            "tok_slow" => ("visa", "2000"),
            _ => ("unknown", "0000"),
        };
        Card {
            brand: brand.to_owned(),
            last4: last4.to_owned(),
        }
    }

    /// What its company will say to a charge.
    pub(crate) fn verdict(&self) -> Verdict {
        let (accepted, delay) = match self.expose() {
            "tok_visa" => (true, Duration::ZERO),
            "tok_slow" => (true, Duration::from_secs(2)),
            _ => (false, Duration::ZERO),
        };
        Verdict { accepted, delay }
    }
}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = CardToken::new("tok_visa".to_owned()).unwrap();
        assert_eq!(format!("{token:?}"), "[redacted]");
        assert!(
            !serde_json::to_string(&token.card())
                .unwrap()
                .contains("tok")
        );
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        for text in ["", "tok visa", "tok\n", "4111 1111", &"x".repeat(129)] {
            assert!(CardToken::new(text.to_owned()).is_none(), "{text}");
        }
    }
}
