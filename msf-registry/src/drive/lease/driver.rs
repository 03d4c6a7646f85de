//! Asks the registry what the ledger says is due, and tells the ledger what came of it.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Duration};

use msf_core::clock;
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout},
};

use super::{
    leases::{Limits, Shared},
    ledger::{Call, Number, Put, Taken},
};
use crate::{
    backend::ServiceRegistry,
    drive::until,
    error::RegistryError,
    model::{Lease, Renewal},
};

/// Runs until nothing is registered any more.
pub(super) fn run(shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    // Made here and not at the first poll: a runtime that ends may never poll it, and its end must be noted all the same.
    let mut driver = Driver {
        shared,
        calls: JoinSet::new(),
        asked: HashMap::new(),
        is_away: false,
        is_done: false,
    };
    async move {
        while let ControlFlow::Continue(next_at) = driver.ask() {
            tokio::select! {
                Some(answer) = driver.calls.join_next_with_id() => driver.take(answer),
                () = driver.shared.bell.notified() => {}
                () = until(next_at) => {}
            }
        }
    }
}

struct Driver {
    shared: Arc<Shared>,
    calls: JoinSet<Answer>,
    /// Whom a call is about, should it panic.
    asked: HashMap<Id, Asked>,
    is_away: bool,
    /// Whether it has handed over: what is registered from then on is another driver's.
    is_done: bool,
}

/// Whom a call is about.
enum Asked {
    Put(Number, Put),
    Renew(Vec<Number>),
    Remove(Number),
}

enum Answer {
    Put(Result<Lease, RegistryError>),
    Renew(Result<Vec<Renewal>, RegistryError>),
    Remove(Result<(), RegistryError>),
}

impl Asked {
    /// What to make of a call that panicked: an answer that did not come.
    fn panicked(&self) -> Answer {
        let error = RegistryError::Protocol("the backend panicked".into());
        match self {
            Self::Put(..) => Answer::Put(Err(error)),
            Self::Renew(_) => Answer::Renew(Err(error)),
            Self::Remove(_) => Answer::Remove(Err(error)),
        }
    }
}

impl Driver {
    /// Makes the calls that are due; gives when the next one is, until nothing is left to do.
    fn ask(&mut self) -> ControlFlow<(), Option<Instant>> {
        let shared = Arc::clone(&self.shared);
        let mut book = shared.book();
        while self.calls.len() < CALLS_MAX
            && let Some(call) = book.ledger.call(clock::now())
        {
            self.call(call);
        }
        if book.ledger.is_empty() {
            book.is_driven = false;
            self.is_done = true;
            return ControlFlow::Break(());
        }
        // With no room for another call, an answer is what to wait for.
        let has_room = self.calls.len() < CALLS_MAX;
        ControlFlow::Continue(book.ledger.next_at().filter(|_| has_room))
    }

    fn call(&mut self, call: Call) {
        let (backend, limits) = (Arc::clone(&self.shared.backend), self.shared.limits);
        let (ttl, limit) = (limits.ttl, limit(limits));
        let (asked, handle) = match call {
            Call::Put(number, put) => {
                let instance = Arc::clone(&put.instance);
                let call =
                    async move { Answer::Put(limited(limit, backend.put(&instance, ttl)).await) };
                (Asked::Put(number, put), self.calls.spawn(call))
            }
            Call::Renew(batch) => {
                let (numbers, leases): (Vec<Number>, Vec<Lease>) = batch.into_iter().unzip();
                let call =
                    async move { Answer::Renew(limited(limit, renew(&*backend, &leases)).await) };
                (Asked::Renew(numbers), self.calls.spawn(call))
            }
            Call::Remove {
                number,
                lease,
                end_by,
            } => {
                let left = end_by.saturating_duration_since(clock::now());
                let limit = limit.min(left.max(REMOVE_MIN));
                let call =
                    async move { Answer::Remove(limited(limit, backend.remove(&lease)).await) };
                (Asked::Remove(number), self.calls.spawn(call))
            }
        };
        self.asked.insert(handle.id(), asked);
    }

    fn take(&mut self, answer: Result<(Id, Answer), JoinError>) {
        let (id, answer) = match answer {
            Ok((id, answer)) => (id, Some(answer)),
            // It panicked, which the panic hook has reported. It is as an answer that did not come.
            Err(error) => (error.id(), None),
        };
        let Some(asked) = self.asked.remove(&id) else {
            return;
        };
        let answer = answer.unwrap_or_else(|| asked.panicked());
        match (asked, answer) {
            (Asked::Put(number, put), Answer::Put(answer)) => self.put(number, &put, answer),
            (Asked::Renew(numbers), Answer::Renew(answer)) => self.renewed(&numbers, answer),
            (Asked::Remove(number), Answer::Remove(answer)) => self.removed(number, answer),
            (Asked::Put(..) | Asked::Renew(_) | Asked::Remove(_), _) => {
                unreachable!("a call is answered in kind")
            }
        }
    }

    fn put(&mut self, number: Number, put: &Put, answer: Result<Lease, RegistryError>) {
        let shared = Arc::clone(&self.shared);
        let (service, id) = (&put.instance.service, &put.instance.id);
        let told = answer.as_ref().map(Lease::clone);
        let mut book = shared.book();
        let taken = book.ledger.put(number, put, told, clock::now());
        match (taken, answer) {
            (Taken::Yes, _) => {
                book.taken(number, put.change);
                shared.renewals.registered.inc();
                let (addr, change) = (put.instance.addr(), put.change);
                tracing::info!(%service, instance = %id, %addr, change, "registered");
                self.back();
            }
            (Taken::Never { is_first }, Err(error)) => {
                shared.renewals.error.inc();
                if is_first {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(
                        %service,
                        instance = %id,
                        %error,
                        cause,
                        "the registry refuses this instance as it is"
                    );
                }
                book.refused(number, put.change, error);
            }
            (Taken::NotNow | Taken::Never { .. }, answer) => {
                shared.renewals.error.inc();
                book.tell(number);
                if let Err(error) = answer {
                    self.away(&error);
                }
            }
        }
        book.close(number, Ok(()));
    }

    fn renewed(&mut self, numbers: &[Number], answer: Result<Vec<Renewal>, RegistryError>) {
        let shared = Arc::clone(&self.shared);
        let (answers, error) = match answer {
            Ok(answers) => (answers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let mut book = shared.book();
        let gone = book.ledger.renewed(numbers, &answers, clock::now());
        let answered = answers.len().min(numbers.len());
        shared.renewals.ok.inc_by(count(answered - gone.len()));
        shared.renewals.gone.inc_by(count(gone.len()));
        shared
            .renewals
            .error
            .inc_by(count(numbers.len() - answered));
        for number in numbers {
            book.tell(*number);
            book.close(*number, Ok(()));
        }
        if !gone.is_empty() {
            tracing::warn!(
                instances = gone.len(),
                "the registry has forgotten instances of this process; they register again"
            );
        }
        match error {
            Some(error) => self.away(&error),
            None => self.back(),
        }
    }

    fn removed(&self, number: Number, answer: Result<(), RegistryError>) {
        let shared = Arc::clone(&self.shared);
        let mut book = shared.book();
        let wanted = book.ledger.wanted(number).cloned();
        if book.ledger.removed(number, answer.is_ok(), clock::now()) {
            return;
        }
        if let Some(instance) = wanted {
            tracing::info!(
                service = %instance.service,
                instance = %instance.id,
                is_told = answer.is_ok(),
                "deregistered"
            );
        }
        book.close(number, answer);
    }

    fn back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            tracing::info!("the registry takes instances again");
        }
    }

    /// Says it once per outage.
    fn away(&mut self, error: &RegistryError) {
        if !std::mem::replace(&mut self.is_away, true) {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(
                %error,
                cause,
                "the registry does not take instances; trying again until it does"
            );
        }
    }
}

/// When it ends before its last registration does, with the runtime, the next driver starts where it stopped.
impl Drop for Driver {
    fn drop(&mut self) {
        if !self.is_done {
            let mut book = self.shared.book();
            book.is_driven = false;
            book.ledger.interrupted(clock::now());
            book.abandon_ending();
        }
    }
}

async fn renew(
    backend: &dyn ServiceRegistry,
    leases: &[Lease],
) -> Result<Vec<Renewal>, RegistryError> {
    match leases {
        [lease] => backend.renew(lease).await.map(|renewal| vec![renewal]),
        leases => backend.renew_all(leases).await,
    }
}

async fn limited<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    timeout(limit, call)
        .await
        .unwrap_or(Err(RegistryError::Timeout(limit)))
}

/// A registry that hangs is as good as away. A third of the lease's time leaves enough of it for another try.
fn limit(limits: Limits) -> Duration {
    (limits.ttl / 3).max(CALL_MIN).min(limits.call)
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// More at once would be a storm on a registry that has just come back.
const CALLS_MAX: usize = 32;
const CALL_MIN: Duration = Duration::from_secs(1);
/// A registration that ends is given one honest try, however late it is.
pub(super) const REMOVE_MIN: Duration = Duration::from_millis(500);
