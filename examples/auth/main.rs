//! Who calls, and may they, to be watched with curl: `cargo run --example auth`.
//!
//! One command starts two servers in one process: *id*, which knows passwords and signs tokens, and *notes*, which trusts
//! id's keys and nobody's word. It prints the commands to try. `-- --demo` runs them all itself, with curl, and fails if an
//! answer is not the one that it should be: nobody's note is seen by somebody else, keys change under running tokens, a
//! refresh token that comes back ends its session, a logout counts at once.
//!
//! The keys are in a directory that is removed at the end; `--keys DIR` keeps them, and the next start goes on with them.

mod id;
mod notes;
mod story;

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use axum::Router;
use msf_auth::Revocations;
use msf_core::{
    BoxError,
    server::{DrainPlan, Listener, Server},
};
use tokio::signal::unix::{SignalKind, signal};

/// What the command line asks for.
struct Asked {
    is_demo: bool,
    port: u16,
    keys: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            say(include_str!("help.txt"));
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(&format!("{wrong}; --help says what there is"));
            return ExitCode::from(2);
        }
    };
    match run(asked).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_wrong_answers) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to end, and says how many answers of the demo were wrong.
async fn run(asked: Asked) -> Result<usize, BoxError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let at = |port| Listener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
    let (id_at, notes_at) = (
        at(asked.port)?,
        at(asked.port.saturating_add(u16::from(asked.port > 0)))?,
    );
    let urls = story::Urls::new(id_at.local_addr(), notes_at.local_addr());
    let kept = asked.keys.is_some();
    let keys = asked
        .keys
        .unwrap_or_else(|| std::env::temp_dir().join(format!("msf-auth-{}", std::process::id())));

    // In one process they can share the list of what was taken back; in two, a `RevocationFeed` carries it.
    let revocations = Revocations::new();
    let id = id::Id::open(&urls.id, &keys, revocations.clone()).await?;
    let _rotating = id.keep_rotating();
    let (id, notes) = (id.router()?, notes::router(&urls.id, revocations)?);
    let outcome = tokio::select! {
        outcome = serve(id_at, id) => outcome.map(|()| 0),
        outcome = serve(notes_at, notes) => outcome.map(|()| 0),
        outcome = story::tell(&urls), if asked.is_demo => outcome,
        () = story::wait(&urls), if !asked.is_demo => Ok(0),
        _ = terminated.recv() => Ok(0),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| 0).map_err(Into::into),
    };
    if !kept {
        let _left_behind = std::fs::remove_dir_all(&keys);
    }
    outcome
}

async fn serve(listener: Listener, router: Router) -> Result<(), BoxError> {
    let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
    let server = Server::new();
    server
        .serve_until(listener, router, std::future::pending(), plan)
        .await?;
    Ok(())
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Asked>, String> {
    let mut asked = Asked {
        is_demo: false,
        port: 7_800,
        keys: None,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--demo" => asked.is_demo = true,
            "--port" => asked.port = value(&word, words.next())?,
            "--keys" => asked.keys = Some(value(&word, words.next())?),
            _ => return Err(format!("`{word}` is not understood")),
        }
    }
    Ok(Some(asked))
}

fn value<T: std::str::FromStr>(of: &str, word: Option<String>) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("`{of}` needs a value"))?;
    word.parse()
        .map_err(|_| format!("`{word}` is no value of `{of}`"))
}

fn say(what: &str) {
    let _nobody_reads = std::io::stdout().write_all(what.as_bytes());
}

fn complain(what: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "error: {what}");
}
