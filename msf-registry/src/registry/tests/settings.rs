//! Which settings are refused, and in which words.

use super::*;

#[test]
fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
    let builder = Registry::builder(MemoryRegistry::new());
    assert!(
        builder
            .lease_ttl(Duration::from_millis(99))
            .build()
            .is_err()
    );
}

#[test]
fn a_setting_out_of_range_is_named_with_the_range() {
    let far = Duration::from_secs(100_000_000_000);
    type Set = fn(RegistryBuilder, Duration) -> RegistryBuilder;
    let settings: [(&str, Set); 7] = [
        ("lease_ttl", RegistryBuilder::lease_ttl),
        ("merge_window", RegistryBuilder::merge_window),
        ("drain_wait", RegistryBuilder::drain_wait),
        ("deregister_timeout", RegistryBuilder::deregister_timeout),
        ("call_timeout", RegistryBuilder::call_timeout),
        ("watch_timeout", RegistryBuilder::watch_timeout),
        ("linger", RegistryBuilder::linger),
    ];
    for (name, set) in settings {
        let error = set(Registry::builder(MemoryRegistry::new()), far)
            .build()
            .unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}
