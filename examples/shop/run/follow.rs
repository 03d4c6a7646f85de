//! `-v`: the logs of the services on the terminal, as they grow.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::time;

use crate::terminal::Terminal;

/// How far each log has been shown.
#[derive(Debug, Default)]
pub(super) struct Follower {
    shown: BTreeMap<PathBuf, u64>,
}

impl Follower {
    /// Follows the logs of a directory from now on: what an earlier shop wrote is not shown.
    pub(super) fn new(logs: &Path) -> Self {
        let files = files(logs).unwrap_or_default();
        let length = |path: PathBuf| {
            let length = fs::metadata(&path).map_or(0, |file| file.len());
            (path, length)
        };
        Self {
            shown: files.into_iter().map(length).collect(),
        }
    }

    /// Shows what is written, for ever.
    pub(super) async fn run(mut self, logs: PathBuf, terminal: Terminal) {
        loop {
            for path in files(&logs).unwrap_or_default() {
                let instance = path.file_stem().unwrap_or_default().to_string_lossy();
                // A log that cannot be read now is read the next time.
                for line in self.news(&path).unwrap_or_default().lines() {
                    terminal.say(&format!("  {instance:<12} {}\n", readable(line)));
                }
            }
            time::sleep(POLL).await;
        }
    }

    /// The lines that were finished since the last time.
    fn news(&mut self, path: &Path) -> io::Result<String> {
        let shown = self.shown.entry(path.to_owned()).or_default();
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(*shown))?;
        let mut bytes = Vec::new();
        file.take(READ_MAX).read_to_end(&mut bytes)?;
        let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            // A line longer than what is read at once is shown in pieces rather than never.
            None if bytes.len() as u64 == READ_MAX => bytes.len(),
            None => 0,
        };
        bytes.truncate(whole);
        *shown += bytes.len() as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn files(logs: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(logs)?.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    files.sort();
    Ok(files)
}

/// A line of JSON as people read it; any other line as it is.
fn readable(line: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(line) else {
        return line.to_owned();
    };
    let mut take = |key: &str| match fields.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (level, message) = (take("level"), take("message"));
    for key in ["ts", "target", "span_id", "span", "request_id"] {
        take(key);
    }
    let mut text = format!("{level:<5} {message}");
    for (key, value) in fields {
        text += &match value {
            Value::String(value) => format!(" {key}={value}"),
            value => format!(" {key}={value}"),
        };
    }
    text
}

const POLL: Duration = Duration::from_millis(200);
const READ_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::paths::DataDir;

    #[test]
    fn only_whole_new_lines_are_shown() {
        let data = DataDir::temporary().unwrap();
        let path = data.log("order");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"before\n").unwrap();
        let mut follower = Follower::new(&data.logs());

        log.write_all(b"one\ntw").unwrap();
        assert_eq!(follower.news(&path).unwrap(), "one\n");
        log.write_all(b"o\n").unwrap();
        assert_eq!(follower.news(&path).unwrap(), "two\n");
        assert_eq!(follower.news(&path).unwrap(), "");
        data.remove_if_temporary();
    }

    #[test]
    fn a_line_of_json_reads_as_text() {
        let line = r#"{"ts":"t","level":"WARN","target":"a::b","message":"late","order":7}"#;
        assert_eq!(readable(line), "WARN  late order=7");
        assert_eq!(readable("thread 'main' panicked"), "thread 'main' panicked");
    }
}
