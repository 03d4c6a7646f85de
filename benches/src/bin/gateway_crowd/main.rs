//! A crowd beside normal load: thousands of idle connections and hundreds of slow clients, in front of the gateway and
//! of nginx:
//! `cargo run --release -p msf-benches --bin gateway-crowd [-- --quick] [--idle N] [--slow N] [--rounds N] [--seconds N]`.
//!
//! Needs `wrk` on the PATH; nginx is measured if it is there. Each proxy is a process with one worker on the first core; the
//! load, the crowd and the services share the second. Of each proxy are printed: requests per second, p50 and p99
//! of the normal load alone and beside the crowd (medians of rounds), and by how much its memory (PSS, without the
//! kernel's) grew per idle connection.
//!
//! The idle connections have made one request each. A third of the slow clients send a head byte by byte, a third
//! dribble the body of a POST, a third ask for 3 MiB and read 4 KiB a second; whoever is closed comes again.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod crowd;
mod files;
mod plan;
mod proxy;

use std::{env, thread, time::Duration};

use msf_benches::{
    gateway::{
        load::{Run, Seen},
        process::on_path,
        serve,
    },
    rounds::median,
};
use msf_core::{BoxError, body::Body};
use msf_gateway::GatewayService;
use tower::Service;

use self::{crowd::Crowd, plan::Plan, proxy::Proxy};

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == "serve" => serve::serve(rest),
        Some((first, rest)) if first == "crowd" => crowd::run(rest),
        _ => compare(&Plan::parse(&args)?),
    }
}

fn compare(plan: &Plan) -> Result<(), BoxError> {
    files::allow(plan.connections())?;
    if !on_path("wrk") {
        return Err("wrk is not on the PATH; it makes the normal load".into());
    }
    println!(
        "{} idle connections and {} slow clients beside {}; {} rounds of {} s",
        plan.idle, plan.slow, NORMAL.name, plan.rounds, plan.seconds
    );
    println!(
        "bytes of the gateway's service {}, of a request in it {}, of an answer's body {}\n",
        size_of::<GatewayService>(),
        size_of::<<GatewayService as Service<http::Request<Body>>>::Future>(),
        size_of::<msf_gateway::ResponseBody>(),
    );
    println!(
        "{:<30}{:>12}{:>9}{:>9}{:>12}{:>9}{:>9}{:>12}{:>12}",
        "",
        "alone req/s",
        "p50 ms",
        "p99 ms",
        "crowd req/s",
        "p50 ms",
        "p99 ms",
        "KiB/idle",
        "KiB at once"
    );
    let services = proxy::services()?;
    for start in [proxy::gateway, proxy::nginx] {
        if let Some(proxy) = start(&services.addrs, plan)? {
            measure(plan, &proxy)?;
        }
    }
    Ok(())
}

fn measure(plan: &Plan, proxy: &Proxy) -> Result<(), BoxError> {
    let alone = normal_load(plan, proxy)?;
    let before = proxy.process.pss_kib()?;
    let mut crowd = Crowd::gather(proxy.addr, plan)?;
    let grown = || -> Result<f64, BoxError> {
        Ok((proxy.process.pss_kib()? as f64 - before as f64) / plan.idle as f64)
    };
    let at_once = grown()?;
    thread::sleep(SETTLE);
    let settled = grown()?;
    crowd.slow_down()?;
    let beside = normal_load(plan, proxy)?;
    let left = crowd.disperse()?;
    println!(
        "{:<30}{:>12.0}{:>9.2}{:>9.2}{:>12.0}{:>9.2}{:>9.2}{settled:>12.2}{at_once:>12.2}",
        proxy.label,
        alone.per_second,
        alone.p50,
        alone.p99,
        beside.per_second,
        beside.p50,
        beside.p99,
    );
    println!("  {left}");
    Ok(())
}

/// Medians over the rounds.
fn normal_load(plan: &Plan, proxy: &Proxy) -> Result<Seen, BoxError> {
    let named = |error: BoxError| format!("{}: {error}", proxy.label);
    // Connections are opened and buffers grown before it counts.
    NORMAL.load(proxy.addr, None, 1).map_err(named)?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(NORMAL.load(proxy.addr, None, plan.seconds).map_err(named)?);
    }
    let of = |value: fn(&Seen) -> f64| median(&mut rounds.iter().map(value).collect::<Vec<_>>());
    Ok(Seen {
        requests: of(|seen| seen.requests),
        per_second: of(|seen| seen.per_second),
        p50: of(|seen| seen.p50),
        p99: of(|seen| seen.p99),
    })
}

const NORMAL: Run = Run::get("64 connections, 128 bytes", 64, "/api/orders/7?x=1");
/// The gateway gives back what an idle connection held within 1.25 s; allocators take longer.
const SETTLE: Duration = Duration::from_secs(13);
