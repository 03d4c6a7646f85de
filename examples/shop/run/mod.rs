//! The life of a shop: data, services, a person or a script at the terminal, the end.

use std::{
    fs::File,
    io::{self, Write},
    net::{Ipv4Addr, TcpListener},
    pin::pin,
    process::ExitCode,
};

use msf_core::{
    BoxError, clock,
    host::Signals,
    task,
    telemetry::{LogConfig, Telemetry, TelemetrySetup},
};
use tokio::{
    runtime::{self, Runtime},
    select,
    sync::mpsc,
    time::Instant,
};

use crate::{
    cli::{Mode, RunOptions},
    demo::Demo,
    in_process::InProcess,
    paths::DataDir,
    ready::Ready,
    supervisor::{Event, Supervisor},
    terminal::{self, Terminal, Welcome},
};

mod follow;
mod keys;

use follow::Follower;

/// Runs a shop to its end.
pub(crate) fn run(options: &RunOptions) -> ExitCode {
    match run_in(options, clock::now()) {
        Ok(End::Drained) => ExitCode::SUCCESS,
        Ok(End::Forced) => ExitCode::from(FORCED),
        Ok(End::NotAsTold) => ExitCode::FAILURE,
        Err(error) => {
            let _unread = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How a shop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Drained,
    /// A second signal came before the drain was done.
    Forced,
    /// The demo showed something else than it should, or a service failed that nobody starts again.
    NotAsTold,
}

fn run_in(options: &RunOptions, began: Instant) -> Result<End, BoxError> {
    let mut builder = match options.mode {
        Mode::InProcess => runtime::Builder::new_multi_thread(),
        // It waits for processes and does nothing else.
        Mode::Demo | Mode::Processes => runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
    // Listened for before anything is made: a signal during the start must not leave half of it.
    let signals = {
        let _runtime = runtime.enter();
        Signals::listen()?
    };
    let data = match &options.data {
        Some(path) => DataDir::open(path)?,
        None => DataDir::temporary()?,
    };
    let outcome = run_on(&data, options, began, runtime, signals);
    data.remove_if_temporary();
    outcome
}

fn run_on(
    data: &DataDir,
    options: &RunOptions,
    began: Instant,
    runtime: Runtime,
    signals: Signals,
) -> Result<End, BoxError> {
    let _lock = data.lock()?;
    let _telemetry = telemetry(data)?;
    keys::publish(data)?;
    let outcome = runtime.block_on(live(data, options, began, signals));
    // Kills the processes that are left, before others may use their data.
    drop(runtime);
    outcome
}

async fn live(
    data: &DataDir,
    options: &RunOptions,
    began: Instant,
    mut signals: Signals,
) -> Result<End, BoxError> {
    let terminal = Terminal::new(began);
    let _follower = options.verbose.then(|| {
        let follower = Follower::new(&data.logs());
        task::spawn("logs", follower.run(data.logs(), terminal))
    });
    let (events_sent, mut events) = mpsc::unbounded_channel();
    let mut shop = select! {
        biased;
        _name = signals.next() => return Ok(End::Drained),
        shop = Shop::start(data, options, &events_sent) => shop?,
    };
    terminal.welcome(Welcome {
        services: &shop.ready(),
        data: data.path(),
        temporary: data.is_temporary(),
        port: options.port,
        took: began.elapsed(),
    });
    let gateway = terminal::gateway(&shop.ready()).filter(|_| options.mode == Mode::Demo);
    let mut demo = gateway.map(|gateway| Demo::new(gateway, terminal));
    let mut failed = None;
    {
        let mut story = pin!(shop.story(demo.as_mut()));
        loop {
            select! {
                biased;
                _name = signals.next() => break,
                Some(event) = events.recv() => terminal.change(event),
                end = &mut story => {
                    failed = end.err();
                    break;
                }
            }
        }
    }
    if let Some(failure) = &failed {
        terminal.change(failure);
    }
    terminal.change("ending; ctrl-c again ends it at once");
    select! {
        biased;
        _name = signals.next() => return Ok(End::Forced),
        () = shop.stop() => {}
    }
    // What was said on the way out.
    while let Ok(event) = events.try_recv() {
        terminal.change(event);
    }
    terminal.change("ended");
    let as_told = demo.is_none_or(|mut demo| {
        demo.check_books(data.path());
        demo.end()
    });
    Ok(if as_told && failed.is_none() {
        End::Drained
    } else {
        End::NotAsTold
    })
}

/// A shop of either kind.
enum Shop {
    Processes(Supervisor),
    Tasks(InProcess),
}

impl Shop {
    async fn start(
        data: &DataDir,
        options: &RunOptions,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Result<Self, BoxError> {
        let port = free_port(options.port)?;
        Ok(match options.mode {
            Mode::InProcess => Self::Tasks(InProcess::start(data, port).await?),
            Mode::Demo | Mode::Processes => {
                Self::Processes(Supervisor::start(data, port, events).await?)
            }
        })
    }

    fn ready(&self) -> Vec<Ready> {
        match self {
            Self::Processes(shop) => shop.ready(),
            Self::Tasks(shop) => shop.ready(),
        }
    }

    /// Plays the demo if there is one; otherwise goes on until a service fails that nobody starts again.
    async fn story(&mut self, demo: Option<&mut Demo>) -> Result<(), Failed> {
        match (self, demo) {
            (Self::Processes(shop), Some(demo)) => {
                demo.play(shop).await;
                Ok(())
            }
            (Self::Processes(_), None) => std::future::pending().await,
            (Self::Tasks(shop), _) => Err(Failed(shop.finished().await)),
        }
    }

    async fn stop(self) {
        match self {
            Self::Processes(shop) => shop.stop().await,
            Self::Tasks(shop) => shop.stop().await,
        }
    }
}

/// A service that has ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("{0} has ended by itself; its log says why")]
struct Failed(String);

/// The port itself, or 0, which is any free one, if somebody listens there.
fn free_port(port: u16) -> Result<u16, PortError> {
    instead_of(port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
}

fn instead_of<T>(port: u16, tried: io::Result<T>) -> Result<u16, PortError> {
    match tried {
        Ok(_closed_again) => Ok(port),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(0),
        Err(source) => Err(PortError { port, source }),
    }
}

/// A port that is not busy but forbidden, such as one below 1024.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on port {port}: {source}")]
struct PortError {
    port: u16,
    source: io::Error,
}

/// The log of the shop itself is a file like those of its services: the terminal is for people.
fn telemetry(data: &DataDir) -> Result<Telemetry, BoxError> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.log("shop"))?;
    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, telemetry) = setup.into_dispatch(log)?;
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(telemetry)
}

/// What shells report for a program that ctrl-c has ended.
const FORCED: u8 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_port_is_replaced() {
        let refused = |kind: io::ErrorKind| Err::<(), _>(kind.into());
        assert_eq!(instead_of(80, Ok(())).unwrap(), 80);
        let busy = instead_of(80, refused(io::ErrorKind::AddrInUse));
        assert_eq!(busy.unwrap(), 0);
        let error = instead_of(80, refused(io::ErrorKind::PermissionDenied));
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "cannot listen on port 80: permission denied");
    }
}
