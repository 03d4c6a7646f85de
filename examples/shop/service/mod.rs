//! The life of one service: start, ready, serve, end.
//!
//! [`run`] is a process of its own, as the supervisor starts it; [`start`] is the same service inside
//! another process.

mod end;
mod running;
mod wiring;

use std::{io, process::ExitCode, time::Duration};

use msf_core::{
    BoxError, clock,
    telemetry::{LogConfig, Telemetry, TelemetrySetup},
};
use tokio::{runtime, select, time::Instant};

use self::end::{End, Ending};
pub(crate) use self::{
    end::STOP,
    running::{Service, first},
    wiring::start,
};
use crate::settings::{ServiceSettings, WORKERS};

/// Runs one service until the shop tells it to end or dies.
pub(crate) fn run(settings: &ServiceSettings) -> ExitCode {
    let began = clock::now();
    // First of all: the shop may die while this process starts.
    let ending = Ending::watch();
    let outcome = telemetry().and_then(|telemetry| {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(serve(settings, began, ending));
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
        Ok(mut service) => {
            service.ready.print()?;
            let end = select! {
                biased;
                end = ending.next() => end,
                // Which it does only when it fails; the shop then starts it again.
                () = service.finished() => End::Failed,
            };
            tracing::info!(?end, "ending");
            service.stop().await?;
            end
        }
        Err(end) => end,
    };
    match end {
        End::Asked | End::Signal => Ok(()),
        End::Failed => Err("the server, or its work in the background, ended by itself".into()),
        End::Orphaned => {
            presence.leave_orphaned();
            Ok(())
        }
    }
}

/// Logs go to standard error, since standard output is for the line that says ready.
fn telemetry() -> Result<Telemetry, BoxError> {
    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, telemetry) = setup.into_dispatch(io::stderr())?;
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(telemetry)
}

const BLOCKING_MAX: Duration = Duration::from_secs(2);
