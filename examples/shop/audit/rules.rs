//! What has to hold when nothing is under way.

use std::{collections::BTreeMap, fmt};

use super::{
    Violation,
    books::{Books, Order},
};

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $check:expr;)+) => {
        /// What has to hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// Every rule.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in a report.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            fn broken(self, books: &Books) -> Vec<String> {
                match self {
                    $(Self::$name => $check(books),)+
                }
            }
        }
    };
}

rules! {
    /// Of every product: what there was is in the house or sold, and nothing is below zero.
    Stock = "stock", stock;
    /// Nothing is put aside any more.
    Reserved = "reserved", reserved;
    /// Of every product as much is sold as confirmed orders have of it.
    Sold = "sold", sold;
    /// No order is still on its way.
    Limbo = "limbo", limbo;
    /// A confirmed order was charged its total once and not refunded, under the payment it names.
    ChargedOnce = "charged_once", charged_once;
    /// Any other order was not charged, or got all of it back.
    NotCharged = "not_charged", not_charged;
    /// The total of an order is the sum of its lines, at the prices of its reservation.
    Total = "total", total;
    /// Goods have left the house for confirmed orders and for no others.
    Goods = "goods", goods;
    /// Every reservation, charge and movement of money belongs to an order and its customer.
    Orphan = "orphan", orphan;
    /// No order that has come to its end keeps a card.
    Card = "card", card;
    /// Every order, payment and user was told of exactly once.
    Events = "events", events;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(super) fn check(books: &Books) -> Vec<Violation> {
    let rules = Rule::ALL.iter().copied();
    rules
        .flat_map(|rule| {
            let broken = rule.broken(books).into_iter();
            broken.map(move |detail| Violation { rule, detail })
        })
        .collect()
}

fn stock(books: &Books) -> Vec<String> {
    let broken = books.products.iter().filter(|(_, p)| {
        let negative = [p.initial, p.on_hand, p.sold].iter().any(|n| *n < 0);
        negative || p.initial != p.on_hand + p.sold
    });
    broken
        .map(|(id, product)| format!("product {id}: {product:?}"))
        .collect()
}

fn reserved(books: &Books) -> Vec<String> {
    let aside = books.products.iter().filter(|(_, p)| p.reserved != 0);
    let products = aside.map(|(id, p)| format!("product {id}: {} are put aside", p.reserved));
    let open = books
        .reservations
        .iter()
        .filter(|(_, reservation)| reservation.state == "reserved")
        .map(|(order, _)| format!("order {order} has goods put aside"));
    products.chain(open).collect()
}

fn sold(books: &Books) -> Vec<String> {
    let mut due: BTreeMap<i64, i64> = books.products.keys().map(|id| (*id, 0)).collect();
    for order in books.orders.values().filter(|order| order.is_confirmed()) {
        for (product, quantity, _) in &order.lines {
            *due.entry(*product).or_default() += quantity;
        }
    }
    let broken = due.iter().filter_map(|(id, due)| {
        let sold = books.products.get(id).map_or(0, |product| product.sold);
        (sold != *due).then(|| format!("product {id}: {sold} sold, confirmed orders have {due}"))
    });
    broken.collect()
}

fn limbo(books: &Books) -> Vec<String> {
    let open = books.orders.iter().filter(|(_, order)| !order.is_settled());
    open.map(|(id, order)| format!("order {id} is at {:?}", order.state))
        .collect()
}

/// Amounts that moved for an order: charged, refunded.
fn moved(books: &Books, order: i64) -> (Vec<i64>, Vec<i64>) {
    let mut moved = (Vec::new(), Vec::new());
    for movement in books.ledger.iter().filter(|m| m.order == order) {
        match movement.kind.as_str() {
            "charge" => moved.0.push(movement.amount),
            _ => moved.1.push(movement.amount),
        }
    }
    moved
}

fn charged_once(books: &Books) -> Vec<String> {
    let confirmed = books
        .orders
        .iter()
        .filter(|(_, order)| order.is_confirmed());
    let broken = confirmed.filter_map(|(id, order)| {
        let moved = moved(books, *id);
        let paid = order.total.is_some_and(|total| moved.0 == [total]) && moved.1.is_empty();
        let named = books.charges.get(id).is_some_and(|charge| {
            charge.status == "charged"
                && charge.payment_id.is_some()
                && charge.payment_id == order.payment_id
        });
        let (total, payment) = (order.total, &order.payment_id);
        (!paid || !named)
            .then(|| format!("order {id} of {total:?} under {payment:?}: moved {moved:?}"))
    });
    broken.collect()
}

fn not_charged(books: &Books) -> Vec<String> {
    let others = books
        .orders
        .iter()
        .filter(|(_, order)| !order.is_confirmed());
    let broken = others.filter_map(|(id, order)| {
        let moved = moved(books, *id);
        let nothing = moved.0.is_empty() && moved.1.is_empty();
        let undone = moved.0.len() == 1 && moved.0 == moved.1;
        (!nothing && !undone).then(|| format!("order {id}, {}: moved {moved:?}", order.state))
    });
    broken.collect()
}

fn total(books: &Books) -> Vec<String> {
    let priced = books
        .orders
        .iter()
        .filter(|(_, order)| order.is_confirmed() || order.total.is_some());
    let broken = priced.filter_map(|(id, order)| {
        let sum = order.lines.iter().try_fold(0_i64, |sum, (_, n, price)| {
            sum.checked_add(price.as_ref()?.checked_mul(*n)?)
        });
        let same = books
            .reservations
            .get(id)
            .is_some_and(|reservation| reservation.lines == order.lines);
        (sum != order.total || sum.is_none() || !same)
            .then(|| format!("order {id}: total {:?}, lines {sum:?}", order.total))
    });
    broken.collect()
}

fn goods(books: &Books) -> Vec<String> {
    let handed_out = |id: &i64| {
        let reservation = books.reservations.get(id);
        reservation.is_some_and(|reservation| reservation.state == "committed")
    };
    let broken = books
        .orders
        .iter()
        .filter(|(id, order)| handed_out(id) != order.is_confirmed());
    broken
        .map(|(id, order)| {
            let state = books.reservations.get(id).map(|r| r.state.as_str());
            format!("order {id} is {}, its goods are {state:?}", order.state)
        })
        .collect()
}

fn orphan(books: &Books) -> Vec<String> {
    let unknown = |id: &i64| !books.orders.contains_key(id);
    let reservations = books
        .reservations
        .keys()
        .filter(|id| unknown(id))
        .map(|id| format!("reservation of order {id}"));
    let charges = books
        .charges
        .iter()
        .filter(|(id, charge)| {
            let owner = books.orders.get(id).map(|order| order.customer);
            owner.is_none()
                || charge
                    .customer
                    .is_some_and(|customer| Some(customer) != owner)
        })
        .map(|(id, _)| format!("charge of order {id}"));
    let money = books
        .ledger
        .iter()
        .filter(|movement| unknown(&movement.order) || !books.charges.contains_key(&movement.order))
        .map(|movement| format!("{} of order {}", movement.kind, movement.order));
    reservations.chain(charges).chain(money).collect()
}

fn card(books: &Books) -> Vec<String> {
    let keeps = |order: &Order| order.is_settled() && order.holds_card;
    let broken = books.orders.iter().filter(|(_, order)| keeps(order));
    broken
        .map(|(id, _)| format!("order {id} still holds its card"))
        .collect()
}

fn events(books: &Books) -> Vec<String> {
    let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (kind, subject) in &books.events {
        *told.entry((kind, subject)).or_default() += 1;
    }
    let orders = books
        .orders
        .keys()
        .map(|id| ("order.created", format!("order/{id}")));
    let payments = books
        .charges
        .iter()
        .filter(|(_, charge)| charge.payment_id.is_some())
        .map(|(id, _)| ("payment.processed", format!("order/{id}")));
    let users = books
        .users
        .iter()
        .map(|id| ("user.registered", format!("user/{id}")));
    let due: Vec<_> = orders.chain(payments).chain(users).collect();
    let mut broken: Vec<String> = due
        .iter()
        .filter_map(|(kind, subject)| {
            let times = told.remove(&(*kind, subject.as_str())).unwrap_or(0);
            (times != 1).then(|| format!("{kind} of {subject}: told {times} times"))
        })
        .collect();
    // A deleted user was told of as well; nothing else may be.
    let others = told.keys().filter(|(kind, _)| *kind != "user.registered");
    broken.extend(others.map(|(kind, subject)| format!("{kind} of {subject}, which is not there")));
    broken
}
