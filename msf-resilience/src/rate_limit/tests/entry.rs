//! The table under threads.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{
    DirectLimiter, Quota, RateLimiter,
    entry::{Entry, NOBODY, Update},
    level::Address,
    table::Table,
};

#[test]
fn a_claimed_place_cannot_be_charged_and_a_charged_one_cannot_be_claimed_as_it_was() {
    let entry = Entry::default();
    assert!(entry.claim(NOBODY, 0));
    entry.release(7, 10);
    let mut charge = |until: &mut u64| *until += 5;
    assert_eq!(entry.update(7, &mut charge), Update::Done(()));
    assert!(!entry.claim(7, 10));
    assert!(!entry.claim(8, 15));
    assert!(entry.claim(7, 15));
    assert_eq!(entry.update(7, &mut charge), Update::Gone);
    assert_eq!(entry.owner(), None);
    entry.release(9, 20);
    assert_eq!(entry.update(7, &mut charge), Update::Gone);
    assert_eq!(entry.update(9, &mut charge), Update::Done(()));
    assert_eq!(entry.owner(), Some((9, 25)));
}

fn address(key: u64) -> Address {
    let mut rng = fastrand::Rng::with_seed(key);
    Address {
        id: rng.u64(1..),
        place: rng.u64(..),
    }
}

/// Keys move up while the table grows, and others charge them meanwhile.
#[test]
fn no_charge_is_lost_while_the_table_grows() {
    for width in [1, 2] {
        let table = Table::new(1 << 16, width);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..5_000 {
                        table.update(address(round % 50), 1, |times| {
                            times.iter_mut().for_each(|time| *time = (*time).max(1) + 1);
                        });
                        table.update(address(1_000 + thread * 5_000 + round), 1, |times| {
                            times.iter_mut().for_each(|time| *time = 1_000_000);
                        });
                    }
                });
            }
        });
        for key in 0..50 {
            let time = table.update(address(key), 1, |times| times[width - 1]);
            assert_eq!(time, 1 + 4 * 100, "key {key}");
        }
        assert_eq!((table.keys(), table.forgotten()), (20_050, 0));
    }
}

/// A key that is idle is given away under the eyes of those who charge it; then it begins anew, and no other pays.
#[test]
fn no_charge_goes_to_another_key_while_places_change_hands() {
    let table = Table::new(8, 1);
    let now = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (table, now) = (&table, &now);
            scope.spawn(move || {
                for round in 0..20_000_u64 {
                    let now = now.fetch_add(1, Ordering::Relaxed);
                    // Each key's times are multiples of its number, plus the step: a charge of another would show.
                    let key = 1 + (round * 4 + thread) % 24;
                    table.update(address(key), now, |times| {
                        let is_known = times[0] > now;
                        if is_known {
                            assert_eq!(times[0] % 32, key, "charged for another");
                        }
                        times[0] = (now / 32 + 2) * 32 + key;
                    });
                }
            });
        }
    });
    assert!(table.keys() <= 8 + 4, "{}", table.keys());
}

#[test]
fn threads_share_one_quota_without_keys_and_with_several_limits() {
    let hour = Quota::per_hour(1_000);
    let direct = DirectLimiter::builder(hour).build_direct().unwrap();
    let two = DirectLimiter::builder(Quota::per_hour(3_000)).limit("b", hour);
    let two = two.build_direct().unwrap();
    let keyed = RateLimiter::builder(hour).limit("b", hour).build().unwrap();
    let checks: [&(dyn Fn() -> bool + Sync); 3] =
        [&|| direct.check().is_ok(), &|| two.check().is_ok(), &|| {
            keyed.check(&"shared").is_ok()
        }];
    for check in checks {
        let allowed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        allowed.fetch_add(u64::from(check()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 1_000);
    }
}
