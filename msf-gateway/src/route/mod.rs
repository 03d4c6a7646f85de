//! Which requests go where, and under which conditions.

mod methods;
mod table;
#[cfg(test)]
mod tests;

pub use self::table::{Found, Table};
