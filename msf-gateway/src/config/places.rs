//! Where in a file a key is.

use std::{collections::HashMap, fmt::Write as _};

use toml::de::{DeTable, DeValue};

/// The lines of the keys of a TOML file; of another file only its name is known.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    file: String,
    lines: HashMap<String, usize>,
}

impl Places {
    pub(crate) fn of(file: &str, text: &str) -> Self {
        let mut places = Self {
            file: file.to_owned(),
            lines: HashMap::new(),
        };
        // What cannot be read has no keys, and whoever reads it says so.
        if let Ok(table) = DeTable::parse(text) {
            let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
            let starts: Vec<usize> = std::iter::once(0).chain(newlines).collect();
            places.table(table.get_ref(), "", &starts);
        }
        places
    }

    /// The place of a key, or of what it would be in.
    pub(crate) fn find(&self, mut path: &str) -> String {
        loop {
            if let Some(line) = self.lines.get(path) {
                return format!("{}:{line}", self.file);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.file.clone(),
            }
        }
    }

    fn table(&mut self, table: &DeTable<'_>, at: &str, starts: &[usize]) {
        for (key, value) in table {
            let mut path = at.to_owned();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key.get_ref());
            self.note(&path, key.span().start, starts);
            self.value(value.get_ref(), &path, starts);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, at: &str, starts: &[usize]) {
        match value {
            DeValue::Table(table) => self.table(table, at, starts),
            DeValue::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let mut path = at.to_owned();
                    // Writing to a text cannot fail.
                    let _ = write!(path, "[{place}]");
                    self.note(&path, item.span().start, starts);
                    self.value(item.get_ref(), &path, starts);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, path: &str, offset: usize, starts: &[usize]) {
        let line = starts.partition_point(|start| *start <= offset);
        self.lines.entry(path.to_owned()).or_insert(line);
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn keys_are_found_at_their_lines() {
        let text = "workers = 1\n\n[clusters.users]\nendpoints = [\n  \"a\",\n  \"b\",\n]\n[[routes]]\nid = \"1\"\n[[routes]]\nmatch = { path = \"/\" }\n";
        let places = Places::of("g.toml", text);
        for (path, expected) in [
            ("workers", "g.toml:1"),
            ("clusters.users", "g.toml:3"),
            ("clusters.users.endpoints[1]", "g.toml:6"),
            ("clusters.users.lb", "g.toml:3"),
            ("routes[0].id", "g.toml:9"),
            ("routes[1].match.path", "g.toml:11"),
            ("routes[1].policy", "g.toml:10"),
            ("", "g.toml"),
        ] {
            assert_eq!(places.find(path), expected, "{path}");
        }
        assert_eq!(Places::of("g.json", "{}").find("workers"), "g.json");
    }
}
