//! A registry, instances that come and go, and a caller that does not mind: `cargo run --example registry`.
//!
//! One command starts a registry server and three instances, each a process of its own, calls them 200 times a
//! second and draws what it sees. Then kill some: the table says with which numbers.
//!
//! | try | what happens |
//! |---|---|
//! | `kill -9` an instance | its port is closed: calls go elsewhere at once, its lease ends 3 s later |
//! | `kill` an instance (SIGTERM) | it says that it drains, callers leave, then it goes; no call notices |
//! | `kill -9` the registry | callers keep the list that they have; it starts again empty, and all are back in a second |
//!
//! Who dies is started again after 3 s. `--demo` does all three by itself and fails if a call fails; without a terminal
//! it says one line for each change instead of a table. The same in terminals of your own: `-- serve`, `-- instance 1`,
//! `-- instance 2`, `-- call`; the registry is at 127.0.0.1:7700 or where `--registry ADDR` says.

mod board;
mod caller;
mod children;
mod roles;

use std::{io::Write, net::SocketAddr, process::ExitCode};

use msf_core::{BoxError, server::Listener};

/// What the command line asks for.
struct Asked {
    role: Role,
    registry: SocketAddr,
    /// Whether another process started this one, and it ends with that.
    is_child: bool,
}

enum Role {
    Help,
    All { is_demo: bool },
    Serve,
    Instance(u16),
    Call,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(wrong) => {
            complain(&format!("{wrong}; --help says what there is"));
            return ExitCode::from(2);
        }
    };
    match run(asked).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_failed_calls) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Plays a part until it is told to end, and says how many calls failed.
async fn run(asked: Asked) -> Result<u64, BoxError> {
    let ended = roles::ended(asked.is_child)?;
    match asked.role {
        Role::Help => board::say(include_str!("help.txt")),
        Role::Serve => roles::serve(asked.registry, ended).await?,
        Role::Instance(n) => roles::instance(n, asked.registry, ended).await?,
        Role::Call => return caller::run(asked.registry, None, ended).await,
        Role::All { is_demo } => {
            // Bound and let go again: a port that is taken is an error here and not in a child.
            let registry = Listener::bind(asked.registry)?.local_addr();
            let children = children::start(registry, is_demo)?;
            return caller::run(registry, Some(children), ended).await;
        }
    }
    Ok(0)
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        role: Role::All { is_demo: false },
        registry: ([127, 0, 0, 1], 7_700).into(),
        is_child: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => asked.role = Role::Help,
            "--registry" => asked.registry = value(&word, words.next())?,
            "--demo" => asked.role = Role::All { is_demo: true },
            "--child" => asked.is_child = true,
            "serve" => asked.role = Role::Serve,
            "call" => asked.role = Role::Call,
            "instance" => asked.role = Role::Instance(value(&word, words.next())?),
            _ => return Err(format!("`{word}` is not understood")),
        }
    }
    Ok(asked)
}

fn value<T: std::str::FromStr>(of: &str, word: Option<String>) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("`{of}` needs a value"))?;
    word.parse()
        .map_err(|_| format!("`{word}` is no value of `{of}`"))
}

fn complain(what: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "error: {what}");
}
