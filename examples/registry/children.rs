//! The processes of one command.

use std::{net::SocketAddr, time::Duration};

use msf_core::{
    BoxError,
    task::{self, Task},
};
use tokio::{
    process::{Child, Command},
    sync::watch,
    time::sleep,
};

/// The processes; dropping it kills them.
pub(crate) struct Children {
    /// What each is called, and its number while it runs.
    pub(crate) pids: Vec<(&'static str, watch::Receiver<Option<u32>>)>,
    _kept: Vec<Task<()>>,
    story: Option<Task<()>>,
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
    let mut children = Children {
        pids: Vec::new(),
        _kept: Vec::new(),
        story: None,
    };
    for (name, args) in PARTS {
        let (told, pid) = watch::channel(None);
        let program = program.clone();
        children.pids.push((name, pid));
        children._kept.push(task::spawn("child", async move {
            loop {
                let started = Command::new(&program)
                    .args(args)
                    .args(["--registry", &registry.to_string()])
                    .kill_on_drop(true)
                    .spawn();
                if let Ok(mut child) = started {
                    told.send_replace(Child::id(&child));
                    let _status = child.wait().await;
                    told.send_replace(None);
                }
                sleep(RESTART).await;
            }
        }));
    }
    if is_demo {
        let pids = children.pids.clone();
        children.story = Some(task::spawn("story", async move {
            for (part, signal) in [(1, "-9"), (2, "-TERM"), (0, "-9")] {
                sleep(CHAPTER).await;
                let pid = *pids[part].1.borrow();
                if let Some(pid) = pid {
                    let _sent = Command::new("kill")
                        .args([signal, &pid.to_string()])
                        .status()
                        .await;
                }
            }
            sleep(CHAPTER).await;
        }));
    }
    Ok(children)
}

impl Children {
    /// Waits until the demonstration is over; for ever if there is none.
    pub(crate) async fn told(&mut self) {
        match &mut self.story {
            Some(story) => story.finished().await,
            None => std::future::pending().await,
        }
    }
}

const RESTART: Duration = Duration::from_secs(3);
const CHAPTER: Duration = Duration::from_secs(7);
