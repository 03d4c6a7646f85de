//! Values as inline TOML.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::key::quote_name;

/// Writes a value on one line. A null inside a list or table, which TOML cannot express, is written
/// as `null`.
pub(super) fn inline(value: &Json) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::String(text) => write_string(text, out),
        Json::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) if entries.is_empty() => out.push_str("{}"),
        Json::Object(entries) => {
            out.push('{');
            for (position, (name, value)) in entries.iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { " " });
                out.push_str(&quote_name(name));
                out.push_str(" = ");
                write_value(value, out);
            }
            out.push_str(" }");
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Control characters, and those that turn a terminal line around.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::inline;

    #[test]
    fn what_is_written_is_toml() {
        let value = json!({"a": [1, 2.5, true], "b c": {"d": "q\"\\\n\u{7f}\u{202e}"}, "e": {}});
        let text = inline(&value);
        assert_eq!(
            text,
            r#"{ a = [1, 2.5, true], "b c" = { d = "q\"\\\n\U0000007F\U0000202E" }, e = {} }"#
        );
        let read: serde_json::Value =
            toml::from_str::<serde_json::Value>(&format!("x = {text}")).unwrap();
        assert_eq!(read["x"], value);
    }
}
