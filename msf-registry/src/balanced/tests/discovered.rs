//! The list as tower's own balancers follow it.

use super::*;

#[tokio::test(start_paused = true)]
async fn towers_balancer_follows_the_list() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let discovered = Discovered::new(listed.handle.clone(), |instance: &Instance| {
        tower::load::Constant::new(port_of(instance), 1)
    });
    let mut balance = tower::balance::p2c::Balance::new(discovered);
    let mut ports = Vec::new();
    for n in 2..4 {
        ports.push(called(&mut balance).await);
        listed.publish([instance(n)]);
        settle().await;
    }
    assert_eq!(ports, ["8001", "8002"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_once_and_the_last_ones_stay() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let mut discovered = pin!(Discovered::new(
        listed.handle.clone(),
        |instance: &Instance| instance.addr().port()
    ));
    let mut told = |changes: usize| {
        let mut seen = Vec::new();
        while let Poll::Ready(change) =
            poll_once(pin!(poll_fn(|cx| discovered.as_mut().poll_discover(cx))))
        {
            seen.push(match change.unwrap().unwrap() {
                Change::Insert(id, port) => format!("+{id}:{port}"),
                Change::Remove(id) => format!("-{id}"),
            });
        }
        assert_eq!(seen.len(), changes, "{seen:?}");
        seen.sort();
        seen
    };
    assert_eq!(told(2), ["+p-1:8001", "+p-2:8002"]);
    listed.publish([instance(1), instance(2)]);
    told(0);
    let moved = instance(2).moved_to(([127, 0, 0, 1], 9_002).into());
    listed.publish([moved.clone(), instance(3)]);
    assert_eq!(told(3), ["+p-2:9002", "+p-3:8003", "-p-1"]);
    // A service may be made for any of its endpoints.
    let more = moved.clone().endpoint("tcp://127.0.0.1:7".parse().unwrap());
    let weight = NonZeroU16::new(7).unwrap();
    for (changes, second) in [
        (1, more.clone()),
        (0, more.weight(weight)),
        (1, moved.clone()),
    ] {
        listed.publish([second, instance(3)]);
        told(changes);
    }
    // A balancer without any would wait for ever.
    listed.publish([]);
    told(0);
    listed.publish([moved]);
    assert_eq!(told(1), ["-p-3"]);
}
