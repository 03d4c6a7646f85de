//! The path of a key, such as `server.bind` or `routes[1].weight`.

use std::fmt::{self, Write as _};

/// One step from a table or a list to what it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Name(String),
    Index(usize),
}

/// The steps from the root to a value; empty for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) Vec<Step>);

impl Key {
    /// Reads `server.bind` or `routes[1].weight`. Every text is a path: what is not an index in
    /// brackets is taken as part of a name.
    pub(super) fn parse(text: &str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (name, indices) = split_indices(part);
            if !name.is_empty() {
                steps.push(Step::Name(name.to_owned()));
            }
            steps.extend(indices.into_iter().map(Step::Index));
        }
        Self(steps)
    }

    pub(super) fn name(&self, name: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Name(name.to_owned()));
        Self(steps)
    }

    pub(super) fn join(&self, other: Self) -> Self {
        let mut steps = self.0.clone();
        steps.extend(other.0);
        Self(steps)
    }

    /// Whether one of the two lies on the way to the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }

    /// Whether `self` is `other` or lies inside it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The names alone; `None` if a list lies on the way, which no variable or flag can reach into.
    pub(super) fn names(&self) -> Option<Vec<&str>> {
        self.0
            .iter()
            .map(|step| match step {
                Step::Name(name) => Some(name.as_str()),
                Step::Index(_) => None,
            })
            .collect()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    if position > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(&quote_name(name))?;
                }
            }
        }
        Ok(())
    }
}

/// A name as TOML writes it: bare where that is allowed, else quoted.
pub(super) fn quote_name(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= MAX_SHOWN && name.chars().all(bare) {
        name.to_owned()
    } else {
        quote(name)
    }
}

/// A text in quotes, escaped and cut, fit for a message of one line.
pub(super) fn quote(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start:?}...")
}

fn split_indices(part: &str) -> (&str, Vec<usize>) {
    let Some((name, rest)) = part.split_once('[') else {
        return (part, Vec::new());
    };
    let indices = rest
        .trim_end_matches(']')
        .split("][")
        .map(str::parse)
        .collect::<Result<_, _>>();
    indices.map_or((part, Vec::new()), |indices| (name, indices))
}

/// How many characters of a name or a value a message shows.
const MAX_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Key, Step, quote};

    #[test]
    fn a_path_reads_back_as_it_was_written() {
        for path in ["server.bind", "routes[1].weight", "a.b.c", "grid[0][3]", ""] {
            assert_eq!(Key::parse(path).to_string(), path);
        }
        assert_eq!(Key::default().name("a.b").to_string(), "\"a.b\"");
        assert_eq!(Key::parse("odd[x]").0, [Step::Name("odd[x]".to_owned())]);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(
            quote(&"é".repeat(100)),
            format!("\"{}\"...", "é".repeat(64))
        );
    }

    #[test]
    fn a_key_overlaps_its_ancestors_and_descendants_only() {
        let key = Key::parse("a.b");
        assert!(key.overlaps(&Key::parse("a")) && key.overlaps(&Key::parse("a.b.c")));
        assert!(!key.overlaps(&Key::parse("a.c")));
        assert!(key.is_within(&Key::parse("a")) && !Key::parse("a").is_within(&key));
    }
}
