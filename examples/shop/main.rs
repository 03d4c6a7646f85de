//! The shop: gateway, registry, user, order, payment and inventory, each a process with its own database.
//!
//! `cargo run --example shop` starts this program, which starts itself again as each of its services
//! ([`supervisor`]); [`service`] is the life of one of them.

mod audit;
mod cli;
mod context;
mod db;
mod demo;
mod events;
mod gateway;
mod identity;
mod ids;
mod in_process;
mod inventory;
mod money;
mod order;
mod page;
mod paths;
mod payment;
mod ready;
mod registry;
mod run;
mod service;
mod settings;
mod supervisor;
mod terminal;
#[cfg(test)]
mod testing;
mod timestamp;
mod user;

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
