//! Real name servers: BIND and dnsmasq.

mod hostile;
mod server;

use std::time::Duration;

use msf_core::{clock, name::ServiceName};
use msf_registry::{
    Authority, Discovery, Instance, PickContext, Registrar, Registry, RegistryError, ServiceHandle,
    backend::dns::{DnsRegistry, Query},
    conformance::{Stage, Suite},
};

use self::server::Server;
use crate::setup::{eventually, instance, payment};

/// A zone in the hands of the suite.
struct Zone {
    server: Server,
    backend: DnsRegistry,
    records: std::sync::Mutex<std::collections::BTreeMap<ServiceName, Vec<String>>>,
}

impl Stage for Zone {
    type Backend = DnsRegistry;

    fn backend(&self) -> &DnsRegistry {
        &self.backend
    }

    async fn list(&self, service: &ServiceName, instances: &[Instance]) {
        let lines = instances.iter().map(|instance| {
            let port = instance.addr().port();
            format!("_http._tcp.{service} 1 IN SRV 0 1 {port} host\nhost 1 IN A 127.0.0.1")
        });
        let all: Vec<String> = {
            let mut records = self.records.lock().expect("no panic");
            records.insert(service.clone(), lines.collect());
            records.values().flatten().cloned().collect()
        };
        self.server.zone(&all).await;
    }
}

fn by_srv() -> Query {
    Query::srv("_http._tcp.{service}.example")
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn dns_conforms() {
    let make = || async {
        let server = Server::named().await;
        let backend = server
            .builder(by_srv())
            .negative_ttl_max(Duration::from_secs(1))
            .build()
            .expect("the settings are right");
        Zone {
            server,
            backend,
            records: std::sync::Mutex::default(),
        }
    };
    Suite::new()
        .patience(Duration::from_secs(10))
        .run_discovery(make)
        .await;
}

fn srv(host: &str, priority: u16, weight: u16, port: u16) -> String {
    format!("_http._tcp.payment 1 IN SRV {priority} {weight} {port} {host}")
}

fn count(service: &ServiceHandle) -> usize {
    service.snapshot().instances().len()
}

async fn watched(backend: DnsRegistry, count_expected: usize) -> (Registry, ServiceHandle) {
    let registry = Registry::new(backend);
    let service = registry.service(&payment());
    eventually("the first list is there", async || {
        count(&service) == count_expected
    })
    .await;
    (registry, service)
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn records_are_mapped() {
    let server = Server::named().await;
    let zone = [
        srv("a", 10, 60, 8_080),
        srv("b", 10, 0, 8_081),
        srv("c", 20, 5, 8_082),
        srv("six", 30, 1, 8_083),
        srv("gone", 10, 1, 8_084),
        srv("elsewhere.invalid.", 10, 1, 8_085),
        "a 1 IN A 10.0.0.1\nb 1 IN A 10.0.0.2\nb 1 IN AAAA fd00::2\nc 1 IN CNAME d\nd 1 IN A 10.0.0.3"
            .to_owned(),
        "six 1 IN AAAA fd00::1".to_owned(),
    ];
    server.zone(&zone).await;
    let registry = server.build(by_srv());
    let snapshot = registry.fetch(&payment()).await.unwrap();
    let seen: Vec<_> = snapshot
        .instances()
        .iter()
        .map(|m| {
            let i = &m.instance;
            (i.id.as_str(), i.priority, i.weight.get())
        })
        .collect();
    let expected = [
        ("10.0.0.1:8080", 0, 6_000),
        ("10.0.0.2:8081", 0, 1),
        ("10.0.0.3:8082", 1, 5),
        ("fd00::1:8083", 2, 1),
    ];
    assert_eq!(seen, expected);
    assert_eq!(snapshot.authority(), Authority::Explicit);
    assert_eq!(
        snapshot.instances()[0].instance.metadata["dns.target"],
        "a.example."
    );
    let refused = registry.put(&instance(1), Duration::from_secs(15)).await;
    assert!(matches!(refused, Err(RegistryError::ReadOnly { .. })));
    assert_eq!(registry.services().await.unwrap(), [payment()]);
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn a_target_of_the_root_is_nobody() {
    let server = Server::named().await;
    server.zone(&[srv(".", 0, 0, 0)]).await;
    let snapshot = server.build(by_srv()).fetch(&payment()).await.unwrap();
    assert!(snapshot.instances().is_empty());
    assert_eq!(snapshot.authority(), Authority::Explicit);
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn an_answer_that_does_not_fit_into_a_datagram_is_asked_for_again() {
    let server = Server::named().await;
    let mut zone: Vec<String> = (1..=800)
        .map(|n| srv(&format!("host-{n}"), 0, 1, n))
        .collect();
    zone.extend((1..=800).map(|n| format!("host-{n} 1 IN A 10.0.{}.{}", n / 256, n % 256)));
    server.zone(&zone).await;
    // Eight hundred questions take their time on a busy machine, and time is not what is tested here.
    let patient = || server.builder(by_srv()).timeout(Duration::from_secs(25));
    let registry = patient().build().unwrap();
    let snapshot = registry.fetch(&payment()).await.unwrap();
    assert_eq!(snapshot.instances().len(), 800);

    let limited = patient().instances_max(799).build().unwrap();
    let error = limited.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn a_server_that_is_killed_is_not_noticed_and_its_successor_is() {
    let mut server = Server::named().await;
    let zone = [
        srv("a", 0, 1, 1),
        srv("a", 0, 1, 2),
        "a 1 IN A 10.0.0.1".into(),
    ];
    server.zone(&zone).await;
    let (_registry, service) = watched(server.build(by_srv()), 2).await;
    server.kill();
    let until = clock::now() + Duration::from_secs(4);
    while clock::now() < until {
        assert_eq!(count(&service), 2, "the list was lost with the server");
        assert!(service.pick(&PickContext::new()).is_ok());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.write_zone(&[srv("a", 0, 1, 3), "a 1 IN A 10.0.0.9".into()]);
    server.start().await;
    eventually("the other zone is seen", async || {
        count(&service) == 1 && service.snapshot().instances()[0].instance.id == "10.0.0.9:3"
    })
    .await;
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn a_server_that_fails_keeps_the_list() {
    let mut server = Server::named().await;
    server
        .zone(&[srv("a", 0, 1, 1), "a 1 IN A 10.0.0.1".into()])
        .await;
    let backend = server.build(by_srv());
    let (_registry, service) = watched(backend.clone(), 1).await;
    server.kill();
    server.break_zone();
    server.spawn();
    eventually("it says SERVFAIL", async || {
        let answer = backend.fetch(&payment()).await;
        matches!(answer, Err(RegistryError::Refused { status: 2, .. }))
    })
    .await;
    let until = clock::now() + Duration::from_secs(3);
    while clock::now() < until {
        assert_eq!(count(&service), 1, "SERVFAIL was taken for nobody");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Not its zone: REFUSED is no answer either.
    let elsewhere = server.build(Query::srv("_http._tcp.{service}.test"));
    let error = elsewhere.fetch(&payment()).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 5, .. }),
        "{error:?}"
    );
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn a_name_that_is_gone_is_nobody_at_once() {
    let server = Server::named().await;
    let zone = [srv("a", 0, 1, 1), "a 1 IN A 10.0.0.1".into()];
    server.zone(&zone).await;
    let (_registry, service) = watched(server.build(by_srv()), 1).await;
    server.zone(&[]).await;
    let gone = clock::now();
    eventually("NXDOMAIN empties the list", async || count(&service) == 0).await;
    assert!(clock::now() - gone < Duration::from_secs(5), "it was held");
    server.zone(&zone).await;
    eventually("it is back", async || count(&service) == 1).await;
    // The name is there, with records of another type only.
    server
        .zone(&["_http._tcp.payment 1 IN TXT \"closed\"".into()])
        .await;
    eventually("no records empty the list", async || count(&service) == 0).await;
}

#[tokio::test]
#[ignore = "needs named on PATH"]
async fn a_list_is_asked_for_again_after_its_time_to_live() {
    let server = Server::named().await;
    let zone = |ttl: u32, last: u8| {
        [
            format!("zero 0 IN A 10.0.0.{last}"),
            format!("three 3 IN A 10.0.0.{last}"),
            format!("hours 36000 IN A 10.0.0.{last}"),
            format!("other {ttl} IN A 10.0.0.{last}"),
        ]
    };
    server.zone(&zone(1, 1)).await;
    let builder = server.builder(Query::addresses("{service}.example", 80));
    let second = Duration::from_secs(1);
    let backend = builder.ttl_bounds(second, second * 4).build().unwrap();
    let registry = Registry::new(backend);
    let names = ["zero", "three", "hours"].map(|name| ServiceName::new(name).unwrap());
    let services = names.clone().map(|name| registry.service(&name));
    for service in &services {
        eventually("it is listed", async || count(service) == 1).await;
    }
    let begun = clock::now();
    server.zone(&zone(1, 2)).await;
    let mut seen = Vec::new();
    for service in &services {
        eventually("the change is seen", async || {
            service.snapshot().instances()[0].instance.id == "10.0.0.2:80"
        })
        .await;
        seen.push(clock::now() - begun);
    }
    // Floor, the record's own, cap; the zone took a moment to change.
    assert!(seen[0] < second * 5 / 2, "{seen:?}");
    assert!((second * 2..second * 4).contains(&seen[1]), "{seen:?}");
    assert!((second * 3..second * 6).contains(&seen[2]), "{seen:?}");
    // One question a second at most for a TTL of 0.
    let before = server.queries("zero.example");
    tokio::time::sleep(second * 3).await;
    let asked = server.queries("zero.example") - before;
    assert!((2..=4).contains(&asked), "{asked} questions in 3 s");
}

#[tokio::test]
#[ignore = "needs dnsmasq on PATH"]
async fn dnsmasq_is_understood() {
    let lines = [
        "srv-host=_http._tcp.payment.example,one.example,8080,1,60",
        "srv-host=_http._tcp.payment.example,two.example,8081,2,40",
        "host-record=one.example,10.0.0.1",
        "host-record=two.example,10.0.0.2,fd00::2",
        "local-ttl=1",
    ];
    let mut server = Server::dnsmasq(&lines).await;
    let backend = server.build(by_srv());
    let (_registry, service) = watched(backend.clone(), 2).await;
    let both = service.snapshot();
    let ids = both.instances().iter().map(|m| m.instance.id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["10.0.0.1:8080", "10.0.0.2:8081"]);
    let nobody = backend.fetch(&ServiceName::new("nobody").unwrap()).await;
    assert_eq!(nobody.unwrap().authority(), Authority::Explicit);

    server.kill();
    let error = backend.fetch(&payment()).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Unreachable(_) | RegistryError::Timeout(_)
        ),
        "{error:?}"
    );
    assert_eq!(count(&service), 2);
    server.start().await;
    eventually("it answers again", async || {
        backend
            .fetch(&payment())
            .await
            .is_ok_and(|s| s.instances().len() == 2)
    })
    .await;
}
