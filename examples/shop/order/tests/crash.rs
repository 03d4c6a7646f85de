//! The saga is stopped at every call, before and after it, and taken up again.

use std::{sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, Jitter},
    clock::WallClock,
    task,
};
use tokio::time::timeout;

use super::fakes::{Fault, Others};
use crate::{
    audit,
    ids::UserId,
    inventory::domain::Line,
    order::{
        self,
        domain::Order,
        driver::Patience,
        request::ValidOrder,
        saga::{Cause, State},
        service::Orders,
    },
    paths::DataDir,
    payment::card::CardToken,
    testing::TempDir,
};

const FAULTS: [Fault; 4] = [
    Fault::LostRequest,
    Fault::LostAnswer,
    Fault::CrashBefore,
    Fault::CrashAfter,
];

fn patience() -> Patience {
    let backoff = Backoff::exponential(Duration::from_millis(2), Duration::from_millis(10));
    Patience {
        call: Duration::from_secs(5),
        give_up: Duration::from_secs(60),
        backoff: backoff.unwrap().jitter(Jitter::None),
    }
}

fn request(product: i64, quantity: u32, card: &str) -> ValidOrder {
    ValidOrder {
        lines: vec![Line {
            product_id: product.try_into().unwrap(),
            quantity,
        }],
        payment_method: "card".to_owned(),
        card: CardToken::new(card.to_owned()).unwrap(),
    }
}

fn customer() -> UserId {
    UserId::try_from(7).unwrap()
}

/// One life of the order service: it is dropped as a process is killed.
struct Life {
    orders: Orders,
    _saga: task::Task<()>,
}

async fn live(data: &DataDir, others: &Others, patience: Patience) -> Life {
    let (inventory, payments) = (Arc::new(others.clone()), Arc::new(others.clone()));
    let clock = WallClock::system();
    let (orders, dispatcher) = order::start(data, inventory, payments, patience, clock)
        .await
        .unwrap();
    Life {
        orders,
        _saga: task::spawn("saga", dispatcher.run()),
    }
}

async fn place(life: &Life, request: &ValidOrder) -> Order {
    let placed = life
        .orders
        .place(customer(), "key".to_owned(), request.clone());
    timeout(Duration::from_secs(20), placed)
        .await
        .unwrap()
        .unwrap()
}

/// Places an order under these faults, living as often as it takes, and gives the order at its end.
async fn survive(data: &DataDir, others: &Others, request: &ValidOrder) -> Order {
    loop {
        let life = live(data, others, patience()).await;
        tokio::select! {
            () = others.crash() => drop(life),
            order = place(&life, request) => {
                assert!(order.state.is_final(), "{order:?}");
                return order;
            }
        }
    }
}

fn check(data: &DataDir) -> audit::Report {
    let report = audit::audit(data.path()).unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_or_a_loss_at_any_call_changes_nothing() {
    let courses = [
        (request(1, 2, "tok_visa"), State::Confirmed, 3),
        (
            request(1, 2, "tok_declined"),
            State::Undone(Cause::Declined),
            3,
        ),
        (request(24, 2, "tok_visa"), State::OutOfStock, 1),
    ];
    for (request, end, calls) in courses {
        for fault in FAULTS {
            for at in 0..=calls {
                let dir = TempDir::new();
                let data = DataDir::joined(dir.path().to_owned(), false);
                let others = Others::open(&data).await.with_faults([(at, fault)]);
                let order = survive(&data, &others, &request).await;
                assert_eq!(order.state, end, "{fault:?} at {at}");
                let extra = usize::from(at < calls);
                assert_eq!(others.calls(), calls + extra, "{fault:?} at {at}");
                let report = check(&data);
                assert_eq!(report.confirmed, usize::from(end == State::Confirmed));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_faults_in_any_two_calls_change_nothing() {
    for first in FAULTS {
        for second in FAULTS {
            let dir = TempDir::new();
            let data = DataDir::joined(dir.path().to_owned(), false);
            let faults = [(1, first), (2, second), (4, first)];
            let others = Others::open(&data).await.with_faults(faults);
            let order = survive(&data, &others, &request(1, 1, "tok_visa")).await;
            assert_eq!(order.state, State::Confirmed, "{first:?} {second:?}");
            assert_eq!(check(&data).revenue_minor, 129_900);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_at_any_moment_undoes_the_order_or_comes_too_late() {
    for fault in FAULTS {
        for at in 0..4 {
            let dir = TempDir::new();
            let data = DataDir::joined(dir.path().to_owned(), false);
            let others = Others::open(&data).await.with_faults([(at, fault)]);
            let life = live(&data, &others, patience()).await;
            let request = request(1, 1, "tok_visa");
            tokio::select! {
                () = others.crash() => {}
                _order = place(&life, &request) => {}
            }
            drop(life);
            let (orders, order) = {
                let life = order::start(
                    &data,
                    Arc::new(others.clone()),
                    Arc::new(others.clone()),
                    patience(),
                    WallClock::system(),
                );
                let (orders, _never_run) = life.await.unwrap();
                let id = 1.try_into().unwrap();
                let order = orders.db.read(move |tx| order::store::order(tx, id)).await;
                (orders, order.unwrap().unwrap())
            };
            // Nobody drives the order now: it is cancelled where it is.
            let cancelled = order::saga::cancel(order.state).is_some();
            if let Some(to) = order::saga::cancel(order.state) {
                let facts = order::store::Facts::default();
                let now = crate::timestamp::Timestamp::now(WallClock::system());
                let changed = orders
                    .db
                    .write(move |tx| order::store::change(tx, &order, to, &facts, now));
                assert!(changed.await.unwrap());
            }
            drop(orders);
            let order = survive(&data, &others, &request).await;
            let end = if cancelled {
                State::Undone(Cause::Cancelled)
            } else {
                State::Confirmed
            };
            assert_eq!(order.state, end, "{fault:?} at {at}");
            assert_eq!(check(&data).confirmed, usize::from(!cancelled));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_be_decided_is_called_off_when_the_others_are_back() {
    let dir = TempDir::new();
    let data = DataDir::joined(dir.path().to_owned(), false);
    let others = Others::open(&data).await;
    others.set_down(true);
    let patience = Patience {
        give_up: Duration::from_millis(100),
        ..patience()
    };
    let life = live(&data, &others, patience).await;
    let order = place(&life, &request(1, 1, "tok_visa")).await;
    assert_eq!(order.state, State::Release(Cause::GivenUp), "{order:?}");
    let report = audit::audit(data.path()).unwrap();
    assert_eq!(report.violations.len(), 1, "{report}");

    others.set_down(false);
    let order = place(&life, &request(1, 1, "tok_visa")).await;
    assert_eq!(order.state, State::Undone(Cause::GivenUp));
    check(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_on_one_database_do_no_harm() {
    let dir = TempDir::new();
    let data = DataDir::joined(dir.path().to_owned(), false);
    let others = Others::open(&data).await;
    let lives = [
        live(&data, &others, patience()).await,
        live(&data, &others, patience()).await,
    ];
    let placing: Vec<_> = (0..40)
        .map(|number| {
            let orders = lives[number % 2].orders.clone();
            // Every second request is sent to both.
            let key = format!("key-{}", number / 2);
            let card = if number / 2 % 5 == 0 {
                "tok_declined"
            } else {
                "tok_visa"
            };
            let request = request(1 + i64::try_from(number / 2 % 3).unwrap(), 1, card);
            task::spawn("place", async move {
                orders.place(customer(), key, request).await
            })
        })
        .collect();
    for placed in placing {
        let order = placed.join().await.unwrap().unwrap();
        assert!(order.state.is_final(), "{order:?}");
    }
    let report = check(&data);
    assert_eq!((report.orders, report.confirmed), (20, 16));
}
