//! Calls that are dropped at each of their awaits.

use async_trait::async_trait;
use tokio::task;

use crate::{
    audit::{Audit, Kind, MemorySink},
    refresh::{
        Family, FamilyId, Grant, MemoryRefreshStore, Owner, Presented, RefreshError, RefreshPolicy,
        RefreshStore, RefreshTokens, conformance,
    },
    store::StoreError,
};

/// A store that is waited for before each change and after it, when the answer may be lost.
#[derive(Clone)]
struct Waiting(MemoryRefreshStore);

macro_rules! waiting {
    ($($name:ident($($argument:ident: $type:ty),+) -> $answer:ty;)+) => {
        #[async_trait]
        impl RefreshStore for Waiting {
            $(
                async fn $name(&self, $($argument: $type),+) -> Result<$answer, StoreError> {
                    task::yield_now().await;
                    let answer = self.0.$name($($argument),+).await;
                    task::yield_now().await;
                    answer
                }
            )+
        }
    };
}

waiting! {
    insert(family: Family) -> bool;
    fetch(id: FamilyId) -> Option<Family>;
    replace(family: Family) -> bool;
    remove(id: FamilyId, version: u64) -> bool;
    find(owner: Owner<'_>, limit: usize) -> Vec<Family>;
    due(now_ms: u64, limit: usize) -> Vec<Family>;
}

fn tokens(seen: &MemorySink) -> RefreshTokens {
    let store = Waiting(MemoryRefreshStore::new());
    RefreshTokens::new(store, RefreshPolicy::default())
        .unwrap()
        .with_audit(Audit::new(seen.clone()))
}

/// Polls a call so many times at most, then drops it. Whether it ended.
fn dropped_after(polls: usize, call: impl Future) -> bool {
    let mut call = tokio_test::task::spawn(call);
    (0..polls).any(|_| call.poll().is_ready())
}

async fn rotated(tokens: &RefreshTokens, token: &str) -> Result<String, RefreshError> {
    let rotated = tokens.rotate(&Presented::new(token)).await?;
    Ok(rotated.token.into_exposed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_waited_for_conforms() {
    conformance::run(|| async { Waiting(MemoryRefreshStore::new()) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_dropped_at_any_await_loses_no_session() {
    let tokens = tokens(&MemorySink::new(1));
    let mut token = tokens.issue(Grant::new("7")).await.unwrap();
    let mut awaits = 1;
    loop {
        let text = token.token.expose();
        let has_ended = dropped_after(awaits, tokens.rotate(&Presented::new(text)));
        // Whether it was rotated or not, it has one successor.
        let next = rotated(&tokens, text).await.unwrap();
        assert_eq!(rotated(&tokens, text).await.unwrap(), next);
        token.token = next.into();
        if has_ended {
            break;
        }
        awaits += 1;
    }
    assert_eq!(awaits, 5, "two calls, each waited for before and after");
}

#[tokio::test(start_paused = true)]
async fn a_login_dropped_at_any_await_is_whole_or_absent() {
    for awaits in 1.. {
        let tokens = tokens(&MemorySink::new(1));
        let has_ended = dropped_after(awaits, tokens.issue(Grant::new("7")));
        let families = tokens.families("7").await.unwrap().len();
        assert!(families <= 1);
        assert_eq!(tokens.revoke_subject("7").await.unwrap(), families);
        if has_ended {
            assert_eq!(families, 1);
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thief_who_breaks_off_cannot_keep_it_quiet() {
    let mut was_quiet = 0;
    for awaits in 1.. {
        let seen = MemorySink::new(100);
        let tokens = tokens(&seen);
        let first = tokens.issue(Grant::new("7")).await.unwrap().token;
        let second = rotated(&tokens, first.expose()).await.unwrap();
        let third = rotated(&tokens, &second).await.unwrap();
        let has_ended = dropped_after(awaits, tokens.rotate(&Presented::new(first.expose())));
        let is_told = seen.count(Kind::RefreshReused) == 1;
        was_quiet += usize::from(!is_told);
        let third = rotated(&tokens, &third).await;
        // Nothing ends without being told.
        assert!(third.is_ok() || is_told);
        if has_ended {
            assert!(matches!(third, Err(RefreshError::Revoked)));
            break;
        }
    }
    assert_eq!(was_quiet, 2, "as long as the row was not read");
}

#[tokio::test(start_paused = true)]
async fn a_logout_dropped_at_any_await_can_be_repeated() {
    for awaits in 1.. {
        let tokens = tokens(&MemorySink::new(1));
        let mut issued = Vec::new();
        for _ in 0..3 {
            issued.push(tokens.issue(Grant::new("7")).await.unwrap().token);
        }
        let has_ended = dropped_after(awaits, tokens.revoke_subject("7"));
        let left = tokens.revoke_subject("7").await.unwrap();
        assert!(!has_ended || left == 0);
        for token in &issued {
            let outcome = rotated(&tokens, token.expose()).await;
            assert!(matches!(outcome, Err(RefreshError::Revoked)));
        }
        if has_ended {
            break;
        }
    }
}
