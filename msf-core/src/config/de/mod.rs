//! A serde deserializer over the merged tree.
//!
//! Writing our own buys four things. Text from variables and flags is converted by the type that
//! asks for it, so `MSF__NAME=007` stays a string where a string is wanted. Unknown keys of a
//! struct are noted and stepped over, so that all of them are reported and no type needs
//! `deny_unknown_fields`. Every error knows its key. And secrets are followed in the environment
//! the loader was given.

mod access;
mod deserializer;
mod map_key;
mod node;
mod pass;

pub(super) use self::pass::Pass;
