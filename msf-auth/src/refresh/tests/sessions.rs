//! What a client and a thief see.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use msf_core::{clock::WallClock, metrics::Metrics};
use tokio::time;

use crate::{
    audit::{Audit, Kind, MemorySink},
    refresh::{
        Grant, InvalidGrant, InvalidRefreshPolicy, MemoryRefreshStore, Presented, RefreshError,
        RefreshPolicy, RefreshTokens, clock::ForwardClock,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn tokens() -> RefreshTokens {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default())
        .unwrap()
        .with_clock(WallClock::pinned(start))
}

async fn issued(tokens: &RefreshTokens) -> String {
    let grant = Grant::new("7")
        .session("s")
        .client("web")
        .scopes(["a", "b"]);
    tokens.issue(grant).await.unwrap().token.into_exposed()
}

async fn rotated(tokens: &RefreshTokens, token: &str) -> Result<String, &'static str> {
    let rotated = tokens.rotate(&Presented::new(token).client("web")).await;
    let rotated = rotated.map_err(|error| error.as_str())?;
    Ok(rotated.token.into_exposed())
}

#[tokio::test(start_paused = true)]
async fn within_the_grace_there_is_one_successor_and_after_it_an_alarm() {
    let tokens = tokens();
    let first = issued(&tokens).await;
    let second = rotated(&tokens, &first).await.unwrap();
    time::advance(Duration::from_millis(19_999)).await;
    assert_eq!(rotated(&tokens, &first).await.unwrap(), second);
    time::advance(Duration::from_millis(1)).await;
    assert_eq!(rotated(&tokens, &first).await, Err("reused"));
    assert_eq!(rotated(&tokens, &second).await, Err("revoked"));
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_when_it_is_not_used_and_at_last_in_any_case() {
    let tokens = tokens();
    let idle = issued(&tokens).await;
    time::advance(14 * DAY).await;
    assert_eq!(rotated(&tokens, &idle).await, Err("expired"));

    let mut token = issued(&tokens).await;
    for _ in 0..8 {
        time::advance(11 * DAY).await;
        token = rotated(&tokens, &token).await.unwrap();
    }
    time::advance(2 * DAY - SECOND).await;
    let last = tokens
        .rotate(&Presented::new(&token).client("web"))
        .await
        .unwrap();
    assert_eq!(last.expires_in, SECOND);
    time::advance(SECOND).await;
    assert_eq!(rotated(&tokens, last.token.expose()).await, Err("expired"));
}

#[tokio::test(start_paused = true)]
async fn nobody_elses_token_and_nothing_made_up_changes_anything() {
    let tokens = tokens();
    let token = issued(&tokens).await;
    let as_client = async |client| {
        let outcome = tokens.rotate(&Presented::new(&token).client(client)).await;
        outcome.unwrap_err().as_str()
    };
    assert_eq!(as_client("app").await, "other_client");
    let none = tokens.rotate(&Presented::new(&token)).await.unwrap_err();
    assert_eq!(none.as_str(), "other_client");
    assert!(none.is_refused());
    let mut forged = token.clone().into_bytes();
    for at in 27..96 {
        let mut forged = forged.clone();
        forged[at] = if forged[at] == b'A' { b'E' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(rotated(&tokens, &forged).await, Err("unknown"), "{at}");
        let presented = Presented::new(&forged).client("web");
        assert!(tokens.revoke(&presented).await.unwrap().is_none(), "{at}");
        assert!(tokens.judged(&forged).await.unwrap().is_none(), "{at}");
    }
    forged.truncate(95);
    let forged = String::from_utf8(forged).unwrap();
    for text in ["", "msfr_", "a.b.c", "\u{0}", &forged, &"x".repeat(1 << 20)] {
        assert_eq!(rotated(&tokens, text).await, Err("unknown"));
        let presented = Presented::new(text);
        assert!(tokens.revoke(&presented).await.unwrap().is_none());
        assert!(tokens.inspect(text).await.unwrap().is_none());
    }
    let presented = Presented::new(&token).client("app");
    assert!(tokens.revoke(&presented).await.is_err());
    assert!(rotated(&tokens, &token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn scopes_shrink_for_one_exchange_only_and_never_grow() {
    let tokens = tokens();
    let token = issued(&tokens).await;
    let asking = |token, scopes: &'static [&'static str]| {
        let presented = Presented::new(token)
            .client("web")
            .scopes(scopes.iter().copied());
        let tokens = tokens.clone();
        async move { tokens.rotate(&presented).await }
    };
    let many = asking(&token, &["a"; 65]).await.unwrap_err();
    assert!(matches!(many, RefreshError::Scope));
    let more = asking(&token, &["a", "c"]).await.unwrap_err();
    assert!(matches!(more, RefreshError::Scope) && !more.is_refused());
    let less = asking(&token, &["b", "b"]).await.unwrap();
    assert_eq!(*less.scopes, ["b".into()]);
    let again = asking(less.token.expose(), &["a", "b"]).await.unwrap();
    assert_eq!(*again.scopes, ["a".into(), "b".into()]);
    assert_eq!(again.grant.granted_scopes(), ["a".into(), "b".into()]);
}

#[tokio::test(start_paused = true)]
async fn what_was_used_or_taken_back_is_good_for_nothing() {
    let tokens = tokens();
    let first = issued(&tokens).await;
    assert!(tokens.inspect(&first).await.unwrap().is_some());
    let second = rotated(&tokens, &first).await.unwrap();
    assert!(tokens.inspect(&first).await.unwrap().is_none());
    assert!(tokens.inspect(&second).await.unwrap().is_some());
    tokens.revoke_session("s").await.unwrap();
    assert!(tokens.inspect(&second).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_longer_policy_is_for_sessions_that_begin_under_it() {
    let (store, short) = (MemoryRefreshStore::new(), RefreshPolicy::default());
    let short = RefreshPolicy {
        absolute: 30 * DAY,
        ..short
    };
    let long = RefreshPolicy::default();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let clock = WallClock::pinned(start);
    let with = |policy| {
        let tokens = RefreshTokens::new(store.clone(), policy).unwrap();
        tokens.with_clock(clock)
    };
    let mut token = issued(&with(short)).await;
    let tokens = with(long);
    for _ in 0..2 {
        time::advance(11 * DAY).await;
        token = rotated(&tokens, &token).await.unwrap();
    }
    time::advance(8 * DAY - SECOND).await;
    token = rotated(&tokens, &token).await.unwrap();
    time::advance(SECOND).await;
    assert_eq!(rotated(&tokens, &token).await, Err("expired"));
}

#[tokio::test(start_paused = true)]
async fn an_old_token_is_enough_to_log_out() {
    let tokens = tokens();
    let first = issued(&tokens).await;
    let second = rotated(&tokens, &first).await.unwrap();
    let third = rotated(&tokens, &second).await.unwrap();
    let presented = Presented::new(&first).client("web");
    let ended = tokens.revoke(&presented).await.unwrap().unwrap();
    assert_eq!(ended.session_id(), "s");
    assert!(tokens.revoke(&presented).await.unwrap().is_none());
    assert_eq!(rotated(&tokens, &third).await, Err("revoked"));
}

#[tokio::test(start_paused = true)]
async fn the_session_that_was_unused_for_the_longest_makes_room() {
    let policy = RefreshPolicy {
        families_max: 2,
        ..RefreshPolicy::default()
    };
    let tokens = RefreshTokens::new(MemoryRefreshStore::new(), policy).unwrap();
    let phone = issued(&tokens).await;
    time::advance(SECOND).await;
    let tablet = issued(&tokens).await;
    time::advance(SECOND).await;
    let phone = rotated(&tokens, &phone).await.unwrap();
    time::advance(SECOND).await;
    let laptop = issued(&tokens).await;
    assert_eq!(rotated(&tokens, &tablet).await, Err("revoked"));
    assert!(rotated(&tokens, &phone).await.is_ok());
    assert!(rotated(&tokens, &laptop).await.is_ok());
    for _ in 0..10 {
        time::advance(SECOND).await;
        issued(&tokens).await;
    }
    let owner = crate::refresh::Owner::Subject("7");
    let rows = tokens.store.find(owner, 100).await.unwrap();
    assert_eq!(rows.len(), 4, "revoked rows are bounded too");
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_wrong_clock_make_room_first() {
    let policy = RefreshPolicy {
        families_max: 2,
        ..RefreshPolicy::default()
    };
    let at = |seconds| WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let tokens = RefreshTokens::new(MemoryRefreshStore::new(), policy).unwrap();
    let ahead = tokens.clone().with_clock(at(2_000_000_000));
    let (first, second) = (issued(&ahead).await, issued(&ahead).await);
    let right = tokens.with_clock(at(1_800_000_000));
    assert_eq!(rotated(&right, &first).await, Err("failed"));
    let (third, fourth) = (issued(&right).await, issued(&right).await);
    assert_eq!(rotated(&right, &first).await, Err("revoked"));
    assert_eq!(rotated(&right, &second).await, Err("revoked"));
    assert!(rotated(&right, &third).await.is_ok());
    assert!(rotated(&right, &fourth).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_over_make_room_first() {
    let policy = RefreshPolicy {
        absolute: DAY,
        families_max: 2,
        ..RefreshPolicy::default()
    };
    let tokens = RefreshTokens::new(MemoryRefreshStore::new(), policy).unwrap();
    let over = issued(&tokens).await;
    time::advance(DAY / 2).await;
    let unused = issued(&tokens).await;
    time::advance(DAY / 4).await;
    // Used later than the other one, and nevertheless of no use any more tomorrow.
    let over = rotated(&tokens, &over).await.unwrap();
    time::advance(DAY / 4).await;
    let newest = issued(&tokens).await;
    assert_eq!(rotated(&tokens, &over).await, Err("revoked"));
    assert!(rotated(&tokens, &unused).await.is_ok());
    assert!(rotated(&tokens, &newest).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_the_end_of_a_policy_that_became_shorter() {
    let store = MemoryRefreshStore::new();
    let long = RefreshTokens::new(store.clone(), RefreshPolicy::default()).unwrap();
    let first = issued(&long).await;
    let policy = RefreshPolicy {
        absolute: DAY,
        ..RefreshPolicy::default()
    };
    let short = RefreshTokens::new(store, policy).unwrap();
    time::advance(DAY / 2).await;
    let inspected = short.inspect(&first).await.unwrap().unwrap();
    let listed = short.families("7").await.unwrap();
    for family in [&inspected, &listed[0]] {
        assert_eq!(family.ends_ms() - family.issued_ms(), 86_400_000);
    }
    for _ in 0..2 {
        let presented = Presented::new(&first).client("web");
        let rotated = short.rotate(&presented).await.unwrap();
        let (told, expected) = (rotated.expires_in, DAY / 2);
        assert!(told <= expected && told > expected - SECOND, "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_forgotten() {
    let tokens = tokens();
    let first = issued(&tokens).await;
    let second = rotated(&tokens, &first).await.unwrap();
    assert_eq!(tokens.sweep().await.unwrap(), 0);
    time::advance(20 * SECOND).await;
    assert_eq!(tokens.sweep().await.unwrap(), 1);
    assert_eq!(tokens.sweep().await.unwrap(), 0);
    let family = tokens.inspect(&second).await.unwrap().unwrap();
    assert!(family.previous.unwrap().successor.is_none());
    let sweeping = tokens.keep_swept();
    time::advance(15 * DAY).await;
    while tokens.store.fetch(family.id).await.unwrap().is_some() {
        time::sleep(SECOND).await;
    }
    assert_eq!(rotated(&tokens, &second).await, Err("unknown"));
    drop(sweeping);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_for_a_moment_removes_nothing() {
    let at = |days| WallClock::pinned(SystemTime::UNIX_EPOCH + days * DAY);
    let store = MemoryRefreshStore::new();
    let new = || RefreshTokens::new(store.clone(), RefreshPolicy::default()).unwrap();
    let mut tokens = new().with_clock(at(20_000));
    let token = issued(&tokens).await;
    let mut clock = ForwardClock::new(at(30_000));
    clock.set(at(20_000));
    tokens.clock = Arc::new(clock);
    assert_eq!(rotated(&tokens, &token).await, Err("expired"));
    assert_eq!(tokens.sweep().await.unwrap(), 0);
    let restarted = new().with_clock(at(20_000));
    assert!(rotated(&restarted, &token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_event_is_told_once_and_without_a_token() {
    let (seen, metrics) = (MemorySink::new(100), Metrics::new());
    let tokens = tokens()
        .with_audit(Audit::new(seen.clone()))
        .with_metrics(&metrics)
        .unwrap();
    let first = issued(&tokens).await;
    let second = rotated(&tokens, &first).await.unwrap();
    rotated(&tokens, &first).await.unwrap();
    let third = rotated(&tokens, &second).await.unwrap();
    assert_eq!(rotated(&tokens, &first).await, Err("reused"));
    assert_eq!(rotated(&tokens, &third).await, Err("revoked"));
    assert_eq!(rotated(&tokens, "msfr_").await, Err("unknown"));
    let kinds: Vec<Kind> = seen.events().iter().map(|event| event.kind()).collect();
    assert_eq!(
        kinds,
        [
            Kind::RefreshIssued,
            Kind::RefreshRotated,
            Kind::RefreshRotated,
            Kind::RefreshRotated,
            Kind::RefreshReused,
            Kind::RefreshRevoked,
            Kind::TokenRefused,
        ]
    );
    let text = metrics.render();
    for (result, count) in [
        ("issued", 1),
        ("rotated", 2),
        ("repeated", 1),
        ("reused", 1),
        ("revoked", 1),
        ("refused", 1),
        ("failed", 0),
    ] {
        let line = format!("msf_auth_refresh_tokens_total{{result=\"{result}\"}} {count}");
        assert!(text.contains(&line), "{line} in {text}");
    }
    let presented = Presented::new(&third).client("web");
    let printed = format!("{:?} {presented:?} {tokens:?} {text}", seen.events());
    for token in [&first, &second, &third] {
        let parts = token.as_bytes().windows(8).skip(5);
        let mut parts = parts.map(|part| str::from_utf8(part).unwrap());
        assert!(!parts.any(|part| printed.contains(part)));
    }
}

#[tokio::test]
async fn a_setting_out_of_range_is_named() {
    let new = |policy| RefreshTokens::new(MemoryRefreshStore::new(), policy).unwrap_err();
    let default = RefreshPolicy::default();
    for (policy, expected) in [
        (
            RefreshPolicy {
                idle: Duration::ZERO,
                ..default
            },
            "idle",
        ),
        (
            RefreshPolicy {
                absolute: 401 * DAY,
                ..default
            },
            "absolute",
        ),
        (
            RefreshPolicy {
                grace: 61 * SECOND,
                ..default
            },
            "grace",
        ),
        (
            RefreshPolicy {
                wait_max: Duration::ZERO,
                ..default
            },
            "wait_max",
        ),
    ] {
        let InvalidRefreshPolicy::Duration { field, .. } = new(policy) else {
            panic!("{expected}");
        };
        assert_eq!(field, expected);
    }
    let none = RefreshPolicy {
        families_max: 0,
        ..default
    };
    assert_eq!(new(none), InvalidRefreshPolicy::Families);
}

#[tokio::test]
async fn a_grant_that_is_none_is_not_issued() {
    let tokens = tokens();
    let fault = async |grant| match tokens.issue(grant).await.unwrap_err() {
        RefreshError::Grant(fault) => fault,
        error => panic!("{error}"),
    };
    let field = |fault| match fault {
        InvalidGrant::Length { field, .. } => field,
        fault => panic!("{fault}"),
    };
    assert_eq!(field(fault(Grant::new("")).await), "subject");
    assert_eq!(field(fault(Grant::new("x".repeat(257))).await), "subject");
    assert_eq!(
        field(fault(Grant::new("7").session("x".repeat(129))).await),
        "session"
    );
    assert_eq!(field(fault(Grant::new("7").client("")).await), "client");
    let many = (0..65).map(|n| n.to_string());
    assert_eq!(
        fault(Grant::new("7").scopes(many)).await,
        InvalidGrant::Scopes
    );
    assert_eq!(
        fault(Grant::new("7").scopes(["a b"])).await,
        InvalidGrant::Scopes
    );
    let large = Grant::new("7").claim("x", "y".repeat(4_096));
    assert_eq!(fault(large).await, InvalidGrant::Claims);
    let nested = |depth| (0..depth).fold(serde_json::Value::Null, |inner, _| vec![inner].into());
    let deep = Grant::new("7").claim("x", nested(33));
    assert_eq!(fault(deep).await, InvalidGrant::Claims);
    for name in ["iss", "sub", "aud", "exp", "scope"] {
        let fault = fault(Grant::new("7").claim(name, "x")).await;
        assert_eq!(fault, InvalidGrant::Claim { name: name.into() });
    }
    let issued = tokens.issue(Grant::new("7").claim("x", nested(32))).await;
    let issued = issued.unwrap().token;
    let family = tokens.inspect(issued.expose()).await.unwrap().unwrap();
    assert!(crate::refresh::Family::decode(&family.encode()).unwrap() == family);
    let generated = tokens.issue(Grant::new("7")).await.unwrap();
    assert_eq!(generated.grant.session_id().len(), 22);
}
