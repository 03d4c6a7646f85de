//! Why a policy said what it said.

use std::{fmt, time::SystemTime};

use msf_core::clock::WallClock;
use serde::{Serialize, Serializer};

use super::{
    Node, PathParams, Policy,
    decide::unix_seconds,
    evaluate::{Facts, Outcome, all, any, not},
};
use crate::principal::Principal;

/// Why a policy said what it said: each part with what it came to, and the one that decided.
///
/// It is for people who may see policies, such as those who read the audit log: it says what a caller lacks, and
/// nothing about the caller besides. It prints as a tree and serializes as one.
///
/// ```
/// use msf_auth::policy::{PathParams, any, owner, scope};
///
/// let policy = any([scope("users:admin"), owner("id")]);
/// let explanation = policy.explain(None, &PathParams::none());
/// assert_eq!(explanation.deciding(), ["scope(users:admin)"]);
/// assert_eq!(
///     explanation.to_string(),
///     "no: any (no credentials)\n\
///      \x20 no: scope(users:admin) (no credentials) <- decided\n\
///      \x20 no: owner(id) (no credentials)\n"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The word that counts the decision in metrics: `allowed`, `forbidden`, ...
    pub decision: &'static str,
    /// The policy.
    pub root: Step,
}

/// One part of a policy, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The part: whole for a leaf, the word for one that has parts.
    pub policy: Box<str>,
    /// What it came to.
    pub verdict: Verdict,
    /// What is lacking; empty for a yes.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: Box<str>,
    /// Whether it is the leaf that decided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_deciding: bool,
    /// Its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Self>,
    #[serde(skip)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Leaf,
    Any,
    All,
    Not,
}

/// What a part of a policy came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The caller passes.
    Yes,
    /// It does not.
    No,
    /// It cannot be known, which lets nobody pass.
    Unknown,
}

impl Policy {
    /// Why [`decide`](Self::decide) says what it says.
    #[must_use]
    pub fn explain(&self, caller: Option<&Principal>, params: &PathParams) -> Explanation {
        self.explain_at(caller, params, WallClock::system().now())
    }

    /// Why [`decide_at`](Self::decide_at) says what it says.
    #[must_use]
    pub fn explain_at(
        &self,
        caller: Option<&Principal>,
        params: &PathParams,
        now: SystemTime,
    ) -> Explanation {
        let facts = Facts {
            caller,
            params,
            now_s: unix_seconds(now),
            answers: &[],
        };
        self.explain_by(facts)
    }

    pub(crate) fn explain_by(&self, facts: Facts<'_>) -> Explanation {
        let (outcome, mut root) = self.0.explain(facts);
        root.mark();
        Explanation {
            decision: outcome.decision().word(),
            root,
        }
    }
}

impl Node {
    fn explain<'a>(&'a self, facts: Facts<'_>) -> (Outcome<'a>, Step) {
        let explained: Vec<_> = self
            .children()
            .iter()
            .map(|node| node.explain(facts))
            .collect();
        let mut outcomes = explained.iter().map(|(outcome, _)| *outcome);
        let outcome = match self {
            Self::Any(_) => any(outcomes, facts),
            Self::All(_) => all(outcomes, facts),
            Self::Not(_) => outcomes
                .next()
                .map_or_else(|| self.evaluate(facts), |it| not(it, facts)),
            leaf => leaf.evaluate(facts),
        };
        let (policy, kind) = match self {
            Self::Any(_) => (self.word().into(), Kind::Any),
            Self::All(_) => (self.word().into(), Kind::All),
            Self::Not(_) => (self.word().into(), Kind::Not),
            leaf => (leaf.to_string().into(), Kind::Leaf),
        };
        let decision = outcome.decision();
        let step = Step {
            policy,
            verdict: match outcome {
                Outcome::Yes => Verdict::Yes,
                Outcome::No(_) => Verdict::No,
                Outcome::Unknown(_) | Outcome::Ask(_) => Verdict::Unknown,
            },
            why: if decision.is_allowed() {
                "".into()
            } else {
                decision.to_string().into()
            },
            is_deciding: false,
            parts: explained.into_iter().map(|(_, step)| step).collect(),
            kind,
        };
        (outcome, step)
    }
}

impl Step {
    /// Marks the leaves without which the decision would have been another.
    fn mark(&mut self) {
        let (verdict, why) = (self.verdict, &self.why);
        let of_same = |part: &Self| part.verdict == verdict && part.why == *why;
        match self.kind {
            Kind::All if verdict == Verdict::Yes => self.parts.iter_mut().for_each(Self::mark),
            Kind::Any | Kind::All if !self.parts.is_empty() => {
                let exact = self.parts.iter().position(of_same);
                let alike = || self.parts.iter().position(|part| part.why == *why);
                if let Some(part) = exact.or_else(alike).and_then(|at| self.parts.get_mut(at)) {
                    part.mark();
                }
            }
            Kind::Not => self.parts.iter_mut().for_each(Self::mark),
            Kind::Any | Kind::All | Kind::Leaf => self.is_deciding = true,
        }
    }

    fn deciding<'a>(&'a self, found: &mut Vec<&'a str>) {
        if self.is_deciding {
            found.push(&self.policy);
        }
        for part in &self.parts {
            part.deciding(found);
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:1$}{2}: {3}", "", depth * 2, self.verdict, self.policy)?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        f.write_str(if self.is_deciding {
            " <- decided\n"
        } else {
            "\n"
        })?;
        self.parts
            .iter()
            .try_for_each(|part| part.write(f, depth + 1))
    }
}

impl Explanation {
    /// The leaves that decided, from left to right; several where an `all` let the caller pass.
    #[must_use]
    pub fn deciding(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.deciding(&mut found);
        found
    }
}

/// An indented tree, one line for each part.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.write(f, 0)
    }
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
