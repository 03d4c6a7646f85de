//! The routes of one host, by the segments of their paths.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use super::pattern::{End, Shape, Step};

/// A node per segment that any route has, and the regular expressions.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    pub(super) expressions: Vec<Expression>,
    /// Tells that none of them takes a path, in one pass over it.
    pub(super) any_expression: Option<RegexSet>,
}

/// What routes have in common up to here.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    literals: Literals,
    capture: Option<usize>,
    /// The routes whose path ends here.
    pub(super) closed: Group,
    /// The routes whose path ends here with a slash.
    pub(super) slash: Group,
    /// The routes that take all below here.
    pub(super) open: Group,
}

/// The routes of one regular expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) regex: Regex,
    pub(super) group: Group,
}

/// The routes of one host and path, the most specific first; places in the table.
pub(super) type Group = Vec<usize>;

/// The next nodes by their text.
type Literals = HashMap<Box<str>, usize, BuildHasherDefault<SegmentHasher>>;

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            expressions: Vec::new(),
            any_expression: None,
        }
    }
}

impl Tree {
    pub(super) fn insert(&mut self, shape: &Shape, route: usize) {
        let mut at = ROOT;
        for step in &shape.steps {
            at = self.next_or_new(at, step);
        }
        let node = &mut self.nodes[at];
        match shape.end {
            End::Closed => node.closed.push(route),
            End::Slash => node.slash.push(route),
            End::Open => node.open.push(route),
        }
    }

    pub(super) fn insert_regex(&mut self, regex: Regex, route: usize) {
        let mut all = self.expressions.iter_mut();
        match all.find(|own| own.regex.as_str() == regex.as_str()) {
            Some(own) => own.group.push(route),
            None => self.expressions.push(Expression {
                regex,
                group: vec![route],
            }),
        }
    }

    fn next_or_new(&mut self, at: usize, step: &Step) -> usize {
        let new = self.nodes.len();
        let node = &mut self.nodes[at];
        let next = match step {
            Step::Capture => *node.capture.get_or_insert(new),
            Step::Literal(text) => *node.literals.entry(text.clone()).or_insert(new),
        };
        if next == new {
            self.nodes.push(Node::default());
        }
        next
    }

    /// Brings each group into its order, once all routes are in.
    pub(super) fn sort<K: Ord>(&mut self, rank: impl Fn(usize) -> K, order: impl Fn(usize) -> i32) {
        let nodes = self.nodes.iter_mut();
        let groups = nodes.flat_map(|node| [&mut node.closed, &mut node.slash, &mut node.open]);
        let expressions = self.expressions.iter_mut().map(|it| &mut it.group);
        for group in groups.chain(expressions) {
            group.sort_by_key(|route| (rank(*route), *route));
        }
        let first = |group: &Group| group.iter().map(|route| (order(*route), *route)).min();
        self.expressions.sort_by_key(|it| first(&it.group));
        // One expression is its own prefilter. A set that would be too large is done without.
        self.any_expression = match &*self.expressions {
            [] | [_] => None,
            all => {
                let texts = all.iter().map(|it| it.regex.as_str());
                RegexSetBuilder::new(texts).unicode(false).build().ok()
            }
        };
    }

    pub(super) fn root(&self) -> &Node {
        &self.nodes[ROOT]
    }

    pub(super) fn literal(&self, node: &Node, segment: &str) -> Option<&Node> {
        self.nodes.get(*node.literals.get(segment)?)
    }

    pub(super) fn capture(&self, node: &Node) -> Option<&Node> {
        self.nodes.get(node.capture?)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        let nodes = self.nodes.iter();
        let groups = nodes.flat_map(|node| [&node.closed, &node.slash, &node.open]);
        groups.chain(self.expressions.iter().map(|it| &it.group))
    }
}

/// Words of 8 bytes, mixed by a multiplication: segments are short, and their hash is taken for each request. It
/// need not withstand anybody, for only the routes decide what is in a table; a stranger only asks.
#[derive(Clone, Copy, Debug, Default)]
struct SegmentHasher(u64);

impl SegmentHasher {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(ODD);
    }
}

impl Hasher for SegmentHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(byte.into());
    }

    fn finish(&self) -> u64 {
        // The table looks at both ends, and a multiplication mixes upwards only.
        self.0 ^ (self.0 >> 32)
    }
}

const ROOT: usize = 0;
/// 2^64 divided by the golden ratio, as Knuth's multiplicative hashing has it (TAOCP volume 3, section 6.4).
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
