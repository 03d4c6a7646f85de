//! What holds for every backend, also for one that is only read.

use tokio::time::timeout;

use super::{
    stage::Stage,
    suite::Suite,
    values::{ids, instance, payment, payments, ports, service},
};
use crate::{
    backend::Discovery,
    model::{Authority, Cursor},
};

pub(super) async fn nobody_is_listed_for_an_unknown_service<S: Stage>(stage: &S, _suite: &Suite) {
    let snapshot = stage.backend().fetch(&service("nobody")).await.unwrap();
    assert_eq!(snapshot.service(), &service("nobody"));
    assert!(snapshot.instances().is_empty(), "instances out of nothing");
}

pub(super) async fn what_is_listed_is_found<S: Stage>(stage: &S, _suite: &Suite) {
    stage.list(&payment(), &payments(3)).await;
    let snapshot = stage.backend().fetch(&payment()).await.unwrap();
    assert_eq!(snapshot.service(), &payment());
    assert_eq!(ports(&snapshot), [1_001, 1_002, 1_003]);
    for member in snapshot.instances() {
        assert_eq!(
            member.instance.service,
            payment(),
            "of another service than asked for"
        );
    }
    assert!(ids(&snapshot).is_sorted(), "not sorted by id");
}

pub(super) async fn services_do_not_mix<S: Stage>(stage: &S, _suite: &Suite) {
    let names = [
        ("user", 81),
        ("user-admin", 82),
        ("use", 83),
        ("user-0", 84),
    ];
    for (name, port) in names {
        let one = instance(name, &format!("{name}-1"), port);
        stage.list(&service(name), &[one]).await;
    }
    for (name, port) in names {
        let snapshot = stage.backend().fetch(&service(name)).await.unwrap();
        assert_eq!(ports(&snapshot), [port], "{name} is mixed up with another");
    }
}

pub(super) async fn services_are_sorted_and_named_once<S: Stage>(stage: &S, _suite: &Suite) {
    for name in ["user", "order", "a"] {
        let two = [instance(name, "i-1", 81), instance(name, "i-2", 82)];
        stage.list(&service(name), &two).await;
        // Some backends, such as DNS, only know those that were asked for.
        stage.backend().fetch(&service(name)).await.unwrap();
    }
    let services = stage.backend().services().await.unwrap();
    assert_eq!(services, ["a", "order", "user"].map(service));
}

pub(super) async fn a_hundred_instances_are_found<S: Stage>(stage: &S, _suite: &Suite) {
    stage.list(&payment(), &payments(100)).await;
    let snapshot = stage.backend().fetch(&payment()).await.unwrap();
    let expected: Vec<u16> = (1_001..=1_100).collect();
    assert_eq!(ports(&snapshot), expected, "a long list is cut");
    let ids = ids(&snapshot);
    assert!(
        ids.is_sorted_by(|a, b| a < b),
        "not sorted, or not distinct"
    );
}

pub(super) async fn ids_stay_the_same<S: Stage>(stage: &S, _suite: &Suite) {
    stage.list(&payment(), &payments(5)).await;
    let first = stage.backend().fetch(&payment()).await.unwrap();
    let second = stage.backend().fetch(&payment()).await.unwrap();
    assert_eq!(
        ids(&first),
        ids(&second),
        "instances change their ids by themselves"
    );
}

pub(super) async fn a_change_moves_the_position_forward<S: Stage>(stage: &S, suite: &Suite) {
    let mut before = stage.backend().fetch(&payment()).await.unwrap().cursor();
    for count in [1, 2, 1, 0, 1] {
        stage.list(&payment(), &payments(count)).await;
        let backend = stage.backend();
        let snapshot = suite
            .until(backend, &payment(), before, usize::from(count))
            .await;
        let now = snapshot.cursor();
        assert!(
            now.epoch() != before.epoch() || now.revision() > before.revision(),
            "callers would take the list at {now:?} for older than that at {before:?}"
        );
        before = now;
    }
}

pub(super) async fn a_waiter_hears_of_an_addition<S: Stage>(stage: &S, suite: &Suite) {
    let payment = payment();
    stage.list(&payment, &payments(1)).await;
    let before = stage.backend().fetch(&payment).await.unwrap().cursor();
    let (after, ()) = tokio::join!(suite.until(stage.backend(), &payment, before, 2), async {
        tokio::time::sleep(suite.grace).await;
        stage.list(&payment, &payments(2)).await;
    });
    assert_ne!(after.cursor(), before);
    assert_eq!(ports(&after), [1_001, 1_002]);
}

pub(super) async fn a_waiter_hears_of_a_removal<S: Stage>(stage: &S, suite: &Suite) {
    let payment = payment();
    stage.list(&payment, &payments(2)).await;
    let before = stage.backend().fetch(&payment).await.unwrap().cursor();
    let (after, ()) = tokio::join!(suite.until(stage.backend(), &payment, before, 1), async {
        tokio::time::sleep(suite.grace).await;
        stage.list(&payment, &payments(1)).await;
    });
    assert_eq!(ports(&after), [1_001]);
}

pub(super) async fn a_waiter_hears_of_the_end_of_the_last<S: Stage>(stage: &S, suite: &Suite) {
    let payment = payment();
    stage.list(&payment, &payments(1)).await;
    let before = stage.backend().fetch(&payment).await.unwrap().cursor();
    tokio::join!(suite.until(stage.backend(), &payment, before, 0), async {
        tokio::time::sleep(suite.grace).await;
        stage.list(&payment, &[]).await;
    });
}

pub(super) async fn many_waiters_hear_of_one_change<S: Stage>(stage: &S, suite: &Suite) {
    let payment = payment();
    let (backend, before) = (
        stage.backend(),
        stage.backend().fetch(&payment).await.unwrap().cursor(),
    );
    let wait = || suite.until(backend, &payment, before, 1);
    tokio::join!(wait(), wait(), wait(), wait(), wait(), wait(), async {
        tokio::time::sleep(suite.grace).await;
        stage.list(&payment, &payments(1)).await;
    });
}

pub(super) async fn no_change_is_missed_between_two_questions<S: Stage>(stage: &S, suite: &Suite) {
    let cursor = stage.backend().fetch(&payment()).await.unwrap().cursor();
    stage.list(&payment(), &payments(1)).await;
    stage.list(&payment(), &payments(2)).await;
    suite.until(stage.backend(), &payment(), cursor, 2).await;
}

pub(super) async fn an_unknown_position_is_answered<S: Stage>(stage: &S, suite: &Suite) {
    stage.list(&payment(), &payments(1)).await;
    let now = stage.backend().fetch(&payment()).await.unwrap().cursor();
    for elsewhere in [
        Cursor::new(!now.epoch(), now.revision()),
        Cursor::new(now.epoch(), now.revision().saturating_add(1_000)),
        Cursor::new(0, 0),
        Cursor::new(u64::MAX, u64::MAX),
    ] {
        suite.until(stage.backend(), &payment(), elsewhere, 1).await;
    }
}

pub(super) async fn a_dropped_question_loses_nothing<S: Stage>(stage: &S, suite: &Suite) {
    let cursor = stage.backend().fetch(&payment()).await.unwrap().cursor();
    for _ in 0..3 {
        let dropped = timeout(suite.grace, stage.backend().next(&payment(), cursor)).await;
        drop(dropped);
    }
    stage.list(&payment(), &payments(1)).await;
    suite.until(stage.backend(), &payment(), cursor, 1).await;
}

pub(super) async fn an_emptied_list_is_explicit<S: Stage>(stage: &S, suite: &Suite) {
    stage.list(&payment(), &payments(2)).await;
    let before = suite.vouched(stage.backend(), &payment()).await;
    assert_eq!(ports(&before), [1_001, 1_002]);
    stage.list(&payment(), &[]).await;
    let after = suite
        .until(stage.backend(), &payment(), before.cursor(), 0)
        .await;
    assert_eq!(
        after.authority(),
        Authority::Explicit,
        "a service that was emptied on purpose is held for a defect"
    );
}
