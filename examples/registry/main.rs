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
//! Who dies is started again after 3 s. `--demo` does all three by itself and fails if a call fails. The same in
//! terminals of your own: `-- serve`, `-- instance 1`, `-- instance 2`, `-- call`; the registry is at 127.0.0.1:7700
//! or where `--registry ADDR` says.

mod board;
mod caller;
mod children;
mod roles;

use std::{net::SocketAddr, process::ExitCode};

use msf_core::BoxError;

/// What the command line asks for.
struct Asked {
    role: Role,
    registry: SocketAddr,
}

enum Role {
    All { is_demo: bool },
    Serve,
    Instance(u16),
    Call,
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let Some(asked) = read(std::env::args().skip(1)) else {
        board::say(include_str!("help.txt"));
        return Ok(ExitCode::FAILURE);
    };
    let failed = match asked.role {
        Role::Serve => {
            return roles::serve(asked.registry)
                .await
                .map(|()| ExitCode::SUCCESS);
        }
        Role::Instance(n) => {
            return roles::instance(n, asked.registry)
                .await
                .map(|()| ExitCode::SUCCESS);
        }
        Role::Call => caller::run(asked.registry, None).await?,
        Role::All { is_demo } => {
            let children = children::start(asked.registry, is_demo)?;
            caller::run(asked.registry, Some(children)).await?
        }
    };
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `None` for what nobody understands, and for `--help`.
fn read(mut words: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked {
        role: Role::All { is_demo: false },
        registry: ([127, 0, 0, 1], 7_700).into(),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--registry" => asked.registry = words.next()?.parse().ok()?,
            "--demo" => asked.role = Role::All { is_demo: true },
            "serve" => asked.role = Role::Serve,
            "call" => asked.role = Role::Call,
            "instance" => asked.role = Role::Instance(words.next()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(asked)
}
