//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use msf_core::name::InstanceId;

use crate::{
    paths::DataDir,
    settings::{Kind, PORT, ServiceSettings, Slot},
};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Check the four databases of a directory.
    Audit(PathBuf),
    Help,
    Run(RunOptions),
    /// Be one service of a shop; not for people.
    Service(Box<ServiceSettings>),
    Version,
}

/// How to run a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) mode: Mode,
    /// Keeps the data there; a temporary directory otherwise.
    pub(crate) data: Option<PathBuf>,
    /// The port of the gateway; another one if it is busy.
    pub(crate) port: u16,
    /// Streams the logs of the services.
    pub(crate) verbose: bool,
}

/// What is done with the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each service is a process; plays a story and ends.
    Demo,
    /// All services are tasks of this process.
    InProcess,
    /// Each service is a process.
    Processes,
}

/// A command line that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}\n\nUsage: shop [--demo | --in-process] [--data DIR] [--port N] [-v]; see shop --help")]
pub(crate) struct UsageError(String);

pub(crate) const HELP: &str = "\
A shop of six services, each a process with its own database.

Usage: shop [OPTIONS]

  --demo          play an order, a declined card and killed processes, check the result, and end
  --in-process    run all services in this process
  --data DIR      keep the data there (default: a temporary directory, removed at the end)
  --port N        port of the gateway (default 8080; another one if it is busy)
  -v, --verbose   show the logs of the services
  --audit DIR     check the databases of a shop that has ended: stock, charges, orders
  -h, --help      print this
  -V, --version   print the version

Ctrl-c ends it in order; a second ctrl-c at once.
";

/// Reads the arguments, without the name of the program.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut args = Args::new(args);
    match args.next_flag()? {
        Some(first) if first == "service" => service(args),
        first => run(first, args),
    }
}

fn run(first: Option<String>, mut args: Args) -> Result<Command, UsageError> {
    let mut options = RunOptions {
        mode: Mode::Processes,
        data: None,
        port: PORT,
        verbose: false,
    };
    let mut next = first;
    while let Some(flag) = next {
        match flag.as_str() {
            "--audit" => {
                let dir = args.value(&flag)?.into();
                args.end()?;
                return Ok(Command::Audit(dir));
            }
            "--data" => options.data = Some(args.value(&flag)?.into()),
            "--demo" => options.mode = options.mode.or(Mode::Demo)?,
            "--in-process" => options.mode = options.mode.or(Mode::InProcess)?,
            "--port" => options.port = args.parsed(&flag, "a port number")?,
            "-h" | "--help" => return Ok(Command::Help),
            "-v" | "--verbose" => options.verbose = true,
            "-V" | "--version" => return Ok(Command::Version),
            _ => return Err(UsageError(format!("unknown argument {flag:?}"))),
        }
        next = args.next_flag()?;
    }
    Ok(Command::Run(options))
}

impl Mode {
    fn or(self, other: Self) -> Result<Self, UsageError> {
        if self == Self::Processes || self == other {
            Ok(other)
        } else {
            let reason = "--demo kills processes, so it cannot be combined with --in-process";
            Err(UsageError(reason.to_owned()))
        }
    }
}

fn service(mut args: Args) -> Result<Command, UsageError> {
    let kind = args.next_flag()?.as_deref().and_then(Kind::parse);
    let (mut instance, mut data, mut port, mut registry, mut temporary) =
        (None, None, 0, None::<SocketAddr>, false);
    while let Some(flag) = args.next_flag()? {
        match flag.as_str() {
            "--data" => data = Some(PathBuf::from(args.value(&flag)?)),
            "--instance" => instance = Some(args.parsed::<InstanceId>(&flag, "a name")?),
            "--port" => port = args.parsed(&flag, "a port number")?,
            "--registry" => registry = Some(args.parsed(&flag, "an address")?),
            "--temporary" => temporary = true,
            _ => return Err(UsageError(format!("unknown argument {flag:?}"))),
        }
    }
    let (Some(kind), Some(instance), Some(data)) = (kind, instance, data) else {
        let reason = "`service` is what the shop starts itself with";
        return Err(UsageError(reason.to_owned()));
    };
    Ok(Command::Service(Box::new(ServiceSettings {
        slot: Slot { kind, instance },
        data: DataDir::joined(data, temporary),
        port,
        registry,
    })))
}

/// Arguments, with `--flag=value` taken apart.
struct Args {
    rest: std::vec::IntoIter<OsString>,
    /// The part after `=` of the flag that was returned last.
    attached: Option<OsString>,
}

impl Args {
    fn new(args: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            rest: args.into_iter().collect::<Vec<_>>().into_iter(),
            attached: None,
        }
    }

    fn next_flag(&mut self) -> Result<Option<String>, UsageError> {
        if let Some(value) = self.attached.take() {
            return Err(UsageError(format!(
                "{value:?} belongs to a flag that takes no value"
            )));
        }
        let Some(arg) = self.rest.next() else {
            return Ok(None);
        };
        let arg = arg
            .into_string()
            .map_err(|arg| UsageError(format!("unknown argument {arg:?}")))?;
        Ok(Some(match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                self.attached = Some(value.into());
                flag.to_owned()
            }
            _ => arg,
        }))
    }

    fn value(&mut self, flag: &str) -> Result<OsString, UsageError> {
        self.attached
            .take()
            .or_else(|| self.rest.next())
            .filter(|value| !value.is_empty())
            .ok_or_else(|| UsageError(format!("{flag} needs a value")))
    }

    fn parsed<T: std::str::FromStr>(&mut self, flag: &str, what: &str) -> Result<T, UsageError> {
        let value = self.value(flag)?;
        value
            .to_str()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| UsageError(format!("{flag} needs {what}, not {value:?}")))
    }

    fn end(&mut self) -> Result<(), UsageError> {
        match self.next_flag()? {
            None => Ok(()),
            Some(extra) => Err(UsageError(format!("unexpected argument {extra:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.0)
    }

    fn options(line: &str) -> RunOptions {
        match parsed(line) {
            Ok(Command::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_a_shop_of_processes_on_8080() {
        let options = options("");
        assert_eq!((options.mode, options.port), (Mode::Processes, 8080));
        assert_eq!(options.data, None);
    }

    #[test]
    fn values_are_attached_or_follow() {
        assert_eq!(
            options("--data a --port=7 -v"),
            options("--data=a --port 7 --verbose")
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--dmeo", "unknown argument \"--dmeo\""),
            ("--port", "--port needs a value"),
            ("--port=http", "--port needs a port number"),
            ("--demo=yes", "takes no value"),
            ("--demo --in-process", "cannot be combined"),
            ("--audit a b", "unexpected argument"),
            ("service payment", "starts itself"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_service_reads_what_the_shop_wrote() {
        for slot in Slot::all() {
            let settings = ServiceSettings {
                slot,
                data: DataDir::joined("/a b/c".into(), true),
                port: 7,
                registry: Some(([127, 0, 0, 1], 41).into()),
            };
            let command = parse(settings.to_args());
            assert_eq!(command, Ok(Command::Service(Box::new(settings))));
        }
    }
}
