//! Moments as they are stored and shown.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use msf_core::clock::WallClock;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};

/// A moment of wall time, in milliseconds since 1970; in JSON as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    /// Now.
    pub(crate) fn now(clock: WallClock) -> Self {
        let since = clock
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This much later.
    pub(crate) fn after(self, wait: Duration) -> Self {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// How long after `earlier` it is; zero when it is before.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Past the year 9999 there is no RFC 3339.
        let millis = u64::try_from(self.0).unwrap_or(0).min(253_402_300_799_999);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_rfc_3339_whatever_is_stored() {
        let json = |millis| serde_json::to_string(&Timestamp(millis)).unwrap();
        assert_eq!(json(1_795_400_000_123), "\"2026-11-23T02:13:20.123Z\"");
        assert_eq!(json(-5), "\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(json(i64::MAX), "\"9999-12-31T23:59:59.999Z\"");
    }
}
