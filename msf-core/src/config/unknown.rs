//! Keys that nobody knows, reported with what was probably meant.

use std::collections::BTreeSet;

use super::{
    error::{Problem, Report},
    key::{Key, Step},
    layer::variable_name,
    source::Source,
    suggest,
    tree::{Node, Value},
};

/// What is known, to suggest from.
pub(super) struct Known<'a> {
    pub(super) prefix: &'a str,
    /// The defaults of all sections.
    pub(super) defaults: &'a Node,
}

impl Known<'_> {
    /// Reports an unknown key once for each place that sets it: a file may open a table and two
    /// variables may add to it.
    pub(super) fn report(&self, key: &Key, node: &Node, siblings: &[&str], report: &mut Report) {
        let mut sources = Vec::new();
        collect_sources(node, &mut sources);
        for source in sources {
            let hint = self.hint(key, &source, siblings);
            report.push(Problem::new(key.clone(), source, "unknown key").with_hint(hint));
        }
    }

    fn hint(&self, key: &Key, source: &Source, siblings: &[&str]) -> Option<String> {
        let (Step::Name(name), parents) = key.0.split_last()? else {
            return None;
        };
        if let Some(near) = suggest::nearest(name, siblings.iter().copied()) {
            let meant = Key(parents.to_vec()).name(near);
            return Some(format!("did you mean {}?", self.spell(&meant, key, source)));
        }
        // The right name in the wrong table.
        let mut elsewhere = BTreeSet::new();
        collect_named(self.defaults, name, &Key::default(), &mut elsewhere);
        if let (Some(meant), 1) = (elsewhere.first(), elsewhere.len()) {
            return Some(format!("did you mean {}?", self.spell(meant, key, source)));
        }
        let all = (1..=MAX_LISTED).contains(&siblings.len());
        all.then(|| format!("known here: {}", siblings.join(", ")))
    }

    /// The key that was meant, as the source would spell it, with whatever the source wrote behind
    /// the unknown name.
    fn spell(&self, meant: &Key, unknown: &Key, source: &Source) -> String {
        let rest = |written: &str, separator: &str| -> Vec<String> {
            written
                .split(separator)
                .skip(unknown.0.len())
                .map(str::to_owned)
                .collect()
        };
        match (source, meant.names()) {
            (Source::Env(name), Some(names)) => {
                let rest = rest(name.get(self.prefix.len() + 2..).unwrap_or_default(), "__");
                variable_name(
                    self.prefix,
                    names.into_iter().chain(rest.iter().map(String::as_str)),
                )
            }
            (Source::Flag(name), Some(names)) => {
                let rest = rest(name.trim_start_matches('-'), ".");
                let names: Vec<_> = names
                    .into_iter()
                    .chain(rest.iter().map(String::as_str))
                    .collect();
                format!("--{}", names.join("."))
            }
            _ => meant.to_string(),
        }
    }
}

/// The place in the file that opens the key, and every variable and flag inside it.
fn collect_sources(node: &Node, sources: &mut Vec<Source>) {
    let new = match &node.source {
        Source::Default => false,
        Source::File { .. } => sources.is_empty(),
        // The table on the way to what a variable sets carries the variable as its source, too.
        Source::Env(_) | Source::Flag(_) => !sources.contains(&node.source),
    };
    if new {
        sources.push(node.source.clone());
    }
    if let Value::Table(table) = &node.value {
        table
            .values()
            .for_each(|node| collect_sources(node, sources));
    }
}

/// The known keys whose last name is `name`.
fn collect_named(node: &Node, name: &str, at: &Key, found: &mut BTreeSet<Key>) {
    for (key, child) in node.as_table().into_iter().flatten() {
        let path = at.name(key);
        if key == name {
            found.insert(path.clone());
        }
        collect_named(child, name, &path, found);
    }
}

/// More names than this are no help in a message of one line.
const MAX_LISTED: usize = 10;
