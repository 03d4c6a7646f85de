//! The audit of books that are good, and of books with one fault each.

use super::{
    books::{Books, Charge, Movement, Order, Product, Reservation},
    *,
};

/// One confirmed order of two pieces, one declined order, nothing wrong.
fn good() -> Books {
    let mut books = Books::default();
    books.products.insert(
        1,
        Product {
            initial: 10,
            on_hand: 8,
            reserved: 0,
            sold: 2,
        },
    );
    let lines = vec![(1, 2, Some(500))];
    let event = |kind: &str, subject: &str| (kind.to_owned(), subject.to_owned());
    for (id, state, reservation, status) in [
        (1, "confirmed", "committed", "charged"),
        (2, "undone:declined", "released", "declined"),
    ] {
        let payment_id = Some(format!("pay_{id}"));
        books.orders.insert(
            id,
            Order {
                state: state.to_owned(),
                total: Some(1_000),
                payment_id: payment_id.clone(),
                customer: 7,
                holds_card: false,
                lines: lines.clone(),
            },
        );
        books.reservations.insert(
            id,
            Reservation {
                state: reservation.to_owned(),
                lines: lines.clone(),
            },
        );
        books.charges.insert(
            id,
            Charge {
                status: status.to_owned(),
                payment_id,
                customer: Some(7),
            },
        );
        books
            .events
            .push(event("order.created", &format!("order/{id}")));
        books
            .events
            .push(event("payment.processed", &format!("order/{id}")));
    }
    books.ledger.push(moved(1, "charge", 1_000));
    books.users.push(7);
    books.events.push(event("user.registered", "user/7"));
    books
}

fn moved(order: i64, kind: &str, amount: i64) -> Movement {
    Movement {
        order,
        kind: kind.to_owned(),
        amount,
    }
}

#[test]
fn good_books_break_no_rule() {
    assert_eq!(rules::check(&good()), []);
}

#[test]
fn every_rule_notices_what_it_is_for() {
    let order = |books: &mut Books, id, change: fn(&mut Order)| {
        change(books.orders.get_mut(&id).unwrap());
    };
    let product = |books: &mut Books, change: fn(&mut Product)| {
        change(books.products.get_mut(&1).unwrap());
    };
    type Damage<'a> = (Rule, Box<dyn Fn(&mut Books) + 'a>);
    let damages: Vec<Damage<'_>> = vec![
        (Rule::Stock, Box::new(|b| product(b, |p| p.on_hand -= 1))),
        (Rule::Reserved, Box::new(|b| product(b, |p| p.reserved = 1))),
        (
            Rule::Sold,
            Box::new(|b| product(b, |p| (p.sold, p.on_hand) = (3, 7))),
        ),
        (
            Rule::Limbo,
            Box::new(|b| order(b, 2, |o| o.state = "charge".to_owned())),
        ),
        (
            Rule::Limbo,
            Box::new(|b| order(b, 2, |o| o.state = "release:x".to_owned())),
        ),
        (Rule::ChargedOnce, Box::new(|b| b.ledger.clear())),
        (
            Rule::ChargedOnce,
            Box::new(|b| b.ledger.push(moved(1, "charge", 1_000))),
        ),
        (
            Rule::ChargedOnce,
            Box::new(|b| b.ledger.push(moved(1, "refund", 1_000))),
        ),
        (Rule::ChargedOnce, Box::new(|b| b.ledger[0].amount = 999)),
        (
            Rule::ChargedOnce,
            Box::new(|b| order(b, 1, |o| o.payment_id = None)),
        ),
        (
            Rule::NotCharged,
            Box::new(|b| b.ledger.push(moved(2, "charge", 1_000))),
        ),
        (
            Rule::NotCharged,
            Box::new(|b| b.ledger.push(moved(2, "refund", 1_000))),
        ),
        (
            Rule::Total,
            Box::new(|b| order(b, 1, |o| o.lines[0].2 = Some(1))),
        ),
        (
            Rule::Total,
            Box::new(|b| order(b, 1, |o| o.lines[0].2 = None)),
        ),
        (
            Rule::Goods,
            Box::new(|b| b.reservations.get_mut(&2).unwrap().state = "committed".to_owned()),
        ),
        (
            Rule::Goods,
            Box::new(|b| b.reservations.get_mut(&1).unwrap().state = "released".to_owned()),
        ),
        (
            Rule::Orphan,
            Box::new(|b| b.ledger.push(moved(9, "charge", 1))),
        ),
        (
            Rule::Orphan,
            Box::new(|b| drop(b.reservations.insert(9, Reservation::default()))),
        ),
        (
            Rule::Orphan,
            Box::new(|b| b.charges.get_mut(&1).unwrap().customer = Some(8)),
        ),
        (
            Rule::Card,
            Box::new(|b| order(b, 1, |o| o.holds_card = true)),
        ),
        (Rule::Events, Box::new(|b| drop(b.events.remove(0)))),
        (
            Rule::Events,
            Box::new(|b| b.events.push(b.events[0].clone())),
        ),
        (
            Rule::Events,
            Box::new(|b| {
                b.events
                    .push(("order.created".to_owned(), "order/9".to_owned()));
            }),
        ),
    ];
    for rule in Rule::ALL {
        assert!(
            damages.iter().any(|(of, _)| of == rule),
            "{rule} is not tried"
        );
    }
    for (at, (rule, damage)) in damages.iter().enumerate() {
        let mut books = good();
        damage(&mut books);
        let found = rules::check(&books);
        assert!(
            found.iter().any(|v| v.rule == *rule),
            "{at} {rule}: {found:?}"
        );
    }
}

#[test]
fn a_directory_without_databases_is_an_error() {
    let dir = crate::testing::TempDir::new();
    let error = audit(dir.path()).unwrap_err();
    assert!(error.to_string().contains("inventory.db"), "{error}");
}
