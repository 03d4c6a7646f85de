//! The tables.

use msf_benches::gateway::load::Run;

use super::{measure::Measured, proxy::Proxy};

pub(crate) fn print(run: &Run, measured: &[Measured]) {
    println!(
        "{:<44}{:>12}{:>12}{:>9}{:>9}{:>9}{:>9}",
        run.name, "requests/s", "CPU µs/req", "ratio", "p50 ms", "p99 ms", "p99"
    );
    let base = measured.iter().find(|one| one.is_base);
    for one in measured {
        let ratio = |own: f64, of: fn(&Measured) -> f64| {
            base.map_or_else(|| "-".to_owned(), |base| format!("{:.2}", own / of(base)))
        };
        println!(
            "  {:<42}{:>12.0}{:>12.2}{:>9}{:>9.2}{:>9.2}{:>9}",
            one.label,
            one.per_second,
            one.cpu_us,
            ratio(one.cpu_us, |base| base.cpu_us),
            one.p50,
            one.p99,
            ratio(one.p99, |base| base.p99),
        );
    }
    println!();
}

pub(crate) fn print_memory(proxies: &[Proxy]) {
    println!("{:<44}{:>12}", "most memory at once, all runs", "MiB");
    for proxy in proxies {
        match proxy.process.peak_kib() {
            Ok(kib) => println!("  {:<42}{:>12.1}", proxy.label, kib as f64 / 1024.0),
            Err(error) => println!("  {:<42}{error}", proxy.label),
        }
    }
}
