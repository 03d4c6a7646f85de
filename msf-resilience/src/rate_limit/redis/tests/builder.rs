//! Knobs that cannot work.

use std::time::Duration;

use super::super::{InvalidRedisStore, RedisStore, RedisStoreBuilder};

#[test]
fn what_cannot_work_is_an_error_that_names_it() {
    let builder = || RedisStore::builder("redis://127.0.0.1:1/0");
    let error = |builder: RedisStoreBuilder| builder.build().unwrap_err();
    assert_eq!(error(builder().name("")), InvalidRedisStore::Name);
    assert_eq!(error(builder().name("a b")), InvalidRedisStore::Name);
    assert_eq!(error(builder().prefix("{a}")), InvalidRedisStore::Prefix);
    assert_eq!(error(builder().prefix("")), InvalidRedisStore::Prefix);
    let (zero, hour) = (Duration::ZERO, Duration::from_secs(3_600));
    let timeout = InvalidRedisStore::Timeout(zero);
    assert_eq!(error(builder().timeout(zero)), timeout);
    let connect_timeout = InvalidRedisStore::ConnectTimeout(hour);
    assert_eq!(error(builder().connect_timeout(hour)), connect_timeout);
    let deny_for = InvalidRedisStore::DenyFor(hour);
    assert_eq!(error(builder().deny_for(hour)), deny_for);
    let deny_places = InvalidRedisStore::DenyPlaces(usize::MAX);
    assert_eq!(error(builder().deny_places(usize::MAX)), deny_places);
}

#[test]
fn no_message_has_the_password() {
    let rediss = "rediss://:s3cret@localhost:1/0";
    for url in ["redis://:s3cret@ho st:6379", "s3cret", rediss] {
        let Err(error) = RedisStore::builder(url).build() else {
            // Somebody else in the build has enabled TLS.
            assert_eq!(url, rediss);
            continue;
        };
        assert!(matches!(error, InvalidRedisStore::Url(_)));
        assert!(
            !format!("{error} {error:?}").contains("s3cret"),
            "{error:?}"
        );
    }
    let builder = RedisStore::builder("redis://:s3cret@localhost:1/0");
    assert!(!format!("{builder:?}").contains("s3cret"));
    assert!(!format!("{:?}", builder.build().unwrap()).contains("s3cret"));
}
