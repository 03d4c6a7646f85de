//! A process on a core of its own, and what it costs.

use std::{
    ffi::OsStr,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use msf_core::{BoxError, clock};

/// A process that ends with its owner.
#[derive(Debug)]
pub struct Process(Child);

/// Where the proxies run.
pub const PROXY_CORE: usize = 0;
/// Where everything else runs. A machine with one core has them all on that.
pub const LOAD_CORE: usize = 1;

impl Process {
    /// Starts a program on one core and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not start, or does not listen in time.
    pub fn start<A: AsRef<OsStr>>(
        core: usize,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        addr: SocketAddr,
    ) -> Result<Self, BoxError> {
        let name = program.as_ref().to_string_lossy().into_owned();
        let child = pinned(core, program)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Self(child);
        let began = clock::now();
        while TcpStream::connect(addr).is_err() {
            if let Some(status) = process.0.try_wait()? {
                return Err(format!("{name} ended with {status} before it listened").into());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{name} does not listen on {addr}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }

    /// CPU time so far in nanoseconds, over all threads of the process and its children.
    ///
    /// # Errors
    ///
    /// When it has ended, or the system does not tell.
    pub fn cpu_ns(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for pid in self.family()? {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
                sum += on_cpu.parse::<u64>()?;
            }
        }
        Ok(sum)
    }

    /// The most memory that was resident at once, in KiB: the process and its children together.
    ///
    /// # Errors
    ///
    /// When it has ended, or the system does not tell.
    pub fn peak_kib(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for pid in self.family()? {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = peak.and_then(|peak| peak.split_whitespace().next());
            sum += kib.ok_or("no VmHWM")?.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// The memory that is its own now, in KiB: what is shared with others is divided among them (PSS).
    ///
    /// # Errors
    ///
    /// When it has ended, or the system does not tell.
    pub fn pss_kib(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for pid in self.family()? {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kib = pss.and_then(|pss| pss.split_whitespace().next());
            sum += kib.ok_or("no Pss")?.parse::<u64>()?;
        }
        Ok(sum)
    }

    fn family(&self) -> Result<Vec<u32>, BoxError> {
        let own = self.0.id();
        let path = format!("/proc/{own}/task/{own}/children");
        let children = fs::read_to_string(path)?;
        let mut family = vec![own];
        for child in children.split_whitespace() {
            family.push(child.parse()?);
        }
        Ok(family)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which the next round reports.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A command that runs on one core, if the machine has it.
#[must_use]
pub fn pinned(core: usize, program: impl AsRef<OsStr>) -> Command {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if core >= cores {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// An address of this machine that was free a moment ago. A clash makes the process fail, which is reported.
///
/// # Errors
///
/// When there is none.
pub fn free_addr() -> Result<SocketAddr, BoxError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Whether a program is on the PATH, or where systems keep their servers.
#[must_use]
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin".into(), "/usr/local/sbin".into()];
    std::env::split_paths(&path)
        .chain(system)
        .any(|dir| dir.join(program).is_file())
}

const PATIENCE: Duration = Duration::from_secs(10);
