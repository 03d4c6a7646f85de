//! A check by a command.

use std::{ffi::OsString, fmt, process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use super::{NotStarted, Probe, ProbeFailed};
use crate::model::Instance;

/// Runs a command; passes when it exits with 0.
///
/// The command is configured where checks run and is never part of a registration. There is no shell:
/// arguments are passed as they are, and in them `{addr}`, `{host}`, `{port}`, `{service}` and `{id}` become
/// those of the instance, which are also in the environment as `MSF_ADDR`, `MSF_HOST`, `MSF_PORT`,
/// `MSF_SERVICE` and `MSF_INSTANCE`. An id may begin with `-`: where registrants are not trusted, take it from there. Of this process's environment the command gets `PATH` alone, since the
/// rest may hold secrets.
///
/// A command that is not done at the checker's timeout is killed with all that it started, except what has made a
/// process group of its own; so is one that writes more than 64 KiB of errors. The first line of its errors is logged, its output is thrown away.
/// One that cannot be started says nothing about the instance: the check counts for nothing, and an error is logged.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, health::{ExecProbe, Probe}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (service, id) = (ServiceName::new("db")?, InstanceId::new("db-1")?);
/// let instance = Instance::new(service, id, "127.0.0.1:5432".parse()?);
/// let probe = ExecProbe::new("test").arg("{port}").arg("-eq").arg("5432");
/// # #[cfg(unix)]
/// assert!(probe.probe(&instance).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ExecProbe {
    program: OsString,
    args: Vec<String>,
    envs: Vec<(OsString, OsString)>,
}

impl ExecProbe {
    /// A command: a path, or a name that is looked up in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds a variable to its environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    fn command(&self, instance: &Instance) -> Command {
        let addr = instance.addr();
        let known = [
            ("{addr}", "MSF_ADDR", addr.to_string()),
            ("{host}", "MSF_HOST", addr.ip().to_string()),
            ("{port}", "MSF_PORT", addr.port().to_string()),
            ("{service}", "MSF_SERVICE", instance.service.to_string()),
            ("{id}", "MSF_INSTANCE", instance.id.to_string()),
        ];
        let filled = |arg: &String| {
            let filled = known.iter();
            filled.fold(arg.clone(), |arg, (name, _, value)| {
                arg.replace(name, value)
            })
        };
        let mut command = Command::new(&self.program);
        command
            .args(self.args.iter().map(filled))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(known.iter().map(|(_, name, value)| (name, value)))
            .envs(self.envs.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Its own group, so that what it started ends with it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

#[async_trait]
impl Probe for ExecProbe {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        let child = self.command(instance).spawn();
        let mut child = Running(child.map_err(|error| ProbeFailed::new(NotStarted(error)))?);
        let mut stderr = child.0.stderr.take();
        let mut said = Vec::new();
        let status = tokio::select! {
            status = child.0.wait() => status.map_err(ProbeFailed::new)?,
            Err(too_much) = drain(stderr.as_mut(), &mut said) => return Err(too_much),
        };
        if status.success() {
            return Ok(());
        }
        // What it said last is in the pipe; who else holds the pipe open is not waited for.
        let rest = timeout(LAST_WORDS, drain(stderr.as_mut(), &mut said)).await;
        drop(rest);
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().next().unwrap_or_default();
        Err(ProbeFailed::new(format!("{status}: {line}")))
    }

    fn kind(&self, _: &Instance) -> &'static str {
        "exec"
    }
}

impl fmt::Debug for ExecProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of its environment may be secrets.
        f.debug_struct("ExecProbe")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// Reads so that the command never waits for a reader; ends with an error or not at all.
async fn drain(
    stderr: Option<impl AsyncRead + Unpin>,
    said: &mut Vec<u8>,
) -> Result<(), ProbeFailed> {
    let Some(mut stderr) = stderr else {
        return std::future::pending().await;
    };
    let (mut buffer, mut total) = ([0; 1_024], 0);
    loop {
        match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => return std::future::pending().await,
            Ok(read) => {
                total += read;
                let room = SAID_MAX.saturating_sub(said.len()).min(read);
                said.extend_from_slice(&buffer[..room]);
            }
        }
        if total > OUTPUT_MAX {
            let why = format!("it wrote more than {OUTPUT_MAX} bytes of errors");
            return Err(ProbeFailed::new(why));
        }
    }
}

/// A command that ends with its whole group when this is dropped before it has ended.
struct Running(Child);

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        // It has an id until it was waited for, and so long nobody else has this id.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // An error is that it has just ended by itself.
            let _done = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

const LAST_WORDS: Duration = Duration::from_millis(10);
const SAID_MAX: usize = 1_024;
const OUTPUT_MAX: usize = 64 * 1_024;

#[cfg(test)]
#[cfg(unix)]
mod tests;
