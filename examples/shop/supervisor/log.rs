//! The logs of services, as files.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Opens a log to be written by a child process. Appended to, so that the words before a death stay.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// The last lines of a log, indented; a sentence if there are none.
pub(super) fn tail(path: &Path) -> String {
    let text = last_bytes(path).unwrap_or_else(|error| format!("(no log: {error})"));
    // The frames of a backtrace are indented; what was said before them is worth more.
    let said = |line: &&str| !line.is_empty() && !line.starts_with(' ');
    let lines: Vec<_> = text.lines().filter(said).collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    match lines.get(first..) {
        Some(last) if !last.is_empty() => format!("    {}", last.join("\n    ")),
        _ => "    (it said nothing)".to_owned(),
    }
}

fn last_bytes(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const TAIL_LINES: usize = 5;
const TAIL_BYTES: u64 = 16 * 1024;
