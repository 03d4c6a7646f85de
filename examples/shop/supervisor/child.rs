//! One process of the shop.

use std::{
    env, io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
};

use msf_core::clock;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
    time::{self, Instant},
};

use super::log;
use crate::{
    ready::Ready,
    service::STOP,
    settings::{DRAIN_MAX, START_MAX, ServiceSettings},
};

/// A child process. Killed when it is dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    /// The only thing that keeps it alive: it ends when this is closed, by us or by our death.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

/// A child that is not ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NotReady {
    /// It could not be started, or not be asked.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ended.
    #[error("ended while it started ({0})")]
    Ended(String),
    /// It took too long.
    #[error("was not ready after {START_MAX:?}")]
    Late,
}

impl Child {
    /// Starts the process of a service.
    pub(super) fn spawn(settings: &ServiceSettings) -> io::Result<Self> {
        let log = log::open(&settings.data.log(settings.slot.instance.as_str()))?;
        let mut command = Command::new(program()?);
        command
            .args(settings.to_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        // A terminal sends ctrl-c to the whole group, and children that end by themselves end in no order.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("a child has no pipes"));
        };
        Ok(Self {
            process,
            input: Some(input),
            output: BufReader::new(output).lines(),
        })
    }

    /// Waits until it says that it is ready.
    pub(super) async fn ready(&mut self) -> Result<Ready, NotReady> {
        let ready = async {
            while let Some(line) = self.output.next_line().await? {
                if let Some(ready) = Ready::parse(&line) {
                    return Ok(ready);
                }
            }
            let status = self.process.wait().await?;
            Err(NotReady::Ended(status.to_string()))
        };
        time::timeout(START_MAX, ready)
            .await
            .unwrap_or(Err(NotReady::Late))
    }

    /// Waits for its end. Cancel safe.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Kills it; [`ended`](Self::ended) tells when that is done.
    pub(super) fn kill(&mut self) {
        if let Err(error) = self.process.start_kill() {
            tracing::warn!(%error, "a child cannot be killed");
        }
    }

    /// Ends it in order, or kills it after its time. Says whether it ended by itself.
    pub(super) async fn stop(mut self) -> bool {
        let deadline: Instant = clock::now() + DRAIN_MAX + STOP_SLACK;
        if let Some(mut input) = self.input.take() {
            // It may be dead already, which is fine.
            let _gone = input.write_all(STOP).await;
        }
        if time::timeout_at(deadline, self.process.wait())
            .await
            .is_ok()
        {
            return true;
        }
        self.kill();
        let _reaped = self.process.wait().await;
        false
    }
}

/// This program, also when its file was replaced or removed since it was started, as a build does.
fn program() -> io::Result<PathBuf> {
    let file = env::current_exe()?;
    if cfg!(target_os = "linux") && !file.exists() {
        // The system keeps what is being run.
        return Ok("/proc/self/exe".into());
    }
    Ok(file)
}

/// Beyond the requests in flight: leaving the registry, closing databases.
const STOP_SLACK: std::time::Duration = std::time::Duration::from_secs(2);
