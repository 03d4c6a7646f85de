//! Rounds in turns.

use msf_benches::{
    gateway::load::{Run, Seen},
    rounds::median,
};
use msf_core::BoxError;

use super::{plan::Plan, proxy::Proxy};

/// What was measured of one proxy under one kind of load: medians over the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) label: &'static str,
    /// Whether the ratios are to it.
    pub(crate) is_base: bool,
    pub(crate) cpu_us: f64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Puts one kind of load on every proxy that can take it, round by round.
pub(crate) fn run(
    run: &Run,
    plan: &Plan,
    proxies: &mut [Proxy],
) -> Result<Vec<Measured>, BoxError> {
    let mut proxies: Vec<&mut Proxy> = proxies
        .iter_mut()
        .filter(|proxy| proxy.takes(run))
        .collect();
    let mut rounds: Vec<Vec<(f64, Seen)>> = proxies.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for (proxy, rounds) in proxies.iter_mut().zip(&mut rounds) {
            rounds.push(round(run, plan.seconds, proxy)?);
        }
    }
    let medians = proxies.iter().zip(&mut rounds).map(|(proxy, rounds)| {
        let of = |value: fn(&(f64, Seen)) -> f64| {
            median(&mut rounds.iter().map(value).collect::<Vec<_>>())
        };
        Measured {
            label: proxy.label,
            is_base: proxy.name == BASE,
            cpu_us: of(|(cpu_us, _)| *cpu_us),
            per_second: of(|(_, seen)| seen.per_second),
            p50: of(|(_, seen)| seen.p50),
            p99: of(|(_, seen)| seen.p99),
        }
    });
    Ok(medians.collect())
}

fn round(run: &Run, seconds: u32, proxy: &Proxy) -> Result<(f64, Seen), BoxError> {
    let token = proxy.token.as_deref();
    let named = |error: BoxError| format!("{}: {error}", proxy.label);
    // Connections are opened and buffers grown before it counts.
    run.load(proxy.addr(run), token, 1).map_err(named)?;
    let before = proxy.process.cpu_ns()?;
    let seen = run.load(proxy.addr(run), token, seconds).map_err(named)?;
    let cpu_ns = proxy.process.cpu_ns()? - before;
    Ok((cpu_ns as f64 / 1_000.0 / seen.requests, seen))
}

/// The ratios are to it.
const BASE: &str = "nginx";
