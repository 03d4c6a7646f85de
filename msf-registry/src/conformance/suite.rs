//! Which scenarios run, and within which limits.

use std::time::Duration;

use msf_core::{clock, name::ServiceName};

use super::{
    cancel, lease, read,
    stage::{Leased, Stage},
};
use crate::{
    backend::{Discovery, ServiceRegistry},
    error::RegistryError,
    model::{Change, Cursor, Health, Member, Snapshot},
};

/// The suite with the limits of one backend.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::conformance::Suite;
///
/// let of_whole_seconds = Suite::new()
///     .shortest_lease(Duration::from_secs(2))
///     .patience(Duration::from_secs(10));
/// # let _ = of_whole_seconds;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Suite {
    /// The shortest lease that the backend grants.
    pub(super) short: Duration,
    /// A lease that does not end during the suite.
    pub(super) long: Duration,
    /// How long after its time an expired instance may be listed, and how long a question is left
    /// to hang before it is dropped.
    pub(super) grace: Duration,
    pub(super) patience: Duration,
    except: &'static [&'static str],
}

/// The scenarios about [`Authority`](crate::Authority): who believes an empty list.
pub const AUTHORITY: &[&str] = &[
    "an_emptied_list_is_explicit",
    "a_list_emptied_by_expiry_is_not_explicit",
    "an_expiry_before_the_last_goodbye_is_not_explicit",
];

/// Runs the whole suite with the usual limits; `make` gives an empty registry each time.
///
/// # Panics
///
/// When the backend breaks a rule; the message says which.
pub async fn run<B: ServiceRegistry, F: Future<Output = B>>(make: impl Fn() -> F) {
    Suite::new().run(make).await;
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

impl Suite {
    /// Every scenario, leases of 300 ms, and 5 s until a change must have been heard of.
    pub const fn new() -> Self {
        Self {
            short: Duration::from_millis(300),
            long: Duration::from_secs(60),
            grace: Duration::from_millis(100),
            patience: Duration::from_secs(5),
            except: &[],
        }
    }

    /// The shortest lease that the backend grants exactly as asked for; 300 ms unless set.
    pub const fn shortest_lease(mut self, ttl: Duration) -> Self {
        self.short = ttl;
        self
    }

    /// How long after its time a lease may still be listed; 100 ms unless set.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Within which time a change must have been heard of; 5 s unless set.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Leaves scenarios out, by name: what the backend cannot do, written down in its test.
    pub const fn except(mut self, names: &'static [&'static str]) -> Self {
        self.except = names;
        self
    }

    /// Runs everything; `make` gives an empty registry each time.
    ///
    /// # Panics
    ///
    /// When the backend breaks a rule, the message says which; when an exception is no scenario.
    pub async fn run<B: ServiceRegistry, F: Future<Output = B>>(self, make: impl Fn() -> F) {
        self.check_exceptions();
        read_part(&self, || async { Leased::new(make().await, self.long) }).await;
        lease_part(&self, &make).await;
    }

    /// Runs what holds for a backend that is only read; `make` gives a stage where nothing is listed
    /// each time.
    ///
    /// # Panics
    ///
    /// When the backend breaks a rule, the message says which; when an exception is no scenario.
    pub async fn run_discovery<S: Stage, F: Future<Output = S>>(self, make: impl Fn() -> F) {
        self.check_exceptions();
        read_part(&self, &make).await;
    }

    /// A misspelt exception would look like a rule that is kept.
    fn check_exceptions(&self) {
        for name in self.except {
            let is_known = READ_PART.contains(name) || LEASE_PART.contains(name);
            assert!(is_known, "{name:?} is no scenario of this suite");
        }
    }

    fn includes(&self, name: &str) -> bool {
        !self.except.contains(&name)
    }

    /// Asks until so many can be called.
    pub(super) async fn until(
        &self,
        backend: &impl Discovery,
        service: &ServiceName,
        mut cursor: Cursor,
        count: usize,
    ) -> Snapshot {
        let deadline = clock::now() + self.patience;
        while clock::now() < deadline {
            let answer = tokio::time::timeout_at(deadline, backend.next(service, cursor)).await;
            let snapshot = match answer {
                Ok(Ok(Change::Changed(snapshot))) => snapshot,
                Ok(Ok(Change::Unchanged)) | Err(_) => continue,
                Ok(Err(RegistryError::CursorLost)) => backend.fetch(service).await.unwrap(),
                Ok(Err(error)) => panic!("asked for changes of {service}: {error:?}"),
            };
            if callable(&snapshot).count() == count {
                return snapshot;
            }
            cursor = snapshot.cursor();
            // A backend whose positions are always lost must not make this loop a busy one.
            tokio::task::yield_now().await;
        }
        panic!(
            "nobody heard of {count} instances of {service} within {:?}",
            self.patience
        )
    }

    /// The list, once the registry vouches for it: after a warm-up, if it has one.
    pub(super) async fn vouched(
        &self,
        backend: &impl Discovery,
        service: &ServiceName,
    ) -> Snapshot {
        let deadline = clock::now() + self.patience;
        loop {
            let snapshot = backend.fetch(service).await.unwrap();
            if snapshot.is_authoritative() {
                return snapshot;
            }
            assert!(clock::now() < deadline, "it never vouches for its lists");
            tokio::time::sleep(self.grace / 4).await;
        }
    }
}

/// Those that callers would pick: an expired instance may stay listed as unhealthy.
pub(super) fn callable(snapshot: &Snapshot) -> impl Iterator<Item = &Member> {
    let members = snapshot.instances().iter();
    members.filter(|member| member.health != Health::Unhealthy)
}

macro_rules! part {
    (
        $(#[$doc:meta])*
        $names:ident, $run:ident: $bound:ident;
        $($file:ident::$scenario:ident,)+
    ) => {
        const $names: &[&str] = &[$(stringify!($scenario)),+];

        $(#[$doc])*
        async fn $run<T: $bound, F: Future<Output = T>>(suite: &Suite, make: impl Fn() -> F) {
            $(
                if suite.includes(stringify!($scenario)) {
                    // Boxed, so that the suite is not as large on the stack as all scenarios together.
                    Box::pin(async { $file::$scenario(&make().await, suite).await }).await;
                }
            )+
        }
    };
}

part! {
    READ_PART, read_part: Stage;
    read::nobody_is_listed_for_an_unknown_service,
    read::what_is_listed_is_found,
    read::services_do_not_mix,
    read::services_are_sorted_and_named_once,
    read::a_hundred_instances_are_found,
    read::ids_stay_the_same,
    read::a_change_moves_the_position_forward,
    read::a_waiter_hears_of_an_addition,
    read::a_waiter_hears_of_a_removal,
    read::a_waiter_hears_of_the_end_of_the_last,
    read::many_waiters_hear_of_one_change,
    read::no_change_is_missed_between_two_questions,
    read::an_unknown_position_is_answered,
    read::a_dropped_question_loses_nothing,
    read::an_emptied_list_is_explicit,
    cancel::a_question_dropped_at_any_await_loses_nothing,
}

part! {
    LEASE_PART, lease_part: ServiceRegistry;
    lease::a_registered_instance_is_listed_whole,
    lease::hostile_text_is_kept_as_it_is,
    lease::ids_of_every_form_are_kept_apart,
    lease::the_same_id_replaces,
    lease::only_the_last_lease_counts,
    lease::a_renewed_lease_outlives_its_time,
    lease::a_renewed_lease_ends_too,
    lease::a_renewal_is_no_news,
    lease::the_end_of_a_replaced_lease_ends_nobody,
    lease::an_expired_lease_is_gone,
    lease::removing_twice_is_no_error,
    lease::who_left_can_come_back,
    lease::a_forged_lease_counts_for_nothing,
    lease::a_waiter_hears_of_an_expiry,
    lease::a_waiter_hears_of_another_status,
    lease::renewed_together_each_has_its_own_answer,
    lease::registrations_at_once_are_all_listed,
    lease::one_id_at_once_ends_with_one_lease,
    lease::an_invalid_instance_is_refused,
    lease::a_lease_of_no_time_is_not_granted,
    lease::a_list_emptied_by_expiry_is_not_explicit,
    lease::an_expiry_before_the_last_goodbye_is_not_explicit,
    cancel::a_put_dropped_at_any_await_leaves_a_whole_registry,
    cancel::a_renewal_dropped_at_any_await_keeps_the_lease,
    cancel::a_removal_dropped_at_any_await_can_be_repeated,
}
