//! The table.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

use msf_core::clock;
use msf_registry::ServiceHandle;
use tokio::time::Instant;

use crate::{caller::Tally, children::Children};

/// Draws over what it drew before; where nobody looks at a terminal, it writes down what changes.
pub(crate) struct Board {
    handle: ServiceHandle,
    began: Instant,
    seen: BTreeMap<String, String>,
    news: VecDeque<String>,
    is_terminal: bool,
}

impl Board {
    pub(crate) fn new(handle: ServiceHandle) -> Self {
        Self {
            handle,
            began: clock::now(),
            seen: BTreeMap::new(),
            news: VecDeque::new(),
            is_terminal: io::stdout().is_terminal(),
        }
    }

    pub(crate) fn draw(&mut self, tally: &Tally, children: Option<&Children>) {
        let snapshot = self.handle.snapshot();
        let states = snapshot.instances().iter().map(|member| {
            let status = format!("{:?}", member.instance.status).to_lowercase();
            (member.instance.id.to_string(), status)
        });
        self.compare(states.collect());
        if !self.is_terminal {
            return;
        }

        let mut text = String::from("\x1b[H\x1b[2J");
        let _ = writeln!(
            text,
            "{:<22} {:<18} {:<10} {:>8}",
            "instance", "address", "status", "calls/s"
        );
        for member in snapshot.instances() {
            let instance = &member.instance;
            let id = instance.id.as_str();
            let calls = tally.by_instance.get(id).copied().unwrap_or_default() * 2;
            let bar = "▪".repeat(calls as usize / 5);
            let status = &self.seen[id];
            let _ = writeln!(
                text,
                "{id:<22} {:<18} {status:<10} {calls:>8} {bar}",
                instance.addr().to_string()
            );
        }
        let _ = writeln!(
            text,
            "\n{} answered, {} failed {}",
            tally.answered,
            tally.failed,
            tally.last_failure.as_deref().unwrap_or_default()
        );
        let age = self.handle.age().unwrap_or_default().as_secs();
        let _ = writeln!(text, "the registry confirmed the list {age} s ago\n");
        for news in &self.news {
            let _ = writeln!(text, "{news}");
        }
        if let Some(children) = children {
            let _ = writeln!(text, "\ntry, in another terminal (ctrl-c ends all):");
            for (name, pid) in &children.pids {
                let Some(pid) = *pid.borrow() else { continue };
                let _ = writeln!(text, "  kill -9 {pid:<8} or   kill {pid:<8} {name}");
            }
        }
        say(&text);
    }

    fn compare(&mut self, now: BTreeMap<String, String>) {
        let at = self.began.elapsed().as_secs_f32();
        let mut news = Vec::new();
        for (id, status) in &now {
            match self.seen.get(id) {
                None => news.push(format!("{at:>6.1} s  {id} came")),
                Some(before) if before != status => {
                    news.push(format!("{at:>6.1} s  {id} is {status}"));
                }
                Some(_) => {}
            }
        }
        let gone = self.seen.keys().filter(|id| !now.contains_key(*id));
        news.extend(gone.map(|id| format!("{at:>6.1} s  {id} left")));
        for line in news {
            if !self.is_terminal {
                say(&format!("{line}\n"));
            }
            self.news.push_back(line);
        }
        while self.news.len() > NEWS {
            self.news.pop_front();
        }
        self.seen = now;
    }
}

/// Writes to the terminal. If nobody reads any more, nobody misses it.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

const NEWS: usize = 10;
