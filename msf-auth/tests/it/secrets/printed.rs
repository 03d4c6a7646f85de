//! What was printed, and the search for secrets in it.

use std::{
    collections::HashSet,
    error::Error,
    fmt::{self, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::HMAC;
use crate::support::encode;

/// All that was printed, and what must not be in it.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) text: String,
    secrets: Vec<(&'static str, Vec<u8>)>,
}

impl Printed {
    pub(super) fn secret(&mut self, what: &'static str, bytes: impl AsRef<[u8]>) {
        self.secrets.push((what, bytes.as_ref().to_vec()));
    }

    /// A token: its header is nobody's secret.
    pub(super) fn token(&mut self, what: &'static str, token: &str) {
        for part in token.split('.').skip(1) {
            self.secret(what, part);
        }
    }

    pub(super) fn debug(&mut self, what: &str, value: &dyn fmt::Debug) {
        writeln!(self.text, "{what}: {value:?}\n{value:#?}").unwrap();
    }

    pub(super) fn error(&mut self, what: &str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            writeln!(self.text, "{what}: {error}").unwrap();
            self.debug(what, &error);
            next = error.source();
        }
    }

    pub(super) fn failed<T: fmt::Debug, E: Error + 'static>(
        &mut self,
        what: &str,
        outcome: Result<T, E>,
    ) {
        match outcome {
            Ok(value) => panic!("{what} was to fail: {value:?}"),
            Err(error) => self.error(what, &error),
        }
    }

    /// Each secret of which eight bytes in a row can be read, in whatever spelling, with what is around it.
    pub(super) fn found(&self) -> Vec<(&'static str, String)> {
        // Most are ruled out by this, which a search through the whole text each time would not be in time.
        let starts: HashSet<&[u8]> = self.text.as_bytes().windows(8).collect();
        let is_there = |needle: &String| {
            starts.contains(&needle.as_bytes()[..8]) && self.text.contains(needle.as_str())
        };
        let found = |(what, bytes): &(&'static str, Vec<u8>)| {
            let needle = spellings(bytes).into_iter().find(is_there)?;
            let (before, after) = self.text.split_once(&needle)?;
            let before: Vec<char> = before.chars().rev().take(150).collect();
            let before: String = before.into_iter().rev().collect();
            let after: String = after.chars().take(50).collect();
            Some((*what, format!("{before}{needle}{after}")))
        };
        self.secrets.iter().filter_map(found).collect()
    }
}

/// Eight bytes in a row as text, as hexadecimal and as `Debug` writes bytes; eight characters in a row of base64.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let mut needles = Vec::new();
    for part in bytes.windows(8) {
        if part.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            needles.push(String::from_utf8_lossy(part).into_owned());
        }
        needles.push(part.iter().map(|byte| format!("{byte:02x}")).collect());
        let numbers: Vec<_> = part.iter().map(u8::to_string).collect();
        needles.push(numbers.join(", "));
    }
    for text in [STANDARD.encode(bytes), encode(bytes)] {
        let parts = text.as_bytes().windows(8);
        needles.extend(parts.map(|part| String::from_utf8_lossy(part).into_owned()));
    }
    needles
}

#[test]
fn a_secret_that_is_printed_is_found() {
    let leaks: [&dyn Fn(&mut Printed); 5] = [
        &|printed| printed.debug("text", &HMAC),
        &|printed| printed.debug("part", &&HMAC[9..17]),
        &|printed| printed.debug("bytes", &HMAC.as_bytes()),
        &|printed| printed.text += &encode(HMAC),
        &|printed| printed.text += "5a713776543178",
    ];
    for (index, leak) in leaks.iter().enumerate() {
        let mut printed = Printed::default();
        printed.secret("it", HMAC);
        assert_eq!(printed.found(), []);
        leak(&mut printed);
        // The last is one byte too short to tell anything.
        assert_eq!(printed.found().len(), usize::from(index < 4), "{index}");
    }
}
