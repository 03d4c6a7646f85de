//! One pass of deserialization: what it is given, and what it notes.

use std::{cell::RefCell, collections::BTreeMap};

use super::node::De;
use crate::config::{
    key::{Key, Step},
    layer::Environment,
    tree::Node,
};

/// What one pass over the tree is given and what it notes besides the value.
#[derive(Debug)]
pub(in crate::config) struct Pass<'a> {
    pub(in crate::config) env: &'a Environment,
    /// Texts that are strings, whatever they look like.
    pub(in crate::config) strings: &'a [Key],
    /// Texts that nobody asked for by type and that were taken for a boolean or a number.
    pub(in crate::config) guessed: RefCell<Vec<Key>>,
    /// Keys that no field answers to, with the fields there are.
    pub(in crate::config) unknown: RefCell<BTreeMap<Key, &'static [&'static str]>>,
}

impl<'a> Pass<'a> {
    pub(in crate::config) fn new(env: &'a Environment, strings: &'a [Key]) -> Self {
        Self {
            env,
            strings,
            guessed: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    pub(in crate::config) const fn over<'t>(&'t self, tree: &'t Node) -> De<'t> {
        De {
            node: tree,
            at: &At::Root,
            pass: self,
        }
    }
}

/// The way from the root to the value being read, kept on the stack.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Root,
    Name(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl At<'_> {
    pub(super) fn key(&self) -> Key {
        let mut steps = Vec::new();
        let mut at = self;
        loop {
            match at {
                At::Root => break,
                At::Name(parent, name) => {
                    steps.push(Step::Name((*name).to_owned()));
                    at = parent;
                }
                At::Index(parent, index) => {
                    steps.push(Step::Index(*index));
                    at = parent;
                }
            }
        }
        steps.reverse();
        Key(steps)
    }
}
