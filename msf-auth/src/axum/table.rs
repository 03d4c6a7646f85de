//! What is open to whom.

use std::fmt;

/// Every path with its methods and its policy, in the order of the routes; prints as a table.
///
/// Made by [`SecureRouter::table`](super::SecureRouter::table). A test that compares it with a text in the repository
/// shows every change of who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PolicyTable(pub(super) Vec<PolicyRow>);

/// One line of a [`PolicyTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRow {
    /// The path; with `/**` at its end where a whole router is behind it, and `(fallback)` for what no route takes.
    pub path: Box<str>,
    /// The method, or `*` for all that the route has and no other line names.
    pub method: Box<str>,
    /// The policy, as text.
    pub policy: Box<str>,
}

impl PolicyTable {
    /// The lines.
    #[must_use]
    pub fn rows(&self) -> &[PolicyRow] {
        &self.0
    }
}

/// Three columns with spaces between.
impl fmt::Display for PolicyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&PolicyRow) -> &str| {
            let widths = self.0.iter().map(|row| of(row).chars().count());
            widths.max().unwrap_or_default()
        };
        let (path, method) = (width(|row| &row.path), width(|row| &row.method));
        for row in &self.0 {
            writeln!(
                f,
                "{:path$}  {:method$}  {}",
                row.path, row.method, row.policy
            )?;
        }
        Ok(())
    }
}
