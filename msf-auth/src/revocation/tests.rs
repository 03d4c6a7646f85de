//! What is taken back, what is forgotten, and what a feed brings.

use std::{collections::VecDeque, time::SystemTime};

use msf_core::{clock::WallClock, metrics::Metrics};
use proptest::{collection, prelude::*};
use tokio::time::advance;

use super::*;
use crate::principal::{Principal, PrincipalKind};

const ISSUER: &str = "https://user.shop";
const NOW_S: u64 = 1_800_000_000;

fn clock() -> WallClock {
    WallClock::pinned(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(NOW_S))
}

fn list(marks_max: usize) -> Revocations {
    let builder = Revocations::builder().clock(clock()).marks_max(marks_max);
    builder.build().unwrap()
}

fn caller(subject: &str, token_id: &str, session_id: &str, issued_s: Option<u64>) -> Principal {
    let mut builder = Principal::builder(ISSUER, subject, PrincipalKind::User)
        .claim("jti", token_id)
        .claim("sid", session_id)
        .claim("exp", NOW_S + 900);
    if let Some(issued_s) = issued_s {
        builder = builder.claim("iat", issued_s);
    }
    builder.build().unwrap()
}

fn token(id: &str, subject: Option<&str>) -> Revocation {
    Revocation::Token {
        issuer: ISSUER.into(),
        token_id: id.into(),
        subject: subject.map(Into::into),
        expires_at_s: NOW_S + 900,
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_takes_back_what_it_says_and_nothing_else() {
    let at_s = Some(NOW_S);
    let revocations = list(10);
    revocations.apply(&token("t1", None));
    assert!(revocations.is_revoked(&caller("7", "t1", "s1", at_s)));
    assert!(!revocations.is_revoked(&caller("7", "t2", "t1", at_s)));

    revocations.apply(&Revocation::Session {
        issuer: ISSUER.into(),
        session_id: "s2".into(),
        subject: None,
    });
    assert!(revocations.is_revoked(&caller("8", "t2", "s2", Some(NOW_S + 60))));
    assert!(!revocations.is_revoked(&caller("8", "s2", "s3", at_s)));

    revocations.apply(&Revocation::Subject {
        issuer: ISSUER.into(),
        subject: "9".into(),
        issued_until_s: NOW_S,
    });
    assert!(revocations.is_revoked(&caller("9", "t3", "s3", at_s)));
    assert!(
        revocations.is_revoked(&caller("9", "t3", "s3", None)),
        "it does not say when"
    );
    assert!(!revocations.is_revoked(&caller("9", "t3", "s3", Some(NOW_S + 1))));
    assert!(!revocations.is_revoked(&caller("8", "9", "9", at_s)));

    let issuer = |issuer: &str| Revocation::Issuer {
        issuer: issuer.into(),
        issued_until_s: NOW_S,
    };
    revocations.apply(&issuer("https://other.shop"));
    assert!(!revocations.is_revoked(&caller("8", "t4", "s4", at_s)));
    revocations.apply(&issuer(ISSUER));
    assert!(revocations.is_revoked(&caller("8", "t4", "s4", at_s)));
    assert!(!revocations.is_revoked(&caller("8", "t4", "s4", Some(NOW_S + 1))));

    revocations.apply(&Revocation::All {
        issued_until_s: NOW_S + 1,
    });
    assert!(revocations.is_revoked(&caller("8", "t4", "s4", Some(NOW_S + 1))));
}

/// With neither id all of the subject is taken back, and the issuer's clock is ahead.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_issued_in_a_moment_is_taken_back_too() {
    let now = clock().now();
    let builder = Principal::builder(ISSUER, "7", PrincipalKind::User).claim("iat", NOW_S + 20);
    let caller = builder.claim("exp", NOW_S + 900).build().unwrap();
    for revocation in [
        Revocation::token(&caller, now),
        Revocation::session(&caller, now),
    ] {
        let revocations = list(10);
        assert_eq!(revocations.apply(&revocation), Applied::Exact);
        assert!(revocations.is_revoked(&caller), "{revocation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_moment_does_not_replace_a_newer_one() {
    let revocations = list(10);
    for issued_until_s in [NOW_S, NOW_S - 100] {
        revocations.apply(&Revocation::Subject {
            issuer: ISSUER.into(),
            subject: "7".into(),
            issued_until_s,
        });
        revocations.apply(&Revocation::All {
            issued_until_s: issued_until_s - 1_000,
        });
    }
    assert!(revocations.is_revoked(&caller("7", "t", "s", Some(NOW_S))));
    assert!(revocations.is_revoked(&caller("8", "t", "s", Some(NOW_S - 1_000))));
}

#[tokio::test(start_paused = true)]
async fn a_moment_far_ahead_is_not_for_ever() {
    let revocations = list(10);
    revocations.apply(&Revocation::All {
        issued_until_s: u64::MAX,
    });
    revocations.apply(&Revocation::Issuer {
        issuer: ISSUER.into(),
        issued_until_s: u64::MAX - 1,
    });
    assert!(revocations.is_revoked(&caller("7", "t", "s", Some(NOW_S + 300))));
    assert!(!revocations.is_revoked(&caller("7", "t", "s", Some(NOW_S + 301))));
}

#[tokio::test(start_paused = true)]
async fn without_room_more_is_taken_back_and_nothing_forgotten() {
    let revocations = list(2);
    for id in ["a", "b"] {
        assert_eq!(revocations.apply(&token(id, Some(id))), Applied::Exact);
    }
    assert_eq!(
        revocations.apply(&token("b", Some("b"))),
        Applied::Exact,
        "it is there"
    );
    let at_s = Some(NOW_S);
    assert_eq!(revocations.apply(&token("c", Some("7"))), Applied::Widened);
    assert!(revocations.is_revoked(&caller("7", "c", "s", at_s)));
    assert!(
        revocations.is_revoked(&caller("7", "other", "s", at_s)),
        "all of the subject"
    );
    assert!(!revocations.is_revoked(&caller("8", "d", "s", at_s)));
    assert!(
        revocations.is_revoked(&caller("x", "a", "s", at_s)),
        "what was there stays"
    );

    revocations.apply(&token("d", Some("8")));
    assert!(!revocations.is_revoked(&caller("9", "e", "s", at_s)));
    assert_eq!(revocations.apply(&token("e", Some("9"))), Applied::Widened);
    assert!(
        revocations.is_revoked(&caller("10", "f", "s", at_s)),
        "all of the issuer"
    );

    for issuer in ["i1", "i2"] {
        revocations.apply(&Revocation::Issuer {
            issuer: issuer.into(),
            issued_until_s: NOW_S,
        });
    }
    let stranger = Principal::builder("i3", "1", PrincipalKind::User).claim("iat", NOW_S);
    assert!(
        revocations.is_revoked(&stranger.build().unwrap()),
        "all there is"
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_makes_room() {
    let revocations = list(1);
    assert_eq!(revocations.apply(&token("a", Some("7"))), Applied::Exact);
    advance(std::time::Duration::from_secs(900 + 599)).await;
    assert_eq!(revocations.apply(&token("b", Some("8"))), Applied::Widened);
    advance(std::time::Duration::from_secs(1)).await;
    let later = Revocation::Token {
        issuer: ISSUER.into(),
        token_id: "c".into(),
        subject: Some("9".into()),
        expires_at_s: NOW_S + 3_000,
    };
    assert_eq!(revocations.apply(&later), Applied::Exact);
}

/// Gives what it is told, once each; an error for `None`.
struct Script(VecDeque<Option<Vec<Revocation>>>);

#[async_trait::async_trait]
impl RevocationFeed for Script {
    async fn next(&mut self) -> Result<Vec<Revocation>, RevocationFeedError> {
        match self.0.pop_front() {
            Some(Some(news)) => Ok(news),
            Some(None) => Err(RevocationFeedError::new("gone")),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_followed_through_failures() {
    let metrics = Metrics::new();
    let builder = Revocations::builder().clock(clock()).metrics(&metrics);
    let revocations = builder.build().unwrap();
    let is_behind = || {
        metrics
            .render()
            .contains("\nmsf_auth_revocation_feed_behind 1\n")
    };
    let script = [
        None,
        None,
        Some(vec![token("a", None)]),
        Some(vec![token("b", None)]),
    ];
    let following = revocations.follow(Script(script.into()));
    assert!(
        revocations.is_behind() && is_behind(),
        "it was not heard yet"
    );
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(!revocations.is_behind() && !is_behind());
    for id in ["a", "b"] {
        assert!(
            revocations.is_revoked(&caller("7", id, "s", Some(NOW_S))),
            "{id}"
        );
    }
    drop(following);
    advance(std::time::Duration::from_secs(16)).await;
    assert!(revocations.is_behind() && is_behind());
    let text = metrics.render();
    assert!(text.contains(r#"msf_auth_revocations_total{kind="token",result="recorded"} 2"#));
    assert!(text.contains(r#"msf_auth_revocation_marks{kind="token"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn a_long_list_leaves_others_time_to_work() {
    let revocations = list(2_000);
    let all: Vec<_> = (0..1_000).map(|n| token(&n.to_string(), None)).collect();
    let _following = revocations.follow(Script([Some(all)].into()));
    let is_revoked =
        |n: usize| revocations.is_revoked(&caller("7", &n.to_string(), "s", Some(NOW_S)));
    tokio::task::yield_now().await;
    assert!(is_revoked(0) && !is_revoked(999) && revocations.is_behind());
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert!(is_revoked(999) && !revocations.is_behind());
}

#[test]
fn a_revocation_is_read_strictly() {
    for json in [
        r#"{"kind":"everything"}"#,
        r#"{"kind":"all"}"#,
        r#"{"kind":"all","issued_until_s":-1}"#,
        r#"{"kind":"all","issued_until_s":1,"x":1}"#,
        r#"{"kind":"token","issuer":"i","token_id":7,"expires_at_s":1}"#,
    ] {
        assert!(serde_json::from_str::<Revocation>(json).is_err(), "{json}");
    }
}

#[test]
fn the_debug_form_names_nobody() {
    let revocations = list(10);
    revocations.apply(&token("hunter2", Some("hunter2")));
    assert!(!format!("{revocations:?}").contains("hunter2"));
}

proptest! {
    /// Whatever room there is, what was taken back stays refused.
    #[test]
    fn nothing_is_forgotten(
        marks_max in 0_usize..6,
        ids in collection::vec((0_u8..4, 0_u8..8, any::<bool>()), 1..24),
    ) {
        let revocations = list(marks_max);
        for (kind, id, has_subject) in &ids {
            let id: Box<str> = id.to_string().into();
            let subject = has_subject.then(|| id.clone());
            revocations.apply(&match kind {
                0 => token(&id, subject.as_deref()),
                1 => Revocation::Session { issuer: ISSUER.into(), session_id: id, subject },
                2 => Revocation::Subject { issuer: ISSUER.into(), subject: id, issued_until_s: NOW_S },
                _ => Revocation::Issuer { issuer: id, issued_until_s: NOW_S },
            });
        }
        for (kind, id, _) in &ids {
            let id = id.to_string();
            let at_s = Some(NOW_S);
            let is_revoked = match kind {
                0 => revocations.is_revoked(&caller(&id, &id, "-", at_s)),
                1 => revocations.is_revoked(&caller(&id, "-", &id, at_s)),
                2 => revocations.is_revoked(&caller(&id, "-", "-", at_s)),
                _ => {
                    let caller = Principal::builder(&*id, "-", PrincipalKind::User).claim("iat", NOW_S);
                    revocations.is_revoked(&caller.build().unwrap())
                }
            };
            prop_assert!(is_revoked, "{} {}", kind, id);
        }
    }
}
