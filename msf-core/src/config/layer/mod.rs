//! The layers above the defaults: the file, the environment, and the flags.

mod assign;
mod env;
pub(super) mod file;
mod flags;

pub(super) use self::{
    env::{Environment, variable_name},
    flags::{Asked, Flags},
};
