//! From the tree to a section, with every wrong key reported in one go.
//!
//! serde stops at the first error. So each error is reported, the value at its key replaced by the
//! default, and the section read again, until it passes.

use serde::de::DeserializeOwned;

use super::{
    de::Pass,
    error::{Problem, Report},
    fault::{Fault, Kind},
    key::{Key, Step},
    layer::Environment,
    tree::{Node, Value},
    unknown::Known,
};

/// Reads one section, and repairs the tree on the way so that it passes. `None` only after a problem
/// was reported.
pub(super) fn section<C: DeserializeOwned>(
    tree: &mut Node,
    defaults: &Node,
    env: &Environment,
    known: &Known<'_>,
    report: &mut Report,
) -> Option<C> {
    let original = tree.clone();
    let mut reader = Reader {
        tree,
        defaults,
        strings: Vec::new(),
        guess: None,
        repaired: Vec::new(),
    };
    let mut unknown = std::collections::BTreeMap::new();
    let mut value = None;
    for _ in 0..MAX_PASSES {
        let pass = Pass::new(env, &reader.strings);
        let outcome = C::deserialize(pass.over(reader.tree));
        unknown.append(&mut pass.unknown.take());
        let guessed = pass.guessed.take();
        match outcome {
            Ok(read) => {
                value = Some(read);
                break;
            }
            Err(fault) => {
                if !reader.next(fault, guessed, report) {
                    break;
                }
            }
        }
    }
    for (key, fields) in unknown {
        if let Some(node) = original.find(&key) {
            known.report(&key, node, fields, report);
        }
    }
    value
}

struct Reader<'a> {
    tree: &'a mut Node,
    defaults: &'a Node,
    /// Texts that were guessed to be something else and are tried as strings.
    strings: Vec<Key>,
    /// The fault that made us try strings; if that does not help, it is the one to report.
    guess: Option<Fault>,
    repaired: Vec<Key>,
}

impl Reader<'_> {
    /// Deals with a fault; false if there is nothing left to try.
    fn next(&mut self, fault: Fault, guessed: Vec<Key>, report: &mut Report) -> bool {
        let key = fault.key();
        let fresh: Vec<_> = guessed
            .into_iter()
            .filter(|text| text.is_within(&key))
            .collect();
        if !fresh.is_empty() && self.guess.is_none() {
            self.strings.extend(fresh);
            self.guess = Some(fault);
            return true;
        }
        let fault = self
            .guess
            .take()
            .filter(|guess| guess.key() == key)
            .unwrap_or(fault);

        if let Kind::Duplicate(field) = fault.kind() {
            let default = key.name(field);
            let is_default = self
                .tree
                .find(&default)
                .is_some_and(|node| node.set_by().is_none());
            if is_default && self.tree.remove(&default) {
                return true;
            }
        }
        let set_by = self.tree.find(&key).and_then(Node::set_by).cloned();
        if set_by.is_none() && matches!(fault.kind(), Kind::Message(_)) && self.tree.remove(&key) {
            // A default that does not survive the round trip through serde: the type fills it in.
            return true;
        }
        // A table that lacks a key because the key was wrong and is gone is no second mistake.
        let is_consequence = self
            .repaired
            .iter()
            .any(|repaired| repaired.is_within(&key));
        if !is_consequence {
            let (reported, source) = match fault.kind() {
                Kind::Message(_) => (key.clone(), set_by),
                // Nobody set the key that is missing, but somebody opened the table.
                Kind::Missing(field) => (key.name(field), set_by.filter(|_| !key.0.is_empty())),
                Kind::Duplicate(field) => {
                    let twice = key.name(field);
                    let source = self.tree.source_of(&twice);
                    (twice, Some(source))
                }
            };
            report.push(Problem::new(reported, source, &fault).with_hint(fault.hint()));
        }
        !report.is_full() && self.repair(key)
    }

    /// Puts the default at the key, or takes the value away; of a list, the whole element goes.
    fn repair(&mut self, mut key: Key) -> bool {
        if let Some(element) = key.0.iter().position(|step| matches!(step, Step::Index(_))) {
            key.0.truncate(element + 1);
        }
        let default = self.defaults.find(&key).cloned();
        let changed = match (self.tree.find_mut(&key.0), default) {
            (Some(node), Some(default)) if node.set_by().is_some() => {
                *node = default;
                true
            }
            (Some(node), None) if matches!(node.value, Value::Hole) => false,
            _ => self.tree.remove(&key),
        };
        self.repaired.push(key);
        changed
    }
}

/// Every pass repairs, removes or retries something, so this is reached by a hostile file only.
const MAX_PASSES: usize = 256;
