//! Serving.

use std::{future::Future, io, path::PathBuf, process::ExitCode, time::Duration};

use msf_core::{
    BoxError,
    metrics::Metrics,
    task,
    telemetry::{self, LogConfig, Telemetry},
};
use msf_gateway::{
    config::ConfigErrors,
    live::{FileProvider, LiveGateway},
};
use tokio::{
    runtime, select,
    signal::unix::{SignalKind, signal},
};

use crate::{FAILED, WRONG, complain};

pub(crate) fn run(config: PathBuf, poll: Duration) -> ExitCode {
    // Requests have threads of their own; this one reads files, watches registries and answers operators.
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(error);
            return ExitCode::from(FAILED);
        }
    };
    runtime.block_on(async {
        let telemetry = match telemetry::init(&LogConfig::default()) {
            Ok(telemetry) => telemetry,
            Err(error) => {
                complain(error);
                return ExitCode::from(FAILED);
            }
        };
        let ended = serve(config, poll, &telemetry).await;
        let code = match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let code = match error.downcast_ref::<ConfigErrors>() {
                    Some(errors) => {
                        complain(errors.table());
                        WRONG
                    }
                    None => {
                        complain(chain(&*error));
                        FAILED
                    }
                };
                ExitCode::from(code)
            }
        };
        // The last lines are the ones that matter.
        let _late = telemetry.shutdown(LOG_END_MAX).await;
        code
    })
}

async fn serve(config: PathBuf, poll: Duration, telemetry: &Telemetry) -> Result<(), BoxError> {
    // Before anything else, so that a signal that comes early is not the end.
    let shutdown = shutdown()?;
    let mut hangups = signal(SignalKind::hangup())?;
    let metrics = Metrics::new();
    let live = LiveGateway::start_with(FileProvider::new(config), &metrics).await?;
    let mut server = live.server()?;
    if let Some(admin) = live.admin() {
        let (current, set) = (telemetry.level(), telemetry.level());
        server = server.admin(admin.log_level(
            move || current.current(),
            move |directive| set.set(directive).map_err(Into::into),
        ));
    }
    let _watch = live.watch(poll);
    let _on_hangup = task::spawn("reload on SIGHUP", async move {
        while hangups.recv().await.is_some() {
            live.reload().await;
        }
    });
    server.run_until(shutdown).await?;
    Ok(())
}

/// Is done with the first SIGTERM or ctrl-c; the second one ends the process at once.
fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        task::spawn_root("second signal", async move {
            select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            #[expect(clippy::exit, reason = "whoever asks twice does not want to wait")]
            std::process::exit(i32::from(FAILED));
        })
        .detach();
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

const LOG_END_MAX: Duration = Duration::from_secs(2);
