//! What a customer may ask for.

use msf_core::problem::{Code, Problem};
use serde::Deserialize;

use crate::{
    ids::ProductId,
    inventory::domain::Line,
    payment::{card::CardToken, wire::CARD},
};

/// `POST /api/orders`. It has no customer and no price: the first is whose token it is, the second is the
/// inventory's to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateOrder {
    items: Vec<Line>,
    payment: Payment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    payment_method: String,
    card_token: String,
}

/// A request that makes sense.
#[derive(Clone, Debug)]
pub(crate) struct ValidOrder {
    pub(crate) lines: Vec<Line>,
    pub(crate) payment_method: String,
    pub(crate) card: CardToken,
}

impl CreateOrder {
    /// Checks everything that can be checked without asking others.
    ///
    /// # Errors
    ///
    /// `validation_failed` with every place that is wrong.
    pub(crate) fn check(self) -> Result<ValidOrder, Problem> {
        let mut problem = Problem::new(Code::ValidationFailed);
        if self.items.is_empty() || self.items.len() > LINES_MAX {
            problem = problem.with_error("/items", format!("must have 1 to {LINES_MAX} entries"));
        }
        for (at, line) in self.items.iter().take(LINES_MAX).enumerate() {
            if !(1..=QUANTITY_MAX).contains(&line.quantity) {
                problem = problem.with_error(
                    format!("/items/{at}/quantity"),
                    format!("must be 1 to {QUANTITY_MAX}"),
                );
            }
            if is_repeated(&self.items, at, line.product_id) {
                problem = problem.with_error(
                    format!("/items/{at}/product_id"),
                    "is listed more than once",
                );
            }
        }
        if self.payment.payment_method != CARD {
            problem = problem.with_error("/payment/payment_method", "must be `card`");
        }
        match CardToken::new(self.payment.card_token) {
            Some(card) if problem.errors().is_empty() => Ok(ValidOrder {
                lines: self.items,
                payment_method: self.payment.payment_method,
                card,
            }),
            Some(_) => Err(problem),
            None => Err(problem.with_error("/payment/card_token", "is not a card token")),
        }
    }
}

impl ValidOrder {
    /// The request in one spelling, for telling whether two are the same.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let lines: Vec<(i64, u32)> = self
            .lines
            .iter()
            .map(|line| (line.product_id.into(), line.quantity))
            .collect();
        format!("{lines:?} {} {}", self.payment_method, self.card.expose()).into_bytes()
    }
}

fn is_repeated(lines: &[Line], at: usize, product: ProductId) -> bool {
    lines[..at].iter().any(|line| line.product_id == product)
}

/// A basket that a person fills.
const LINES_MAX: usize = 50;
const QUANTITY_MAX: u32 = 1_000;
