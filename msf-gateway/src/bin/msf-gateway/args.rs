//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use http::Method;
use msf_gateway::live::LiveGateway;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Version,
    Schema,
    Run {
        config: PathBuf,
        poll: Duration,
    },
    Check {
        config: PathBuf,
    },
    Explain {
        config: PathBuf,
        ask: Ask,
    },
    Diff {
        config: PathBuf,
        with: PathBuf,
        json: bool,
    },
}

/// A request to explain.
#[derive(Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) json: bool,
}

/// A command line that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}\nmsf-gateway --help says what there is")]
pub(crate) struct UsageError(String);

pub(crate) const HELP: &str = include_str!("help.txt");

/// What was said, in any order.
#[derive(Default)]
struct Said {
    words: Vec<String>,
    config: Option<PathBuf>,
    with: Option<PathBuf>,
    poll: Option<Duration>,
    method: Option<Method>,
    headers: Vec<(String, String)>,
    json: bool,
}

/// Reads the arguments, without the name of the program. `variable` is `MSF_GATEWAY_CONFIG`.
pub(crate) fn parse(
    args: impl IntoIterator<Item = OsString>,
    variable: Option<OsString>,
) -> Result<Command, UsageError> {
    let mut said = Said {
        config: variable.filter(|path| !path.is_empty()).map(PathBuf::from),
        ..Said::default()
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let (flag, inline) = split(&arg);
        let mut value = || match inline.clone().or_else(|| args.next()) {
            Some(value) => Ok(value),
            None => Err(UsageError(format!("{flag} needs a value"))),
        };
        match flag.as_str() {
            "-h" | "--help" | "help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            "-c" | "--config" => said.config = Some(value()?.into()),
            "--with" => said.with = Some(value()?.into()),
            "--poll" => said.poll = Some(time(&text(value()?)?)?),
            "-X" | "--method" => {
                let method = text(value()?)?;
                let read = Method::from_bytes(method.as_bytes());
                said.method =
                    Some(read.map_err(|_| UsageError(format!("{method:?} is no method")))?);
            }
            "-H" | "--header" => said.headers.push(header(&text(value()?)?)?),
            "--json" => said.json = true,
            flag if flag.starts_with('-') => {
                return Err(UsageError(format!("there is no {flag}")));
            }
            _ => said.words.push(text(arg)?),
        }
    }
    said.command()
}

impl Said {
    fn command(mut self) -> Result<Command, UsageError> {
        if self.words.is_empty() {
            return Err(UsageError(
                "a command is missing: run, check, explain, diff or schema".to_owned(),
            ));
        }
        let command = self.words.remove(0);
        if command == "schema" {
            return self.nothing_more().map(|()| Command::Schema);
        }
        if !["run", "check", "explain", "diff"].contains(&command.as_str()) {
            return Err(UsageError(format!("there is no command {command:?}")));
        }
        let Some(config) = self.config.take() else {
            return Err(UsageError("--config FILE is missing".to_owned()));
        };
        match command.as_str() {
            "explain" => {
                if self.words.is_empty() {
                    return Err(UsageError("the URL to explain is missing".to_owned()));
                }
                let ask = Ask {
                    url: self.words.remove(0),
                    method: self.method.take().unwrap_or(Method::GET),
                    headers: std::mem::take(&mut self.headers),
                    json: std::mem::take(&mut self.json),
                };
                self.nothing_more()?;
                Ok(Command::Explain { config, ask })
            }
            "diff" => {
                let words = &mut self.words;
                let with = self.with.take();
                let with = with.or_else(|| (!words.is_empty()).then(|| words.remove(0).into()));
                let Some(with) = with else {
                    return Err(UsageError("--with FILE is missing".to_owned()));
                };
                let json = std::mem::take(&mut self.json);
                self.nothing_more()?;
                Ok(Command::Diff { config, with, json })
            }
            "check" => {
                self.nothing_more()?;
                Ok(Command::Check { config })
            }
            _ => {
                let poll = self.poll.take().unwrap_or(LiveGateway::POLL_EVERY);
                self.nothing_more()?;
                Ok(Command::Run { config, poll })
            }
        }
    }

    /// A word or a flag that is ignored is one that somebody believes in.
    fn nothing_more(&self) -> Result<(), UsageError> {
        let flags = [
            ("--with", self.with.is_some()),
            ("--poll", self.poll.is_some()),
            ("--method", self.method.is_some()),
            ("--header", !self.headers.is_empty()),
            ("--json", self.json),
        ];
        if let Some((flag, _)) = flags.iter().find(|(_, is_said)| *is_said) {
            return Err(UsageError(format!("{flag} is for another command")));
        }
        match self.words.first() {
            Some(word) => Err(UsageError(format!("{word:?} is one word too many"))),
            None => Ok(()),
        }
    }
}

/// `--flag=value`.
fn split(arg: &OsString) -> (String, Option<OsString>) {
    let text = arg.to_string_lossy();
    match text.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.into())),
        _ => (text.into_owned(), None),
    }
}

fn text(value: OsString) -> Result<String, UsageError> {
    value
        .into_string()
        .map_err(|value| UsageError(format!("{value:?} is not valid UTF-8")))
}

fn time(text: &str) -> Result<Duration, UsageError> {
    humantime::parse_duration(text)
        .map_err(|_| UsageError(format!("{text:?} is no time such as 500ms or 2s")))
}

fn header(text: &str) -> Result<(String, String), UsageError> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(UsageError(format!(
            "{text:?} is no header such as 'name: value'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from), None)
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(
            read("run --config g.toml --poll=2s").unwrap(),
            Command::Run {
                config: "g.toml".into(),
                poll: Duration::from_secs(2)
            }
        );
        assert_eq!(
            read("explain -c g.toml -X POST -H a:b /x --json").unwrap(),
            Command::Explain {
                config: "g.toml".into(),
                ask: Ask {
                    method: Method::POST,
                    url: "/x".to_owned(),
                    headers: vec![("a".to_owned(), "b".to_owned())],
                    json: true,
                }
            }
        );
        assert_eq!(read("schema").unwrap(), Command::Schema);
        assert_eq!(read("run --help").unwrap(), Command::Help);
        let by_variable = parse(["check".into()], Some("g.toml".into()));
        assert_eq!(
            by_variable.unwrap(),
            Command::Check {
                config: "g.toml".into()
            }
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (line, expected) in [
            ("", "a command is missing"),
            ("runn -c g.toml", "there is no command"),
            ("run", "--config FILE is missing"),
            ("run -c g.toml --prot 1", "there is no --prot"),
            ("run -c g.toml x", "one word too many"),
            ("check -c g.toml --json", "is for another command"),
            ("run -c g.toml --poll soon", "is no time"),
            ("explain -c g.toml", "the URL"),
            ("explain -c g.toml -H x /", "is no header"),
            ("diff -c g.toml", "--with FILE"),
            ("run -c", "needs a value"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
