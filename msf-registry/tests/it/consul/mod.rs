//! The Consul backend, against a fake and against the real one.

mod agent;
mod fake;
mod hostile;

use std::{sync::Mutex, time::Duration};

use msf_core::{clock, config::Secret};
use msf_registry::{
    Authority, Change, Discovery, Health, Registrar, Registration, Registry, RegistryError,
    ServiceHandle, Status, backend::consul::ConsulRegistryBuilder, conformance::Suite,
};
use serde_json::json;

use self::{agent::Agent, fake::Fake};
use crate::{
    pair::{self, lists, never_lost},
    setup::{eventually, ids, instance, payment},
};

const TTL: Duration = Duration::from_secs(1);

const fn suite() -> Suite {
    Suite::new()
        .grace(Duration::from_millis(300))
        .patience(Duration::from_secs(10))
}

#[tokio::test]
async fn a_fake_consul_conforms() {
    let fakes = Mutex::new(Vec::new());
    let make = || async {
        let fake = Fake::start();
        let registry = fake.registry();
        fakes.lock().expect("no panic").push(fake);
        registry
    };
    suite().run(make).await;
}

#[tokio::test]
#[ignore = "needs consul on PATH"]
async fn consul_conforms() {
    let agent = Agent::start().await;
    suite().run(|| agent.emptied()).await;
}

/// Two instances, and a caller that sees both.
async fn two(builder: ConsulRegistryBuilder) -> (Registry, Vec<Registration>, ServiceHandle) {
    let backend = builder.build().expect("the settings are good");
    let registry = pair::registry(backend, TTL);
    let (registrations, service) = pair::two(&registry).await;
    (registry, registrations, service)
}

#[tokio::test]
async fn a_consul_without_memory_hides_nobody() {
    let fake = Fake::start();
    let (registry, _registrations, service) = two(fake.builder()).await;
    fake.lose_memory();
    tokio::join!(
        eventually("both register again", async || fake.passing() == 2),
        never_lost(&service, TTL * 4),
    );
    let third = registry.register(instance(3));
    eventually("callers follow the new memory", async || lists(&service, 3)).await;
    drop(third);
}

#[tokio::test]
#[ignore = "needs consul on PATH"]
async fn a_killed_consul_that_comes_back_empty_hides_nobody() {
    let mut agent = Agent::start().await;
    let (_registry, _registrations, service) = two(agent.builder()).await;
    agent.kill();
    never_lost(&service, TTL * 4).await;
    agent.up().await;
    let back = clock::now();
    let other = agent.builder().build().expect("the settings are good");
    tokio::join!(
        async {
            eventually("both are listed again", async || {
                let listed = other.fetch(&payment()).await;
                listed.is_ok_and(|listed| listed.instances().len() == 2)
            })
            .await;
            // It answers only when it leads, some time after it takes registrations.
            let took = clock::now() - back;
            assert!(took < TTL * 2, "listed again after {took:?} only");
        },
        never_lost(&service, TTL * 4),
    );
}

#[tokio::test]
async fn without_a_leader_the_last_list_stays() {
    let fake = Fake::start();
    let (_registry, registrations, service) = two(fake.builder()).await;
    fake.lose_leader(true);
    never_lost(&service, TTL * 2).await;
    fake.lose_leader(false);
    for registration in registrations {
        registration.deregister().await.expect("consul answers");
    }
    eventually("who leaves is believed at once", async || {
        lists(&service, 0)
    })
    .await;
}

#[tokio::test]
async fn who_falls_silent_is_unhealthy_and_comes_back() {
    let fake = Fake::start();
    let registry = fake.registry();
    let lease = registry.put(&instance(1), TTL).await.unwrap();
    let before = registry.fetch(&payment()).await.unwrap();
    assert_eq!(before.instances()[0].health, Health::Unknown);
    let Change::Changed(silent) = registry.next(&payment(), before.cursor()).await.unwrap() else {
        panic!("nobody noticed its silence");
    };
    assert_eq!(silent.instances()[0].health, Health::Unhealthy);
    registry.renew(&lease).await.unwrap();
    let back = registry.next(&payment(), silent.cursor()).await.unwrap();
    assert!(matches!(back, Change::Changed(back) if back.instances()[0].health == Health::Unknown));
}

#[tokio::test]
async fn a_question_that_nothing_answers_is_asked_once_per_wait() {
    let fake = Fake::start();
    let registry = fake
        .builder()
        .wait(Duration::from_millis(200))
        .build()
        .unwrap();
    let mut cursor = registry.fetch(&payment()).await.unwrap().cursor();
    let before = fake.questions();
    for _ in 0..5 {
        if let Change::Changed(snapshot) = registry.next(&payment(), cursor).await.unwrap() {
            cursor = snapshot.cursor();
        }
    }
    assert_eq!(fake.questions() - before, 5);
}

#[tokio::test]
async fn who_takes_no_calls_is_a_warning_to_others() {
    let fake = Fake::start();
    let registry = fake.registry();
    let draining = instance(1).status(Status::Draining);
    let lease = registry.put(&draining, TTL).await.unwrap();
    assert_eq!(fake.passing(), 0);
    registry.renew(&lease).await.unwrap();
    assert_eq!(fake.passing(), 0, "a renewal says that it takes calls");
    registry.put(&instance(1), TTL).await.unwrap();
    assert_eq!(fake.passing(), 1, "it takes calls again and nobody knows");
    registry.put(&draining, TTL).await.unwrap();
    assert_eq!(fake.passing(), 0);
    let listed = registry.fetch(&payment()).await.unwrap();
    let member = &listed.instances()[0];
    assert_eq!(
        (member.status(), member.health),
        (Status::Draining, Health::Unknown)
    );
}

#[tokio::test]
async fn a_token_is_sent_and_its_lack_is_said() {
    let fake = Fake::start();
    fake.demand_token("secret");
    let refused = fake.registry().fetch(&payment()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the registry answered 403: Permission denied"
    );
    let allowed = fake.builder().token(Secret::new("secret".to_owned()));
    let allowed = allowed.build().unwrap();
    allowed.put(&instance(1), TTL).await.unwrap();
    assert_eq!(
        allowed.fetch(&payment()).await.unwrap().instances().len(),
        1
    );
}

#[tokio::test]
async fn what_others_register_is_found_beside_ours() {
    let fake = Fake::start();
    fake.register(json!({ "ID": "web", "Name": "payment", "Port": 8080, "Meta": { "zone": "a" } }));
    fake.register(json!({ "ID": "db", "Name": "payment", "Port": 5432, "Address": "db.example" }));
    let registry = fake.registry();
    registry.put(&instance(1), TTL).await.unwrap();
    let listed = registry.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&listed), ["n1:web", "p-1"]);
    assert_eq!(listed.authority(), Authority::Explicit);
}

#[tokio::test]
#[ignore = "needs consul on PATH"]
async fn maintenance_is_an_operators_word() {
    let agent = Agent::start().await;
    let registry = agent.emptied().await;
    registry
        .put(&instance(1), Duration::from_secs(60))
        .await
        .unwrap();
    let before = registry.fetch(&payment()).await.unwrap();
    agent
        .put("agent/service/maintenance/payment:p-1?enable=true", "")
        .await;
    let Change::Changed(after) = registry.next(&payment(), before.cursor()).await.unwrap() else {
        panic!("nobody heard of it");
    };
    let member = &after.instances()[0];
    assert_eq!(
        (member.status(), member.health),
        (Status::OutOfService, Health::Unknown)
    );
    let newer = instance(1).version("2");
    let lease = registry.put(&newer, Duration::from_secs(60)).await.unwrap();
    registry.renew(&lease).await.unwrap();
    let after = registry.fetch(&payment()).await.unwrap();
    let member = &after.instances()[0];
    assert_eq!(
        (member.status(), member.instance.version.as_deref()),
        (Status::OutOfService, Some("2")),
        "a registration overwrites an operator's word"
    );
    agent
        .put("agent/service/maintenance/payment:p-1?enable=false", "")
        .await;
    let after = registry.next(&payment(), after.cursor()).await.unwrap();
    assert!(matches!(after, Change::Changed(after) if after.instances()[0].status() == Status::Up));
}

#[tokio::test]
#[ignore = "needs consul on PATH"]
async fn a_data_centre_that_is_not_there_is_an_error() {
    let agent = Agent::start().await;
    let elsewhere = agent.builder().datacenter("nowhere").build().unwrap();
    let error = elsewhere.fetch(&payment()).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 500, .. }),
        "{error:?}"
    );
}
