//! Calls without end, counted by who answered.

use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use msf_client::{Client, Error, ServiceClient, ServiceSettings};
use msf_core::{BoxError, task};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    board::{Board, say},
    children::Children,
    roles::{SERVICE, connect},
};

/// What became of the calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// Of those, the ones that were made a second time.
    pub(crate) repeated: u64,
    pub(crate) failed: u64,
    pub(crate) last_failure: Option<String>,
    /// By the instance that answered, since the table was drawn.
    pub(crate) by_instance: BTreeMap<String, u32>,
}

/// Calls until it is told to end, and says how many calls failed.
pub(crate) async fn run(
    registry: SocketAddr,
    mut children: Option<Children>,
    ended: impl Future<Output = ()>,
) -> Result<u64, BoxError> {
    let client = Client::builder(connect(registry)?)
        .resolve_timeout(Duration::from_secs(10))
        // An instance that is killed takes the calls that it works on along. Asking does no harm, so another one is asked.
        .service(SERVICE, ServiceSettings::new().retry(|retry| retry))
        .build()?;
    let greeter = client.service(SERVICE)?;
    let mut ended = std::pin::pin!(ended);
    tokio::select! {
        ready = greeter.instances().ready(Duration::from_secs(10)) => ready?,
        () = &mut ended => return Ok(0),
    }

    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut board = Board::new(greeter.instances().clone());
    let mut calls = interval(Duration::from_millis(5));
    calls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draws = interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = calls.tick() => {
                let (greeter, tally) = (greeter.clone(), Arc::clone(&tally));
                task::spawn("call", async move { call(&greeter, &tally).await }).detach();
            }
            _ = draws.tick() => {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                board.draw(&tally, children.as_ref());
                tally.by_instance.clear();
            }
            () = &mut ended => break,
            told = told(&mut children) => match told {
                Some(what) => board.news(&what),
                None => break,
            },
        }
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    say(&format!("{tally}\n"));
    Ok(tally.failed)
}

/// Asks for a greeting, and once more if the answer broke off after its head, which the client does not repeat.
async fn call(greeter: &ServiceClient, tally: &Mutex<Tally>) {
    let mut answer = ask(greeter).await;
    let is_repeated = answer.is_err();
    if is_repeated {
        answer = ask(greeter).await;
    }
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(name) => {
            tally.answered += 1;
            tally.repeated += u64::from(is_repeated);
            *tally.by_instance.entry(name).or_default() += 1;
        }
        Err(error) => {
            tally.failed += 1;
            tally.last_failure = Some(error.to_string());
        }
    }
}

async fn ask(greeter: &ServiceClient) -> Result<String, Error> {
    let name = greeter.get("/").send().await?.bytes().await?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

async fn told(children: &mut Option<Children>) -> Option<String> {
    match children {
        Some(children) => children.told().await,
        None => pending().await,
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            answered,
            repeated,
            failed,
            ..
        } = self;
        write!(
            f,
            "{answered} calls answered, {repeated} of them at the second try, {failed} failed"
        )
    }
}
