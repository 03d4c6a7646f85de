//! The numbers by which users, products and orders are known, each of its own type.

use std::{fmt, str::FromStr};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(try_from = "i64", into = "i64")]
            pub(crate) struct $name(i64);

            impl TryFrom<i64> for $name {
                type Error = InvalidId;

                fn try_from(number: i64) -> Result<Self, InvalidId> {
                    if number > 0 { Ok(Self(number)) } else { Err(InvalidId) }
                }
            }

            impl From<$name> for i64 {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl FromStr for $name {
                type Err = InvalidId;

                fn from_str(text: &str) -> Result<Self, InvalidId> {
                    let number: i64 = text.parse().map_err(|_| InvalidId)?;
                    // One spelling per id: `+7` and `007` would be other names of the same thing.
                    let id = Self::try_from(number)?;
                    if id.to_string() == text { Ok(id) } else { Err(InvalidId) }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }

            impl ToSql for $name {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    Ok(self.0.into())
                }
            }

            impl FromSql for $name {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    let number = value.as_i64()?;
                    Self::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
                }
            }
        )+
    };
}

ids! {
    /// An order.
    OrderId;
    /// A product of the catalogue.
    ProductId;
    /// A user; in an order and a payment, the customer.
    UserId;
}

/// What is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a whole number from 1")]
pub(crate) struct InvalidId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!("7".parse(), Ok(OrderId(7)));
        for text in ["0", "-1", "+7", "07", " 7", "7x", "", "9223372036854775808"] {
            assert_eq!(text.parse::<OrderId>(), Err(InvalidId), "{text}");
        }
        assert!(serde_json::from_str::<OrderId>("0").is_err());
    }
}
