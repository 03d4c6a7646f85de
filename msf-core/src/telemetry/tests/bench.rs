//! A subscriber that writes into memory.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, mpsc::channel},
    time::Duration,
};

use serde_json::Value;
use tracing::Dispatch;

use crate::telemetry::{LogConfig, Telemetry, TelemetrySetup, lines::LineStyle};

/// A subscriber that writes into memory.
pub(in crate::telemetry) struct Bench {
    pub(in crate::telemetry) dispatch: Dispatch,
    pub(in crate::telemetry) telemetry: Telemetry,
    pub(in crate::telemetry) written: Memory,
}

impl Bench {
    pub(in crate::telemetry) fn new(setup: TelemetrySetup, style: LineStyle) -> Self {
        let written = Memory::default();
        let (dispatch, telemetry) = setup.build(written.clone(), style, None).unwrap();
        Self {
            dispatch,
            telemetry,
            written,
        }
    }

    pub(in crate::telemetry) fn json() -> Self {
        Self::new(TelemetrySetup::new(&LogConfig::default()), LineStyle::Json)
    }

    pub(in crate::telemetry) fn run(&self, work: impl FnOnce()) {
        tracing::dispatcher::with_default(&self.dispatch, work);
    }

    pub(in crate::telemetry) fn text(&self) -> String {
        assert!(self.telemetry.flush_lines(Duration::from_secs(10)));
        let mut written = self.written.0.lock().unwrap();
        String::from_utf8(std::mem::take(&mut *written)).unwrap()
    }

    /// The lines since the last call, each parsed, none with a key twice.
    pub(in crate::telemetry) fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| {
                let value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                assert_no_key_twice(line, &value);
                value
            })
            .collect()
    }

    pub(in crate::telemetry) fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

/// `Value` keeps the last of two equal keys, so it would have fewer members than were written.
fn assert_no_key_twice(line: &str, value: &Value) {
    struct Members(usize);

    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_map(Count).map(Self)
        }
    }

    struct Count;

    impl<'de> serde::de::Visitor<'de> for Count {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut members = 0;
            while map.next_entry::<String, Value>()?.is_some() {
                members += 1;
            }
            Ok(members)
        }
    }

    let Members(members) = serde_json::from_str(line).unwrap();
    assert_eq!(members, value.as_object().unwrap().len(), "{line}");
}

#[derive(Clone, Debug, Default)]
pub(in crate::telemetry) struct Memory(pub(in crate::telemetry) Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails a test that hangs instead of hanging with it.
pub(in crate::telemetry) fn within<T: Send + 'static>(
    bound: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, answer) = channel();
    std::thread::spawn(move || done.send(work()));
    answer.recv_timeout(bound).expect("the work ends in time")
}
