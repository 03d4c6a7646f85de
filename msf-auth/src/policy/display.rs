//! A policy as text, for logs and route tables.

use std::fmt;

use super::{Node, Policy};

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Scope(scope) => write!(f, "scope({scope})"),
            Self::Issuer(issuer) => write!(f, "issuer({issuer})"),
            Self::Owner(parameter) => write!(f, "owner({parameter})"),
            Self::Service(name) => write!(f, "service({name})"),
            Self::Any(nodes) => list(f, "any", nodes),
            Self::All(nodes) => list(f, "all", nodes),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, word: &str, nodes: &[Node]) -> fmt::Result {
    write!(f, "{word}(")?;
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{node}")?;
    }
    f.write_str(")")
}
