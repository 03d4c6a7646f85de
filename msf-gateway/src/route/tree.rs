//! The routes of one host, by the segments of their paths.

use std::collections::HashMap;

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
#[derive(Clone, Debug, Default)]
struct Literals {
    /// Comparing a few is faster than hashing one.
    few: Vec<(Box<str>, usize)>,
    many: HashMap<Box<str>, usize>,
}

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
            Step::Literal(text) => match node.literals.get(text) {
                Some(next) => next,
                None => {
                    node.literals.insert(text.clone(), new);
                    new
                }
            },
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
        self.nodes.get(node.literals.get(segment)?)
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

impl Literals {
    fn get(&self, text: &str) -> Option<usize> {
        if self.many.is_empty() {
            let found = self.few.iter().find(|(own, _)| **own == *text);
            return found.map(|(_, node)| *node);
        }
        self.many.get(text).copied()
    }

    fn insert(&mut self, text: Box<str>, node: usize) {
        if self.many.is_empty() && self.few.len() < FEW {
            self.few.push((text, node));
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(text, node);
        }
    }
}

const ROOT: usize = 0;
const FEW: usize = 8;
