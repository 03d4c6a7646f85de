//! Passwords, and the queue in front of them.

use std::time::Duration;

use msf_auth::{
    PasswordConfig, PasswordError, Passwords,
    password::{InvalidPasswordConfig, PasswordHash, Pbkdf2, Pepper},
};
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
            (matches, None),
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
    assert!(right.matches);
    let rehash = right.rehash.unwrap();
    assert!(rehash.as_str().contains("t=2"));
    let next = new.verify(secret("a"), Some(rehash)).await.unwrap();
    assert!(next.matches && next.rehash.is_none());
    let wrong = new.verify(secret("b"), Some(stored)).await.unwrap();
    assert!(!wrong.matches && wrong.rehash.is_none());
}

#[tokio::test]
async fn a_stored_text_that_is_no_hash_is_an_error() {
    let passwords = Passwords::new(cheap()).unwrap();
    let good = String::from(passwords.hash(secret("a")).await.unwrap());
    for stored in [
        String::new(),
        "hashed_a".to_owned(),
        good.replace("argon2id", "argon2i"),
        good.replace("m=8", "m=4000000"),
        good.replace("t=1", "t=1000"),
        good[..good.rfind('$').unwrap()].to_owned(),
        "$2b$12$abcdefghijklmnopqrstuv".to_owned(),
    ] {
        let outcome = passwords
            .verify(secret("a"), Some(stored.clone().into()))
            .await;
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

#[tokio::test]
async fn one_password_from_two_keyboards_is_one() {
    let passwords = Passwords::new(cheap()).unwrap();
    let stored = passwords.hash(secret("zo\u{eb}")).await.unwrap();
    let typed = passwords
        .verify(secret("zoe\u{308}"), Some(stored))
        .await
        .unwrap();
    assert!(typed.matches && typed.rehash.is_none());
}

#[tokio::test]
async fn a_pepper_is_needed_and_can_be_changed() {
    let pepper = |id: &str, byte: u8| Pepper::new(id, Secret::new(vec![byte; 32])).unwrap();
    let build = |pepper: Option<Pepper>, former: &[Pepper]| {
        let mut builder = Passwords::builder().config(cheap());
        if let Some(pepper) = pepper {
            builder = builder.pepper(pepper);
        }
        for pepper in former {
            builder = builder.former_pepper(pepper.clone());
        }
        builder.build().unwrap()
    };
    let old = build(Some(pepper("2025", 1)), &[]);
    let stored = old.hash(secret("a")).await.unwrap();

    // Without it, or with another of the same name, there is no way in.
    let none = build(None, &[]);
    let without = none.verify(secret("a"), Some(stored.clone()));
    assert_eq!(without.await, Err(PasswordError::StoredHash));
    let wrong = build(Some(pepper("2025", 2)), &[]);
    let outcome = wrong.verify(secret("a"), Some(stored.clone())).await;
    assert!(!outcome.unwrap().matches);

    let new = build(Some(pepper("2026", 3)), &[pepper("2025", 1)]);
    let outcome = new.verify(secret("a"), Some(stored)).await.unwrap();
    let rehash = outcome.rehash.unwrap();
    let next = new.verify(secret("a"), Some(rehash.clone())).await.unwrap();
    assert!(next.matches && next.rehash.is_none());
    let old = old.verify(secret("a"), Some(rehash)).await;
    assert_eq!(old, Err(PasswordError::StoredHash));

    // The first pepper comes to hashes that had none.
    let plain = build(None, &[]).hash(secret("a")).await.unwrap();
    let outcome = new.verify(secret("a"), Some(plain)).await.unwrap();
    assert!(outcome.matches && outcome.rehash.is_some());

    let twice = Passwords::builder()
        .pepper(pepper("2026", 1))
        .former_pepper(pepper("2026", 2))
        .build();
    assert_eq!(twice.unwrap_err(), InvalidPasswordConfig::Pepper);
}

#[tokio::test]
async fn a_user_of_an_older_system_gets_a_hash_of_today() {
    let stored = PasswordHash::new(pbkdf2("a", "salt", 10));
    let build = || {
        Passwords::builder()
            .config(cheap())
            .legacy(Pbkdf2::default())
    };
    let passwords = build().build().unwrap();
    let wrong = passwords.verify(secret("b"), Some(stored.clone())).await;
    assert!(!wrong.unwrap().matches);
    let right = passwords.verify(secret("a"), Some(stored)).await.unwrap();
    let rehash = right.rehash.unwrap();
    assert!(right.matches && rehash.as_str().starts_with("$argon2id$"));
    let unknown = PasswordHash::new("md5$aa");
    let outcome = passwords.verify(secret("a"), Some(unknown)).await;
    assert_eq!(outcome, Err(PasswordError::StoredHash));
}

fn pbkdf2(password: &str, salt: &str, rounds: u32) -> String {
    use aws_lc_rs::pbkdf2;
    use base64::Engine as _;

    let mut hash = [0; 32];
    let rounds_min = std::num::NonZero::new(rounds).unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(
        algorithm,
        rounds_min,
        salt.as_bytes(),
        password.as_bytes(),
        &mut hash,
    );
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    format!("pbkdf2_sha256${rounds}${salt}${hash}")
}
