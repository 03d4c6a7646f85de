//! The life of one service: start, ready, serve, end.
//!
//! [`run`] is a process of its own, as the supervisor starts it; [`start`] is the same service inside
//! another process.

use std::{io, process::ExitCode, time::Duration};

use msf_core::{
    BoxError, clock,
    host::{HostConfig, RunningHost, ServiceHost},
    telemetry::{LogConfig, Telemetry, TelemetrySetup},
};
use tokio::{runtime, select, time::Instant};

use crate::{
    ready::{Event, Ready},
    settings::{DRAIN_MAX, ServiceSettings},
};

mod end;

pub(crate) use end::STOP;
use end::{End, Ending};

/// Runs one service until the shop tells it to end or dies.
pub(crate) fn run(settings: ServiceSettings) -> ExitCode {
    let began = clock::now();
    // First of all: the shop may die while this process starts.
    let ending = Ending::watch();
    let outcome = telemetry().and_then(|telemetry| {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(serve(&settings, began, ending));
        // A blocking task that hangs must not keep the process; nothing but a database call is one.
        runtime.shutdown_timeout(BLOCKING_MAX);
        if let Err(error) = &outcome {
            tracing::error!(error = &**error, "the service ends");
        }
        drop(telemetry);
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_logged) => ExitCode::FAILURE,
    }
}

async fn serve(
    settings: &ServiceSettings,
    began: Instant,
    mut ending: Ending,
) -> Result<(), BoxError> {
    let presence = settings.data.enter()?;
    let started = select! {
        biased;
        end = ending.next() => Err(end),
        started = start(settings, began) => Ok(started?),
    };
    let end = match started {
        Ok(service) => {
            service.ready.print()?;
            let end = ending.next().await;
            tracing::info!(?end, "ending");
            service.stop().await?;
            end
        }
        Err(end) => end,
    };
    if end == End::Orphaned {
        presence.leave_orphaned();
    }
    Ok(())
}

/// A service that is ready. Dropping it cuts it off.
#[derive(Debug)]
#[must_use = "dropping it cuts the service off"]
pub(crate) struct Service {
    pub(crate) ready: Ready,
    host: RunningHost,
}

/// Starts a service and waits until it is ready.
pub(crate) async fn start(settings: &ServiceSettings, began: Instant) -> Result<Service, BoxError> {
    let slot = &settings.slot;
    let mut config = HostConfig::default();
    config.server.bind = format!("127.0.0.1:{}", settings.port);
    config.drain.timeout = DRAIN_MAX;
    let host = ServiceHost::builder(slot.kind.name())
        .version(env!("CARGO_PKG_VERSION"))
        .instance(slot.instance.clone())
        .config(config);
    let host = host.start().await?;
    let ready = Ready {
        event: Event::Ready,
        service: slot.kind.name().to_owned(),
        instance: slot.instance.to_string(),
        addr: host.addr(),
        pid: std::process::id(),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        note: None,
    };
    Ok(Service { ready, host })
}

impl Service {
    /// Ends it in order: out of the registry, then the requests in flight.
    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        self.host.stop().await?;
        Ok(())
    }
}

/// Logs go to standard error, since standard output is for the line that says ready.
fn telemetry() -> Result<Telemetry, BoxError> {
    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, telemetry) = setup.into_dispatch(io::stderr())?;
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(telemetry)
}

/// Threads of one service: one that works while another is busy; eight processes share the machine.
const WORKERS: usize = 2;
const BLOCKING_MAX: Duration = Duration::from_secs(2);
