//! What changed since a position.

use std::{collections::BTreeMap, time::Duration};

use msf_core::{clock, name::InstanceId};
use proptest::prelude::*;

use super::{
    super::{SelfPreservation, state::State},
    instance, payment,
};
use crate::model::{Cursor, Health, Member, Snapshot, Status};

fn by_id(snapshot: &Snapshot) -> BTreeMap<InstanceId, Member> {
    let members = snapshot.instances().iter().cloned();
    members.map(|m| (m.instance.id.clone(), m)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Register(u16),
    Deregister(u16),
    Status(u16),
    Health(u16),
    Override(u16),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = || 0_u16..8;
    let step = prop_oneof![
        3 => n().prop_map(Step::Register),
        2 => n().prop_map(Step::Deregister),
        1 => n().prop_map(Step::Status),
        1 => n().prop_map(Step::Health),
        1 => n().prop_map(Step::Override),
        1 => (0_u64..8).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// Whoever has any earlier list and applies what changed since has the list of now.
    #[test]
    fn a_list_and_its_changes_are_the_next_list(steps in steps()) {
        let mut now = clock::now();
        let mut state = State::new(7, now, Duration::from_secs(20), 100, SelfPreservation::off());
        let mut seen: Vec<Snapshot> = Vec::new();
        let ttl = Duration::from_secs(10);
        for step in steps {
            let id = |n: u16| instance(n).id;
            match step {
                Step::Register(n) => state.register(instance(n), u64::from(n), ttl, now).unwrap(),
                Step::Deregister(n) => { state.deregister(&payment(), &id(n), u64::from(n), now); }
                Step::Status(n) => {
                    let _unknown = state.set_status(&payment(), &id(n), u64::from(n), Status::Draining, now);
                }
                Step::Health(n) => { state.set_health(&payment(), &id(n), u64::from(n), Health::Healthy, now); }
                Step::Override(n) => {
                    let _unknown = state.set_override(&payment(), &id(n), Some(Status::Down), now);
                }
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
            }
            let view = state.view(&payment(), now);
            for old in &seen {
                let Some(delta) = view.delta(old.cursor()) else { continue };
                let mut list = by_id(old);
                for id in delta.removed { prop_assert!(list.remove(id).is_some() || !by_id(view.snapshot()).contains_key(id)); }
                for member in delta.changed { list.insert(member.instance.id.clone(), member.clone()); }
                prop_assert_eq!(&list, &by_id(view.snapshot()));
            }
            // The list of a moment ago can always be continued from while its service is known.
            if let Some(last) = seen.last() && !view.snapshot().instances().is_empty() && !last.instances().is_empty() {
                prop_assert!(view.delta(last.cursor()).is_some());
            }
            seen.push(view.snapshot().clone());
        }
    }
}

#[test]
fn a_position_that_is_not_known_has_no_changes() {
    let now = clock::now();
    let mut state = State::new(7, now, Duration::ZERO, 10_000, SelfPreservation::off());
    let ttl = Duration::from_secs(10);
    state.register(instance(0), 0, ttl, now).unwrap();
    let first = state.view(&payment(), now).cursor();
    for n in 1..=300 {
        state.register(instance(n), u64::from(n), ttl, now).unwrap();
        let last = state.view(&payment(), now).cursor();
        state.deregister(&payment(), &instance(n).id, u64::from(n), now);
        let view = state.view(&payment(), now);
        let delta = view.delta(last).expect("it is the last one");
        assert_eq!((delta.changed.len(), delta.removed.len()), (0, 1));
    }
    let view = state.view(&payment(), now);
    assert!(
        view.delta(first).is_none(),
        "more have left than are remembered"
    );
    let ahead = Cursor::new(7, view.cursor().revision() + 1);
    assert!(view.delta(ahead).is_none());
    let elsewhere = Cursor::new(8, view.cursor().revision());
    assert!(view.delta(elsewhere).is_none());
}

#[test]
fn what_is_written_for_one_watcher_is_written_for_all() {
    let now = clock::now();
    let mut state = State::new(7, now, Duration::ZERO, 100, SelfPreservation::off());
    let ttl = Duration::from_secs(10);
    state.register(instance(1), 1, ttl, now).unwrap();
    let old = state.view(&payment(), now).cursor();
    state.register(instance(2), 2, ttl, now).unwrap();
    let middle = state.view(&payment(), now).cursor();
    state.register(instance(3), 3, ttl, now).unwrap();
    let view = state.view(&payment(), now);
    let written = std::cell::Cell::new(0);
    let encode = |n: usize| {
        written.set(written.get() + 1);
        bytes::Bytes::from(n.to_string())
    };
    for _ in 0..3 {
        assert_eq!(view.json(|s| encode(s.instances().len())), "3");
        assert_eq!(
            view.delta_json(middle, |_, d| encode(d.changed.len()))
                .unwrap(),
            "1"
        );
    }
    assert_eq!(written.get(), 2);
    assert_eq!(
        view.delta_json(old, |_, d| encode(d.changed.len()))
            .unwrap(),
        "2"
    );
    // Odd positions that were named before do not take the place of the usual one.
    for n in 0..20 {
        state.register(instance(4), 10 + n, ttl, now).unwrap();
        state.view(&payment(), now);
    }
    let usual = state.view(&payment(), now).cursor();
    state.register(instance(5), 5, ttl, now).unwrap();
    let view_of_five = state.view(&payment(), now);
    for back in 1..10 {
        let odd = Cursor::new(7, usual.revision() - back);
        assert!(view_of_five.delta_json(odd, |_, _| encode(0)).is_some());
    }
    written.set(0);
    for _ in 0..3 {
        let json = view_of_five.delta_json(usual, |_, d| encode(d.changed.len()));
        assert_eq!(json.unwrap(), "1");
    }
    assert_eq!(written.get(), 1);
    let elsewhere = Cursor::new(8, middle.revision());
    assert!(
        view.delta_json(elsewhere, |_, d| encode(d.changed.len()))
            .is_none()
    );
}
