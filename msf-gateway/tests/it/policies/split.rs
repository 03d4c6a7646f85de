//! Requests that are split between clusters by weight.

use msf_gateway::{Cluster, Route};

use super::{builder, errors, named, url};
use crate::common::{System, get, start};

#[tokio::test]
async fn requests_are_split_by_weight() {
    let system = System::new();
    let (old, new, none) = (named("old").await, named("new").await, named("none").await);
    let gateway = builder(&system)
        .clusters([
            Cluster::new("users").endpoint(url(&old)),
            Cluster::new("users-v2").endpoint(url(&new)),
            Cluster::new("users-v3").endpoint(url(&none)),
        ])
        .route(
            Route::prefix("/")
                .split([("users", 3), ("users-v2", 1), ("users-v3", 0)])
                .public(),
        );
    let gateway = start(system.build(gateway).await);
    let mut counts = [0, 0];
    for _ in 0..400 {
        match get(gateway.addr(), "/").await.text() {
            "old" => counts[0] += 1,
            "new" => counts[1] += 1,
            other => panic!("{other}"),
        }
    }
    // 100 are expected; to be off by half is less likely than 1 in 10^7.
    assert!((50..150).contains(&counts[1]), "{counts:?}");
}

#[tokio::test]
async fn weights_that_say_nothing_are_an_error() {
    let system = System::new();
    let said = errors(
        builder(&system)
            .route(Route::prefix("/a").split([("users", 0)]).public())
            .route(
                Route::prefix("/b")
                    .split([("users", 1), ("users", 2)])
                    .public(),
            )
            .route(
                Route::prefix("/c")
                    .split([("users", 1)])
                    .to("users")
                    .public(),
            )
            .route(Route::prefix("/d").split([("Not A Name", 1)]).public()),
    );
    assert_eq!(said.len(), 4, "{said:?}");
}
