//! The file layer: TOML text into a tree that knows its lines.

use std::{
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::Path,
    sync::Arc,
};

use toml::de::DeTable;

use crate::config::{error::Problem, key::Key, source::Source, text, tree::Node};

/// Reads a file that must exist.
pub(in crate::config) fn read(path: &Path) -> Result<Node, Problem> {
    match read_text(path) {
        Ok(text) => parse(&text, path),
        Err(error) => Err(problem(path, None, unreadable(&error))),
    }
}

/// Reads a file that may be missing; `None` if it is.
pub(in crate::config) fn read_if_exists(path: &Path) -> Result<Option<Node>, Problem> {
    match read_text(path) {
        Ok(text) => parse(&text, path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(path, None, unreadable(&error))),
    }
}

/// Reads the text of a file.
pub(in crate::config) fn parse(text: &str, path: &Path) -> Result<Node, Problem> {
    let path: Arc<Path> = path.into();
    let lines = Lines::of(text);
    let source_at = |span: Range<usize>| Source::File {
        path: Arc::clone(&path),
        line: Some(lines.line_of(span.start)),
    };
    // Only the message of the parser is used: its Display quotes the line, and with it perhaps a
    // secret.
    let table = DeTable::parse(text).map_err(|error| {
        problem(
            &path,
            error.span().map(|span| lines.line_of(span.start)),
            error.message(),
        )
    })?;
    let root = Source::File {
        path: Arc::clone(&path),
        line: None,
    };
    text::from_toml_table(table.into_inner(), &source_at, root, 0)
        .map_err(|message| problem(&path, None, message))
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits, whatever
    // its metadata says.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("is not valid UTF-8 in line {line}"),
        )
    })
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory, not a file".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        io::ErrorKind::FileTooLarge => format!("is larger than {MAX_FILE_BYTES} bytes"),
        io::ErrorKind::InvalidData => error.to_string(),
        _ => format!("cannot be read: {error}"),
    }
}

fn problem(path: &Path, line: Option<usize>, message: impl std::fmt::Display) -> Problem {
    Problem::new(
        Key::default(),
        Source::File {
            path: path.into(),
            line,
        },
        message,
    )
}

/// Where each line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_newlines).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

/// Far above any file written by hand; a limit so that a wrong path is an error and not a hang.
const MAX_FILE_BYTES: u64 = 1 << 20;
