//! The program `msf-gateway`; `help.txt` says what it does.

mod args;
mod look;
mod run;

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use self::args::Command;

fn main() -> ExitCode {
    let variable = env::var_os("MSF_GATEWAY_CONFIG");
    let command = match args::parse(env::args_os().skip(1), variable) {
        Ok(command) => command,
        Err(wrong) => {
            complain(wrong);
            return ExitCode::from(USAGE);
        }
    };
    match command {
        Command::Help => say(args::HELP.trim_end()),
        Command::Version => say(format_args!("msf-gateway {}", env!("CARGO_PKG_VERSION"))),
        Command::Schema => look::schema(),
        Command::Run { config, poll } => run::run(config, poll),
        Command::Check { config } => look::check(&config),
        Command::Explain { config, ask } => look::explain(config, ask),
        Command::Diff { config, with, json } => look::diff(config, with, json),
    }
}

/// Says something on the standard output. Whoever has closed it does not want to hear more.
fn say(text: impl Display) -> ExitCode {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn complain(text: impl Display) {
    let _nobody_listens = writeln!(io::stderr().lock(), "{text}");
}

const WRONG: u8 = 1;
const USAGE: u8 = 2;
const FAILED: u8 = 3;
