//! Published tables, and what any table must keep.

use proptest::prelude::*;

use super::*;

fn at_ports(weights: &[(u16, u16)]) -> Vec<(String, u16)> {
    let host = |(port, weight): &(u16, u16)| (format!("127.0.0.1:{port}"), *weight);
    weights.iter().map(host).collect()
}

fn borrowed(hosts: &[(String, u16)]) -> impl Iterator<Item = (&str, u16)> {
    hosts.iter().map(|(key, weight)| (&**key, *weight))
}

fn even(n: u32) -> Vec<(String, u16)> {
    let host = |n: u32| {
        (
            format!("10.{}.{}.{}:8080", n >> 16, n >> 8 & 255, n & 255),
            1,
        )
    };
    (0..n).map(host).collect()
}

fn slots_of_each(table: &Maglev) -> Vec<u32> {
    let mut counts = vec![0; table.hosts];
    table
        .slots
        .iter()
        .for_each(|place| counts[*place as usize] += 1);
    counts
}

/// The share of the slots whose key is another one's.
fn moved(before: (&Maglev, &[(String, u16)]), after: (&Maglev, &[(String, u16)])) -> f64 {
    let slots = before.0.slots.iter().zip(&after.0.slots);
    let moved = slots.filter(|(was, is)| before.1[**was as usize].0 != after.1[**is as usize].0);
    moved.count() as f64 / before.0.slots.len() as f64
}

/// Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, table 1: three
/// instances on seven slots, and what the table is after the second left.
#[test]
fn published_in_the_paper() {
    let turns = |offset, skip| Turns::new(offset, skip, (1, 1));
    let [first, second, third] = [turns(3, 4), turns(0, 2), turns(3, 1)];
    assert_eq!(*fill(vec![first, second, third], 7), [1, 0, 1, 0, 2, 2, 0]);
    assert_eq!(*fill(vec![first, third], 7), [0, 0, 0, 0, 1, 1, 1]);
}

/// Envoy, `test/extensions/load_balancing_policies/maglev/maglev_lb_test.cc`.
mod published_by_envoy {
    use super::*;

    fn is_table(hosts: &[(String, u16)], expected: &[u32]) {
        let len = u32::try_from(expected.len()).unwrap();
        let table = Maglev::sized(borrowed(hosts), len);
        assert_eq!(*table.slots, *expected);
        for hash in 0..3 * u64::from(len) {
            let place = expected[usize::try_from(hash % u64::from(len)).unwrap()];
            assert_eq!(table.place(hash), Some(place as usize));
        }
    }

    #[test]
    fn six_hosts() {
        let hosts = at_ports(&[(90, 1), (91, 1), (92, 1), (93, 1), (94, 1), (95, 1)]);
        is_table(&hosts, &[2, 4, 0, 1, 5, 0, 3]);
    }

    #[test]
    fn six_hosts_by_name() {
        let hosts = ["90", "91", "92", "93", "94", "95"].map(|name| (name.to_owned(), 1));
        is_table(&hosts, &[2, 5, 0, 3, 4, 1, 0]);
    }

    #[test]
    fn six_hosts_in_another_order() {
        let hosts = at_ports(&[(95, 1), (93, 1), (91, 1), (94, 1), (90, 1), (92, 1)]);
        is_table(&hosts, &[5, 3, 4, 2, 0, 4, 1]);
    }

    #[test]
    fn two_hosts_of_equal_weight() {
        let hosts = at_ports(&[(90, 1), (91, 1)]);
        is_table(&hosts, &[1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
    }

    #[test]
    fn two_hosts_of_weights_one_and_two() {
        let hosts = at_ports(&[(90, 1), (91, 2)]);
        is_table(&hosts, &[1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn two_hosts_of_weights_eight_and_two() {
        let hosts = at_ports(&[(90, 8), (91, 2)]);
        is_table(&hosts, &[1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn nobody_and_one() {
    let nobody = Maglev::new([]);
    assert_eq!(nobody.place(7), None);
    assert_eq!(nobody.find(7, |_| true), None);
    let one = Maglev::new([("a:80", u16::MAX)]);
    assert_eq!(one.place(u64::MAX), Some(0));
    assert_eq!(one.find(u64::MAX, |_| false), None);
}

#[test]
fn a_hundred_have_655_or_656_slots_each() {
    let table = Maglev::new(borrowed(&even(100)));
    let counts = slots_of_each(&table);
    assert!(
        counts.iter().all(|count| (655..=656).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn slots_follow_the_weights() {
    let hosts: Vec<_> = even(10)
        .into_iter()
        .zip(1..)
        .map(|((key, _), weight)| (key, weight))
        .collect();
    let counts = slots_of_each(&Maglev::new(borrowed(&hosts)));
    for (weight, count) in (1..).zip(counts) {
        let due = 65_537 * weight / 55;
        assert!(count.abs_diff(due) <= 2, "{weight}: {count} of {due}");
    }
}

#[test]
fn whoever_leaves_or_joins_moves_little() {
    let all = even(100);
    let full = Maglev::new(borrowed(&all));
    let mut worst = 0.0_f64;
    for leaver in [0, 1, 17, 42, 50, 99] {
        let mut rest = all.clone();
        rest.remove(leaver);
        let without = Maglev::new(borrowed(&rest));
        worst = worst.max(moved((&full, &all), (&without, &rest)));
        worst = worst.max(moved((&without, &rest), (&full, &all)));
    }
    // 1 % must move.
    assert!((0.01..0.02).contains(&worst), "{worst}");
}

#[test]
fn of_a_thousand_one_that_leaves_moves_less_than_a_hundredth() {
    let all = even(1_000);
    let (full, without) = (
        Maglev::new(borrowed(&all)),
        Maglev::new(borrowed(&all[1..])),
    );
    let moved = moved((&full, &all), (&without, &all[1..]));
    assert!((0.001..0.01).contains(&moved), "{moved}");
}

#[test]
fn a_table_grows_with_the_list_and_leaves_nobody_out() {
    let mut uneven = even(5_000);
    uneven[7].1 = u16::MAX;
    // So that the largest weight has a few slots besides what each has at least.
    for (hosts, slots, least) in [(even(5_000), 65_537, 13), (even(5_001), 655_373, 131)] {
        let table = Maglev::new(borrowed(&hosts));
        assert_eq!(table.slots.len(), slots);
        assert_eq!(slots_of_each(&table).iter().min(), Some(&least));
    }
    let counts = slots_of_each(&Maglev::new(borrowed(&uneven)));
    assert!(counts.iter().all(|count| *count > 0));
    assert_eq!(counts.iter().max(), Some(&counts[7]));
}

#[test]
fn the_lengths_are_primes() {
    for len in [SLOTS, 655_373] {
        assert!(
            (2..).take_while(|d| d * d <= len).all(|d| len % d != 0),
            "{len}"
        );
    }
}

/// Each would walk along all that the others took: a second a piece.
#[test]
fn a_thousand_instances_of_one_key_share_the_table() {
    let table = Maglev::new([("same", 1); 1_000]);
    let counts = slots_of_each(&table);
    assert!(
        counts.iter().all(|count| (65..=66).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn the_keys_of_one_that_is_excluded_spread_over_all_others() {
    let hosts = even(10);
    let table = Maglev::new(borrowed(&hosts));
    let mut counts = [0_u32; 10];
    for key in 0..100_000_u64 {
        let hash = hash::of(&key.to_le_bytes());
        if table.place(hash) == Some(3) {
            counts[table.find(hash, |place| place != 3).unwrap()] += 1;
        }
    }
    let total: u32 = counts.iter().sum();
    for (place, count) in counts.iter().enumerate() {
        let even = if place == 3 { 0 } else { total / 9 };
        assert!(
            count.abs_diff(even) <= even / 5,
            "{place}: {count} of {even}"
        );
    }
}

/// The listing of the paper, with Envoy's weights: all are asked in each round whether it is their turn.
fn naive(hosts: &[(u64, u64, u64)], slots: u64) -> Vec<u32> {
    let heaviest = hosts.iter().map(|host| host.2).max().unwrap_or(1);
    let mut table = vec![u32::MAX; usize::try_from(slots).unwrap()];
    let mut wanted = vec![0; hosts.len()];
    let mut due = vec![0; hosts.len()];
    let mut free = slots;
    for round in 1.. {
        for (n, (offset, skip, weight)) in hosts.iter().enumerate() {
            if round * weight < due[n] {
                continue;
            }
            due[n] += heaviest;
            loop {
                let slot = usize::try_from((offset + skip * wanted[n]) % slots).unwrap();
                wanted[n] += 1;
                if table[slot] == u32::MAX {
                    table[slot] = u32::try_from(n).unwrap();
                    break;
                }
            }
            free -= 1;
            if free == 0 {
                return table;
            }
        }
    }
    table
}

proptest! {
    #[test]
    fn a_table_is_what_the_listing_of_the_paper_makes(
        hosts in proptest::collection::vec((0_u64..101, 1_u64..101, 1_u64..12), 1..40),
    ) {
        let heaviest = hosts.iter().map(|host| host.2).max().unwrap();
        let turns = hosts.iter().map(|(offset, skip, weight)| {
            let [offset, skip] = [offset, skip].map(|n| u32::try_from(*n % 101).unwrap().max(1));
            Turns::new(offset, skip, (u16::try_from(*weight).unwrap(), u16::try_from(heaviest).unwrap()))
        });
        let expected: Vec<_> = hosts
            .iter()
            .map(|(offset, skip, weight)| ((*offset % 101).max(1), (*skip % 101).max(1), *weight))
            .collect();
        prop_assert_eq!(fill(turns.collect(), 101).into_vec(), naive(&expected, 101));
    }

    #[test]
    fn whoever_is_allowed_is_found(hosts in 1_usize..20, allowed in any::<u32>(), hash: u64) {
        let names: Vec<_> = (0..hosts).map(|n| n.to_string()).collect();
        let table = Maglev::sized(names.iter().map(|name| (&**name, 1)), 101);
        let is_allowed = |place: usize| allowed >> place & 1 == 1;
        let found = table.find(hash, is_allowed);
        prop_assert_eq!(found.is_some(), (0..hosts).any(is_allowed));
        prop_assert!(found.is_none_or(is_allowed));
        if is_allowed(table.place(hash).unwrap()) {
            prop_assert_eq!(found, table.place(hash));
        }
    }
}
