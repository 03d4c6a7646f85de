//! What survives a change of the settings, and which settings are refused.

use std::time::Duration;

use msf_client::{Client, transport::Protocol};
use msf_core::{metrics::Metrics, name::ServiceName};
use msf_registry::{Balance, LoadBalancing, Registry, backend::fixed::StaticRegistry};

use super::{Cluster, InvalidCluster, Running};

fn client() -> Client {
    Client::builder(Registry::new(StaticRegistry::new()))
        .build()
        .unwrap()
}

fn declared(cluster: Cluster) -> Result<Running, InvalidCluster> {
    Running::declared(cluster, &client(), &Metrics::new())
}

fn users() -> Cluster {
    Cluster::new("users").endpoint("http://10.0.0.1:9001")
}

#[tokio::test]
async fn a_running_cluster_goes_on_only_for_the_same_definition() {
    let running = declared(users()).unwrap();
    assert!(running.is_as(&users()));
    let others: [Cluster; 9] = [
        users().endpoint("http://10.0.0.2:9001"),
        users().timeout(Duration::from_secs(1)),
        users().connect_timeout(Duration::from_secs(9)),
        users().max_connections(7),
        users().queue(1, Duration::from_secs(1)),
        users().idle_max(7),
        users().idle_timeout(Duration::from_secs(7)),
        users().protocol(Protocol::H2c),
        users().load_balancing(LoadBalancing::new(Balance::Random)),
    ];
    for other in others {
        assert!(!running.is_as(&other), "{other:?}");
    }
    let breaker = |calls| users().breaker(move |breaker| breaker.min_calls(calls));
    let running = declared(breaker(7)).unwrap();
    assert!(running.is_as(&breaker(7)) && !running.is_as(&breaker(8)));
    assert!(!running.is_as(&users()));
    let name = ServiceName::new("users").unwrap();
    assert!(!Running::service(&client(), &name).unwrap().is_as(&users()));
}

#[tokio::test]
async fn what_cannot_work_is_an_error_of_the_cluster() {
    let lb = LoadBalancing::new(Balance::Random);
    let wrong: [(Cluster, fn(&InvalidCluster) -> bool); 7] = [
        (Cluster::new("users"), |it| {
            matches!(it, InvalidCluster::NoEndpoints)
        }),
        (Cluster::new("Not A Name").endpoint("10.0.0.1:1"), |it| {
            matches!(it, InvalidCluster::Name(_))
        }),
        (users().endpoint("10.0.0.1:9001"), |it| {
            matches!(it, InvalidCluster::Duplicate(_))
        }),
        (users().endpoint("http://0.0.0.0:9001"), |it| {
            matches!(it, InvalidCluster::Endpoint { .. })
        }),
        (users().timeout(Duration::ZERO), |it| {
            matches!(
                it,
                InvalidCluster::OutOfRange {
                    setting: "timeout",
                    ..
                }
            )
        }),
        (Cluster::discovered("users").load_balancing(lb), |it| {
            matches!(
                it,
                InvalidCluster::OutOfRange {
                    setting: "load_balancing",
                    ..
                }
            )
        }),
        (users().breaker(|breaker| breaker.min_calls(0)), |it| {
            matches!(it, InvalidCluster::Settings(_))
        }),
    ];
    for (cluster, is_expected) in wrong {
        let error = declared(cluster.clone()).unwrap_err();
        assert!(is_expected(&error), "{cluster:?}: {error}");
    }
}
