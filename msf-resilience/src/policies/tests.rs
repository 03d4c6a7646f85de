//! The list, with policies of its own. Other tests list theirs meanwhile, so each looks at its own names only.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use serde_json::json;

use super::{
    Control, ControlError, Kind, Policy, Snapshot, control,
    list::{entries, register},
    snapshots,
};

struct Fake {
    kind: Kind,
    name: Arc<str>,
    limit: AtomicU32,
    on_snapshot: Mutex<Vec<Arc<Self>>>,
}

impl Fake {
    fn listed(kind: Kind, name: &str) -> Arc<Self> {
        let fake = Arc::new(Self {
            kind,
            name: name.into(),
            limit: AtomicU32::new(7),
            on_snapshot: Mutex::default(),
        });
        register(&fake);
        fake
    }
}

impl Policy for Fake {
    fn snapshot(&self) -> Snapshot {
        for other in self.on_snapshot.lock().unwrap().iter() {
            register(other);
        }
        let limit = self.limit.load(Ordering::Relaxed);
        Snapshot::new(self.kind, &self.name)
            .in_state("closed")
            .with("limit", limit.into())
    }

    fn control(&self, control: Control) -> Result<(), ControlError> {
        match control {
            Control::SetLimit(0) => {
                Err(ControlError::Invalid("the limit must be at least 1".into()))
            }
            Control::SetLimit(limit) => {
                self.limit.store(limit, Ordering::Relaxed);
                Ok(())
            }
            other => Err(ControlError::Unsupported(other)),
        }
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind && &*self.name == name
    }
}

fn seen(name: &str) -> Vec<Snapshot> {
    let mut all = snapshots();
    all.retain(|snapshot| snapshot.name() == name);
    all
}

#[test]
fn a_policy_is_listed_until_its_last_handle_is_gone() {
    let name = "list: until the last handle";
    let policy = Fake::listed(Kind::Bulkhead, name);
    let handle = Arc::clone(&policy);
    drop(policy);
    assert_eq!(seen(name).len(), 1);
    drop(handle);
    assert_eq!(seen(name), []);
}

#[test]
fn policies_are_sorted_by_kind_and_name() {
    let made = [
        (Kind::Fault, "list: sorted a"),
        (Kind::Bulkhead, "list: sorted b"),
        (Kind::Bulkhead, "list: sorted a"),
    ];
    let _held = made.map(|(kind, name)| Fake::listed(kind, name));
    let mut all = snapshots();
    assert!(all.is_sorted_by_key(|snapshot| (snapshot.kind(), snapshot.name().to_owned())));
    all.retain(|snapshot| snapshot.name().starts_with("list: sorted"));
    let order: Vec<_> = all.iter().map(|s| (s.kind(), s.name())).collect();
    assert_eq!(order, [made[2], made[1], made[0]]);
}

#[test]
fn a_control_reaches_every_policy_of_the_kind_and_name_and_no_other() {
    let name = "list: reached";
    let twins = [(); 2].map(|()| Fake::listed(Kind::Bulkhead, name));
    let other_kind = Fake::listed(Kind::Adaptive, name);
    let other_name = Fake::listed(Kind::Bulkhead, "list: not reached");

    control(Kind::Bulkhead, name, Control::SetLimit(3)).unwrap();
    let limit = |fake: &Arc<Fake>| fake.limit.load(Ordering::Relaxed);
    assert_eq!(twins.each_ref().map(limit), [3, 3]);
    assert_eq!([&other_kind, &other_name].map(limit), [7, 7]);
}

#[test]
fn an_order_that_is_not_carried_out_says_why() {
    let name = "list: orders";
    let _held = Fake::listed(Kind::Bulkhead, name);
    let order = |kind, control_| control(kind, name, control_).unwrap_err();
    assert_eq!(
        order(Kind::Fault, Control::Disable).to_string(),
        "no fault is named `list: orders`"
    );
    assert_eq!(
        order(Kind::Bulkhead, Control::ForceOpen),
        ControlError::Unsupported(Control::ForceOpen)
    );
    assert_eq!(
        order(Kind::Bulkhead, Control::SetLimit(0)).to_string(),
        "the limit must be at least 1"
    );
}

#[test]
fn a_snapshot_serializes_for_a_dashboard_that_knows_no_kinds() {
    let name = "list: json";
    let _held = Fake::listed(Kind::RateLimit, name);
    let [snapshot] = &seen(name)[..] else {
        panic!("one policy of the name");
    };
    assert_eq!(snapshot.figure("limit"), Some(7.0));
    assert_eq!(snapshot.figure("unheard_of"), None);
    assert_eq!(
        serde_json::to_value(snapshot).unwrap(),
        json!({"kind": "rate_limit", "name": name, "state": "closed", "figures": {"limit": 7.0}})
    );
}

#[test]
fn every_kind_is_one_word_everywhere() {
    let kinds = [
        Kind::CircuitBreaker,
        Kind::RateLimit,
        Kind::Bulkhead,
        Kind::LoadShed,
        Kind::Adaptive,
        Kind::Budget,
        Kind::Hedge,
        Kind::Coalesce,
        Kind::Fault,
        Kind::Fallback,
    ];
    for kind in kinds {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

#[test]
fn policies_that_come_and_go_do_not_make_the_list_grow() {
    for _ in 0..10_000 {
        drop(Fake::listed(Kind::Hedge, "list: come and gone"));
    }
    assert!(entries() < 5_000, "{}", entries());
}

#[test]
fn a_policy_may_be_built_while_a_snapshot_is_taken() {
    let name = "list: built meanwhile";
    let first = Fake::listed(Kind::Coalesce, name);
    let second = Arc::new(Fake {
        kind: Kind::Coalesce,
        name: name.into(),
        limit: AtomicU32::new(1),
        on_snapshot: Mutex::default(),
    });
    first.on_snapshot.lock().unwrap().push(second);
    assert_eq!(seen(name).len(), 1);
    assert_eq!(seen(name).len(), 2);
}
