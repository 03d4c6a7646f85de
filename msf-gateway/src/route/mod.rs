//! Which requests go where, and under which conditions.
//!
//! A [`Match`] says which requests a route takes; a [`Route`] is a match with a policy and a target; a
//! [`Table`] finds the route of a request.
//!
//! # Paths
//!
//! | text | takes | does not take |
//! |---|---|---|
//! | [`exact`](Match::exact) `/api/users` | `/api/users` | `/api/users/`, `/api/users/7` |
//! | [`prefix`](Match::prefix) `/api/users` | `/api/users`, `/api/users/`, `/api/users/7/a` | `/api/users2` |
//! | [`template`](Match::template) `/api/{id}/x` | `/api/7/x` | `/api//x`, `/api/7/x/` |
//! | template `/api/{id}/**` | `/api/7`, `/api/7/a/b` | `/api`, `/api/` |
//! | template `/files/{*rest}` | as `/files/**`, and names what follows | |
//! | [`regex`](Match::regex) `/v[0-9]+/.*` | `/v2/x` | `/a/v2/x`: it is the whole path |
//!
//! All of them see the [canonical path](crate::path), the same that is forwarded.
//!
//! # Which route wins
//!
//! The order in which routes were declared does not matter, unless two are the same in all of this (the order
//! of the Kubernetes Gateway API, with templates and cookies put where they belong):
//!
//! 1. Host: exact, before the longer wildcard, before none.
//! 2. Path, segment by segment from the left: text before a capture before `**`. So an exact path wins over
//!    every template, and a longer prefix over a shorter one. Regular expressions come last, by their
//!    [`order`](Match::order).
//! 3. A list of methods, before none.
//! 4. More headers, then more parameters of the query, then more cookies.
//! 5. The smaller [`order`](Match::order), then who was declared first.
//!
//! # The most specific path decides
//!
//! Policies are written for paths, so a request must not slip from a path to a shorter one whose policy was
//! written for others. Going through the routes in the order above:
//!
//! - A route whose host, path and predicates (header, query, cookie) hold, and whose methods do not, ends the
//!   search at its path: another route of the same path may take the request, otherwise the answer is 405 with
//!   `Allow`.
//! - A route whose predicate fails is passed over, and the next one of the same path is asked, and then that of
//!   the less specific one: that is what a canary by header is for. So a predicate **selects**, it does not
//!   protect; a policy that must hold for a path belongs to a route of that path without predicates.
//! - A slash more or less at the end, which many services take for the same, is no way around a path that ends
//!   (exact, template or regular expression without `**`): where the route would have decided without it, the
//!   path is unknown.
//!
//! Predicates see what the client wrote, before anything is removed or verified.

mod captures;
mod error;
mod explain;
mod host;
mod lookup;
mod matching;
mod methods;
mod pattern;
mod predicate;
mod query;
#[expect(
    clippy::module_inception,
    reason = "a file per type, and the type has the module's name"
)]
mod route;
mod shadow;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use self::{
    captures::Captures,
    error::{InvalidMatch, TableErrors},
    explain::{Answer, Candidate, Explanation, Setting, Verdict},
    lookup::Lookup,
    matching::Match,
    predicate::{CookieMatch, HeaderMatch, QueryMatch},
    route::Route,
    shadow::Shadowed,
    table::{Found, Table},
};
pub(crate) use self::{matching::Compiled, methods::Methods, pattern::Pattern};
