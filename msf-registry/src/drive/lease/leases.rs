//! What handles of registrations hold: the ledger, and a driver for as long as there is something to drive.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
    task,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot, watch},
    time::timeout,
};

use super::{
    driver::{self, REMOVE_MIN},
    entry::Stage,
    ledger::{Ledger, Number},
};
use crate::{
    backend::ServiceRegistry, drive::Standing, error::RegistryError, metrics::Renewals,
    model::Instance, registry::NotRegistered,
};

/// The registrations of one registry.
#[derive(Clone)]
pub(crate) struct Leases {
    shared: Arc<Shared>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) ttl: Duration,
    pub(crate) deregister: Duration,
    pub(crate) call: Duration,
}

/// One registration, as its handle holds it.
#[derive(Clone)]
pub(crate) struct Seat {
    leases: Leases,
    number: Number,
    standing: watch::Receiver<Standing>,
    /// Held while a change is made of what is wanted, so that none is lost to another.
    changing: Arc<Mutex<()>>,
}

/// The end of a registration, which happens whether or not somebody waits for it.
pub(crate) struct Ending {
    answer: oneshot::Receiver<Result<(), RegistryError>>,
    limit: Duration,
}

pub(super) struct Shared {
    pub(super) backend: Arc<dyn ServiceRegistry>,
    pub(super) limits: Limits,
    pub(super) renewals: Renewals,
    runtime: Option<Handle>,
    book: Mutex<Book>,
    /// Rung when something may be due sooner than it was.
    pub(super) bell: Notify,
}

/// What the ledger says, and who waits for what.
pub(super) struct Book {
    pub(super) ledger: Ledger,
    ears: HashMap<Number, Ears>,
    pub(super) is_driven: bool,
}

/// Those who want to know about one registration.
struct Ears {
    standing: watch::Sender<Standing>,
    /// Why it is refused.
    refused: Option<NotRegistered>,
    changes: Vec<(u64, oneshot::Sender<Result<(), NotRegistered>>)>,
    ends: Vec<oneshot::Sender<Result<(), RegistryError>>>,
}

impl Leases {
    pub(crate) fn new(
        backend: Arc<dyn ServiceRegistry>,
        limits: Limits,
        renewals: Renewals,
        runtime: Option<Handle>,
    ) -> Self {
        let book = Book {
            ledger: Ledger::new(limits.ttl, fastrand::u64(..)),
            ears: HashMap::new(),
            is_driven: false,
        };
        Self {
            shared: Arc::new(Shared {
                backend,
                limits,
                renewals,
                runtime,
                book: Mutex::new(book),
                bell: Notify::new(),
            }),
        }
    }

    /// Keeps an instance registered from now on. A second one of the same id is refused, which shows in its standing.
    ///
    /// Panics outside a runtime unless one was named.
    pub(crate) fn register(&self, instance: Instance) -> Seat {
        // Before anything is noted, because it may panic.
        let runtime = self.shared.runtime.clone().unwrap_or_else(Handle::current);
        let (sender, standing) = watch::channel(Standing::Pending);
        let (service, id) = (instance.service.clone(), instance.id.clone());
        let mut book = self.shared.book();
        let Ok(number) = book.ledger.add(instance, clock::now()) else {
            drop(book);
            tracing::error!(%service, instance = %id, "this id is registered by this process already");
            let duplicate = RegistryError::DuplicateId { service, id };
            sender.send_replace(Standing::Refused(NotRegistered(Arc::new(duplicate))));
            return self.seat(Number::MAX, standing);
        };
        book.ears.insert(number, Ears::new(sender));
        self.drive(book, &runtime);
        self.seat(number, standing)
    }

    /// Ends the registration of an id; `None` when there is none.
    pub(crate) fn unregister(&self, service: &ServiceName, id: &InstanceId) -> Option<Ending> {
        let number = self.shared.book().ledger.living(service, id)?;
        Some(self.end(number))
    }

    fn seat(&self, number: Number, standing: watch::Receiver<Standing>) -> Seat {
        Seat {
            leases: self.clone(),
            number,
            standing,
            changing: Arc::default(),
        }
    }

    fn end(&self, number: Number) -> Ending {
        let (sender, answer) = oneshot::channel();
        let ending = Ending {
            answer,
            limit: self.shared.limits.deregister + REMOVE_MIN,
        };
        let mut book = self.shared.book();
        let (now, within) = (clock::now(), self.shared.limits.deregister);
        if !book.ledger.end(number, now, within) {
            let _nobody = sender.send(Ok(()));
            return ending;
        }
        if let Some(ears) = book.ears.get_mut(&number) {
            ears.ends.push(sender);
        }
        book.tell(number);
        book.close(number, Ok(()));
        if book.is_driven {
            drop(book);
            self.shared.bell.notify_one();
        } else if let Some(runtime) = self.runtime() {
            self.drive(book, &runtime);
        } else {
            // The runtime that drove it is gone and there is no other: the lease expires.
            book.abandon_ending();
        }
        ending
    }

    fn runtime(&self) -> Option<Handle> {
        let named = self.shared.runtime.clone();
        named.or_else(|| Handle::try_current().ok())
    }

    /// Sees to it that somebody looks at the ledger.
    fn drive(&self, mut book: MutexGuard<'_, Book>, runtime: &Handle) {
        if book.is_driven || book.ledger.is_empty() {
            drop(book);
            self.shared.bell.notify_one();
            return;
        }
        book.is_driven = true;
        drop(book);
        let driver = driver::run(Arc::clone(&self.shared));
        let _entered = runtime.enter();
        // It ends by itself when nothing is registered any more.
        task::spawn_root("registry-lease", driver).detach();
    }
}

impl Seat {
    pub(crate) const fn standing(&self) -> &watch::Receiver<Standing> {
        &self.standing
    }

    pub(crate) fn wanted(&self) -> Option<Arc<Instance>> {
        let book = self.leases.shared.book();
        book.ledger.wanted(self.number).cloned()
    }

    /// Changes what is wanted; the answer comes when the registry has taken or refused it.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(Instance) -> Instance,
    ) -> Result<oneshot::Receiver<Result<(), NotRegistered>>, RegistryError> {
        let changing = self.changing.lock();
        let _changing = changing.unwrap_or_else(PoisonError::into_inner);
        let before = self.wanted().ok_or(RegistryError::Deregistered)?;
        // Outside the book's lock: it is not our code.
        let after = change(Instance::clone(&before));
        if (&after.service, &after.id) != (&before.service, &before.id) {
            return Err(RegistryError::IdentityChanged);
        }
        after.validate()?;
        let (sender, receiver) = oneshot::channel();
        let mut book = self.leases.shared.book();
        let changed = book.ledger.change(self.number, after, clock::now());
        let (number, is_taken) = changed.ok_or(RegistryError::Deregistered)?;
        if is_taken {
            let _gone = sender.send(Ok(()));
        } else if let Some(ears) = book.ears.get_mut(&self.number) {
            ears.changes.retain(|(_, waiting)| !waiting.is_closed());
            ears.changes.push((number, sender));
        }
        drop(book);
        self.leases.shared.bell.notify_one();
        Ok(receiver)
    }

    /// Begins the end.
    pub(crate) fn end(&self) -> Ending {
        self.leases.end(self.number)
    }

    /// For how long the registry is asked for an end.
    pub(crate) fn end_limit(&self) -> Duration {
        self.leases.shared.limits.deregister
    }
}

impl Ending {
    /// Waits until nothing is left to do, and not much longer than that is tried: a call that hangs may have begun
    /// before, and has a limit of its own.
    pub(crate) async fn wait(self) -> Result<(), RegistryError> {
        match timeout(self.limit, self.answer).await {
            // Whoever answers lives as long as the registration.
            Ok(answer) => answer.unwrap_or(Ok(())),
            Err(_late) => Err(RegistryError::Timeout(self.limit)),
        }
    }
}

impl Shared {
    /// A panic while it was held would be a defect of ours in code that does no I/O; the data is still whole enough.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Tells where a registration stands, if that is news.
    pub(super) fn tell(&mut self, number: Number) {
        let stage = self.ledger.stage(number, clock::now());
        let Some(ears) = self.ears.get_mut(&number) else {
            return;
        };
        let standing = match (stage, &ears.refused) {
            (Stage::Refused, Some(refused)) => Standing::Refused(refused.clone()),
            (Stage::Registered, _) => Standing::Registered,
            (Stage::Lost, _) => Standing::Lost,
            (Stage::Ended, _) => Standing::Ended,
            (Stage::Pending | Stage::Refused, _) => Standing::Pending,
        };
        ears.standing.send_if_modified(|before| {
            let is_news = std::mem::discriminant(before) != std::mem::discriminant(&standing);
            if is_news {
                *before = standing;
            }
            is_news
        });
    }

    /// The registry holds this change and all before it.
    pub(super) fn taken(&mut self, number: Number, change: u64) {
        self.answer(number, change, &Ok(()));
        self.tell(number);
    }

    /// The registry refuses this change and all before it.
    pub(super) fn refused(&mut self, number: Number, change: u64, error: RegistryError) {
        let refused = NotRegistered(Arc::new(error));
        if let Some(ears) = self.ears.get_mut(&number) {
            ears.refused = Some(refused.clone());
        }
        self.answer(number, change, &Err(refused));
        self.tell(number);
    }

    fn answer(&mut self, number: Number, change: u64, answer: &Result<(), NotRegistered>) {
        let Some(ears) = self.ears.get_mut(&number) else {
            return;
        };
        for (_, waiting) in ears.changes.extract_if(.., |(of, _)| *of <= change) {
            let _gone = waiting.send(answer.clone());
        }
    }

    /// Forgets a registration that is over, and tells those who wait for its end.
    pub(super) fn close(&mut self, number: Number, outcome: Result<(), RegistryError>) {
        if !self.ledger.is_over(number) {
            return;
        }
        let Some(ears) = self.ears.remove(&number) else {
            return;
        };
        ears.standing.send_replace(Standing::Ended);
        let is_told = outcome.is_ok();
        let mut first = Some(outcome);
        for waiting in ears.ends {
            // An error cannot be copied; who asked first gets it.
            let next = first.take().unwrap_or_else(|| not_ended(is_told));
            let _gone = waiting.send(next);
        }
        let ended = NotRegistered(Arc::new(RegistryError::Deregistered));
        for (_, waiting) in ears.changes {
            let _gone = waiting.send(Err(ended.clone()));
        }
    }

    /// Nobody is there to end what ends.
    pub(super) fn abandon_ending(&mut self) {
        for number in self.ledger.abandon_ending() {
            self.close(number, not_ended(false));
        }
    }
}

impl Ears {
    fn new(standing: watch::Sender<Standing>) -> Self {
        Self {
            standing,
            refused: None,
            changes: Vec::new(),
            ends: Vec::new(),
        }
    }
}

fn not_ended(is_told: bool) -> Result<(), RegistryError> {
    if is_told {
        Ok(())
    } else {
        let cause = "the registration ended without the registry";
        Err(RegistryError::Unreachable(cause.into()))
    }
}
