//! What any rendezvous must keep: shares, order, and who moves when the list changes.

use proptest::prelude::*;

use super::*;

fn keys(n: u64) -> impl Iterator<Item = u64> {
    (0..n).map(|key| hash::of(&key.to_le_bytes()))
}

fn named(weights: &[u16]) -> Vec<(String, u16)> {
    let name = |(n, weight): (usize, &u16)| (format!("10.0.0.{n}:80"), *weight);
    weights.iter().enumerate().map(name).collect()
}

fn built(hosts: &[(String, u16)]) -> Rendezvous {
    Rendezvous::new(hosts.iter().map(|(key, weight)| (&**key, *weight)))
}

#[test]
fn nobody_and_one() {
    assert_eq!(Rendezvous::new([]).place(7), None);
    let one = Rendezvous::new([("a:80", 7)]);
    assert_eq!(one.place(u64::MAX), Some(0));
    assert_eq!(one.find(0, |_| false), None);
}

#[test]
fn shares_follow_the_weights() {
    for weights in [[5; 4], [1, 2, 3, 4], [1, 1, 1, 997]] {
        let all = built(&named(&weights));
        let mut counts = [0_u32; 4];
        keys(100_000).for_each(|hash| counts[all.place(hash).unwrap()] += 1);
        let sum: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
        for (weight, count) in weights.iter().zip(counts) {
            let even = 100_000 * u32::from(*weight) / sum;
            assert!(
                count.abs_diff(even) <= even / 20 + 30,
                "{weights:?}: {count} of {even}"
            );
        }
    }
}

#[test]
fn a_loser_is_followed_by_the_next_best_whoever_that_is() {
    let hosts = named(&[3, 1, 4, 1, 5]);
    let all = built(&hosts);
    for hash in keys(1_000) {
        let first = all.place(hash).unwrap();
        let rest: Vec<_> = hosts
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != first)
            .map(|(_, h)| h.clone())
            .collect();
        let second = built(&rest)
            .place(hash)
            .map(|place| place + usize::from(place >= first));
        assert_eq!(all.find(hash, |place| place != first), second);
    }
}

proptest! {
    #[test]
    fn who_leaves_moves_its_own_keys_and_no_others(
        weights in proptest::collection::vec(1_u16..5, 2..30), leaver: prop::sample::Index,
    ) {
        let hosts = named(&weights);
        let leaver = leaver.index(hosts.len());
        let mut rest = hosts.clone();
        rest.remove(leaver);
        let (before, after) = (built(&hosts), built(&rest));
        for hash in keys(300) {
            let was = before.place(hash).unwrap();
            prop_assert!(was == leaver || hosts[was] == rest[after.place(hash).unwrap()]);
        }
    }

    #[test]
    fn a_weight_that_grows_takes_keys_and_moves_no_others(
        weights in proptest::collection::vec(1_u16..5, 2..30), grower: prop::sample::Index,
    ) {
        let mut hosts = named(&weights);
        // Never even, which is another way to the same places only as long as all are.
        hosts.push(("odd".to_owned(), 17));
        let grower = grower.index(hosts.len());
        let before = built(&hosts);
        hosts[grower].1 += 3;
        let after = built(&hosts);
        for hash in keys(300) {
            let is = after.place(hash).unwrap();
            prop_assert!(is == grower || before.place(hash) == Some(is));
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(weights in proptest::collection::vec(1_u16..5, 1..30)) {
        let hosts = named(&weights);
        let reversed: Vec<_> = hosts.iter().rev().cloned().collect();
        let (a, b) = (built(&hosts), built(&reversed));
        for hash in keys(100) {
            prop_assert_eq!(&hosts[a.place(hash).unwrap()], &reversed[b.place(hash).unwrap()]);
        }
    }
}
