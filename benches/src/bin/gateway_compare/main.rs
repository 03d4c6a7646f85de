//! The gateway beside other proxies, in front of the same services:
//! `cargo run --release -p msf-benches --bin gateway-compare [-- --quick] [--rounds N] [--seconds N] [--only NAME,..]`.
//!
//! Needs `wrk` on the PATH, and `h2load` for the run over HTTP/2. nginx, haproxy, envoy and caddy are measured if
//! they are on the PATH, the peers of `benches/peers` if they are built; all beside the gateway in three settings and a proxy
//! as one writes it in an afternoon.
//!
//! Every proxy is a process of its own with one worker, pinned to the first core; the load and the services share the
//! second. The proxies are measured in turns, round by round. CPU time is the proxy's own, as the kernel accounts for it
//! (`/proc/PID/task/*/schedstat`, over all of its processes), so that neither the load nor the services count.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod measure;
mod plan;
mod proxy;
mod report;

use std::env;

use msf_benches::gateway::{load, serve};
use msf_core::BoxError;

use self::plan::Plan;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == "serve" => serve::serve(rest),
        _ => compare(&Plan::parse(&args)?),
    }
}

fn compare(plan: &Plan) -> Result<(), BoxError> {
    let services = proxy::services()?;
    let mut proxies = proxy::found(plan, &services.addrs)?;
    println!(
        "{} rounds of {} s, each proxy on core 0, the load and three services on core 1\n",
        plan.rounds, plan.seconds
    );
    for run in load::RUNS {
        let measured = measure::run(run, plan, &mut proxies)?;
        report::print(run, &measured);
    }
    report::print_memory(&proxies);
    Ok(())
}
