//! What goes to Consul comes back, and what others register is understood.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance() -> Instance {
    let id = InstanceId::new("p-1").unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 81).into())
}

/// As Consul lists what was registered.
fn listed(instance: &Instance, checks: &Value) -> Entry {
    let weights = weights(instance);
    let entry = json!({
        "Node": { "Node": "n1", "Address": "10.0.0.1" },
        "Service": {
            "ID": service_id(&instance.service, &instance.id),
            "Address": instance.addr().ip().to_string(),
            "Port": instance.addr().port(),
            "Meta": meta(instance, "t"),
            "Weights": { "Passing": weights.passing, "Warning": weights.warning },
        },
        "Checks": checks,
    });
    serde_json::from_value(entry).unwrap()
}

fn foreign(service: &Value) -> Result<Member, NotUnderstood> {
    let entry = json!({ "Node": { "Node": "n1", "Address": "10.0.0.1" }, "Service": service, "Checks": null });
    member(&payment(), &serde_json::from_value(entry).unwrap())
}

fn check(id: &str, status: &str) -> Value {
    json!({ "CheckID": id, "Status": status })
}

#[test]
fn ids_that_differ_in_case_only_are_kept_apart() {
    for id in ["a", "A", "aA", "~", "P-1", "..", "ZZ.z:9_-"] {
        let Ok(id) = InstanceId::new(id) else {
            continue;
        };
        let text = service_id(&payment(), &id);
        assert_eq!(text, text.to_lowercase());
        assert_eq!(instance_id(&payment(), &text), Some(id));
    }
    assert_eq!(instance_id(&payment(), "payment:a~"), None);
    assert_eq!(instance_id(&payment(), "payments:a"), None);
}

proptest! {
    /// Whatever an instance may say about itself, Consul takes, and gives back.
    #[test]
    fn everything_comes_back(
        version in proptest::option::of("\\PC{0,16}"),
        zone in proptest::option::of("\\PC{1,16}"),
        (weight, priority) in (1_u16.., any::<u8>()),
        metadata in proptest::collection::btree_map(
            prop_oneof!["\\PC{1,16}", "[a-z_-]{1,64}", "msf-[a-z-]{0,9}", "consul-[a-z]{1,3}"],
            "\\PC{0,64}",
            0..32,
        ),
    ) {
        let mut instance = instance().priority(priority).status(Status::Draining)
            .weight(NonZeroU16::new(weight).unwrap())
            .endpoint("grpcs://[::1]:9090".parse().unwrap())
            .health_check("tcp://10.0.0.1:5432".parse().unwrap());
        instance.version = version;
        instance.zone = zone;
        instance.metadata = metadata;
        prop_assert!(instance.validate().is_ok());
        let entry = listed(&instance, &json!([]));
        prop_assert!(entry.service.meta.len() <= 64);
        for (key, value) in &entry.service.meta {
            prop_assert!(key.len() <= 128 && value.len() <= 512, "{key}");
            let is_taken = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            prop_assert!(key.bytes().all(is_taken), "{key:?}");
        }
        prop_assert_eq!(&*member(&payment(), &entry).unwrap().instance, &instance);
    }
}

#[test]
fn the_largest_of_everything_fits_into_consuls_limits() {
    let mut instance = instance();
    for n in 0..7 {
        let endpoint = format!("grpcs://[1111:2222:3333:4444:5555:6666:7777:{n}888]:65535");
        instance = instance.endpoint(endpoint.parse().unwrap());
    }
    instance = instance.health_check(format!("/{}", "x".repeat(255)).parse().unwrap());
    for n in 0..32 {
        let key = format!("{n:02}{}", "\u{1f980}".repeat(15));
        instance = instance.metadata(key, "\u{1f980}".repeat(64));
    }
    instance.validate().unwrap();
    let meta = meta(&instance, "0123456789abcdef");
    assert!(meta.len() <= 64);
    assert!(meta.iter().all(|(k, v)| k.len() <= 128 && v.len() <= 512));
}

#[test]
fn checks_say_how_it_is() {
    let lapse = check_id(&service_id(&payment(), &instance().id));
    for (checks, health, operator_status) in [
        (
            json!([check("serfHealth", "passing"), check(&lapse, "passing")]),
            Health::Unknown,
            None,
        ),
        (
            json!([check(&lapse, "passing"), check("web", "passing")]),
            Health::Healthy,
            None,
        ),
        (json!([check(&lapse, "critical")]), Health::Unhealthy, None),
        (
            json!([check(&lapse, "passing"), check("serfHealth", "critical")]),
            Health::Unhealthy,
            None,
        ),
        (
            json!([
                check(&lapse, "passing"),
                check("_service_maintenance:payment:p-1", "critical")
            ]),
            Health::Unknown,
            Some(Status::OutOfService),
        ),
        (
            json!([check("_node_maintenance", "critical")]),
            Health::Unknown,
            Some(Status::OutOfService),
        ),
    ] {
        let member = member(&payment(), &listed(&instance(), &checks)).unwrap();
        assert_eq!(
            (member.health, member.operator_status),
            (health, operator_status),
            "{checks}"
        );
    }
}

#[test]
fn a_warning_of_others_counts_the_weight_for_warnings() {
    let heavy = instance().weight(NonZeroU16::new(9).unwrap());
    let weight = |id: &str| {
        let entry = listed(&heavy, &json!([check(id, "warning")]));
        member(&payment(), &entry).unwrap().instance.weight.get()
    };
    assert_eq!((weight("web"), weight("msf:payment:p-1")), (1, 9));
}

#[test]
fn what_others_register_is_an_instance_too() {
    let member = foreign(&json!({
        "ID": "web", "Port": 80, "Meta": { "version": "2", "zone": "a", "scheme": "grpc" },
        "Weights": { "Passing": 70_000, "Warning": -1 },
    }));
    let instance = member.unwrap().instance;
    assert_eq!(instance.id, InstanceId::new("n1:web").unwrap());
    assert_eq!(instance.first_endpoint().to_string(), "grpc://10.0.0.1:80");
    assert_eq!(
        (instance.version.as_deref(), instance.zone.as_deref()),
        (Some("2"), Some("a"))
    );
    assert_eq!(instance.weight, NonZeroU16::MAX);
    let odd = foreign(&json!({ "ID": "a b/c", "Port": 80, "Meta": null })).unwrap();
    assert!(odd.instance.id.as_str().starts_with("consul-"));
}

#[test]
fn whoever_says_more_than_we_take_is_called_all_the_same() {
    let long = "x".repeat(300);
    let mut meta = json!({ "version": long, "zone": long, "team": "shop", "long": long });
    for n in 0..40 {
        meta[format!("m-{n:02}")] = "".into();
    }
    let member = foreign(&json!({ "ID": "web", "Port": 80, "Meta": meta })).unwrap();
    let instance = member.instance;
    assert_eq!((&instance.version, &instance.zone), (&None, &None));
    assert_eq!(instance.metadata.len(), 32);
    assert!(!instance.metadata.contains_key("long"));
}

#[test]
fn what_nobody_could_call_is_not_understood() {
    for service in [
        json!({ "ID": "web", "Port": 0 }),
        json!({ "ID": "web", "Port": 80, "Address": "db.example" }),
        json!({ "ID": "user:p-1", "Port": 80, "Meta": { "msf-lease": "t" } }),
        json!({ "ID": "payment:p-1", "Port": 80, "Meta": { "msf-lease": "t" } }),
        json!({ "ID": "payment:p-1", "Meta": { "msf-lease": "t", "msf-endpoints": "http://db:1" } }),
        json!({ "ID": "payment:p-1", "Meta": {
            "msf-lease": "t", "msf-endpoints": "http://1.2.3.4:1", "msf-status": "asleep" } }),
        json!({ "ID": "payment:p-1", "Meta": {
            "msf-lease": "t", "msf-endpoints": "http://1.2.3.4:1", "msf-priority": "256" } }),
    ] {
        assert!(foreign(&service).is_err(), "{service}");
    }
}
