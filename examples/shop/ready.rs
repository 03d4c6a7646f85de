//! The line in which a service says that it is ready.
//!
//! A child process prints it once on standard output; the supervisor waits for it. Everything else that a
//! service has to say goes to standard error, which is its log.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};

/// A service that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) event: Event,
    pub(crate) service: String,
    pub(crate) instance: String,
    pub(crate) addr: SocketAddr,
    pub(crate) pid: u32,
    /// Milliseconds from the start of its process.
    pub(crate) took_ms: u64,
    /// What else is worth a word, such as how many products there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Event {
    Ready,
}

impl Ready {
    /// Prints the line.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Reads the line; `None` if it is another one.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reads_as_promised() {
        let ready = Ready {
            event: Event::Ready,
            service: "payment".to_owned(),
            instance: "payment-1".to_owned(),
            addr: ([127, 0, 0, 1], 41234).into(),
            pid: 7,
            took_ms: 12,
            note: None,
        };
        let line = serde_json::to_string(&ready).unwrap();
        assert_eq!(
            line,
            r#"{"event":"ready","service":"payment","instance":"payment-1","addr":"127.0.0.1:41234","pid":7,"took_ms":12}"#
        );
        assert_eq!(Ready::parse(&line), Some(ready));
        assert_eq!(Ready::parse("something else"), None);
    }
}
