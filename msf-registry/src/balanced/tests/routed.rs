//! Where the attempts of one call and the calls of one session go.

use super::*;

#[tokio::test(start_paused = true)]
async fn attempts_go_to_instances_that_were_not_tried() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2), instance(3)]);
    let balanced = Balanced::new(listed.handle.clone(), port_of);
    let call = Tried::follow(request());
    let tried = call.extensions().get::<Tried>().cloned().unwrap();
    let mut ports = Vec::new();
    for _ in 0..3 {
        // As a layer that makes attempts does.
        let response = balanced.clone().oneshot(call.clone()).await.unwrap();
        ports.push(answered(response).await);
    }
    ports.sort();
    assert_eq!(ports, ["8001", "8002", "8003"]);
    assert_eq!(tried.ids().len(), 3);
    // All were tried: any is better than none.
    balanced.clone().oneshot(call.clone()).await.unwrap();
    assert_eq!(tried.ids().len(), 3);
    // Another call starts anew.
    assert!(
        Tried::follow(request())
            .extensions()
            .get::<Tried>()
            .unwrap()
            .ids()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn hedged_attempts_go_to_different_instances() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let service = held(9);
    let mut balanced = Balanced::new(listed.handle, move |_: &Instance| service.clone());
    for _ in 0..20 {
        let call = Tried::follow(request());
        let both = [balanced.call(call.clone()), balanced.call(call.clone())];
        assert_eq!(call.extensions().get::<Tried>().unwrap().ids().len(), 2);
        drop(both);
    }
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_one_session_stay_together() {
    for balance in [Balance::Maglev, Balance::RingHash, Balance::Rendezvous] {
        let listed = Listed::of(balance, (0..10).map(instance));
        let balanced = Balanced::new(listed.handle.clone(), port_of)
            .sticky(Sticky::cookie("session").unwrap());
        let call = async |session: u32| {
            let mut request = request();
            let cookie = format!("session={session}").parse().unwrap();
            request.headers_mut().insert("cookie", cookie);
            answered(balanced.clone().oneshot(request).await.unwrap()).await
        };
        let mut ports = std::collections::BTreeSet::new();
        for session in 0..50 {
            let first = call(session).await;
            for _ in 0..3 {
                assert_eq!(call(session).await, first, "{balance:?}");
            }
            ports.insert(first);
        }
        assert!(ports.len() > 5, "{balance:?}: {ports:?}");
    }
}
