//! One table of what clients and services may put on the wire, and what must be seen on the other side of the gateway.
//!
//! A row is bytes that a client sends (and, in [`responses`], bytes that the service answers with) under an id: that
//! of Http11Probe where it has such a test, otherwise the section of the RFC or the CVE. Each row has a gateway of its
//! own with a service that writes down what it gets and takes nothing that a strict reader would not.

mod framing;
mod headers;
mod hosts;
mod http2;
mod limits;
mod methods;
mod page;
mod reader;
mod responses;
mod row;
mod service;
mod targets;

use std::{fmt::Write as _, time::Duration};

use msf_client::transport::{self, Connections};
use msf_core::{server::Limits, task};
use msf_gateway::{Route, RunningGateway};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use self::{
    reader::Reader,
    row::{End, Protocol, Row},
    service::Recorder,
};
use crate::common::System;

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = framing::rows();
    rows.extend(headers::rows());
    rows.extend(hosts::rows());
    rows.extend(targets::rows());
    rows.extend(methods::rows());
    rows.extend(limits::rows());
    rows.extend(responses::rows());
    rows.extend(http2::rows());
    rows
}

#[tokio::test]
async fn what_is_on_the_wire_is_what_the_table_says() {
    let rows = rows();
    let count = rows.len();
    let mut failures = Vec::new();
    let mut running = std::collections::VecDeque::new();
    for row in rows {
        running.push_back(task::spawn("row", check(row)));
        if running.len() >= AT_ONCE
            && let Some(first) = running.pop_front()
        {
            failures.extend(first.join().await.expect("a row does not panic"));
        }
    }
    for row in running {
        failures.extend(row.join().await.expect("a row does not panic"));
    }
    assert!(
        failures.is_empty(),
        "{} of {count} rows:\n{}",
        failures.len(),
        table(&failures)
    );
}

#[test]
fn every_row_has_a_name_of_its_own_and_a_source() {
    let rows = rows();
    for row in &rows {
        assert!(row.rfc.starts_with("RFC ") || row.rfc.starts_with("CVE-"));
        let same = rows.iter().filter(|other| other.id == row.id).count();
        assert_eq!(same, 1, "{}", row.id);
    }
}

/// A row that did not hold.
struct Failure {
    id: &'static str,
    rfc: &'static str,
    expected: String,
    got: String,
}

fn table(failures: &[Failure]) -> String {
    let mut text = String::new();
    for it in failures {
        let (id, rfc) = (it.id, it.rfc);
        _ = writeln!(
            text,
            "| {id:<40} | {rfc:<24} | {} | {} |",
            it.expected, it.got
        );
    }
    text
}

async fn check(row: Row) -> Option<Failure> {
    let recorder = match row.service_speaks_http2 {
        false => Recorder::start(row.service.clone()).await,
        true => Recorder::of_http2(row.service.0.clone()).await,
    };
    let system = System::new().with_addr("any", recorder.addr).await;
    let gateway = serve(&system, row.service_speaks_http2).await;
    let got = match row.protocol {
        Protocol::Http1 => http1(&gateway, &row).await,
        Protocol::Http2 => http2::talk(gateway.addr(), &row).await,
    };
    // Whatever was said before, the next client gets the answer to its own question.
    let next = next_client(&gateway).await;
    let seen = recorder.seen();
    let mut wrong = row.differences(&got, &seen);
    if next != CONTROLLED {
        wrong.push(format!("next client: {next}"));
    }
    (!wrong.is_empty()).then(|| Failure {
        id: row.id,
        rfc: row.rfc,
        expected: row.expected(),
        got: wrong.join("; "),
    })
}

async fn serve(system: &System, service_speaks_http2: bool) -> RunningGateway {
    let route = Route::prefix("/").to("any").public();
    let limits = Limits::default()
        .header_timeout(PATIENCE_OF_GATEWAY)
        .body_timeout(PATIENCE_OF_GATEWAY)
        .idle_timeout(Duration::from_secs(60));
    let gateway = system.gateway([route]).await;
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let speaking = match service_speaks_http2 {
        false => transport::Protocol::Http1,
        true => transport::Protocol::H2c,
    };
    let connections = Connections::builder().protocol(speaking);
    let server = server.limits(limits).connections(connections);
    server.start().unwrap()
}

/// What a client has seen.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) answers: Vec<String>,
    /// All heads, in small letters.
    pub(crate) heads: String,
    pub(crate) end: Option<End>,
}

async fn http1(gateway: &RunningGateway, row: &Row) -> Got {
    let stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let (read, mut write) = stream.into_split();
    let (sends, half_close) = (row.sends.clone(), row.half_close);
    let sending = task::spawn("row's client", async move {
        // The gateway may have heard enough before all is said.
        let _sent = write.write_all(&sends).await;
        if half_close {
            let _closed = write.shutdown().await;
        }
        write
    });
    let mut reader = Reader::new(read);
    let mut got = Got::default();
    let max = row.answers.iter().map(|it| it.len()).max().unwrap_or(0);
    while got.answers.len() < max || row.end == End::Closed {
        let is_head = row.sends.starts_with(b"HEAD ");
        let waiting = time::timeout(PATIENCE, reader.answer(is_head));
        match waiting.await {
            Ok(Some(answer)) => {
                got.heads += &answer.head;
                got.answers.push(answer.summary);
            }
            Ok(None) => {
                got.end = Some(End::Closed);
                return got;
            }
            Err(_elapsed) => break,
        }
    }
    if row.end == End::Open {
        // It is another request and nothing else that is answered next.
        let mut write = sending.join().await.expect("sending does not panic");
        let _sent = write.write_all(CONTROL).await;
        let answer = time::timeout(PATIENCE, reader.answer(false)).await;
        got.end = match answer {
            Ok(Some(answer)) if answer.summary == CONTROLLED => Some(End::Open),
            Ok(Some(answer)) => {
                got.answers.push(answer.summary);
                None
            }
            Ok(None) => Some(End::Closed),
            Err(_elapsed) => None,
        };
    }
    got
}

async fn next_client(gateway: &RunningGateway) -> String {
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream.write_all(CONTROL).await.unwrap();
    let (read, _write) = stream.into_split();
    let mut reader = Reader::new(read);
    match time::timeout(PATIENCE, reader.answer(false)).await {
        Ok(Some(answer)) => answer.summary,
        Ok(None) => "closed".to_owned(),
        Err(_elapsed) => "nothing".to_owned(),
    }
}

/// Bytes that somebody else reads, as a person does.
fn shown(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

async fn read_some(read: &mut (impl AsyncReadExt + Unpin), into: &mut Vec<u8>) -> bool {
    // A reset is as good as an end here.
    matches!(read.read_buf(into).await, Ok(1..))
}

const AT_ONCE: usize = 24;
const CONTROL: &[u8] = b"GET /control HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const CONTROLLED: &str = "200 control";
const PATIENCE: Duration = Duration::from_secs(8);
/// Rows of what never comes wait for so long.
const PATIENCE_OF_GATEWAY: Duration = Duration::from_millis(1_500);
const SHOWN_MAX: usize = 120;
