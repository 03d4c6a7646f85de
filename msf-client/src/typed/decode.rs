//! What is said of an answer that is not what the caller expects.

use serde::de::Error as _;

/// The error without what the callee sent.
///
/// serde quotes the value that does not fit, however long that is, and errors are logged: a token in the wrong
/// place would stand in the log.
pub(super) fn discreet(error: serde_json::Error) -> serde_json::Error {
    if !error.is_data() {
        // What is no JSON is described by its place only.
        return error;
    }
    let text = error.to_string();
    let message = told(&text).unwrap_or_else(|| "it is not of the expected form".to_owned());
    let (line, column) = (error.line(), error.column());
    serde_json::Error::custom(format!("{message} at line {line} column {column}"))
}

/// What is expected, and what kind of value there is instead. `None` for messages of other making.
fn told(text: &str) -> Option<String> {
    // It comes last, and is the program's own.
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.starts_with("missing field `") || text.starts_with("duplicate field `") {
        return Some(text.to_owned());
    }
    let (found, expected) = text.rsplit_once(", expected ")?;
    let found = if found.starts_with("invalid length ") {
        found
    } else {
        let known = [
            "invalid type: ",
            "invalid value: ",
            "unknown variant ",
            "unknown field ",
        ];
        known.iter().find(|known| found.starts_with(*known))?;
        // The value itself is quoted.
        found.split(['`', '"']).next()?.trim_end()
    };
    Some(format!("{found}, expected {expected}"))
}
