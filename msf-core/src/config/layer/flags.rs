//! The flag layer: `--server.bind=127.0.0.1:0`, and the flags that ask for something else than to
//! run.

use std::{
    ffi::{OsStr, OsString},
    iter::Peekable,
    slice::Iter,
};

use super::assign::{Assignment, MAX_NAMES, matching};
use crate::config::{
    error::{Problem, Report},
    key::Key,
    source::Source,
    tree::{Node, Value},
};

/// What the command line says.
#[derive(Default)]
pub(in crate::config) struct Flags {
    pub(in crate::config) assignments: Vec<Assignment>,
    pub(in crate::config) config: Option<OsString>,
    pub(in crate::config) asked: Asked,
}

/// What to do once the configuration is loaded; the greatest that was asked for counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Asked {
    #[default]
    Run,
    CheckConfig,
    PrintConfig,
    Help,
}

impl Flags {
    /// Reads all arguments; `known` tells which keys are booleans, which need no value.
    pub(in crate::config) fn parse(args: &[OsString], known: &Node, report: &mut Report) -> Self {
        let mut flags = Self::default();
        let mut rest = Rest {
            position: 0,
            args: args.iter().peekable(),
        };
        while let Some(arg) = rest.next() {
            if let Err(problem) = flags.read(arg, &mut rest, known) {
                report.push(problem);
            }
        }
        flags
    }

    fn read(&mut self, arg: &OsStr, rest: &mut Rest<'_>, known: &Node) -> Result<(), Problem> {
        let Some(arg) = arg.to_str() else {
            return Err(problem(
                None,
                format_args!("argument {} is not valid UTF-8", rest.position),
            ));
        };
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (arg, None),
        };
        let asked = match flag {
            "--help" | "-h" => Asked::Help,
            "--print-config" => Asked::PrintConfig,
            "--check-config" => Asked::CheckConfig,
            "--config" => {
                let file = value
                    .map(OsString::from)
                    .or_else(|| rest.value().map(OsStr::to_owned));
                let file = file.filter(|file| !file.is_empty());
                self.config = Some(file.ok_or_else(|| problem(flag, "needs the name of a file"))?);
                return Ok(());
            }
            _ => return self.assign(flag, value, rest, known),
        };
        if value.is_some() {
            return Err(problem(flag, "takes no value"));
        }
        self.asked = self.asked.max(asked);
        Ok(())
    }

    fn assign(
        &mut self,
        flag: &str,
        value: Option<&str>,
        rest: &mut Rest<'_>,
        known: &Node,
    ) -> Result<(), Problem> {
        let Some(path) = flag.strip_prefix("--").filter(|path| !path.is_empty()) else {
            // The argument may be a value that lost its flag, even a secret, so it is not shown
            // unless it looks like a flag.
            return Err(match flag.strip_prefix('-') {
                Some(name) if !name.is_empty() => problem(flag, "unknown flag")
                    .with_hint("keys are set as --key=value".to_owned()),
                _ => problem(
                    None,
                    format_args!("argument {} is not a flag", rest.position),
                )
                .with_hint("keys are set as --key=value".to_owned()),
            });
        };
        let names: Vec<_> = path.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) || names.len() > MAX_NAMES {
            return Err(problem(flag, "names no key"));
        }
        let text = match value {
            Some(value) => value.to_owned(),
            None if is_boolean(known, &names) => rest.boolean().unwrap_or("true").to_owned(),
            None => match rest.value().map(OsStr::to_str) {
                Some(Some(value)) => value.to_owned(),
                Some(None) => return Err(problem(flag, "is not valid UTF-8")),
                None => {
                    return Err(problem(flag, "needs a value")
                        .with_hint(format!("write {flag}=VALUE if the value begins with --")));
                }
            },
        };
        self.assignments.push(Assignment {
            names,
            text,
            source: Source::Flag(flag.into()),
        });
        Ok(())
    }
}

/// The arguments that are left, and the position of the last one taken, counted from 1.
struct Rest<'a> {
    position: usize,
    args: Peekable<Iter<'a, OsString>>,
}

impl<'a> Rest<'a> {
    fn next(&mut self) -> Option<&'a OsStr> {
        self.position += 1;
        self.args.next().map(OsString::as_os_str)
    }

    /// The value of the flag before, unless what follows is a flag itself.
    fn value(&mut self) -> Option<&'a OsStr> {
        let is_flag = |arg: &&OsString| arg.as_encoded_bytes().starts_with(b"--");
        self.args.peek().filter(|arg| !is_flag(arg))?;
        self.next()
    }

    /// The value of a boolean flag, which may be left out.
    fn boolean(&mut self) -> Option<&'a str> {
        let value = self.args.peek()?.to_str()?;
        matches!(value, "true" | "false").then(|| self.next());
        matches!(value, "true" | "false").then_some(value)
    }
}

fn is_boolean(known: &Node, names: &[String]) -> bool {
    let found = names.iter().try_fold(known, |node, name| {
        let table = node.as_table()?;
        table.get(matching(table, name)?)
    });
    matches!(found.map(|node| &node.value), Some(Value::Bool(_)))
}

fn problem<'a>(flag: impl Into<Option<&'a str>>, message: impl std::fmt::Display) -> Problem {
    let source = flag.into().map(|flag| Source::Flag(flag.into()));
    Problem::new(Key::default(), source, message)
}
