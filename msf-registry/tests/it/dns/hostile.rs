//! A server that says anything but the truth.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use msf_core::{
    clock,
    task::{self, Task},
};
use msf_registry::{
    Authority, Discovery, RegistryError,
    backend::dns::{DnsRegistry, Query},
};
use tokio::net::UdpSocket;

use crate::setup::payment;

/// Answers each question with what is made of it.
async fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> (SocketAddr, Task<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let addr = socket.local_addr().expect("it is bound");
    let serve = async move {
        let mut question = [0; 2_048];
        while let Ok((len, from)) = socket.recv_from(&mut question).await {
            let _sent = socket.send_to(&answer(&question[..len]), from).await;
        }
    };
    (addr, task::spawn("hostile-dns", serve))
}

fn registry(addr: SocketAddr) -> DnsRegistry {
    DnsRegistry::builder(Query::srv("_http._tcp.{service}.example"))
        .server(addr)
        .attempt_timeout(Duration::from_millis(200))
        .timeout(Duration::from_secs(1))
        .build()
        .expect("the settings are right")
}

/// The question again, as an answer with this code and so many records announced.
fn echo(question: &[u8], code: u8, records: u16, tail: &[u8]) -> Vec<u8> {
    // Header and question only: what is asked for may be followed by options (RFC 6891).
    let name_len = question[12..]
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(0);
    let mut answer = question[..12 + name_len + 5].to_vec();
    (answer[2], answer[3]) = (0x84, code);
    answer[6..8].copy_from_slice(&records.to_be_bytes());
    answer[8..12].fill(0);
    answer.extend_from_slice(tail);
    answer
}

#[tokio::test]
async fn whatever_it_says_is_an_error_in_time_and_never_nobody() {
    type Answer = fn(&[u8]) -> Vec<u8>;
    let lies: [(&str, Answer); 9] = [
        ("silence", |_| Vec::new()),
        ("noise", |_| vec![0xff; 1_200]),
        ("another id", |q| {
            let mut answer = echo(q, 3, 0, &[]);
            answer[0] ^= 0xff;
            answer
        }),
        ("records that are not there", |q| echo(q, 0, 500, &[])),
        ("a name that points to itself", |q| {
            let len = u8::try_from(echo(q, 0, 0, &[]).len()).unwrap_or(0);
            echo(q, 0, 1, &[0xc0, len, 0, 33, 0, 1, 0, 0, 0, 1, 0, 7])
        }),
        ("a length beyond the end", |q| {
            echo(q, 0, 1, &[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0])
        }),
        ("server failure", |q| echo(q, 2, 0, &[])),
        ("refused", |q| echo(q, 5, 0, &[])),
        ("not implemented", |q| echo(q, 4, 0, &[])),
    ];
    for (what, lie) in lies {
        let (addr, _server) = answering(lie).await;
        let begun = clock::now();
        let answer = registry(addr).fetch(&payment()).await;
        assert!(answer.is_err(), "{what}: {answer:?}");
        assert!(clock::now() - begun < Duration::from_secs(2), "{what}");
    }
}

#[tokio::test]
async fn a_referral_is_no_answer() {
    // An authority section with an NS record, and no SOA record that would say "nothing".
    let (addr, _server) = answering(|question| {
        let ns = [0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 9, 0, 4, 2, b'n', b's', 0];
        let mut answer = echo(question, 0, 0, &ns);
        answer[9] = 1;
        answer
    })
    .await;
    let error = registry(addr).fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn a_question_that_is_dropped_is_asked_again() {
    let (addr, _server) = answering(|question| echo(question, 3, 0, &[])).await;
    let registry = registry(addr);
    for micros in (0..2_000).step_by(100) {
        let limit = Duration::from_micros(micros);
        let _dropped = tokio::time::timeout(limit, registry.fetch(&payment())).await;
    }
    let snapshot = registry.fetch(&payment()).await.unwrap();
    assert!(snapshot.instances().is_empty());
}

#[tokio::test]
async fn records_that_multiply_are_refused() {
    // 40 ports of one host with 40 addresses: few records, and 1 600 instances.
    let (addr, _server) = answering(|question| {
        let mut tail = Vec::new();
        let is_srv = question[12..].windows(5).any(|part| part == b"_http");
        for n in 1..=40_u8 {
            if is_srv {
                let host = [1, b'h', 0];
                tail.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 1, n]);
                tail.extend(host);
            } else {
                tail.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0, n]);
            }
        }
        echo(question, 0, 40, &tail)
    })
    .await;
    let error = registry(addr).fetch(&payment()).await.unwrap_err();
    let RegistryError::Protocol(cause) = &error else {
        panic!("{error:?}");
    };
    assert!(cause.to_string().contains("1600 addresses"), "{cause}");
}

#[tokio::test]
async fn one_host_without_an_answer_keeps_its_own_address_and_nobody_elses() {
    // Two hosts; later `a` is not answered for any more, and `b` is not named any more.
    static IS_LATER: AtomicBool = AtomicBool::new(false);
    let (addr, _server) = answering(|question| {
        let is_later = IS_LATER.load(Ordering::Relaxed);
        let srv = |host: u8| {
            let head = [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 1, 0, 9];
            [&head[..], &[0, 0, 0, 0, 0, 80, 1, host, 0]].concat()
        };
        let a = |last: u8| [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0, last];
        match (question[13], is_later) {
            (b'_', false) => echo(question, 0, 2, &[srv(b'a'), srv(b'b')].concat()),
            (b'_', true) => echo(question, 0, 1, &srv(b'a')),
            (b'a', true) => echo(question, 2, 0, &[]),
            (b'a', false) => echo(question, 0, 1, &a(1)),
            _ => echo(question, 0, 1, &a(2)),
        }
    })
    .await;
    let registry = registry(addr);
    let listed = async || {
        let snapshot = registry.fetch(&payment()).await.unwrap();
        let ids = snapshot.instances().iter();
        let ids: Vec<String> = ids.map(|m| m.instance.id.to_string()).collect();
        (ids.join(" "), snapshot.authority())
    };
    let both = "10.0.0.1:80 10.0.0.2:80".to_owned();
    assert_eq!(listed().await, (both, Authority::Explicit));
    IS_LATER.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let kept = "10.0.0.1:80".to_owned();
        assert_eq!(listed().await, (kept, Authority::Complete));
    }
}
