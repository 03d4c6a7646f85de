//! The search for the route of a request; the same for a request and for an explanation.

use super::{
    Captures, Found, Lookup, Table,
    captures::Ranges,
    methods::{Methods, allow},
    predicate::Failed,
    table::Entry,
    tree::{Expression, Group, Node, Tree},
};

/// Who listens to a walk.
pub(super) trait Recorder {
    /// Whether the walk goes on after it has its answer, to tell who would have come later.
    const GOES_ON: bool;
    /// A route that was looked at, and what came of it.
    fn saw(&mut self, route: usize, seen: Seen<'_>);
}

/// What came of a route whose host and path take the request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'t> {
    Took,
    /// An earlier one had decided.
    Later,
    Failed(Failed<'t>),
    Method,
    /// It takes the path with a slash more or less at its end, and keeps it from others.
    Slash,
}

/// Nobody: what requests pay for explanations is nothing.
impl Recorder for () {
    const GOES_ON: bool = false;

    fn saw(&mut self, _route: usize, _seen: Seen<'_>) {}
}

pub(super) struct Walk<'t, 'q, T, R> {
    table: &'t Table<T>,
    lookup: &'q Lookup<'q>,
    recorder: &'q mut R,
    decided: Option<Found<'t, T>>,
}

/// How a group takes the path.
#[derive(Clone, Copy)]
enum As {
    /// As it is.
    Itself,
    /// With a slash more or less at its end.
    Twin,
}

/// Whether the walk is over. The steps return this and not what they found, which is larger than what they do.
type IsOver = bool;

impl<'t, 'q, T, R: Recorder> Walk<'t, 'q, T, R> {
    pub(super) const fn new(
        table: &'t Table<T>,
        lookup: &'q Lookup<'q>,
        recorder: &'q mut R,
    ) -> Self {
        Self {
            table,
            lookup,
            recorder,
            decided: None,
        }
    }

    pub(super) fn run(mut self) -> Found<'t, T> {
        let path = self.lookup.path;
        // Captures keep places of 16 bits; servers refuse targets of this length.
        let rest = path.strip_prefix('/').filter(|_| path.len() <= PATH_MAX);
        let Some(rest) = rest else {
            return Found::Nothing;
        };
        for tree in self.table.hosts.of(self.lookup.host) {
            let is_over = self.node(tree, tree.root(), Some(rest), &Ranges::default());
            if is_over || self.expressions(tree) {
                break;
            }
        }
        self.decided.unwrap_or(Found::Nothing)
    }

    /// Goes on below a node. `rest` is the text after the slash that follows the node's segment; `None` is the
    /// end of a path without one. As deep as the deepest route, and at each node once.
    fn node(
        &mut self,
        tree: &'t Tree,
        node: &'t Node,
        rest: Option<&'q str>,
        ranges: &Ranges,
    ) -> IsOver {
        let end = self.lookup.path.len();
        let Some(rest) = rest else {
            return self.group(&node.closed, As::Itself, ranges)
                || self.group(&node.slash, As::Twin, ranges)
                || self.open(node, end, ranges);
        };
        let start = end - rest.len();
        let slash = start.saturating_sub(1);
        // Byte by byte: segments are too short for a search that begins with a set-up.
        let (segment, next) = match rest.bytes().position(|byte| byte == b'/') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        if segment.is_empty() {
            // Only at the end: the canonical path has no other empty segment.
            let ends_here = |walk: &mut Self| {
                walk.group(&node.slash, As::Itself, ranges)
                    || walk.group(&node.closed, As::Twin, ranges)
            };
            return (next.is_none() && ends_here(self)) || self.open(node, slash, ranges);
        }
        if let Some(child) = tree.literal(node, segment)
            && self.node(tree, child, next, ranges)
        {
            return true;
        }
        if let Some(child) = tree.capture(node) {
            let ranges = ranges.with(start..start + segment.len());
            if self.node(tree, child, next, &ranges) {
                return true;
            }
        }
        self.open(node, slash, ranges)
    }

    /// The routes that take all below a node; `rest` is the place of the slash after it, or the end.
    fn open(&mut self, node: &'t Node, rest: usize, ranges: &Ranges) -> IsOver {
        if node.open.is_empty() {
            return false;
        }
        let end = self.lookup.path.len();
        self.group(&node.open, As::Itself, &ranges.with_rest(rest..end))
    }

    fn expressions(&mut self, tree: &'t Tree) -> IsOver {
        if tree.expressions.is_empty() {
            return false;
        }
        let path = self.lookup.path;
        let longer;
        let twin = match path.strip_suffix('/') {
            Some(twin) => twin,
            None => {
                longer = format!("{path}/");
                &longer
            }
        };
        let is_candidate = |text: &str| {
            let set = tree.any_expression.as_ref();
            set.is_none_or(|set| set.is_match(text.as_bytes()))
        };
        if !is_candidate(path) && !is_candidate(twin) {
            return false;
        }
        let mut all = tree.expressions.iter();
        all.any(|expression| self.expression(expression, twin))
    }

    fn expression(&mut self, expression: &'t Expression, twin: &str) -> IsOver {
        let Expression { regex, group } = expression;
        if regex.is_match(self.lookup.path.as_bytes()) {
            return self.group(group, As::Itself, &Ranges::default());
        }
        regex.is_match(twin.as_bytes()) && self.group(group, As::Twin, &Ranges::default())
    }

    /// Asks the routes of one host and path, of which the first that takes the request does.
    fn group(&mut self, group: &'t Group, takes: As, ranges: &Ranges) -> IsOver {
        let mut takes_another_method = false;
        for &route in group {
            if R::GOES_ON && self.decided.is_some() {
                self.recorder.saw(route, Seen::Later);
                continue;
            }
            let entry = &self.table.routes[route];
            if let Some(failed) = entry.rule.failed(self.lookup) {
                self.recorder.saw(route, Seen::Failed(failed));
                continue;
            }
            let found = if matches!(takes, As::Twin) {
                self.recorder.saw(route, Seen::Slash);
                Found::Nothing
            } else if entry.methods().contains(self.lookup.method) {
                self.recorder.saw(route, Seen::Took);
                Found::Route(&entry.value, self.captures(entry, ranges))
            } else {
                self.recorder.saw(route, Seen::Method);
                takes_another_method = true;
                continue;
            };
            if self.decide(found) {
                return true;
            }
        }
        if takes_another_method && self.decided.is_none() {
            let allow = allow(self.methods(group));
            return self.decide(Found::MethodNotAllowed { allow });
        }
        false
    }

    fn decide(&mut self, found: Found<'t, T>) -> IsOver {
        self.decided = Some(found);
        !R::GOES_ON
    }

    /// The methods of the routes that would take the request but for its method.
    fn methods(&self, group: &'t Group) -> impl Iterator<Item = &'t Methods> {
        let entries = group.iter().map(|route| &self.table.routes[*route]);
        let fit = entries.filter(|entry| entry.rule.failed(self.lookup).is_none());
        fit.map(|entry| entry.methods())
    }

    fn captures(&self, entry: &Entry<T>, ranges: &Ranges) -> Captures {
        let Some(names) = &entry.names else {
            return Captures::new(None, *ranges);
        };
        let Some(regex) = entry.regex() else {
            return Captures::new(Some(names.clone()), *ranges);
        };
        let mut ranges = Ranges::default();
        if let Some(found) = regex.captures(self.lookup.path.as_bytes()) {
            for name in names.iter() {
                // A group that took no part is empty.
                ranges = ranges.with(found.name(name).map_or(0..0, |it| it.range()));
            }
        }
        Captures::new(Some(names.clone()), ranges)
    }
}

const PATH_MAX: usize = 65_535;
