//! What a call through a layer costs when all is well, beside the same job elsewhere:
//! `cargo bench -p msf-benches --bench layers [-- [--quick] [words]]`.
//!
//! Every layer is built once, outside of what is measured. "2 threads" is the wall time of one thread's call while a second
//! thread makes the same calls through clones of the one instance. The bare service inside, and what makes the request,
//! are subtracted. Words choose the rows whose name or heading has one of them.

#![expect(clippy::print_stdout, reason = "it prints a table")]

mod breakers;
mod calls;
mod capacity;
mod floors;
mod limits;
mod others;
mod pipelines;
mod repeats;
mod table;
mod timeouts;

use std::{thread, time::Duration};

use msf_core::BoxError;
use tower::Service;

use self::{
    calls::{Answers, AnswersLater, calling},
    table::{Base, Effort, Row, Runner, Table},
};

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<(), BoxError> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let effort = if is_quick {
        Effort {
            rounds: 5,
            round: Duration::from_micros(200),
        }
    } else {
        Effort {
            rounds: 31,
            round: Duration::from_millis(1),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let _entered = runtime.enter();

    let mut table = Table::new();
    let atomic = floors::rows(&mut table)?;
    table.heading("the service inside, not subtracted");
    let bare = Bare::new(&mut table);
    breakers::rows(&mut table, bare)?;
    limits::rows(&mut table, bare)?;
    capacity::rows(&mut table, bare)?;
    timeouts::rows(&mut table, bare)?;
    repeats::rows(&mut table, bare)?;
    others::rows(&mut table, bare)?;
    pipelines::rows(&mut table)?;
    table.keep(&words);

    let before = load_average();
    table.measure(effort, runtime.handle());
    table.print(&mut std::io::stdout().lock())?;
    println!();
    println!("{}", remark(&before));
    if words.is_empty() && !table.ran_together(atomic) {
        println!(
            "One word that both threads add to cost about what one thread pays: they took turns on a processor, \
             so the figures for two say nothing."
        );
    }
    println!("*: in most rounds the second thread got no processor.");
    let failing: Vec<_> = table.failing().collect();
    if failing.is_empty() {
        return Ok(());
    }
    Err(format!("calls failed in {}", failing.join("; ")).into())
}

/// The services inside, which the rows stand on.
#[derive(Clone, Copy, Debug)]
struct Bare {
    /// Answers at once.
    at_once: Base,
    /// Answers when polled for the second time.
    later: Base,
}

impl Bare {
    fn new(table: &mut Table) -> Self {
        service(table, None, "ready at once", Answers);
        let at_once = table.last();
        service(table, None, "ready at the second poll", AnswersLater);
        let later = table.last();
        Self { at_once, later }
    }
}

/// A row for a service whose clones share what it does.
fn service<'a, S>(
    table: &'a mut Table,
    base: impl Into<Option<Base>>,
    name: &'static str,
    service: S,
) -> &'a mut Row
where
    S: Service<u64, Response = u64> + Clone + Send + 'static,
{
    let second = runner(service.clone());
    table.runners(name, base.into(), runner(service), Some(second))
}

fn runner<S>(service: S) -> Runner
where
    S: Service<u64, Response = u64> + Send + 'static,
{
    calling(service, || 7)
}

fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn remark(before: &str) -> String {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut remark = format!(
        "{cpus} processors, load average {before} before and {} after.",
        load_average()
    );
    let busy: f64 = before.parse().unwrap_or_default();
    if cpus as f64 - busy < 2.0 {
        remark += " Fewer than two were idle: read the figures for two threads with care.";
    }
    remark
}
