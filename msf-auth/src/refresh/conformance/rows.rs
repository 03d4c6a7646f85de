//! Rows as such.

use super::{family, next};
use crate::refresh::{Family, FamilyId, Grant, Owner, RefreshPolicy, RefreshStore};

pub(super) async fn a_family_is_kept_as_it_is<S: RefreshStore>(store: S) {
    assert!(
        store
            .fetch(FamilyId::from_bytes([1; 16]))
            .await
            .unwrap()
            .is_none()
    );
    let first = family(1, "7", "s", 1_000);
    assert!(store.insert(first.clone()).await.unwrap());
    assert_eq!(fetched(&store, &first).await, first);
    let second = next(&first, 2_000);
    assert!(store.replace(second.clone()).await.unwrap());
    assert_eq!(fetched(&store, &first).await, second);
    let revoked = second.revoked(3_000);
    assert!(store.replace(revoked.clone()).await.unwrap());
    assert_eq!(fetched(&store, &first).await, revoked);
}

pub(super) async fn hostile_text_is_kept_as_it_is<S: RefreshStore>(store: S) {
    for (id, text) in (1..).zip(HOSTILE) {
        let grant = Grant::new(text)
            .session(text)
            .client(text)
            .scopes(["'--", "a/b:c", "%00"])
            .claim(text, text);
        let (id, policy) = (FamilyId::from_bytes([id; 16]), RefreshPolicy::default());
        let family = Family::new(id, grant, [0; 32], [0xff; 32], &policy, 1);
        assert!(store.insert(family.clone()).await.unwrap(), "{text:?}");
        assert_eq!(fetched(&store, &family).await, family, "{text:?}");
    }
    for text in HOSTILE {
        for owner in [Owner::Subject(text), Owner::Session(text)] {
            let found = store.find(owner, 10).await.unwrap();
            assert_eq!(found.len(), 1, "{owner:?}");
            assert_eq!(found[0].subject(), text);
        }
    }
}

pub(super) async fn an_id_is_taken_once<S: RefreshStore>(store: S) {
    let first = family(1, "7", "s", 1_000);
    assert!(store.insert(first.clone()).await.unwrap());
    let other = family(1, "8", "t", 2_000);
    assert!(!store.insert(other).await.unwrap(), "an id was taken twice");
    assert_eq!(fetched(&store, &first).await, first);
    assert!(
        store
            .find(Owner::Subject("8"), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(super) async fn only_the_next_version_replaces<S: RefreshStore>(store: S) {
    let first = family(1, "7", "s", 1_000);
    let second = next(&first, 2_000);
    assert!(
        !store.replace(second.clone()).await.unwrap(),
        "nothing was replaced"
    );
    store.insert(first.clone()).await.unwrap();
    assert!(
        !store.replace(first.clone()).await.unwrap(),
        "by its own version"
    );
    assert!(
        !store.replace(next(&second, 3_000)).await.unwrap(),
        "by the version after the next"
    );
    assert!(store.replace(second.clone()).await.unwrap());
    assert!(
        !store.replace(second.clone()).await.unwrap(),
        "replaced twice"
    );
    assert_eq!(fetched(&store, &first).await, second);
}

pub(super) async fn of_many_changes_at_once_one_is_made<S: RefreshStore + Clone>(store: S) {
    let mut last = family(1, "7", "s", 1_000);
    store.insert(last.clone()).await.unwrap();
    for round in 1..=ROUNDS {
        let racers = (0..RACERS).map(|racer| {
            let (store, family) = (store.clone(), next(&last, 1_000 + round * 100 + racer));
            msf_core::task::spawn("racer", async move {
                store
                    .replace(family.clone())
                    .await
                    .unwrap()
                    .then_some(family)
            })
        });
        let racers: Vec<_> = racers.collect();
        let mut winners = Vec::new();
        for racer in racers {
            winners.extend(racer.join().await.unwrap());
        }
        assert_eq!(winners.len(), 1, "changes that were made of one version");
        assert_eq!(fetched(&store, &last).await, winners[0]);
        last = winners.remove(0);
    }
}

pub(super) async fn only_the_known_version_is_removed<S: RefreshStore>(store: S) {
    let first = family(1, "7", "s", 1_000);
    assert!(!store.remove(first.id(), 1).await.unwrap());
    store.insert(first.clone()).await.unwrap();
    let second = next(&first, 2_000);
    store.replace(second.clone()).await.unwrap();
    assert!(
        !store.remove(first.id(), 1).await.unwrap(),
        "removed although it was changed"
    );
    assert!(store.remove(first.id(), 2).await.unwrap());
    assert!(store.fetch(first.id()).await.unwrap().is_none());
    for owner in [Owner::Subject("7"), Owner::Session("s")] {
        assert!(store.find(owner, 10).await.unwrap().is_empty());
    }
    assert!(store.due(u64::MAX, 10).await.unwrap().is_empty());
    assert!(
        !store.replace(next(&second, 3_000)).await.unwrap(),
        "it came back"
    );
}

pub(super) async fn owners_do_not_mix<S: RefreshStore>(store: S) {
    for (id, (subject, session)) in (1..).zip([("7", "a"), ("7", "b"), ("a", "7"), ("70", "ab")]) {
        store
            .insert(family(id, subject, session, 1_000))
            .await
            .unwrap();
    }
    for (owner, expected) in [
        (Owner::Subject("7"), &[1, 2][..]),
        (Owner::Subject("a"), &[3]),
        (Owner::Subject(""), &[]),
        (Owner::Subject("%"), &[]),
        (Owner::Session("a"), &[1]),
        (Owner::Session("7"), &[3]),
        (Owner::Session("A"), &[]),
    ] {
        let found = store.find(owner, 10).await.unwrap();
        assert_eq!(ids(&found), expected, "{owner:?}");
    }
}

pub(super) async fn live_ones_come_first_and_unused_ones_before<S: RefreshStore>(store: S) {
    for (id, used_ms) in [(1, 5_000), (2, 3_000), (3, 1_000), (4, 4_000), (5, 2_000)] {
        store.insert(family(id, "7", "s", used_ms)).await.unwrap();
    }
    let third = fetched(&store, &family(3, "7", "s", 0)).await;
    store.replace(third.revoked(6_000)).await.unwrap();
    let fifth = fetched(&store, &family(5, "7", "s", 0)).await;
    store.replace(next(&fifth, 9_000)).await.unwrap();
    for owner in [Owner::Subject("7"), Owner::Session("s")] {
        let found = store.find(owner, 10).await.unwrap();
        assert_eq!(ids(&found), [2, 4, 1, 5, 3], "{owner:?}");
        assert!(found[4].is_revoked());
        let found = store.find(owner, 2).await.unwrap();
        assert_eq!(ids(&found), [2, 4], "{owner:?}");
        assert!(store.find(owner, 0).await.unwrap().is_empty());
    }
}

pub(super) async fn what_is_due_is_found_in_its_order<S: RefreshStore>(store: S) {
    let families = [family(1, "7", "s", 3_000), family(2, "7", "s", 1_000)];
    for family in &families {
        store.insert(family.clone()).await.unwrap();
    }
    let (first, second) = (families[0].ends_ms(), families[1].ends_ms());
    assert!(store.due(second - 1, 10).await.unwrap().is_empty());
    assert_eq!(ids(&store.due(second, 10).await.unwrap()), [2]);
    assert_eq!(ids(&store.due(first, 10).await.unwrap()), [2, 1]);
    assert_eq!(ids(&store.due(u64::MAX, 1).await.unwrap()), [2]);
    // A successor has to be wiped soon.
    let rotated = next(&families[0], 4_000);
    assert!(rotated.due_ms() < second);
    store.replace(rotated.clone()).await.unwrap();
    assert_eq!(ids(&store.due(rotated.due_ms(), 10).await.unwrap()), [1]);
}

async fn fetched<S: RefreshStore>(store: &S, family: &Family) -> Family {
    store.fetch(family.id()).await.unwrap().unwrap()
}

fn ids(families: &[Family]) -> Vec<u8> {
    families
        .iter()
        .map(|family| family.id().as_bytes()[0])
        .collect()
}

const HOSTILE: [&str; 9] = [
    "'; DROP TABLE msf_auth_refresh; --",
    "\"}],\"subject\":\"8",
    "%",
    "_",
    "a\u{0}b",
    "\u{202e}\r\n\t",
    " ",
    "../../etc/passwd",
    "\u{1f980}\u{1f980}\u{1f980}",
];
const ROUNDS: u64 = 8;
const RACERS: u64 = 16;
