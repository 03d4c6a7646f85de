//! Passwords, and the queue in front of them.

use std::time::Duration;

use msf_auth::{PasswordConfig, PasswordError, Passwords, password::InvalidPasswordConfig};
use msf_core::{
    config::Secret,
    metrics::Metrics,
    problem::{Code, Problem},
};

/// The least that argon2 takes, so that the queue is what is tested.
fn cheap() -> PasswordConfig {
    PasswordConfig {
        memory_kib: 8,
        iterations: 1,
        ..PasswordConfig::default()
    }
}

/// One hash at a time that takes long enough to be seen.
fn narrow(queue: usize) -> Passwords {
    let config = PasswordConfig {
        memory_kib: 256 * 1024,
        iterations: 1,
        concurrency: 1,
        queue,
        wait_max: Duration::from_secs(60),
        ..PasswordConfig::default()
    };
    Passwords::new(config).unwrap()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn the_right_password_matches_and_no_other() {
    let passwords = Passwords::new(cheap()).unwrap();
    let stored = passwords.hash(secret("lovelace-1815")).await.unwrap();
    for (given, matches) in [
        ("lovelace-1815", true),
        ("lovelace-1816", false),
        ("", false),
    ] {
        let outcome = passwords
            .verify(secret(given), Some(stored.clone()))
            .await
            .unwrap();
        assert_eq!(
            (outcome.matches, outcome.rehash),
            (matches, false),
            "{given}"
        );
    }
    assert_ne!(
        passwords.hash(secret("lovelace-1815")).await.unwrap(),
        stored
    );
}

#[tokio::test]
async fn nobody_has_the_password_of_an_unknown_user() {
    let passwords = Passwords::new(cheap()).unwrap();
    for given in ["", "x", "lovelace-1815"] {
        assert!(!passwords.verify(secret(given), None).await.unwrap().matches);
    }
}

#[tokio::test]
async fn other_settings_ask_for_a_new_hash() {
    let old = Passwords::new(cheap()).unwrap();
    let new = Passwords::new(PasswordConfig {
        iterations: 2,
        ..cheap()
    })
    .unwrap();
    let stored = old.hash(secret("a")).await.unwrap();
    let right = new.verify(secret("a"), Some(stored.clone())).await.unwrap();
    assert!(right.matches && right.rehash);
    let wrong = new.verify(secret("b"), Some(stored)).await.unwrap();
    assert!(!wrong.matches && !wrong.rehash);
}

#[tokio::test]
async fn a_stored_text_that_is_no_hash_is_an_error() {
    let passwords = Passwords::new(cheap()).unwrap();
    let good = passwords.hash(secret("a")).await.unwrap();
    for stored in [
        String::new(),
        "hashed_a".to_owned(),
        good.replace("argon2id", "argon2i"),
        good.replace("m=8", "m=4000000"),
        good.replace("t=1", "t=1000"),
        good[..good.rfind('$').unwrap()].to_owned(),
        "$2b$12$abcdefghijklmnopqrstuv".to_owned(),
    ] {
        let outcome = passwords.verify(secret("a"), Some(stored.clone())).await;
        assert_eq!(outcome, Err(PasswordError::StoredHash), "{stored}");
    }
}

#[tokio::test]
async fn a_password_above_1024_bytes_costs_nothing() {
    let passwords = Passwords::new(cheap()).unwrap();
    let long = "x".repeat(1_025);
    assert_eq!(
        passwords.hash(secret(&long)).await,
        Err(PasswordError::TooLong)
    );
    assert_eq!(
        passwords.verify(secret(&long), None).await,
        Err(PasswordError::TooLong)
    );
    assert!(passwords.hash(secret(&long[1..])).await.is_ok());
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let passwords = narrow(1);
    let mut running = tokio_test::task::spawn(passwords.hash(secret("a")));
    let mut waiting = tokio_test::task::spawn(passwords.hash(secret("b")));
    assert!(running.poll().is_pending() && waiting.poll().is_pending());
    let error = passwords.hash(secret("c")).await.unwrap_err();
    assert_eq!(error, PasswordError::Busy);
    assert_eq!(Problem::from(error).code(), Code::Overloaded);
    assert!(running.await.is_ok() && waiting.await.is_ok());
}

#[tokio::test]
async fn a_login_that_is_dropped_in_the_queue_gives_its_place_back() {
    let passwords = narrow(1);
    let mut running = tokio_test::task::spawn(passwords.hash(secret("a")));
    let mut waiting = tokio_test::task::spawn(passwords.hash(secret("b")));
    assert!(running.poll().is_pending() && waiting.poll().is_pending());
    drop(waiting);
    let mut next = tokio_test::task::spawn(passwords.hash(secret("c")));
    assert!(next.poll().is_pending(), "the place was not given back");
    assert!(running.await.is_ok() && next.await.is_ok());
}

#[tokio::test]
async fn a_login_that_is_dropped_while_it_hashes_keeps_its_place_until_the_end() {
    let passwords = narrow(0);
    let mut running = tokio_test::task::spawn(passwords.hash(secret("a")));
    assert!(running.poll().is_pending());
    drop(running);
    assert_eq!(passwords.hash(secret("b")).await, Err(PasswordError::Busy));
    // The thread gives it back; how long that takes is the machine's, that it happens is ours.
    while passwords.hash(secret("c")).await == Err(PasswordError::Busy) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_turn_that_does_not_come_in_time_is_busy() {
    let config = PasswordConfig {
        memory_kib: 256 * 1024,
        concurrency: 1,
        wait_max: Duration::from_millis(1),
        ..PasswordConfig::default()
    };
    let metrics = Metrics::new();
    let passwords = Passwords::with_metrics(config, &metrics).unwrap();
    let mut running = tokio_test::task::spawn(passwords.hash(secret("a")));
    assert!(running.poll().is_pending());
    assert_eq!(
        passwords.verify(secret("b"), None).await,
        Err(PasswordError::Busy)
    );
    assert!(running.await.is_ok());
    let text = metrics.render();
    for line in [
        r#"msf_auth_passwords_total{operation="hash",result="done"} 1"#,
        r#"msf_auth_passwords_total{operation="verify",result="busy"} 1"#,
        "msf_auth_password_waiting 0",
        "msf_auth_password_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refuse = |config| Passwords::new(config).unwrap_err();
    let zero = PasswordConfig {
        concurrency: 0,
        ..cheap()
    };
    assert_eq!(refuse(zero), InvalidPasswordConfig::Concurrency);
    for config in [
        PasswordConfig {
            memory_kib: 1,
            ..cheap()
        },
        PasswordConfig {
            iterations: 0,
            ..cheap()
        },
        PasswordConfig {
            memory_kib: 2 * 1024 * 1024,
            ..cheap()
        },
    ] {
        assert_eq!(refuse(config), InvalidPasswordConfig::Cost);
    }
}
