//! Who gets in, who waits, and who must not be forgotten.

use std::{net::IpAddr, time::Duration};

use proptest::prelude::*;

use super::{
    ledger::{Charges, Keys, Ledger},
    *,
};
use crate::audit::{Audit, Kind, MemorySink};

const MINUTE_MS: u64 = 60_000;

fn keys(place: u64, account: u64) -> Keys {
    Keys {
        place: 1_000_000 + place,
        everywhere: Some(2_000_000 + account),
        network: None,
        site: None,
    }
}

fn limits() -> LoginLimits {
    LoginLimits {
        global_burst: 1_000_000,
        ..LoginLimits::default()
    }
}

fn wait(outcome: Result<Charges, (LimitedBy, u64)>) -> Option<(LimitedBy, u64)> {
    outcome.err()
}

#[test]
fn the_delay_begins_after_five_and_doubles_up_to_fifteen_minutes() {
    let mut ledger = Ledger::new(&limits());
    let mut now_ms = 0;
    for _ in 0..4 {
        assert_eq!(wait(ledger.admit(keys(1, 1), now_ms)), None);
    }
    let mut delays_s = Vec::new();
    for _ in 0..14 {
        assert_eq!(wait(ledger.admit(keys(1, 1), now_ms)), None);
        let (by, wait_ms) = wait(ledger.admit(keys(1, 1), now_ms)).unwrap();
        assert_eq!(by, LimitedBy::Account);
        // Insisting makes it no longer.
        assert_eq!(
            wait(ledger.admit(keys(1, 1), now_ms + wait_ms - 1)),
            Some((by, 1))
        );
        delays_s.push(wait_ms / 1_000);
        now_ms += wait_ms;
    }
    assert_eq!(
        delays_s,
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
    );
    // Another account, and this one after a day, are free.
    assert_eq!(wait(ledger.admit(keys(2, 2), now_ms)), None);
    let day_ms = 24 * 60 * MINUTE_MS;
    for _ in 0..5 {
        assert_eq!(wait(ledger.admit(keys(1, 1), now_ms + day_ms)), None);
    }
}

#[test]
fn guesses_from_many_networks_add_up() {
    let mut ledger = Ledger::new(&limits());
    for place in 0..20 {
        assert_eq!(wait(ledger.admit(keys(place, 1), 0)), None);
    }
    let limited = wait(ledger.admit(keys(99, 1), 0));
    assert_eq!(limited, Some((LimitedBy::Account, 1_000)));
    // The owner's device is not held by them.
    let known = Keys {
        everywhere: None,
        ..keys(50, 1)
    };
    assert_eq!(wait(ledger.admit(known, 0)), None);
}

#[test]
fn a_success_forgets_its_own_failures_and_no_others() {
    let mut ledger = Ledger::new(&limits());
    for _ in 0..4 {
        ledger.admit(keys(1, 1), 0).unwrap();
        ledger.admit(keys(2, 1), 0).unwrap();
    }
    let charges = ledger.admit(keys(1, 1), 0).unwrap();
    ledger.succeed(charges);
    for _ in 0..5 {
        assert_eq!(wait(ledger.admit(keys(1, 1), 0)), None);
    }
    assert!(wait(ledger.admit(keys(1, 1), 0)).is_some());
    ledger.admit(keys(2, 1), 0).unwrap();
    assert!(wait(ledger.admit(keys(2, 1), 0)).is_some());
}

#[test]
fn what_was_not_compared_does_not_count() {
    let mut ledger = Ledger::new(&limits());
    for _ in 0..100 {
        let charges = ledger.admit(keys(1, 1), 0).unwrap();
        ledger.withdraw(charges);
    }
    assert_eq!(wait(ledger.admit(keys(1, 1), 0)), None);
}

#[test]
fn many_at_once_are_no_more_than_many_in_a_row() {
    let mut ledger = Ledger::new(&limits());
    let admitted = (0..100).filter(|_| ledger.admit(keys(1, 1), 0).is_ok());
    assert_eq!(admitted.count(), 5);
}

#[test]
fn a_network_and_all_together_have_a_rate() {
    let limits = LoginLimits {
        global_burst: 150,
        ..limits()
    };
    let mut ledger = Ledger::new(&limits);
    let from = |network: u64, account: u64| Keys {
        network: Some(network),
        ..keys(account, account)
    };
    for account in 0..100 {
        assert_eq!(wait(ledger.admit(from(1, account), 0)), None);
    }
    assert_eq!(
        wait(ledger.admit(from(1, 100), 0)),
        Some((LimitedBy::Network, 6_000))
    );
    for account in 200..250 {
        assert_eq!(wait(ledger.admit(from(2, account), 0)), None);
    }
    assert_eq!(
        wait(ledger.admit(from(2, 300), 0)),
        Some((LimitedBy::Global, 100))
    );
    assert_eq!(wait(ledger.admit(from(2, 300), 100)), None);
    assert_eq!(wait(ledger.admit(from(1, 100), 6_000)), None);
    assert!(wait(ledger.admit(from(1, 101), 6_000)).is_some());
}

/// Guesses of one each for accounts that nobody else is after, from as many addresses and as fast as they are let.
fn flood(ledger: &mut Ledger, addresses: u64, now_ms: u64) -> usize {
    let mut admitted = 0;
    for address in 0..addresses {
        let mut account = 1_000_000 * (address + 1) + now_ms;
        loop {
            account += 1;
            let who = Keys {
                network: Some(address),
                site: Some(address),
                ..keys(account, account)
            };
            match ledger.admit(who, now_ms) {
                Ok(_) => admitted += 1,
                Err(_) => break,
            }
        }
    }
    admitted
}

#[test]
fn a_hundred_addresses_keep_out_nobody_who_did_not_fail() {
    let mut ledger = Ledger::new(&LoginLimits::default());
    let from = |site: u64, account: u64| Keys {
        network: Some(1_000_000 + site),
        site: Some(1_000_000 + site),
        ..keys(account, account)
    };
    // Five of each address from what quiet places share, and then from what those share that fail.
    assert_eq!(flood(&mut ledger, 100, 0), 500 + 1_000);
    let mut now_ms = 0;
    for second in 1..300 {
        now_ms = second * 1_000;
        assert!(flood(&mut ledger, 100, now_ms) <= 10);
        // Somebody else, each time from elsewhere, mistypes four times and gets in.
        let who = from(second, second);
        for _ in 0..4 {
            assert_eq!(wait(ledger.admit(who, now_ms)), None);
        }
        let charges = ledger.admit(who, now_ms).unwrap();
        ledger.succeed(charges);
    }
    // Who fails as often as they do waits with them.
    let who = from(9_999, 9_999);
    for _ in 0..5 {
        assert_eq!(wait(ledger.admit(who, now_ms)), None);
    }
    let other_account = from(9_999, 8_888);
    let limited = wait(ledger.admit(other_account, now_ms));
    assert_eq!(limited, Some((LimitedBy::Global, 100)));
    // On the next day nobody remembers.
    let day_ms = 24 * 60 * MINUTE_MS;
    flood(&mut ledger, 100, now_ms + day_ms - 1);
    let charges = ledger.admit(other_account, now_ms + day_ms).unwrap();
    // A success takes back what it was charged, and no failure before it.
    ledger.succeed(charges);
    for _ in 0..5 {
        assert!(ledger.admit(other_account, now_ms + day_ms).is_ok());
    }
    assert!(ledger.admit(from(9_999, 7_777), now_ms + day_ms).is_err());
}

#[test]
fn quiet_places_have_a_rate_too() {
    let mut ledger = Ledger::new(&LoginLimits::default());
    let from = |site: u64| Keys {
        network: Some(site),
        site: Some(site),
        ..keys(site, site)
    };
    let admitted = (0..5_000).filter(|site| ledger.admit(from(*site), 0).is_ok());
    assert_eq!(admitted.count(), 1_000);
    let limited = wait(ledger.admit(from(6_000), 0));
    assert_eq!(limited, Some((LimitedBy::Global, 100)));
    // Without an address nobody is quiet; and that share is not used up.
    assert_eq!(wait(ledger.admit(keys(7_000, 7_000), 0)), None);
    // A device that is known is held by neither.
    let known = Keys {
        everywhere: None,
        ..from(6_000)
    };
    assert_eq!(wait(ledger.admit(known, 0)), None);
}

#[test]
fn a_flood_of_names_does_not_free_a_locked_account() {
    let limits = LoginLimits {
        accounts_max: 64,
        ..limits()
    };
    let mut ledger = Ledger::new(&limits);
    let mut now_ms = 0;
    for _ in 0..12 {
        while let Some((_, wait_ms)) = wait(ledger.admit(keys(1, 1), now_ms)) {
            now_ms += wait_ms;
        }
    }
    let (_, wait_ms) = wait(ledger.admit(keys(1, 1), now_ms)).unwrap();
    for name in 10..10_000 {
        ledger.admit(keys(name, name), now_ms).unwrap();
    }
    assert_eq!(
        wait(ledger.admit(keys(1, 1), now_ms)),
        Some((LimitedBy::Account, wait_ms))
    );
    // And when its time has come it still is one attempt.
    now_ms += wait_ms;
    assert_eq!(wait(ledger.admit(keys(1, 1), now_ms)), None);
    assert!(wait(ledger.admit(keys(1, 1), now_ms)).is_some());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Fail { place: u64, account: u64 },
    Succeed { place: u64, account: u64 },
    Withdraw { place: u64, account: u64 },
    Wait { ms: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || (0u64..3, 0u64..3);
    let step = prop_oneof![
        6 => who().prop_map(|(place, account)| Step::Fail { place, account }),
        1 => who().prop_map(|(place, account)| Step::Succeed { place, account }),
        1 => who().prop_map(|(place, account)| Step::Withdraw { place, account }),
        2 => (0u64..20 * MINUTE_MS).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// Whatever happens: nobody waits for longer than 15 minutes, after that one attempt is let through, and from one
    /// place there are no more failures at one moment than are free.
    #[test]
    fn no_lock_is_permanent_and_no_burst_is_free(steps in steps()) {
        let mut ledger = Ledger::new(&limits());
        let mut now_ms = 0;
        let mut at_once = std::collections::HashMap::new();
        for step in steps {
            let (place, account) = match step {
                Step::Wait { ms } => {
                    now_ms += ms;
                    if ms > 0 {
                        at_once.clear();
                    }
                    continue;
                }
                Step::Fail { place, account }
                | Step::Succeed { place, account }
                | Step::Withdraw { place, account } => (place, account),
            };
            let who = keys(10 * account + place, account);
            match (ledger.admit(who, now_ms), step) {
                (Ok(charges), Step::Succeed { .. }) => {
                    ledger.succeed(charges);
                    at_once.remove(&who.place);
                }
                (Ok(charges), Step::Withdraw { .. }) => ledger.withdraw(charges),
                (Ok(_), _) => {
                    let failures = at_once.entry(who.place).or_insert(0);
                    *failures += 1;
                    prop_assert!(*failures <= 5);
                }
                (Err((by, wait_ms)), _) => {
                    prop_assert_eq!(by, LimitedBy::Account);
                    prop_assert!((1..=15 * MINUTE_MS).contains(&wait_ms));
                    let mut later = Ledger::new(&limits());
                    std::mem::swap(&mut later, &mut ledger);
                    let charges = later.admit(who, now_ms + wait_ms);
                    prop_assert!(charges.is_ok());
                    if let Ok(charges) = charges {
                        later.withdraw(charges);
                    }
                    now_ms += wait_ms;
                    at_once.clear();
                    ledger = later;
                }
            }
        }
    }
}

fn limiter() -> (LoginLimiter, MemorySink) {
    let seen = MemorySink::new(100);
    let limiter = LoginLimiter::builder().audit(Audit::new(seen.clone()));
    (limiter.build().unwrap(), seen)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_dropped_has_failed() {
    let (limiter, seen) = limiter();
    let attempt = Attempt::new("ada").subject("7");
    for _ in 0..5 {
        drop(limiter.admit(attempt).unwrap());
    }
    let limited = limiter.admit(attempt).unwrap_err();
    assert_eq!(limited.by, LimitedBy::Account);
    assert_eq!(limited.retry_after, Duration::from_secs(1));
    assert_eq!(seen.count(Kind::LoginFailed), 5);
    assert_eq!(seen.count(Kind::LoginLimited), 1);
    tokio::time::advance(limited.retry_after).await;
    limiter.admit(attempt).unwrap().succeeded();
    assert_eq!(seen.count(Kind::LoginSucceeded), 1);
    limiter.admit(attempt).unwrap().withdrawn();
}

#[tokio::test(start_paused = true)]
async fn a_device_that_was_here_before_gets_in_while_somebody_guesses() {
    let (limiter, _) = limiter();
    let device = limiter.device("ada").unwrap();
    let address = |last: u8| IpAddr::from([192, 0, 2, last]);
    for last in 0..20 {
        let guess = Attempt::new("ada").address(address(last));
        limiter.admit(guess).unwrap().failed();
    }
    let owner = Attempt::new("ada").address(address(99));
    assert!(limiter.admit(owner).is_err());
    assert!(limiter.admit(owner.device("made up")).is_err());
    limiter
        .admit(owner.device(device.expose()))
        .unwrap()
        .succeeded();
    // For another account it is worth nothing.
    for last in 0..20 {
        let guess = Attempt::new("eve").address(address(last));
        limiter.admit(guess).unwrap().failed();
    }
    let other = Attempt::new("eve").address(address(99));
    assert!(limiter.admit(other.device(device.expose())).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_an_account_that_there_is_alarms_once() {
    let (limiter, seen) = limiter();
    for attempt in [Attempt::new("ada").subject("7"), Attempt::new("hunter2")] {
        for _ in 0..40 {
            match limiter.admit(attempt) {
                Ok(admission) => admission.failed(),
                Err(limited) => tokio::time::advance(limited.retry_after).await,
            }
        }
    }
    assert_eq!(seen.count(Kind::LoginLocked), 1);
    assert!(!format!("{:?} {limiter:?}", seen.events()).contains("hunter2"));
}

#[test]
fn limits_that_cannot_work_are_refused() {
    let refuse = |limits| LoginLimiter::builder().limits(limits).build().unwrap_err();
    let zero = LoginLimits {
        failures_free: 0,
        ..LoginLimits::default()
    };
    assert_eq!(
        refuse(zero),
        InvalidLoginLimits::Zero {
            field: "failures_free"
        }
    );
    let hour = LoginLimits {
        delay_max: Duration::from_secs(3_600),
        ..LoginLimits::default()
    };
    assert_eq!(refuse(hour), InvalidLoginLimits::Delay);
    let short = LoginLimits {
        forget_after: Duration::from_secs(60),
        ..LoginLimits::default()
    };
    assert_eq!(refuse(short), InvalidLoginLimits::Forget);
    let still = LoginLimits {
        network_interval: Duration::ZERO,
        ..LoginLimits::default()
    };
    assert_eq!(
        refuse(still),
        InvalidLoginLimits::Interval {
            field: "network_interval"
        }
    );
}

#[cfg(feature = "password")]
mod end_to_end {
    use msf_core::{config::Secret, problem::Problem};

    use super::*;
    use crate::password::{PasswordConfig, PasswordHash, Passwords};

    fn logins() -> (Logins, MemorySink) {
        let (limiter, seen) = limiter();
        let config = PasswordConfig {
            memory_kib: 8,
            iterations: 1,
            ..PasswordConfig::default()
        };
        (Logins::new(Passwords::new(config).unwrap(), limiter), seen)
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn wrong_unknown_damaged_and_locked_get_one_answer() {
        let (logins, seen) = logins();
        let stored = logins.passwords().hash(secret("right")).await.unwrap();
        let ada = Attempt::new("ada").subject("7");
        let mut answers = Vec::new();
        let long = "x".repeat(2_000);
        for (attempt, password, stored) in [
            (ada, "wrong", Some(stored.clone())),
            (Attempt::new("nobody"), "wrong", None),
            (
                Attempt::new("eve").subject("8"),
                "wrong",
                Some(PasswordHash::new("damaged")),
            ),
            (Attempt::new("nobody"), long.as_str(), None),
        ] {
            let outcome = logins.log_in(attempt, secret(password), stored).await;
            answers.push(outcome.unwrap_err());
        }
        for _ in 0..4 {
            let wrong = logins.log_in(ada, secret("wrong"), Some(stored.clone()));
            answers.push(wrong.await.unwrap_err());
        }
        // Locked: also who knows the password is told that it is wrong.
        let locked = logins.log_in(ada, secret("right"), Some(stored)).await;
        answers.push(locked.unwrap_err());
        assert_eq!(seen.count(Kind::LoginLimited), 1);
        for error in answers {
            assert_eq!(error, LoginError::Refused);
            let problem = Problem::from(error);
            assert_eq!(problem.status(), 401);
        }
    }

    #[tokio::test]
    async fn a_login_that_is_dropped_while_it_is_compared_has_failed() {
        let (limiter, seen) = limiter();
        // Long enough that the first poll does not see its end.
        let config = PasswordConfig {
            memory_kib: 128 * 1024,
            ..PasswordConfig::default()
        };
        let logins = Logins::new(Passwords::new(config).unwrap(), limiter);
        let stored = logins.passwords().hash(secret("right")).await.unwrap();
        let ada = Attempt::new("ada").subject("7");
        let login = logins.log_in(ada, secret("right"), Some(stored.clone()));
        let mut login = tokio_test::task::spawn(login);
        assert!(login.poll().is_pending());
        drop(login);
        assert_eq!(seen.count(Kind::LoginFailed), 1);
        let done = logins.log_in(ada, secret("right"), Some(stored)).await;
        assert!(done.unwrap().device.is_some());
    }

    #[tokio::test]
    async fn what_a_busy_service_did_not_compare_does_not_count() {
        let (limiter, seen) = limiter();
        let config = PasswordConfig {
            memory_kib: 64 * 1024,
            iterations: 1,
            concurrency: 1,
            queue: 0,
            ..PasswordConfig::default()
        };
        let logins = Logins::new(Passwords::new(config).unwrap(), limiter);
        let mut running = tokio_test::task::spawn(logins.passwords().hash(secret("a")));
        assert!(running.poll().is_pending());
        for _ in 0..10 {
            let outcome = logins.log_in(Attempt::new("ada"), secret("a"), None).await;
            assert!(matches!(outcome, Err(LoginError::Unavailable(_))));
        }
        assert_eq!(seen.count(Kind::LoginFailed), 0);
        assert!(running.await.is_ok());
    }
}
