//! A service that writes down what it gets, and takes nothing that a strict reader would not.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    http2, read_some,
    reader::{Framed, fields, framed, head_len},
    row::Seen,
    shown,
};
use crate::common::scripted;

pub(super) struct Recorder {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    /// Answers so to all but the control requests, and may close then.
    pub(super) async fn start(answer: (Vec<u8>, bool)) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        let answer = Arc::new(answer);
        let addr = scripted(move |stream| serve(stream, Arc::clone(&answer), Arc::clone(&shared)));
        Self {
            addr: addr.await,
            seen,
        }
    }

    /// Answers the first request that comes with these frames of stream 1, and all others as control requests.
    pub(super) async fn of_http2(frames: Vec<u8>) -> Self {
        let (frames, asked) = (Arc::new(frames), Arc::new(AtomicBool::new(false)));
        let addr =
            scripted(move |stream| serve_http2(stream, Arc::clone(&frames), Arc::clone(&asked)));
        Self {
            addr: addr.await,
            seen: Arc::default(),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<(Vec<u8>, bool)>, seen: Arc<Mutex<Seen>>) {
    let mut bytes = Vec::new();
    let mut was_asked_to_go_on = false;
    loop {
        let request = match parse(&bytes) {
            Ok(Some(request)) => request,
            Ok(None) => {
                if !was_asked_to_go_on && wants_to_go_on(&bytes) {
                    was_asked_to_go_on = true;
                    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
                    let _written = stream.write_all(go_on).await;
                }
                if read_some(&mut stream, &mut bytes).await {
                    continue;
                }
                if !bytes.is_empty() {
                    let mut seen = seen.lock().unwrap();
                    seen.requests.push(format!("{}~", begun(&bytes)));
                    seen.heads += &String::from_utf8_lossy(&bytes).to_ascii_lowercase();
                }
                return;
            }
            Err(what) => {
                let mut seen = seen.lock().unwrap();
                let text = format!("malformed: {what} in {}", shown(&bytes));
                seen.requests.push(text);
                return;
            }
        };
        bytes.drain(..request.len);
        was_asked_to_go_on = false;
        if request.summary == "GET /control" {
            let control = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol";
            if stream.write_all(control).await.is_err() {
                return;
            }
            continue;
        }
        {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request.summary);
            seen.heads += &request.heads;
        }
        if stream.write_all(&answer.0).await.is_err() || answer.1 {
            return;
        }
    }
}

async fn serve_http2(mut stream: TcpStream, lies: Arc<Vec<u8>>, asked: Arc<AtomicBool>) {
    let mut preface = [0; http2::PREFACE.len()];
    if stream.read_exact(&mut preface).await.is_err() {
        return;
    }
    let settings = http2::frame(http2::SETTINGS, 0, 0, &[]);
    let acknowledged = http2::frame(http2::SETTINGS, 1, 0, &[]);
    let mut answer = [settings, acknowledged].concat();
    loop {
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        answer = match head[3] {
            http2::HEADERS if !asked.swap(true, Ordering::SeqCst) => lies.to_vec(),
            http2::HEADERS => http2::answer(id, &[], "control"),
            _ => Vec::new(),
        };
    }
}

struct Request {
    summary: String,
    heads: String,
    len: usize,
}

fn parse(bytes: &[u8]) -> Result<Option<Request>, String> {
    let Some(head_len) = head_len(bytes) else {
        return Ok(None);
    };
    let head = &bytes[..head_len];
    let fields = fields(head)?;
    let text = String::from_utf8_lossy(head);
    let line = text.lines().next().unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = &*words else {
        return Err(format!("line {line:?}"));
    };
    if fields.iter().filter(|(name, _)| name == "host").count() != 1 {
        return Err("hosts".to_owned());
    }
    match framed(&fields, &bytes[head_len..]) {
        Framed::Partial(_) => Ok(None),
        Framed::Malformed(what) => Err(what),
        Framed::Whole {
            body,
            trailers,
            len,
        } => {
            let summary = if body.is_empty() {
                format!("{method} {target}")
            } else {
                format!("{method} {target} {}", shown(&body))
            };
            Ok(Some(Request {
                summary,
                heads: text.to_ascii_lowercase() + &trailers,
                len: head_len + len,
            }))
        }
    }
}

fn wants_to_go_on(bytes: &[u8]) -> bool {
    head_len(bytes).is_some_and(|len| {
        let head = String::from_utf8_lossy(&bytes[..len]).to_ascii_lowercase();
        head.contains("\r\nexpect: 100-continue\r\n")
    })
}

/// Method and target of what was begun.
fn begun(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split(' ').take(2).collect();
    words.join(" ")
}
