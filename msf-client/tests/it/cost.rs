//! What a call takes from the allocator.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use http::Request;
use http_body_util::BodyExt;
use msf_client::{ClientBuilder, ServiceSettings, transport::Connections};
use msf_core::{body::Body, testing::allocations};

use crate::{callee::get, world::World};

/// A callee on a thread of its own, whose allocations are not counted.
fn elsewhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || answer(stream));
        }
    });
    addr
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).unwrap();
    }
}

fn request() -> Request<Body> {
    get("/products/7")
}

/// Allocations per exchange, the request's own included.
fn per_call(mut exchange: impl FnMut()) -> u64 {
    const CALLS: u64 = 64;
    for _ in 0..CALLS {
        exchange();
    }
    allocations(|| (0..CALLS).for_each(|_| exchange())).count / CALLS
}

#[test]
fn a_call_allocates_little_more_than_the_connection() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let addr = elsewhere();
    let connections = Connections::default();
    let transport = per_call(|| {
        let answer = runtime.block_on(async {
            let response = connections.send(addr, request()).await.unwrap();
            response.into_body().collect().await.unwrap()
        });
        assert_eq!(answer.to_bytes(), "ok");
    });
    let world = runtime.block_on(World::new(&[addr]));
    let client = per_call(|| {
        let answer = runtime.block_on(async {
            let response = world.payment.call(request()).await.unwrap();
            response.into_body().collect().await.unwrap()
        });
        assert_eq!(answer.to_bytes(), "ok");
    });
    let settings = ServiceSettings::new().retry(|retry| retry);
    let setup = |client: ClientBuilder| client.service("payment", settings);
    let retrying = runtime.block_on(World::with(&[addr], setup));
    let retrying = per_call(|| {
        let answer = runtime.block_on(async {
            let response = retrying.payment.call(request()).await.unwrap();
            response.into_body().collect().await.unwrap()
        });
        assert_eq!(answer.to_bytes(), "ok");
    });
    println!(
        "allocations per call: transport {transport}, by name {client}, with retries {retrying}"
    );
    assert!(retrying <= client + RETRY_MAX, "{retrying}");
    assert!(transport <= TRANSPORT_MAX, "{transport}");
    assert!(client <= CLIENT_MAX, "{client}");
}

const TRANSPORT_MAX: u64 = 10;
const CLIENT_MAX: u64 = 14;
/// The copy of the head with its headers and extensions, two values of which become shared, and the list of
/// where the attempts went.
const RETRY_MAX: u64 = 6;
