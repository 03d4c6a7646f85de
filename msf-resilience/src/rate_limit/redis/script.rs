//! The script, what goes into it and what comes out.

use std::{fmt::Write as _, time::Duration};

use super::super::{
    key::unkeyed,
    quota::Quota,
    store::{Demand, StoreError, Verdict},
};

/// The script with the clock of the server, as text and as the hash by which the server knows it.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    script: ::redis::Script,
    #[cfg(test)]
    clock: Clock,
}

/// Where the script takes its time from.
#[derive(Clone, Debug, Default)]
pub(super) enum Clock {
    /// The server's: the clocks of the instances need not agree.
    #[default]
    Server,
    /// A test's, in microseconds since the Unix epoch.
    #[cfg(test)]
    Given(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

/// What a call does to the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Charge,
    Refund,
}

impl Script {
    #[cfg_attr(
        not(test),
        expect(clippy::needless_pass_by_value, reason = "a test's clock is kept")
    )]
    pub(super) fn new(clock: Clock) -> Self {
        let prelude = match &clock {
            Clock::Server => {
                "local time = redis.call('TIME')\n\
                 local now = time[1] * 1000000 + time[2]\n\
                 local keep_ms = 0\n"
            }
            // Expiry goes by the server's clock, which must not be faster than the test's.
            #[cfg(test)]
            Clock::Given(_) => "local now = tonumber(ARGV[#ARGV])\nlocal keep_ms = 600000\n",
        };
        let text = [prelude, include_str!("gcra.lua")].concat();
        Self {
            script: ::redis::Script::new(&text),
            text,
            #[cfg(test)]
            clock,
        }
    }

    /// The call of the script by its hash.
    pub(super) fn by_hash(
        &self,
        prefix: &str,
        action: Action,
        demands: &[Demand<'_>],
    ) -> ::redis::Cmd {
        let mut command = ::redis::cmd("EVALSHA");
        command.arg(self.script.get_hash());
        self.arguments(command, prefix, action, demands)
    }

    /// The call of the script by its text, from which the server learns it.
    pub(super) fn by_text(
        &self,
        prefix: &str,
        action: Action,
        demands: &[Demand<'_>],
    ) -> ::redis::Cmd {
        let mut command = ::redis::cmd("EVAL");
        command.arg(&*self.text);
        self.arguments(command, prefix, action, demands)
    }

    fn arguments(
        &self,
        mut command: ::redis::Cmd,
        prefix: &str,
        action: Action,
        demands: &[Demand<'_>],
    ) -> ::redis::Cmd {
        command.arg(demands.len());
        let mut name = String::new();
        for demand in demands {
            name.clear();
            write_name(&mut name, prefix, demands[0].key, demand.key);
            command.arg(&*name);
        }
        command.arg(match action {
            Action::Charge => "charge",
            Action::Refund => "refund",
        });
        for demand in demands {
            let unit = Unit::of(&demand.quota);
            command.arg(unit.parts);
            for requests in [demand.cost, demand.quota.burst_size()] {
                let (whole, parts) = unit.span(requests);
                command.arg(whole).arg(parts);
            }
        }
        #[cfg(test)]
        if let Clock::Given(micros) = &self.clock {
            command.arg(micros.load(std::sync::atomic::Ordering::Relaxed));
        }
        command
    }
}

/// The name of a key in Redis: `prefix:{tag}:key`.
///
/// All keys of a call have the tag of its first one, so that a cluster keeps them in one slot and a script may touch
/// them all. It is the first thing in braces, so braces in the key itself mean nothing. A long key counts by its hash.
fn write_name(name: &mut String, prefix: &str, first: &str, key: &str) {
    let tag = unkeyed(first.as_bytes());
    let written = if key.len() > KEY_LEN_MAX {
        write!(name, "{prefix}:{{{tag:.8}}}:#{}", unkeyed(key.as_bytes()))
    } else {
        write!(name, "{prefix}:{{{tag:.8}}}:{key}")
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// The unit in which a quota has no fractions: a nanosecond times its requests, see `Gcra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    /// How many of them are a microsecond.
    parts: u64,
    /// How many of them a request costs.
    cost: u128,
}

impl Unit {
    fn of(quota: &Quota) -> Self {
        Self {
            parts: u64::from(quota.requests()) * NANOS_PER_MICRO,
            cost: quota.period().as_nanos(),
        }
    }

    /// What so many requests cost, in whole microseconds and parts of one.
    ///
    /// Longer spans than [`SPAN_MAX`], 142 years, are cut to it.
    fn span(self, requests: u32) -> (u64, u64) {
        let span = self.cost * u128::from(requests);
        let parts = u128::from(self.parts);
        match u64::try_from(span / parts) {
            // The rest of a division by a `u64` is one.
            Ok(whole) if whole < SPAN_MAX => (whole, u64::try_from(span % parts).unwrap_or(0)),
            _ => (SPAN_MAX, 0),
        }
    }

    /// The other way round, cut to whole nanoseconds.
    fn duration(self, whole: u64, parts: u64) -> Duration {
        let nanos = u128::from(parts) * u128::from(NANOS_PER_MICRO) / u128::from(self.parts);
        let micros = Duration::from_micros(whole);
        micros.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}

/// What the script answered.
pub(super) fn verdict(reply: &[i64], demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
    let nonsense = || StoreError::Nonsense(format!("{reply:.8?}").into());
    let [allowed @ (0 | 1), spans @ ..] = reply else {
        return Err(nonsense());
    };
    if spans.len() != 2 * demands.len() {
        return Err(nonsense());
    }
    let mut ahead = Vec::with_capacity(demands.len());
    for (span, demand) in spans.chunks_exact(2).zip(demands) {
        let [Ok(whole), Ok(parts)] = [u64::try_from(span[0]), u64::try_from(span[1])] else {
            return Err(nonsense());
        };
        ahead.push(Unit::of(&demand.quota).duration(whole, parts));
    }
    Ok(Verdict::new(*allowed == 1, ahead))
}

const NANOS_PER_MICRO: u64 = 1_000;
/// Together with today's time it stays below 2^53, where doubles are exact.
const SPAN_MAX: u64 = 1 << 52;
/// Longer than any key that a person reads.
const KEY_LEN_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(prefix: &str, first: &str, key: &str) -> String {
        let mut name = String::new();
        write_name(&mut name, prefix, first, key);
        name
    }

    /// What a cluster hashes: between the first opening brace and the next closing one.
    fn tag(name: &str) -> &str {
        let start = name.find('{').unwrap() + 1;
        &name[start..][..name[start..].find('}').unwrap()]
    }

    #[test]
    fn keys_of_a_call_share_a_slot_whatever_is_in_them() {
        let first = "api:second:}{evil}";
        for key in [first, "api:day:{other}", "", "}", "{", &"{".repeat(10_000)] {
            let (name, of_first) = (name("msf", first, key), name("msf", first, first));
            assert_eq!(tag(&name), tag(&of_first), "{name}");
            assert!(name.len() <= 3 + 1 + 10 + 1 + KEY_LEN_MAX, "{name}");
        }
        assert_ne!(tag(&name("msf", "a", "a")), tag(&name("msf", "b", "b")));
    }

    #[test]
    fn keys_that_differ_have_names_that_differ() {
        let long = "a".repeat(1_000);
        let names = ["a", "b", "", &long, &(long.clone() + "a")].map(|key| name("msf", "a", key));
        for (at, one) in names.iter().enumerate() {
            assert!(!names[..at].contains(one), "{one}");
        }
    }

    #[test]
    fn spans_are_exact() {
        let third = Unit::of(&Quota::per_second(3));
        assert_eq!(third.span(1), (333_333, 1_000));
        assert_eq!(third.span(3), (1_000_000, 0));
        let ages = Unit::of(&Quota::per(1, Duration::from_secs(86_400)).burst(u32::MAX));
        assert_eq!(ages.span(u32::MAX), (SPAN_MAX, 0));
    }

    #[test]
    fn an_answer_that_is_no_verdict_is_an_error() {
        let demands = [Demand::new("a", Quota::per_second(1), 1)];
        assert!(verdict(&[1, 5, 0], &demands).unwrap().allowed);
        for reply in [
            &[][..],
            &[1],
            &[2, 0, 0],
            &[1, 0],
            &[1, 0, 0, 0],
            &[1, -1, 0],
            &[1, 0, i64::MIN],
        ] {
            let answer = verdict(reply, &demands);
            assert!(matches!(answer, Err(StoreError::Nonsense(_))), "{reply:?}");
        }
    }

    proptest! {
        #[test]
        fn a_span_there_and_back_loses_less_than_a_nanosecond(
            requests in 1_u32.., period_ns in 1_u64..86_400_000_000_000, count: u16
        ) {
            let unit = Unit::of(&Quota::per(requests, Duration::from_nanos(period_ns)));
            let (whole, parts) = unit.span(count.into());
            prop_assume!(whole < SPAN_MAX);
            prop_assert!(parts < unit.parts);
            let exact = u128::from(period_ns) * u128::from(count) / u128::from(requests);
            prop_assert_eq!(unit.duration(whole, parts).as_nanos(), exact);
        }
    }
}
