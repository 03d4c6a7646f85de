//! The table.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

use msf_core::clock;
use msf_registry::{PickContext, ServiceHandle, explain::Explained, routing::Routable};
use tokio::time::Instant;

use crate::{caller::Tally, children::Children};

/// Draws over what it drew before; where nobody looks at a terminal, it writes down what changes.
pub(crate) struct Board {
    handle: ServiceHandle,
    began: Instant,
    seen: BTreeMap<String, &'static str>,
    news: VecDeque<String>,
    is_terminal: bool,
}

impl Board {
    pub(crate) fn new(handle: ServiceHandle) -> Self {
        let is_terminal = io::stdout().is_terminal();
        if is_terminal {
            say(CLEAR);
        }
        Self {
            handle,
            began: clock::now(),
            seen: BTreeMap::new(),
            news: VecDeque::new(),
            is_terminal,
        }
    }

    pub(crate) fn draw(&mut self, tally: &Tally, children: Option<&Children>) {
        let explanation = self.handle.explain(&PickContext::new());
        let instances = &explanation.candidates;
        self.compare(
            instances
                .iter()
                .map(|instance| (instance.id.to_string(), state(instance)))
                .collect(),
        );
        if let Some(children) = children {
            children
                .is_whole
                .send_replace(is_whole(instances, children));
        }
        if !self.is_terminal {
            return;
        }

        let mut text = format!(
            "{:<18} {:<16} {:<14} {:>7}\n",
            "instance", "address", "state", "calls/s"
        );
        for instance in instances {
            let (id, addr) = (instance.id.as_str(), instance.addr.to_string());
            let calls = tally.by_instance.get(id).copied().unwrap_or_default() * 2;
            let bar = "▪".repeat(calls as usize / 10);
            let state = state(instance);
            let _ = writeln!(text, "{id:<18} {addr:<16} {state:<14} {calls:>7} {bar}");
        }
        let _ = writeln!(text, "\n{tally}");
        if let Some(failure) = &tally.last_failure {
            let _ = writeln!(text, "{failure}");
        }
        let age = self.handle.age().unwrap_or_default().as_secs();
        let _ = writeln!(text, "the registry confirmed the list {age} s ago\n");
        for news in &self.news {
            let _ = writeln!(text, "{news}");
        }
        if let Some(children) = children {
            let _ = writeln!(text, "\ntry, in another terminal (ctrl-c here ends all):");
            for (name, pid) in &children.pids {
                let Some(pid) = *pid.borrow() else { continue };
                let _ = writeln!(text, "  kill -9 {pid:<8} or   kill {pid:<8} {name}");
            }
        }
        let lines = text.lines().map(|line| {
            let line: String = line.chars().take(COLUMNS).collect();
            format!("{line}{CLEAR_LINE}\n")
        });
        say(&format!("{HOME}{}{CLEAR_BELOW}", lines.collect::<String>()));
    }

    /// Something happened.
    pub(crate) fn news(&mut self, what: &str) {
        let at = self.began.elapsed().as_secs_f32();
        let line = format!("{at:>6.1} s  {what}");
        if !self.is_terminal {
            say(&format!("{line}\n"));
        }
        self.news.push_back(line);
        if self.news.len() > NEWS {
            self.news.pop_front();
        }
    }

    fn compare(&mut self, now: BTreeMap<String, &'static str>) {
        for (id, state) in &now {
            match self.seen.get(id).copied() {
                None => self.news(&format!("{id} came, {state}")),
                Some(before) if before != *state => self.news(&format!("{id} is {state}")),
                Some(_) => {}
            }
        }
        let before = std::mem::replace(&mut self.seen, now);
        for id in before.into_keys() {
            if !self.seen.contains_key(&id) {
                self.news(&format!("{id} left"));
            }
        }
    }
}

/// Whether each instance that runs is in the list and called, and nothing else is in it.
fn is_whole(instances: &[Explained], children: &Children) -> bool {
    let mut running = children.pids.iter().filter_map(|(name, pid)| {
        let number = name.strip_prefix("instance ")?;
        Some(pid.borrow().map(|pid| format!("greeter-{number}-{pid}")))
    });
    let mut expected = 0;
    let is_called = |id: Option<String>| {
        expected += 1;
        id.is_some_and(|id| {
            let mut found = instances
                .iter()
                .filter(|instance| instance.id.as_str() == id);
            found.any(|instance| !matches!(instance.routable, Routable::No(_)))
        })
    };
    running.all(is_called) && instances.len() == expected
}

/// What it says about itself, or why it is not called.
fn state(instance: &Explained) -> &'static str {
    match instance.routable {
        Routable::No(why) => why.as_str(),
        _ => instance.status.as_str(),
    }
}

/// Writes to the terminal. If nobody reads any more, nobody misses it.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// With five instances, the table is 23 lines.
const NEWS: usize = 6;
/// A longer line would be two, and the next table would be drawn beside the last one.
const COLUMNS: usize = 79;
const CLEAR: &str = "\x1b[2J";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
