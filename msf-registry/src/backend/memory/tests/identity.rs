//! Two processes with one id.

use std::time::Duration;

use msf_core::testing::advance;

use super::{TTL, instance, payment};
use crate::{
    backend::memory::MemoryRegistry,
    error::RegistryError,
    model::{Instance, Renewal},
};

fn elsewhere() -> Instance {
    instance(1).moved_to(([127, 0, 0, 1], 9).into())
}

fn port(registry: &MemoryRegistry) -> u16 {
    registry.snapshot(&payment()).instances()[0]
        .instance
        .addr()
        .port()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_moved_takes_its_own_place() {
    let registry = MemoryRegistry::new();
    let old = registry.register_now(&instance(1), TTL).unwrap();
    registry.register_now(&elsewhere(), TTL).unwrap();
    assert_eq!(port(&registry), 9);
    assert_eq!(registry.renew_now(&old), Renewal::Gone);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_fight_over_an_id_the_last_one_keeps_it() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    let kept = registry.register_now(&elsewhere(), TTL).unwrap();
    for _ in 0..20 {
        advance(TTL / 3).await;
        assert_eq!(registry.renew_now(&kept), Renewal::Renewed { ttl: TTL });
        let refused = registry.register_now(&instance(1), TTL);
        let Err(RegistryError::Taken { id, by }) = refused else {
            panic!("they take turns: {refused:?}");
        };
        assert_eq!((id, by.port()), (instance(1).id, 9));
        assert_eq!(port(&registry), 9);
    }
    // The winner may register again as well.
    let kept = registry.register_now(&elsewhere(), TTL).unwrap();
    assert!(registry.register_now(&instance(1), TTL).is_err());
    // Once it leaves, the other one is welcome at once.
    registry.deregister_now(&kept);
    registry.register_now(&instance(1), TTL).unwrap();
    assert_eq!(port(&registry), 8_001);
}

#[tokio::test(start_paused = true)]
async fn whoever_died_leaves_its_id_free() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    registry.register_now(&elsewhere(), TTL).unwrap();
    assert!(registry.register_now(&instance(1), TTL).is_err());
    advance(TTL).await;
    registry.register_now(&instance(1), TTL).unwrap();
    assert_eq!(port(&registry), 8_001);
}

#[tokio::test(start_paused = true)]
async fn moving_on_and_on_is_no_fight() {
    let registry = MemoryRegistry::new();
    for n in 0..5 {
        let there = instance(1).moved_to(([127, 0, 0, 1], 100 + n).into());
        registry.register_now(&there, TTL).unwrap();
        assert_eq!(port(&registry), 100 + n);
        advance(Duration::from_secs(1)).await;
    }
}
