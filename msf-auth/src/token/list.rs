//! Arrays of strings, as `aud`, `amr` and `scp` may be.

use super::scan::{Malformed, items};

pub(super) fn is_texts(array: &str) -> bool {
    items(array, |item| item.text().map(drop).ok_or(Malformed)).is_ok()
}

pub(super) fn contains(array: &str, wanted: &str) -> bool {
    let mut is_there = false;
    let walked = items(array, |item| {
        is_there |= item.text().ok_or(Malformed)?.says(wanted, array);
        Ok(())
    });
    is_there && walked.is_ok()
}

/// With a space between; a word that has one itself would be two.
pub(super) fn join(array: &str) -> Result<String, Malformed> {
    let mut joined = String::with_capacity(array.len());
    items(array, |item| {
        let word = item.text().ok_or(Malformed)?.of(array);
        if word.is_empty() || word.contains(' ') {
            return Err(Malformed);
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(&word);
        Ok(())
    })?;
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_are_taken() {
        assert!(is_texts("[]") && is_texts(r#"["a", "b"]"#));
        for array in ["[1]", "{}", r#""a""#, r#"["a",null]"#, r#"["a"] x"#] {
            assert!(!is_texts(array), "{array}");
            assert!(!contains(array, "a"), "{array}");
        }
        assert!(contains(r#"["b","\u0061"]"#, "a"));
        assert!(!contains(r#"["ab"]"#, "a"));
    }

    #[test]
    fn words_are_joined() {
        assert_eq!(join(r#"["a","b:c"]"#).as_deref(), Ok("a b:c"));
        assert_eq!(join("[]").as_deref(), Ok(""));
        assert_eq!(join(r#"["a b"]"#), Err(Malformed));
        assert_eq!(join(r#"[""]"#), Err(Malformed));
    }
}
