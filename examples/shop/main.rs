//! The shop: gateway, registry, user, order, payment and inventory, each a process with its own database.
//!
//! `cargo run --example shop` starts this program, which starts itself again as each of its services
//! ([`supervisor`]); [`service`] is the life of one of them.

// Visible one level up, for `unit_tests.rs`.
pub(crate) mod audit;
pub(crate) mod cli;
pub(crate) mod context;
pub(crate) mod db;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod gateway;
pub(crate) mod identity;
pub(crate) mod ids;
pub(crate) mod in_process;
pub(crate) mod inventory;
pub(crate) mod money;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod paths;
pub(crate) mod payment;
pub(crate) mod ready;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod supervisor;
pub(crate) mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod timestamp;
pub(crate) mod user;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use cli::{Command, HELP};

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            let _unread = writeln!(io::stderr(), "error: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match command {
        Command::Audit(dir) => check_books(&dir),
        Command::Help => say(HELP),
        Command::Run(options) => run::run(&options),
        Command::Service(settings) => service::run(&settings),
        Command::Version => say(concat!("msf shop ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

fn check_books(dir: &Path) -> ExitCode {
    let (agreed, found) = match audit::audit(dir) {
        Ok(report) => (report.is_clean(), report.to_string()),
        Err(error) => (false, format!("error: {error}\n")),
    };
    say(&found);
    if agreed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn say(text: &str) -> ExitCode {
    // A reader that has gone away is no error of ours.
    let _unread = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// What command line parsers end with when the command line is wrong.
const USAGE: u8 = 2;
