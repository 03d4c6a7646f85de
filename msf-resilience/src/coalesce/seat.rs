//! The part of one call, from joining to its outcome.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep, sleep_until};

use super::table::{Follow, Lead, Next, Part};
use crate::timed::poll_timer;

pin_project! {
    /// Leads, follows, or is alone.
    pub(super) struct Seat<K, T> {
        role: Role<K, T>,
        patience: Duration,
        #[pin]
        timer: Option<Sleep>,
    }
}

enum Role<K, T> {
    Leads(Lead<K, T>),
    Follows(Follow<K, T>),
    Alone,
}

/// What the call is to do now.
pub(super) enum Turn<T> {
    /// Make the call itself.
    Call,
    /// Take this outcome of another.
    Take(T),
}

impl<K, T> Seat<K, T> {
    pub(super) fn new(part: Part<K, T>, patience: Duration) -> Self {
        Self {
            role: match part {
                Part::Lead(lead) => Role::Leads(lead),
                Part::Follow(follow) => Role::Follows(follow),
                Part::Alone => Role::Alone,
            },
            patience,
            timer: None,
        }
    }

    pub(super) fn alone() -> Self {
        Self::new(Part::Alone, Duration::ZERO)
    }

    pub(super) const fn follows(&self) -> bool {
        matches!(self.role, Role::Follows(_))
    }

    pub(super) fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<T>>
    where
        T: Clone,
    {
        let mut this = self.project();
        loop {
            let Role::Follows(follow) = this.role else {
                return Poll::Ready(Turn::Call);
            };
            match follow.look(cx.waker(), *this.patience) {
                Next::Take(outcome) => {
                    *this.role = Role::Alone;
                    return Poll::Ready(Turn::Take(outcome));
                }
                Next::Alone => *this.role = Role::Alone,
                Next::Lead(lead) => *this.role = Role::Leads(lead),
                Next::Wait(until) => {
                    match this.timer.as_mut().as_pin_mut() {
                        Some(timer) if timer.deadline() != until => timer.reset(until),
                        Some(_) => {}
                        None => this.timer.set(Some(sleep_until(until))),
                    }
                    let timer = this.timer.as_mut().as_pin_mut();
                    match timer.map(|timer| poll_timer(timer, cx)) {
                        // Patience is at its end: look again, and lead.
                        Some(Poll::Ready(())) => {}
                        _ => return Poll::Pending,
                    }
                }
            }
            this.timer.set(None);
        }
    }

    /// Whether the patience is over, which begins with the first question. For a call that leads.
    pub(super) fn poll_patience(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.timer.is_none() {
            this.timer.set(Some(sleep(*this.patience)));
        }
        let timer = this.timer.as_mut().as_pin_mut();
        timer.map_or(Poll::Pending, |timer| poll_timer(timer, cx))
    }

    /// Shares an outcome, if this call led and somebody follows.
    pub(super) fn land(self: Pin<&mut Self>, outcome: impl FnOnce() -> T) {
        if let Role::Leads(lead) = self.leave() {
            lead.land(outcome);
        }
    }

    /// Tells followers to make their own calls.
    pub(super) fn scatter(self: Pin<&mut Self>) {
        if let Role::Leads(lead) = self.leave() {
            lead.scatter();
        }
    }

    /// Lets a follower make the call again.
    pub(super) fn vacate(self: Pin<&mut Self>) {
        drop(self.leave());
    }

    /// Whether this call leads others. If it leads nobody, nobody can join any more.
    pub(super) fn is_followed(self: Pin<&mut Self>) -> bool {
        match self.project().role {
            Role::Leads(lead) => !lead.end_alone(),
            Role::Follows(_) | Role::Alone => false,
        }
    }

    fn leave(self: Pin<&mut Self>) -> Role<K, T> {
        std::mem::replace(self.project().role, Role::Alone)
    }
}

impl<K, T> fmt::Debug for Seat<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.role {
            Role::Leads(_) => "Leads",
            Role::Follows(_) => "Follows",
            Role::Alone => "Alone",
        })
    }
}
