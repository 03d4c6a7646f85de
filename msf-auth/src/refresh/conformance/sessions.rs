//! Tokens on top of the store.

use std::collections::HashSet;

use msf_core::task;

use crate::refresh::{Grant, Presented, RefreshError, RefreshPolicy, RefreshStore, RefreshTokens};

fn tokens(store: impl RefreshStore) -> RefreshTokens {
    let policy = RefreshPolicy {
        // What is slow here is not what the suite is about.
        wait_max: std::time::Duration::from_secs(60),
        families_max: 3,
        ..RefreshPolicy::default()
    };
    RefreshTokens::new(store, policy).unwrap()
}

async fn issued(tokens: &RefreshTokens, session: &'static str) -> String {
    let grant = Grant::new("7").session(session);
    tokens.issue(grant).await.unwrap().token.into_exposed()
}

async fn rotated(tokens: &RefreshTokens, token: &str) -> Result<String, RefreshError> {
    let rotated = tokens.rotate(&Presented::new(token)).await?;
    Ok(rotated.token.into_exposed())
}

pub(super) async fn many_at_once_get_one_successor<S: RefreshStore>(store: S) {
    let tokens = tokens(store);
    let mut token = issued(&tokens, "s").await;
    for _ in 0..ROUNDS {
        let racers = (0..RACERS).map(|_| {
            let (tokens, token) = (tokens.clone(), token.clone());
            task::spawn("racer", async move { rotated(&tokens, &token).await })
        });
        let racers: Vec<_> = racers.collect();
        let mut successors = HashSet::new();
        for racer in racers {
            successors.insert(racer.join().await.unwrap().unwrap());
        }
        assert_eq!(successors.len(), 1, "successors of one token");
        token = successors.into_iter().next().unwrap();
    }
}

pub(super) async fn the_second_use_ends_the_session<S: RefreshStore>(store: S) {
    let tokens = tokens(store);
    let first = issued(&tokens, "s").await;
    let second = rotated(&tokens, &first).await.unwrap();
    let third = rotated(&tokens, &second).await.unwrap();
    let stolen = rotated(&tokens, &first).await;
    assert!(matches!(stolen, Err(RefreshError::Reused { .. })));
    for token in [&first, &second, &third] {
        let outcome = rotated(&tokens, token).await;
        assert!(matches!(outcome, Err(RefreshError::Revoked)), "{outcome:?}");
    }
}

pub(super) async fn a_revoked_session_stays_revoked<S: RefreshStore>(store: S) {
    let tokens = tokens(store);
    let (first, other) = (issued(&tokens, "s").await, issued(&tokens, "t").await);
    let second = rotated(&tokens, &first).await.unwrap();
    assert_eq!(tokens.revoke_session("s").await.unwrap(), 1);
    assert_eq!(tokens.revoke_session("s").await.unwrap(), 0);
    for token in [&first, &second] {
        // Also the one that has its successor still in the grace.
        let outcome = rotated(&tokens, token).await;
        assert!(matches!(outcome, Err(RefreshError::Revoked)), "{outcome:?}");
    }
    let other = rotated(&tokens, &other).await.unwrap();
    assert_eq!(tokens.revoke_subject("7").await.unwrap(), 1);
    let outcome = rotated(&tokens, &other).await;
    assert!(matches!(outcome, Err(RefreshError::Revoked)), "{outcome:?}");
}

pub(super) async fn an_exchange_and_a_revocation_at_once_end_revoked<S: RefreshStore>(store: S) {
    let tokens = tokens(store);
    for _ in 0..ROUNDS {
        let token = issued(&tokens, "s").await;
        let exchange = {
            let (tokens, token) = (tokens.clone(), token.clone());
            task::spawn("exchange", async move { rotated(&tokens, &token).await })
        };
        let logout = {
            let tokens = tokens.clone();
            task::spawn("logout", async move { tokens.revoke_subject("7").await })
        };
        let exchanged = exchange.join().await.unwrap();
        assert_eq!(logout.join().await.unwrap().unwrap(), 1);
        for token in exchanged.iter().chain([&token]) {
            let outcome = rotated(&tokens, token).await;
            assert!(matches!(outcome, Err(RefreshError::Revoked)), "{outcome:?}");
        }
    }
}

pub(super) async fn a_subject_has_no_more_sessions_than_allowed<S: RefreshStore>(store: S) {
    let tokens = tokens(store);
    let logins = (0..RACERS).map(|_| {
        let tokens = tokens.clone();
        task::spawn("login", async move { issued(&tokens, "s").await })
    });
    let logins: Vec<_> = logins.collect();
    let mut live = 0;
    for login in logins {
        let token = login.join().await.unwrap();
        live += usize::from(tokens.inspect(&token).await.unwrap().is_some());
    }
    // The last of them saw all.
    live = live.min(tokens.families("7").await.unwrap().len());
    assert_eq!(live, 3, "sessions of a subject");
    assert_eq!(tokens.revoke_subject("7").await.unwrap(), 3);
}

const ROUNDS: usize = 8;
const RACERS: usize = 16;
