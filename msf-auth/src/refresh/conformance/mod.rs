//! What every store of refresh tokens must do, as one suite.
//!
//! ```
//! use msf_auth::refresh::{MemoryRefreshStore, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run(|| async { MemoryRefreshStore::new() }).await;
//! # }
//! ```
//!
//! | part | what |
//! |---|---|
//! | rows | kept and found as they were, whatever their text; removed; compare-and-set, also of many at once |
//! | cancellation | every call dropped at every await is whole or absent |
//! | tokens | [`RefreshTokens`](super::RefreshTokens) on the store: one successor for many at once, reuse, revocation, bounds |
//!
//! It takes the time from the system's clock and waits for none, so a store may have its own threads.

#![expect(
    clippy::unwrap_used,
    reason = "a suite fails by panicking, as tests do"
)]

mod cancel;
mod rows;
mod sessions;

use super::{Family, FamilyId, Grant, RefreshPolicy, RefreshStore};

/// Runs every scenario; `make` gives an empty store each time, which takes at least 100 families.
///
/// # Panics
///
/// When the store breaks a rule; the message says which.
pub async fn run<S: RefreshStore + Clone, F: Future<Output = S>>(make: impl Fn() -> F) {
    macro_rules! scenarios {
        ($($file:ident::$scenario:ident,)+) => {
            // Boxed, so that the suite is not as large on the stack as all scenarios together.
            $(Box::pin(async { $file::$scenario(make().await).await }).await;)+
        };
    }
    scenarios! {
        rows::a_family_is_kept_as_it_is,
        rows::hostile_text_is_kept_as_it_is,
        rows::an_id_is_taken_once,
        rows::only_the_next_version_replaces,
        rows::of_many_changes_at_once_one_is_made,
        rows::only_the_known_version_is_removed,
        rows::owners_do_not_mix,
        rows::live_ones_come_first_and_unused_ones_before,
        rows::what_is_due_is_found_in_its_order,
        cancel::a_call_dropped_at_any_await_is_whole_or_absent,
        sessions::many_at_once_get_one_successor,
        sessions::the_second_use_ends_the_session,
        sessions::a_revoked_session_stays_revoked,
        sessions::an_exchange_and_a_revocation_at_once_end_revoked,
        sessions::a_subject_has_no_more_sessions_than_allowed,
    }
}

/// A family of a subject and a session, used at a time.
fn family(id: u8, subject: &str, session: &str, used_ms: u64) -> Family {
    let grant = Grant::new(subject).session(session).client("web");
    let (id, policy) = (FamilyId::from_bytes([id; 16]), RefreshPolicy::default());
    Family::new(id, grant, [2; 32], [3; 32], &policy, used_ms)
}

/// The family with its next version.
fn next(family: &Family, used_ms: u64) -> Family {
    let policy = RefreshPolicy::default();
    let sealed = vec![7; 96].into_boxed_slice();
    family.rotated([4; 32], sealed, &policy, used_ms).unwrap()
}
