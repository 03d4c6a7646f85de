//! The processes of one command.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use msf_core::{
    BoxError,
    task::{self, Task},
};
use tokio::{
    process::{Child, Command},
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// The processes; dropping it kills them.
pub(crate) struct Children {
    /// What each is called, and its number while it runs.
    pub(crate) pids: Vec<(&'static str, watch::Receiver<Option<u32>>)>,
    /// Whether the caller sees every instance that runs, and no other one.
    pub(crate) is_whole: watch::Sender<bool>,
    _kept: Vec<Task<()>>,
    /// What the demonstration does, until it is over; without one it never says anything.
    told: mpsc::Receiver<String>,
    _story: Task<()>,
}

const PARTS: [(&str, &[&str]); 4] = [
    ("registry", &["serve"]),
    ("instance 1", &["instance", "1"]),
    ("instance 2", &["instance", "2"]),
    ("instance 3", &["instance", "3"]),
];

/// Starts everything, and starts again what dies.
pub(crate) fn start(registry: SocketAddr, is_demo: bool) -> Result<Children, BoxError> {
    let program = std::env::current_exe()?;
    let mut pids = Vec::new();
    let mut kept = Vec::new();
    for (name, args) in PARTS {
        let (seen, pid) = watch::channel(None);
        pids.push((name, pid));
        let mut command = Command::new(&program);
        command
            .args(args)
            .args(["--child", "--registry", &registry.to_string()])
            // They end with this process, however it ends, because it holds the other end.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        kept.push(task::spawn("child", async move {
            loop {
                if let Ok(mut child) = command.spawn() {
                    // Waiting would close it.
                    let _input = child.stdin.take();
                    seen.send_replace(Child::id(&child));
                    let _status = child.wait().await;
                    seen.send_replace(None);
                }
                sleep(RESTART).await;
            }
        }));
    }
    let (tell, told) = mpsc::channel(1);
    let (is_whole, mut whole) = watch::channel(false);
    let acting = pids.clone();
    let story = task::spawn("story", async move {
        if !is_demo {
            return tell.closed().await;
        }
        for (part, signal) in [(1, "-KILL"), (2, "-TERM"), (0, "-KILL")] {
            sleep(CHAPTER).await;
            let _goes_on = timeout(PATIENCE, whole.wait_for(|whole| *whole))
                .await
                .is_ok();
            let (name, mut pid) = acting[part].clone();
            let before = *pid.borrow();
            if let Some(pid) = before.map(|pid| pid.to_string()) {
                let _nobody_listens = tell.send(format!("kill {signal} {pid}: {name}")).await;
                let _gone_already = Command::new("kill").args([signal, &pid]).status().await;
            }
            // On a busy machine it all takes longer than a chapter.
            let again = pid.wait_for(|now| now.is_some() && *now != before);
            let _goes_on = timeout(PATIENCE, again).await.is_ok();
        }
        sleep(CHAPTER).await;
        let _goes_on = timeout(PATIENCE, whole.wait_for(|whole| *whole))
            .await
            .is_ok();
    });
    Ok(Children {
        pids,
        is_whole,
        _kept: kept,
        told,
        _story: story,
    })
}

impl Children {
    /// What the demonstration does next; none when it is over.
    pub(crate) async fn told(&mut self) -> Option<String> {
        self.told.recv().await
    }
}

const RESTART: Duration = Duration::from_secs(3);
/// So long nothing happens between two of its doings, for those who look on.
const CHAPTER: Duration = Duration::from_secs(4);
/// How long the story waits for what ought to happen.
const PATIENCE: Duration = Duration::from_secs(30);
