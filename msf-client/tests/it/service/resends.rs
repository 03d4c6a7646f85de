//! What was certainly not sent, and where it goes.

use msf_client::ServiceSettings;
use msf_resilience::budget::Rule;
use tower::ServiceExt;

use crate::{
    callee::{echo, get, post},
    world::{World, nobody},
};

/// How often instances were called in vain.
fn in_vain(world: &World) -> u32 {
    let observed = world.payment.instances().observed();
    observed.iter().map(|it| it.failures_in_a_row).sum()
}

#[tokio::test]
async fn what_was_not_sent_goes_elsewhere_only_as_often_as_the_budget_lets_it() {
    let world = World::with(&[nobody(), nobody(), nobody(), nobody()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(4, 1, 1));
        client.service("payment", settings)
    })
    .await;
    for (call, attempts) in [(1, 3), (2, 6), (3, 7), (4, 8)] {
        let error = world.payment.call(get("/")).await.unwrap_err();
        assert!(error.is_unsent(), "{error:?}");
        assert_eq!(in_vain(&world), attempts, "after {call} calls");
    }
}

#[tokio::test]
async fn going_elsewhere_is_free_where_somebody_answers() {
    let alive = echo().await;
    let world = World::with(&[nobody(), alive.addr()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(1, 1, 1));
        client.service("payment", settings)
    })
    .await;
    let mut fails = 0;
    for _ in 0..200 {
        let response = world.payment.clone().oneshot(post("hello".into())).await;
        fails += u32::from(response.is_err());
    }
    assert_eq!(fails, 0);
    let granted = "msf_budget_withdrawals_total{budget=\"payment/resend\",outcome=\"granted\"}";
    let granted = world.sample(granted);
    assert!(granted > 0.5, "{granted}: the dead one was met");
}

#[tokio::test]
async fn a_resend_that_finds_nobody_costs_nothing() {
    let world = World::with(&[nobody()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(1, 1, 1));
        client.service("payment", settings)
    })
    .await;
    for _ in 0..2 {
        world.payment.call(get("/")).await.unwrap_err();
        let available = world.sample("msf_budget_available{budget=\"payment/resend\"}");
        assert!((available - 1.0).abs() < 0.1, "{available}");
    }
}
