//! [`AccessLog`].

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use msf_core::metrics::Metrics;

use super::{
    format::{Format, InvalidTemplate},
    queue::{Queue, StartQueueError},
};

/// How requests are logged; see the [module](super).
///
/// | setting | default | why |
/// |---|---|---|
/// | where | standard output | where containers are read |
/// | [`capacity`](Self::capacity) | 8192 records | a second of a busy worker; at most about 4 MiB |
/// | [`sample`](Self::sample) | every request | |
#[must_use = "a log does nothing before `GatewayBuilder::access_log`"]
pub struct AccessLog {
    format: Format,
    output: Output,
    capacity: usize,
    every: u64,
}

enum Output {
    Stdout,
    File(PathBuf),
    Writer(Box<dyn Write + Send>),
}

impl AccessLog {
    /// A line of JSON per request.
    pub const fn json() -> Self {
        Self::new(Format::Json)
    }

    /// A line after a template, in which `{name}` is a [field](super#fields).
    ///
    /// A field with what a client sent may contain spaces: put quotes around `{user_agent}`.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`].
    pub fn template(template: &str) -> Result<Self, InvalidTemplate> {
        Format::template(template).map(Self::new)
    }

    const fn new(format: Format) -> Self {
        Self {
            format,
            output: Output::Stdout,
            capacity: CAPACITY_DEFAULT,
            every: 1,
        }
    }

    /// Appends to a file, which is created if there is none.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = Output::File(path.into());
        self
    }

    /// Writes somewhere else. The writer has a thread of its own and may block.
    pub fn writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.output = Output::Writer(Box::new(writer));
        self
    }

    /// How many records may wait, at least 1; further ones are dropped and counted.
    pub const fn capacity(mut self, records: usize) -> Self {
        self.capacity = if records == 0 { 1 } else { records };
        self
    }

    /// Of so many requests that did not fail, one is written. Failures always are.
    pub const fn sample(mut self, every: u32) -> Self {
        self.every = every as u64;
        self
    }

    /// Opens the output and starts its writer.
    pub(crate) fn start(self, metrics: &Metrics) -> Result<Queue, StartQueueError> {
        let out: Box<dyn Write + Send> = match self.output {
            Output::Stdout => Box::new(io::stdout()),
            Output::File(path) => {
                Box::new(OpenOptions::new().append(true).create(true).open(path)?)
            }
            Output::Writer(writer) => writer,
        };
        Queue::start(out, self.format, self.capacity, self.every, metrics)
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("format", &self.format)
            .field("capacity", &self.capacity)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

const CAPACITY_DEFAULT: usize = 8192;
