//! Clusters: their endpoints, their shares, their checks, and what is wrong with them.

use std::{num::NonZeroU16, time::Duration};

use msf_core::{assert_problem, problem::Code};
use msf_gateway::{Cluster, Route};
use msf_registry::{Balance, LoadBalancing};

use super::{builder, errors, named, url};
use crate::common::{System, get, hello, start};

#[tokio::test]
async fn a_cluster_is_called_at_its_endpoints_and_wins_over_the_registry() {
    let system = System::new().with("users", hello).await;
    let (one, two) = (named("one").await, named("two").await);
    let users = Cluster::new("users")
        .endpoints([url(&one), url(&two)])
        .load_balancing(LoadBalancing::new(Balance::RoundRobin));
    let gateway = builder(&system)
        .cluster(users)
        .cluster(Cluster::new("idle").endpoint("http://127.0.0.1:1"))
        .cluster(Cluster::discovered("orders"))
        .route(Route::prefix("/users").to("users").public())
        .route(Route::prefix("/orders").to("orders").public());
    let gateway = start(system.build(gateway).await);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(get(gateway.addr(), "/users").await.text().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["one", "one", "two", "two"]);
    assert_problem!(
        get(gateway.addr(), "/orders").await,
        Code::NoHealthyEndpoint
    );
    let health = get(gateway.addr(), "/health").await.text().to_owned();
    assert!(
        health.contains("users") && !health.contains("idle"),
        "{health}"
    );
}

#[tokio::test]
async fn weights_are_shares() {
    let system = System::new();
    let (one, two) = (named("one").await, named("two").await);
    let users = Cluster::new("users")
        .endpoint(url(&one))
        .weighted_endpoint(url(&two), NonZeroU16::new(3).unwrap())
        .load_balancing(LoadBalancing::new(Balance::RoundRobin).without_slow_start());
    let gateway = builder(&system)
        .cluster(users)
        .route(Route::prefix("/").to("users").public());
    let gateway = start(system.build(gateway).await);
    let mut twos = 0;
    for _ in 0..40 {
        twos += usize::from(get(gateway.addr(), "/").await.text() == "two");
    }
    assert_eq!(twos, 30);
}

#[tokio::test]
async fn a_cluster_that_is_defined_alike_keeps_its_breaker() {
    let system = System::new();
    let dead = Cluster::new("dead")
        .endpoint("http://127.0.0.1:1")
        .timeout(Duration::from_secs(1));
    let dead = dead.breaker(|breaker| breaker.min_calls(3).open_for(Duration::from_secs(60)));
    let routed = |cluster: Cluster, path: &str| {
        builder(&system)
            .cluster(cluster)
            .route(Route::prefix(path).to("dead").public())
    };
    let gateway = system.build(routed(dead.clone(), "/a")).await;
    let running = start(gateway.clone());
    for _ in 0..5 {
        get(running.addr(), "/a").await;
    }
    assert_problem!(get(running.addr(), "/a").await, Code::BreakerOpen);

    gateway.apply(routed(dead.clone(), "/b")).unwrap();
    assert_problem!(get(running.addr(), "/a").await, Code::NotFound);
    assert_problem!(get(running.addr(), "/b").await, Code::BreakerOpen);

    gateway
        .apply(routed(dead.timeout(Duration::from_secs(2)), "/b"))
        .unwrap();
    assert_problem!(get(running.addr(), "/b").await, Code::ConnectRefused);
}

#[cfg(feature = "health")]
#[tokio::test]
async fn an_endpoint_that_fails_its_check_is_not_called() {
    use msf_gateway::ClusterHealth;

    let system = System::new();
    let (one, dead) = (named("one").await, "http://127.0.0.1:1".to_owned());
    let health = ClusterHealth::new("tcp:")
        .interval(Duration::from_millis(50))
        .fall(1);
    let users = Cluster::new("users")
        .endpoints([url(&one), dead])
        .health(health);
    let route = Route::prefix("/").to("users").public();
    let gateway = system
        .build(builder(&system).cluster(users).route(route))
        .await;
    let gateway = start(gateway);
    let unhealthy = async {
        while !get(gateway.addr(), "/health")
            .await
            .text()
            .contains("\"unhealthy\":1")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(crate::common::PATIENCE, unhealthy)
            .await
            .is_ok()
    );
    for _ in 0..20 {
        assert_eq!(get(gateway.addr(), "/").await.text(), "one");
    }
    let wrong = Cluster::new("users")
        .endpoint(url(&one))
        .health(ClusterHealth::new("ftp:"));
    let said = errors(
        builder(&system)
            .cluster(wrong)
            .route(Route::prefix("/").to("users").public()),
    );
    assert!(said[0].contains("health checks"), "{said:?}");
}

#[tokio::test]
async fn everything_that_is_wrong_with_clusters_is_said_at_once() {
    let system = System::new();
    let said = errors(
        builder(&system)
            .cluster(Cluster::new("Not A Name").endpoint("http://127.0.0.1:1"))
            .cluster(Cluster::new("empty"))
            .cluster(Cluster::new("tls").endpoint("https://127.0.0.1:1"))
            .cluster(Cluster::new("twice").endpoints(["http://127.0.0.1:1", "127.0.0.1:1"]))
            .cluster(Cluster::new("same").endpoint("http://127.0.0.1:1"))
            .cluster(Cluster::new("same").endpoint("http://127.0.0.1:2"))
            .cluster(Cluster::discovered("found").load_balancing(LoadBalancing::default()))
            .cluster(Cluster::discovered("hasty").timeout(Duration::ZERO))
            .cluster(Cluster::discovered("torn").breaker(|breaker| breaker.failure_rate(2.0)))
            .route(Route::prefix("/").to("same").public()),
    );
    let expected = [
        "is not valid",
        "has no endpoint",
        "speak plain HTTP",
        "there twice",
        "there twice",
        "`load_balancing`",
        "`timeout` must be above zero",
        "breaker",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said}");
    }
}
