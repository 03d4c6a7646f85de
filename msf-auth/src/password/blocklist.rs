//! Lists of passwords that are guessed first.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use aws_lc_rs::digest;
use thiserror::Error;

use super::normal::folded;

/// Passwords that nobody may choose.
///
/// It is asked when a password is chosen, not at logins, and must not wait: a list that lies elsewhere is fetched
/// beforehand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of passwords",
    note = "implement `msf_auth::password::Blocklist`, or use `msf_auth::password::FileBlocklist`"
)]
pub trait Blocklist: Send + Sync + 'static {
    /// Whether a password is on the list. It comes in lower case and in Normalization Form C.
    fn contains(&self, password: &str) -> bool;
}

/// A list that was read from a file: one password a line, in any order and case.
///
/// It is kept as eight bytes of the SHA-256 of each, so that a million take 8 MB. Among so many, one password in
/// 10 000 000 000 000 is refused without being there.
#[derive(Clone)]
pub struct FileBlocklist {
    hashes: Box<[u64]>,
    lines_skipped: usize,
}

/// A list could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlocklistError {
    /// The file cannot be read.
    #[error("the list of passwords `{path}` cannot be read")]
    Read {
        /// The file.
        path: Box<str>,
        /// Why.
        source: io::Error,
    },
    /// The file is too large.
    #[error(
        "the list of passwords `{path}` is above {BYTES_MAX} bytes; keep its beginning, the most common come first"
    )]
    Size {
        /// The file.
        path: Box<str>,
    },
}

impl FileBlocklist {
    /// Reads a file of at most 256 MiB. It blocks, for some seconds with a large file: call it at start.
    ///
    /// Lines that are not UTF-8, are empty or above 1024 bytes are [skipped](Self::lines_skipped).
    ///
    /// # Errors
    ///
    /// [`BlocklistError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BlocklistError> {
        let path = path.as_ref();
        let name = || path.display().to_string().into_boxed_str();
        let read = || -> io::Result<Option<Self>> {
            let mut reader = BufReader::new(File::open(path)?).take(BYTES_MAX + 1);
            let list = Self::read(&mut reader)?;
            Ok((reader.limit() > 0).then_some(list))
        };
        match read() {
            Ok(Some(list)) => Ok(list),
            Ok(None) => Err(BlocklistError::Size { path: name() }),
            Err(source) => Err(BlocklistError::Read {
                path: name(),
                source,
            }),
        }
    }

    /// A list of passwords that are at hand.
    pub fn from_passwords<'a>(passwords: impl IntoIterator<Item = &'a str>) -> Self {
        let hashes = passwords.into_iter().map(|text| hash(&folded(text)));
        Self::new(hashes.collect(), 0)
    }

    fn read(reader: &mut impl io::BufRead) -> io::Result<Self> {
        let (mut hashes, mut lines_skipped) = (Vec::new(), 0);
        for line in reader.split(b'\n') {
            let line = line?;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            match str::from_utf8(line) {
                Ok(text) if (1..=LINE_BYTES_MAX).contains(&text.len()) => {
                    hashes.push(hash(&folded(text)));
                }
                _ => lines_skipped += 1,
            }
        }
        Ok(Self::new(hashes, lines_skipped))
    }

    fn new(mut hashes: Vec<u64>, lines_skipped: usize) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self {
            hashes: hashes.into(),
            lines_skipped,
        }
    }

    /// How many passwords are on the list.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many lines were no passwords; for a log line at start.
    #[must_use]
    pub const fn lines_skipped(&self) -> usize {
        self.lines_skipped
    }
}

impl Blocklist for FileBlocklist {
    fn contains(&self, password: &str) -> bool {
        self.hashes.binary_search(&hash(password)).is_ok()
    }
}

impl fmt::Debug for FileBlocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBlocklist")
            .field("len", &self.len())
            .field("lines_skipped", &self.lines_skipped)
            .finish()
    }
}

fn hash(text: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let first = digest.as_ref().first_chunk().copied();
    u64::from_be_bytes(first.expect("SHA-256 has 32 bytes"))
}

/// Twice the longest list of passwords that goes around.
const BYTES_MAX: u64 = 256 << 20;
/// No longer one can be chosen.
const LINE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_file_is_on_the_list_in_any_case() {
        let long = "x".repeat(1_025);
        let text = [
            b"Zoe\xcc\x88-2000\r\n\n\xff\xfe\n".as_slice(),
            long.as_bytes(),
            b"\nlast",
        ];
        let list = FileBlocklist::read(&mut text.concat().as_slice()).unwrap();
        assert_eq!((list.len(), list.lines_skipped()), (2, 3));
        assert!(list.contains(&folded("ZO\u{cb}-2000")) && list.contains("last"));
        assert!(!list.contains("") && !list.contains("first"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = FileBlocklist::open("/nowhere/common.txt").unwrap_err();
        assert!(error.to_string().contains("/nowhere/common.txt"));
    }

    #[test]
    fn a_list_can_be_at_hand() {
        let list = FileBlocklist::from_passwords(["Owls", "owls"]);
        assert!(list.len() == 1 && !list.is_empty() && list.contains("owls"));
    }
}
