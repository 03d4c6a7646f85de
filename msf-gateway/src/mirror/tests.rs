//! Which requests have a copy, and that the body itself passes unchanged.

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use msf_client::{Client, ServiceClient};
use msf_core::{body::Body, metrics::Metrics};
use msf_registry::{Registry, backend::fixed::StaticRegistry};
use proptest::prelude::*;
use tokio::runtime;

use super::{Mirror, Mirroring};

/// A mirror whose cluster nobody is in, so that every copy that is sent fails at once.
struct World {
    mirror: Mirroring,
    service: ServiceClient,
    metrics: Metrics,
}

impl World {
    fn new(mirror: Mirror) -> Self {
        let client = Client::builder(Registry::new(StaticRegistry::new()));
        let service = client.build().unwrap().service("shadow").unwrap();
        let metrics = Metrics::new();
        let mut mirror = Mirroring::new(mirror);
        mirror.connect(0, "route", &metrics).unwrap();
        Self {
            mirror,
            service,
            metrics,
        }
    }

    fn copy(&self, body: Body) -> Body {
        self.mirror
            .copy(&parts(), body, Some(&self.service), |_, _| true)
    }

    fn count(&self, outcome: &str) -> u64 {
        let text = self.metrics.render();
        let mut lines = text.lines();
        let line = lines.find(|line| {
            line.starts_with("msf_gateway_mirrored") && line.contains(&format!("\"{outcome}\""))
        });
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Waits until no copy is under way.
    async fn quiet(&self) {
        while self.mirror.in_flight() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

fn parts() -> Parts {
    let request = Request::put("/x").header("expect", "100-continue");
    request.body(()).unwrap().into_parts().0
}

/// A body in pieces, of which one may be a failure.
fn pieces(pieces: Vec<Result<Vec<u8>, ()>>) -> Body {
    let frames = pieces.into_iter().map(|piece| match piece {
        Ok(piece) => Ok(Frame::data(Bytes::from(piece))),
        Err(()) => Err(std::io::Error::other("it broke off")),
    });
    Body::new(StreamBody::new(Pieces(frames)))
}

struct Pieces<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Pieces<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

fn paused() -> runtime::Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_followed_body_passes_unchanged_and_is_copied_if_it_fits(
        body in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8),
        breaks in any::<bool>(),
        max in 0_usize..80,
    ) {
        let expected: Vec<u8> = body.concat();
        let (copied, too_large, passed) = paused().block_on(async {
            let world = World::new(Mirror::to("shadow").body_max(max));
            let mut frames: Vec<_> = body.into_iter().map(Ok).collect();
            frames.extend(breaks.then_some(Err(())));
            let mut through = world.copy(pieces(frames));
            let mut passed = Vec::new();
            while let Some(Ok(frame)) = through.frame().await {
                passed.extend_from_slice(&frame.into_data().unwrap());
            }
            drop(through);
            world.quiet().await;
            (world.count("failed"), world.count("too_large"), passed)
        });
        let fits = expected.len() <= max;
        prop_assert_eq!(passed, expected);
        prop_assert_eq!(too_large, u64::from(!fits));
        prop_assert_eq!(copied, u64::from(fits && !breaks));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_to_its_end_has_no_copy_and_its_place_is_free() {
    let world = World::new(Mirror::to("shadow").in_flight_max(1));
    let mut through = world.copy(pieces(vec![Ok(b"a".to_vec()), Ok(b"b".to_vec())]));
    through.frame().await.unwrap().unwrap();
    assert_eq!(world.mirror.in_flight(), 1);
    let _not_copied = world.copy(Body::empty());
    assert_eq!(world.count("too_many"), 1);
    drop(through);
    assert_eq!(world.mirror.in_flight(), 0);
    let _copied = world.copy(Body::empty());
    world.quiet().await;
    assert_eq!((world.count("failed"), world.count("too_many")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn without_an_identity_or_a_service_there_is_no_copy() {
    let world = World::new(Mirror::to("shadow"));
    let refuse = |_: &ServiceClient, _: &mut http::HeaderMap| false;
    let body = Body::from("x");
    let _body = world
        .mirror
        .copy(&parts(), body, Some(&world.service), refuse);
    assert_eq!(world.mirror.in_flight(), 0);
    assert_eq!(world.count("failed"), 1);
    let _body = world
        .mirror
        .copy(&parts(), Body::empty(), None, |_, _| true);
    assert_eq!(world.mirror.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_says_beforehand_that_it_is_too_large_takes_no_place() {
    let world = World::new(Mirror::to("shadow").body_max(3));
    let _body = world.copy(Body::from("1234"));
    assert_eq!((world.count("too_large"), world.mirror.in_flight()), (1, 0));
}
