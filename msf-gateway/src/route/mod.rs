//! Which requests go where, and under which conditions.
//!
//! A [`Route`] is a rule; a [`Table`] finds the rule of a request.

mod methods;
#[expect(
    clippy::module_inception,
    reason = "a file per type, and the type has the module's name"
)]
mod route;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::{methods::Methods, table::Pattern};
pub use self::{
    route::Route,
    table::{Found, Table},
};
