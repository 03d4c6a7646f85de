//! The four databases, read from outside when the shop is quiet.
//!
//! It shares no code with the services: it has its own SQL, its own words and its own arithmetic, so that
//! a mistake of theirs is not made here a second time. Every rule that does not hold is named
//! ([`Rule`]) with what broke it.

mod books;
mod rules;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path};

pub(crate) use self::{books::AuditError, rules::Rule};

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Orders that were looked at.
    pub(crate) orders: usize,
    /// Those that were paid and handed out.
    pub(crate) confirmed: usize,
    /// Cents that customers paid and did not get back.
    pub(crate) revenue_minor: i64,
    /// What does not hold; empty when all is well.
    pub(crate) violations: Vec<Violation>,
}

/// A rule that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) detail: String,
}

/// Reads the databases in a directory and checks every rule.
///
/// # Errors
///
/// [`AuditError`] when a database cannot be read. Rules that do not hold are no error but in the report.
pub(crate) fn audit(dir: &Path) -> Result<Report, AuditError> {
    let books = books::read(dir)?;
    Ok(Report {
        orders: books.orders.len(),
        confirmed: books.orders.values().filter(|o| o.is_confirmed()).count(),
        revenue_minor: books.revenue(),
        violations: rules::check(&books),
    })
}

impl Report {
    /// Whether every rule holds.
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            orders,
            confirmed,
            revenue_minor,
            ..
        } = self;
        writeln!(
            f,
            "{orders} orders, {confirmed} confirmed, {}.{:02} taken",
            revenue_minor / 100,
            revenue_minor % 100
        )?;
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        match self.violations.len() {
            0 => writeln!(f, "all {} rules hold", Rule::ALL.len()),
            broken => writeln!(f, "{broken} violations"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}
