//! The course of an order, as a pure function of where it is and what happened.
//!
//! ```text
//! Reserve --held--> Charge --charged--> Commit --done--> Confirmed -> Shipped -> Delivered
//!    |  \             |  \
//!    |   \refused     |   \declined ------> Release --done--> PaymentFailed
//!    |    OutOfStock  |
//!    |                \ cancelled, given up -> Refund --done--> Release --done--> Cancelled
//!    \ cancelled, given up -------------------------------------^
//! ```
//!
//! Each state that is not final is one call to another service, written down before the call is made.
//! Every call may be made again: the services answer each order once. An outcome that is not known
//! is followed by the same call, never by a guess; when it stays unknown for too long the order
//! is called off, and calling off is itself a call that is repeated until it is answered.
//!
//! Charging is the point of no return: once it is answered with `charged` the order goes forward only.

#[cfg(test)]
mod tests;

use crate::money::Money;

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Next: put the goods aside.
    Reserve,
    /// Next: take the money.
    Charge,
    /// Next: hand out the goods, which are paid.
    Commit,
    /// Next: give the money back, or see to it that none is taken.
    Refund(Cause),
    /// Next: put the goods back, or see to it that none are taken.
    Release(Cause),
    /// Paid, and the goods are the customer's.
    Confirmed,
    /// Confirmed, and on its way.
    Shipped,
    /// Shipped, and there.
    Delivered,
    /// There were not enough of the goods; nothing was charged.
    OutOfStock,
    /// Undone, for this cause; nothing is charged and nothing is put aside.
    Undone(Cause),
}

/// Why an order is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The customer, or the shop, called it off.
    Cancelled,
    /// The card was refused.
    Declined,
    /// A service stayed away for too long, or said what it never should.
    GivenUp,
}

/// What came of the call that a state asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Reserve: everything is put aside, and this is what it costs.
    Held(Money),
    /// Reserve: there is not enough.
    Refused,
    /// Charge: paid.
    Charged,
    /// Charge: the card was refused.
    Declined,
    /// Commit, refund, release: done.
    Done,
    /// The other service says that the order cannot be in this state.
    Contradiction,
    /// Nobody knows: no answer, or one that says nothing.
    Unknown {
        /// Whether the step has been going on for longer than the shop waits.
        too_long: bool,
    },
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go to this state.
    To(State),
    /// Make the same call again, later.
    Again,
}

/// Decides what follows an outcome.
///
/// An outcome that does not belong to the state changes nothing.
pub(crate) fn next(state: State, outcome: &Outcome) -> Step {
    use Cause::{Cancelled, Declined, GivenUp};
    use Outcome::{Contradiction, Done, Held, Refused, Unknown};
    match (state, outcome) {
        (State::Reserve, Held(_)) => Step::To(State::Charge),
        (State::Reserve, Refused) => Step::To(State::OutOfStock),
        (State::Reserve, Contradiction | Unknown { too_long: true }) => {
            Step::To(State::Release(GivenUp))
        }
        (State::Charge, Outcome::Charged) => Step::To(State::Commit),
        (State::Charge, Outcome::Declined) => Step::To(State::Release(Declined)),
        // Called off at the other end means that somebody here has called it off and was not heard of.
        (State::Charge, Contradiction) => Step::To(State::Refund(Cancelled)),
        (State::Charge, Unknown { too_long: true }) => Step::To(State::Refund(GivenUp)),
        (State::Commit, Done) => Step::To(State::Confirmed),
        // Paid goods that are not there: an error of ours that must not keep the customer's money.
        (State::Commit, Contradiction) => Step::To(State::Refund(GivenUp)),
        (State::Refund(cause), Done) => Step::To(State::Release(cause)),
        (State::Release(cause), Done) => Step::To(State::Undone(cause)),
        _ => Step::Again,
    }
}

/// Where an order goes when it is called off; `None` when it is too late.
pub(crate) fn cancel(state: State) -> Option<State> {
    match state {
        State::Reserve => Some(State::Release(Cause::Cancelled)),
        // Whether the call that is on its way will charge is not known, so it is answered by a refund.
        State::Charge => Some(State::Refund(Cause::Cancelled)),
        _ => None,
    }
}

/// Whether staff may say that an order has gone from one state to the other.
pub(crate) fn may_set(from: State, to: State) -> bool {
    matches!(
        (from, to),
        (State::Confirmed, State::Shipped) | (State::Shipped, State::Delivered)
    )
}

impl State {
    /// Whether no call is left to be made.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Reserve | Self::Charge | Self::Commit | Self::Refund(_) | Self::Release(_) => {
                false
            }
            Self::Confirmed
            | Self::Shipped
            | Self::Delivered
            | Self::OutOfStock
            | Self::Undone(_) => true,
        }
    }

    /// Whether the order is being undone, or is.
    pub(crate) fn is_undone(self) -> bool {
        matches!(self, Self::Refund(_) | Self::Release(_) | Self::Undone(_))
    }

    /// The word that customers read. On which step an unfinished order is, is the shop's own business.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Refund(Cause::Cancelled) | Self::Release(Cause::Cancelled) => "cancelling",
            Self::Reserve | Self::Charge | Self::Commit | Self::Refund(_) | Self::Release(_) => {
                "pending"
            }
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::OutOfStock => "out_of_stock",
            Self::Undone(Cause::Declined) => "payment_failed",
            Self::Undone(Cause::Cancelled | Cause::GivenUp) => "cancelled",
        }
    }

    /// The word that is stored, one for each state.
    pub(crate) fn word(self) -> &'static str {
        WORDS
            .iter()
            .find(|(state, _)| *state == self)
            .map_or("", |(_, word)| word)
    }

    /// The state of a stored word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        WORDS
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(state, _)| *state)
    }
}

const WORDS: [(State, &str); 16] = [
    (State::Reserve, "reserve"),
    (State::Charge, "charge"),
    (State::Commit, "commit"),
    (State::Refund(Cause::Cancelled), "refund:cancelled"),
    (State::Refund(Cause::Declined), "refund:declined"),
    (State::Refund(Cause::GivenUp), "refund:given_up"),
    (State::Release(Cause::Cancelled), "release:cancelled"),
    (State::Release(Cause::Declined), "release:declined"),
    (State::Release(Cause::GivenUp), "release:given_up"),
    (State::Confirmed, "confirmed"),
    (State::Shipped, "shipped"),
    (State::Delivered, "delivered"),
    (State::OutOfStock, "out_of_stock"),
    (State::Undone(Cause::Cancelled), "undone:cancelled"),
    (State::Undone(Cause::Declined), "undone:declined"),
    (State::Undone(Cause::GivenUp), "undone:given_up"),
];
