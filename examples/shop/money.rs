//! Money: whole minor units of one currency, and never a float.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// The currency of everything in the shop.
pub(crate) const CURRENCY: &str = "EUR";

/// An amount in cents, never negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub(crate) struct Money(i64);

impl Money {
    /// Nothing.
    pub(crate) const ZERO: Self = Self(0);

    /// An amount of cents; `None` when it is negative.
    pub(crate) const fn from_minor(minor: i64) -> Option<Self> {
        if minor < 0 { None } else { Some(Self(minor)) }
    }

    /// The price of several; `None` when it is beyond what can be counted.
    pub(crate) fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity)).map(Self)
    }

    /// The sum; `None` when one of the amounts is missing or the sum is beyond what can be counted.
    pub(crate) fn total(amounts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, |sum, amount| {
            sum.0.checked_add(amount?.0).map(Self)
        })
    }
}

impl TryFrom<i64> for Money {
    type Error = &'static str;

    fn try_from(minor: i64) -> Result<Self, Self::Error> {
        Self::from_minor(minor).ok_or("an amount must not be negative")
    }
}

impl From<Money> for i64 {
    fn from(money: Money) -> Self {
        money.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} {CURRENCY}", self.0 / 100, self.0 % 100)
    }
}

impl ToSql for Money {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Money {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let minor = value.as_i64()?;
        Self::from_minor(minor).ok_or(FromSqlError::OutOfRange(minor))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_float_or_a_debt_is_no_amount() {
        for json in ["1.5", "1e3", "-1", "\"1\"", "9223372036854775808"] {
            assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&Money(1_999)).unwrap(), "1999");
        assert_eq!(Money(1_905).to_string(), "19.05 EUR");
    }

    proptest! {
        #[test]
        fn a_total_is_exact_or_absent(lines in prop::collection::vec((0..i64::MAX, 1_u32..=u32::MAX), 0..8)) {
            let exact: i128 = lines.iter().map(|(price, n)| i128::from(*price) * i128::from(*n)).sum();
            let total = Money::total(lines.iter().map(|(price, n)| Money(*price).times(*n)));
            match i64::try_from(exact) {
                Ok(exact) => prop_assert_eq!(total, Some(Money(exact))),
                Err(_) => prop_assert_eq!(total, None),
            }
        }
    }
}
