//! Steps, and what they look like.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use http::StatusCode;
use msf_core::clock;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{Answer, Call, Http};
use crate::terminal::Terminal;

/// A story that is being told.
pub(super) struct Story {
    pub(super) http: Http,
    terminal: Terminal,
    began: Instant,
    steps: u32,
}

/// A step did not go as told. It has been printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotAsTold;

pub(super) type Told<T = ()> = Result<T, NotAsTold>;

impl Story {
    pub(super) fn new(gateway: SocketAddr, terminal: Terminal) -> Self {
        Self {
            http: Http::new(gateway),
            terminal,
            began: clock::now(),
            steps: 0,
        }
    }

    /// The title of what follows.
    pub(super) fn chapter(&self, title: &str) {
        self.terminal.say(&format!("\n  {title}\n"));
    }

    /// Sends a call and expects one of `statuses`.
    pub(super) async fn call(&mut self, what: &str, statuses: &[u16], call: Call) -> Told<Answer> {
        let began = clock::now();
        match call.send().await {
            Ok(answer) => {
                let good = statuses.contains(&answer.status.as_u16());
                let detail = if good {
                    String::new()
                } else {
                    format!("expected {statuses:?}, got {}", answer.body)
                };
                let status = Some(answer.status);
                self.step(what, good, status, answer.took, &detail)?;
                Ok(answer)
            }
            Err(error) => {
                self.step(what, false, None, began.elapsed(), &error.to_string())?;
                Err(NotAsTold)
            }
        }
    }

    /// A step that is no call: `detail` says what was seen.
    pub(super) fn check(&mut self, what: &str, good: bool, detail: &str) -> Told {
        self.step(what, good, None, Duration::ZERO, detail)
    }

    /// As [`check`](Self::check), for what took its time.
    pub(super) fn took(&mut self, what: &str, good: bool, since: Instant, detail: &str) -> Told {
        self.step(what, good, None, since.elapsed(), detail)
    }

    fn step(
        &mut self,
        what: &str,
        good: bool,
        status: Option<StatusCode>,
        took: Duration,
        detail: &str,
    ) -> Told {
        self.steps += 1;
        let mark = self.terminal.mark(good);
        let status = status.map_or_else(String::new, |status| status.as_u16().to_string());
        let took = match took.as_millis() {
            0 => String::new(),
            millis => format!("{millis} ms"),
        };
        let mut line = format!("  {mark} {what:<58} {status:>3} {took:>8}");
        if !detail.is_empty() {
            let _infallible = write!(line, "  {detail}");
        }
        self.terminal.say(&format!("{}\n", line.trim_end()));
        if good { Ok(()) } else { Err(NotAsTold) }
    }

    /// The last line; says whether the story was told to its end.
    pub(super) fn end(&self, told: Told) -> bool {
        let seconds = self.began.elapsed().as_secs_f32();
        let verdict = match told {
            Ok(()) => "all as told",
            Err(NotAsTold) => "but not all as told",
        };
        self.terminal.say(&format!(
            "\n  {} steps in {seconds:.1} s, {verdict}.\n\n",
            self.steps
        ));
        told.is_ok()
    }
}

/// The number at a pointer of an answer, such as `/total_amount`.
pub(super) fn number(answer: &Value, pointer: &str) -> Option<i64> {
    answer.pointer(pointer)?.as_i64()
}

/// The text at a pointer of an answer.
pub(super) fn text<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
