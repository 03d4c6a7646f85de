//! The crowd: a process of its own beside the load, which is told by lines on its standard input what to do next, and
//! says by lines on its standard output when that is so.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Lines, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use msf_benches::gateway::process::{LOAD_CORE, pinned};
use msf_core::{
    BoxError,
    task::{self, Task},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time,
};

use super::plan::Plan;

/// A crowd that stands there.
#[derive(Debug)]
pub(crate) struct Crowd {
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Crowd {
    /// Opens the idle connections.
    pub(crate) fn gather(addr: SocketAddr, plan: &Plan) -> Result<Self, BoxError> {
        let numbers = [plan.idle.to_string(), plan.slow.to_string()];
        let mut child = pinned(LOAD_CORE, env::current_exe()?)
            .args(["crowd", &addr.to_string()])
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("no standard input")?;
        let reports = child.stdout.take().ok_or("no standard output")?;
        let mut crowd = Self {
            child,
            orders,
            reports: BufReader::new(reports).lines(),
        };
        crowd.report()?;
        Ok(crowd)
    }

    /// Lets the slow clients come.
    pub(crate) fn slow_down(&mut self) -> Result<(), BoxError> {
        self.orders.write_all(b"slow\n")?;
        self.report().map(drop)
    }

    /// Sends everybody home and says what they have met.
    pub(crate) fn disperse(mut self) -> Result<String, BoxError> {
        self.orders.write_all(b"end\n")?;
        self.report()
    }

    fn report(&mut self) -> Result<String, BoxError> {
        let line = self.reports.next();
        Ok(line.ok_or("the crowd has gone; its error is above")??)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What slow clients have met.
#[derive(Debug, Default)]
struct Met {
    refused: AtomicUsize,
    answered: AtomicUsize,
}

/// The crowd itself: `crowd ADDR IDLE SLOW`.
pub(crate) fn run(args: &[String]) -> Result<(), BoxError> {
    let [addr, idle, slow] = args else {
        return Err("crowd ADDR IDLE SLOW".into());
    };
    let (addr, idle, slow) = (addr.parse()?, idle.parse()?, slow.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(stand(addr, idle, slow))
}

async fn stand(addr: SocketAddr, idle: usize, slow: usize) -> Result<(), BoxError> {
    let idle_ones = gather_idle(addr, idle).await?;
    say(&format!("{idle} are idle"))?;
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin());
    await_order(&mut lines).await?;
    let met = Arc::new(Met::default());
    let slow_ones: Vec<Task<()>> = (0..slow)
        .map(|at| {
            let met = met.clone();
            task::spawn("slow client", async move {
                loop {
                    // Whoever is closed or refused comes again.
                    let _gone = slow_client(at, source(idle + at), addr, &met).await;
                    time::sleep(PAUSE).await;
                }
            })
        })
        .collect();
    time::sleep(Duration::from_secs(2)).await;
    say("slow clients are there")?;
    await_order(&mut lines).await?;
    drop(slow_ones);
    let open = idle_ones.iter().filter(|stream| is_open(stream)).count();
    let (refused, answered) = (
        met.refused.load(Ordering::Relaxed),
        met.answered.load(Ordering::Relaxed),
    );
    say(&format!(
        "{open} of {idle} idle connections are still open; slow clients were answered {answered} times, and {refused} \
         times closed or refused"
    ))
}

fn say(line: &str) -> Result<(), BoxError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

async fn await_order(lines: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<(), BoxError> {
    let mut order = String::new();
    if tokio::io::AsyncBufReadExt::read_line(lines, &mut order).await? == 0 {
        return Err("nobody wants the crowd any more".into());
    }
    Ok(())
}

/// Connections that have made one request each.
async fn gather_idle(addr: SocketAddr, count: usize) -> Result<Vec<TcpStream>, BoxError> {
    let mut opening = JoinSet::new();
    let mut open = Vec::with_capacity(count);
    for at in 0..count {
        if opening.len() >= AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            open.push(opened??);
        }
        opening.spawn(async move {
            let mut stream = connect(source(at), addr, None).await?;
            stream.write_all(IDLE_REQUEST).await?;
            read_answer(&mut stream).await?;
            Ok::<_, io::Error>(stream)
        });
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    Ok(open)
}

async fn connect(
    source: Ipv4Addr,
    addr: SocketAddr,
    receive_buffer: Option<u32>,
) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind((source, 0).into())?;
    socket.connect(addr).await
}

/// The address that one of the crowd comes from: another one for each eighth of the ports that the system has to give, for
/// those of an earlier crowd are not free again for a minute.
fn source(at: usize) -> Ipv4Addr {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = range
        .split_whitespace()
        .filter_map(|port| port.parse::<usize>().ok());
    let (first, last) = (ports.next(), ports.next());
    let count = first
        .zip(last)
        .map(|(first, last)| last.saturating_sub(first));
    let each = (count.unwrap_or(28_000) / 8).max(1);
    let host = u8::try_from(1 + at / each).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 0, 0, host)
}

/// Reads a head and as much body as it announces.
async fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut seen = Vec::new();
    let end = loop {
        if let Some(at) = seen.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.trim().parse::<usize>().ok())
        .unwrap_or(0);
    let mut rest = vec![0; (end + length).saturating_sub(seen.len())];
    stream.read_exact(&mut rest).await.map(drop)
}

/// Whether neither an end nor anything else has arrived.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn slow_client(at: usize, source: Ipv4Addr, addr: SocketAddr, met: &Met) -> io::Result<()> {
    let served = match at % 3 {
        0 => {
            let head = IDLE_REQUEST.iter().cycle().copied();
            drip(connect(source, addr, None).await?, b"", head).await
        }
        1 => {
            let body = std::iter::repeat(b'x');
            drip(connect(source, addr, None).await?, POST_HEAD, body).await
        }
        _ => sip(connect(source, addr, Some(4_096)).await?).await,
    };
    let count = if served.is_ok() {
        &met.answered
    } else {
        &met.refused
    };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Sends a byte now and then, until it is answered or closed.
async fn drip(
    mut stream: TcpStream,
    at_once: &[u8],
    bytes: impl Iterator<Item = u8>,
) -> io::Result<()> {
    stream.write_all(at_once).await?;
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        for byte in bytes {
            writer.write_all(&[byte]).await?;
            time::sleep(DRIP).await;
        }
        Ok(())
    };
    let mut answer = [0; 1_024];
    tokio::select! {
        read = reader.read(&mut answer) => match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            // 2xx; whatever else is said, it is no.
            _ if answer.starts_with(b"HTTP/1.1 2") => Ok(()),
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        },
        dripped = drip => dripped,
    }
}

/// Asks for more than the sockets hold and reads it little by little.
async fn sip(mut stream: TcpStream) -> io::Result<()> {
    for _ in 0..LARGE_REQUESTS {
        stream.write_all(LARGE_REQUEST).await?;
    }
    let mut some = [0; 4_096];
    let mut left = LARGE_REQUESTS * LARGE_BYTES;
    while left > 0 {
        let read = stream.read(&mut some).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(read);
        time::sleep(DRIP).await;
    }
    Ok(())
}

const AT_ONCE: usize = 64;
const DRIP: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(500);
const IDLE_REQUEST: &[u8] = b"GET /api/orders/7 HTTP/1.1\r\nhost: shop.example\r\nuser-agent: a browser of the usual kind (with a comment)\r\naccept: */*\r\n\r\n";
const POST_HEAD: &[u8] =
    b"POST /api/orders HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 100000\r\n\r\n";
const LARGE_REQUEST: &[u8] = b"GET /api/orders/large HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const LARGE_BYTES: usize = 16 << 10;
const LARGE_REQUESTS: usize = 200;
