//! What a policy is made of.

use super::ClaimValue;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Public,
    Authenticated,
    User,
    Mfa,
    Scope(Box<str>),
    Role(Box<str>),
    Claim(Box<str>, ClaimValue),
    Issuer(Box<str>),
    Client(Box<str>),
    /// The parameter, and the issuer where it is said.
    Owner(Box<str>, Option<Box<str>>),
    Tenant(Box<str>),
    Service(Box<str>),
    Acr(Box<str>),
    /// In seconds.
    MaxAuthAge(u64),
    External(Box<str>),
    Any(Box<[Self]>),
    All(Box<[Self]>),
    Not(Box<Self>),
}

impl Node {
    /// The nodes below.
    pub(super) fn children(&self) -> &[Self] {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes,
            Self::Not(node) => std::slice::from_ref(node),
            _ => &[],
        }
    }

    pub(super) fn is_public(&self) -> bool {
        match self {
            Self::Public => true,
            Self::Any(nodes) => nodes.iter().any(Self::is_public),
            Self::All(nodes) => !nodes.is_empty() && nodes.iter().all(Self::is_public),
            _ => false,
        }
    }

    pub(super) fn has(&self, is_it: fn(&Self) -> bool) -> bool {
        is_it(self) || self.children().iter().any(|node| node.has(is_it))
    }

    /// Calls `see` with each node, from left to right.
    pub(super) fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        for node in self.children() {
            node.visit(see);
        }
    }
}
