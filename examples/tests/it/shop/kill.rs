//! 200 orders while every service is killed in turn.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{Shop, audit, order, signal};
use crate::process::{Answer, PATIENCE, send};

const CLIENTS: u32 = 8;
const ORDERS: u32 = 200;
/// So that every service dies while there are orders under way, and is back before its next turn.
const BETWEEN_KILLS: Duration = Duration::from_secs(1);
const BETWEEN_ORDERS: Duration = Duration::from_millis(300);
/// The whole of it takes a tenth of this here; a loaded machine is allowed more.
const BOUND: Duration = Duration::from_secs(120);

/// What a client knows of its order in the end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    id: String,
    status: String,
}

#[test]
#[ignore = "takes 15 s"]
fn killing_every_service_in_turn_loses_and_doubles_nothing() {
    let data = std::env::temp_dir().join(format!("msf-shop-test-kill-{}", std::process::id()));
    let mut shop = Shop::start(&["--data", data.to_str().unwrap()]);
    let token = shop.ada();
    let deadline = Instant::now() + BOUND;

    let ordered = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (gateway, token, ordered) = (shop.gateway(), token.clone(), Arc::clone(&ordered));
            thread::spawn(move || {
                let orders = (0..ORDERS / CLIENTS).map(|number| {
                    let key = format!("kill-{client}-{number}");
                    let card = if number % 10 == 9 {
                        "tok_declined"
                    } else {
                        "tok_visa"
                    };
                    let known = place(gateway, &token, &key, card, deadline);
                    ordered.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(BETWEEN_ORDERS);
                    known
                });
                orders.collect::<Vec<_>>()
            })
        })
        .collect();

    let mut killed = 0;
    let mut victims = BTreeSet::new();
    let instances: Vec<_> = shop.processes().into_keys().collect();
    assert_eq!(instances.len(), 8);
    // At least once each, and on as long as there are orders to disturb.
    while killed < instances.len() || ordered.load(Ordering::Relaxed) < ORDERS {
        assert!(
            Instant::now() < deadline,
            "{killed} kills, {ordered:?} orders"
        );
        let instance = &instances[killed % instances.len()];
        // One that is still down is not dead enough to be killed; it is the next one's turn all the same.
        if let Some(pid) = shop.processes().get(instance) {
            signal(*pid, "-KILL");
            victims.insert(instance.clone());
        }
        killed += 1;
        thread::sleep(BETWEEN_KILLS);
    }
    assert_eq!(victims.len(), instances.len(), "{victims:?}");
    let known: Vec<Known> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    let ids: BTreeSet<_> = known.iter().map(|order| &order.id).collect();
    assert_eq!(
        ids.len(),
        usize::try_from(ORDERS).unwrap(),
        "two keys, one order"
    );

    let settled: Vec<_> = known
        .iter()
        .map(|known| settle(shop.gateway(), &token, known, deadline))
        .collect();
    let count = |status: &str| {
        settled
            .iter()
            .filter(|known| known.as_str() == status)
            .count()
    };
    assert_eq!(count("payment_failed"), 16, "{settled:?}");
    // An order may be given up when payment is away too long; here it never is.
    assert_eq!(count("confirmed"), 184, "{settled:?}");

    shop.signal("-TERM");
    assert_eq!(shop.ended().code(), Some(0));
    let (agreed, said) = audit(&data);
    assert!(
        agreed && said.contains("200 orders, 184 confirmed"),
        "{said}"
    );
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_shop_that_lost_its_power_goes_on_where_it_was() {
    let data = std::env::temp_dir().join(format!("msf-shop-test-power-{}", std::process::id()));
    let dir = data.to_str().unwrap();
    let mut shop = Shop::start(&["--data", dir]);
    let headers = format!("{}idempotency-key: power\r\n", shop.ada());
    let slow = order(2, 3, "tok_slow").to_string();
    let asked = {
        let (gateway, headers, slow) = (shop.gateway(), headers.clone(), slow.clone());
        thread::spawn(move || send(gateway, "POST", "/api/orders", &headers, &slow))
    };
    // Once it has a price the goods are put aside, and the card takes two seconds.
    let deadline = Instant::now() + PATIENCE;
    while !shop.get("/api/orders", &headers).body.contains("1350") {
        assert!(
            Instant::now() < deadline,
            "{}",
            shop.get("/api/orders", &headers).body
        );
        thread::sleep(Duration::from_millis(20));
    }
    let pids: Vec<_> = shop.processes().into_values().collect();
    shop.signal("-KILL");
    pids.into_iter().for_each(|pid| signal(pid, "-KILL"));
    shop.ended();
    assert!(asked.join().unwrap().is_err(), "nobody was left to answer");

    let mut shop = Shop::start(&["--data", dir]);
    let headers = format!("{}idempotency-key: power\r\n", shop.ada());
    let again = send(shop.gateway(), "POST", "/api/orders", &headers, &slow).unwrap();
    let order = known(&again).unwrap();
    assert_eq!(
        settle(shop.gateway(), &headers, &order, deadline),
        "confirmed"
    );
    shop.signal("-TERM");
    assert_eq!(shop.ended().code(), Some(0));
    let (agreed, said) = audit(&data);
    assert!(agreed && said.contains("1 orders, 1 confirmed"), "{said}");
    std::fs::remove_dir_all(&data).unwrap();
}

/// Places an order as a careful client does: with the same key, until there is an answer.
fn place(gateway: SocketAddr, token: &str, key: &str, card: &str, deadline: Instant) -> Known {
    let headers = format!("{token}idempotency-key: {key}\r\n");
    let body = order(2, 1, card).to_string();
    loop {
        let answer = send(gateway, "POST", "/api/orders", &headers, &body);
        // A connection that breaks and an answer of the gateway alone say nothing about the order.
        if let Ok(answer) = answer {
            if let Some(known) = known(&answer) {
                return known;
            }
            assert!(answer.status >= 500, "{answer:?}");
        }
        assert!(Instant::now() < deadline, "{key}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Asks for an order until its status is final.
fn settle(gateway: SocketAddr, token: &str, order: &Known, deadline: Instant) -> String {
    let path = format!("/api/orders/{}", order.id);
    loop {
        if let Ok(answer) = send(gateway, "GET", &path, token, "")
            && let Some(known) = known(&answer)
            && !["pending", "cancelling"].contains(&known.status.as_str())
        {
            return known.status;
        }
        assert!(Instant::now() < deadline, "{order:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// What an answer says about an order: the order itself, or the problem that ended it.
fn known(answer: &Answer) -> Option<Known> {
    let body = answer.json();
    let (id, status) = match answer.status {
        200..=202 => (&body["id"], &body["status"]),
        402 | 409 => (&body["order_id"], &body["order_status"]),
        _ => return None,
    };
    Some(Known {
        id: id.as_i64()?.to_string(),
        status: status.as_str()?.to_owned(),
    })
}
