//! Calls without end, counted by who answered.

use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use msf_client::Client;
use msf_core::{BoxError, task};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    board::{Board, say},
    children::Children,
    roles::{connect, ended, service_name},
};

/// What became of the calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) last_failure: Option<String>,
    /// By the instance that answered, since the table was drawn.
    pub(crate) by_instance: BTreeMap<String, u32>,
}

/// Calls until it is told to end, and says how many calls failed.
pub(crate) async fn run(registry: SocketAddr, children: Option<Children>) -> Result<u64, BoxError> {
    let client = Client::builder(connect(registry)?)
        .resolve_timeout(Duration::from_secs(10))
        .build()?;
    let greeter = client.service(service_name()?)?;
    greeter.instances().ready(Duration::from_secs(10)).await?;

    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut board = Board::new(greeter.instances().clone());
    let mut children = children;
    let ended = ended()?;
    let mut ended = std::pin::pin!(ended);
    let mut calls = interval(Duration::from_millis(5));
    calls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draws = interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = calls.tick() => {
                let (greeter, tally) = (greeter.clone(), Arc::clone(&tally));
                task::spawn("call", async move {
                    let outcome = match greeter.get("/").send().await {
                        Ok(answer) => answer.bytes().await,
                        Err(error) => Err(error),
                    };
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(name) => {
                            tally.answered += 1;
                            let name = String::from_utf8_lossy(&name).into_owned();
                            *tally.by_instance.entry(name).or_default() += 1;
                        }
                        Err(error) => {
                            tally.failed += 1;
                            tally.last_failure = Some(error.to_string());
                        }
                    }
                })
                .detach();
            }
            _ = draws.tick() => {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                board.draw(&tally, children.as_ref());
                tally.by_instance.clear();
            }
            () = &mut ended => break,
            () = over(&mut children) => break,
        }
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    say(&format!(
        "{} calls answered, {} failed\n",
        tally.answered, tally.failed
    ));
    Ok(tally.failed)
}

async fn over(children: &mut Option<Children>) {
    match children {
        Some(children) => children.told().await,
        None => pending().await,
    }
}
