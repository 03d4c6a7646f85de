//! Which key is in which state, as a document. Nothing in it is secret.

use serde::{Deserialize, Serialize};

use super::{
    policy::KEYS_MAX,
    state::{Entry, Ring, Stage},
};
use crate::{algorithm::Algorithm, issue::key_file::FIRST_FILE};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    generation: u64,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    algorithm: String,
    file: String,
    state: Word,
    /// Since when it is staged or active.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Until when it verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Staged,
    Active,
    Retired,
}

const VERSION: u64 = 1;
/// The thumbprint of a key (RFC 7638) with SHA-256 in base64url.
const ID_LEN: usize = 43;
/// The last second of the year 9999.
const TIME_MAX_S: u64 = 253_402_300_799;

pub(super) fn write(ring: &Ring) -> String {
    let keys = ring.keys.iter().map(|entry| {
        let (state, since, until) = match entry.stage {
            Stage::Staged { since_s } => (Word::Staged, Some(since_s), None),
            Stage::Active { since_s } => (Word::Active, Some(since_s), None),
            Stage::Retired { until_s } => (Word::Retired, None, Some(until_s)),
        };
        Key {
            id: entry.id.to_string(),
            algorithm: entry.algorithm.to_string(),
            file: entry.file_name(),
            state,
            since,
            until,
        }
    });
    let document = Document {
        version: VERSION,
        generation: ring.generation,
        keys: keys.collect(),
    };
    let mut text =
        serde_json::to_string_pretty(&document).expect("a document of numbers and strings is JSON");
    text.push('\n');
    text
}

/// The ring of a document, or what is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Ring, &'static str> {
    let document: Document = serde_json::from_slice(text).map_err(|_| "not the expected JSON")?;
    if document.version != VERSION {
        return Err("of another version");
    }
    if document.keys.len() > KEYS_MAX {
        return Err("too many keys");
    }
    let mut keys: Vec<Entry> = Vec::new();
    for key in document.keys {
        let entry = key.entry()?;
        if keys.iter().any(|other| other.id == entry.id) {
            return Err("a key is there twice");
        }
        keys.push(entry);
    }
    let count = |is: fn(&Stage) -> bool| keys.iter().filter(|entry| is(&entry.stage)).count();
    if count(|stage| matches!(stage, Stage::Active { .. })) != 1 {
        return Err("not exactly one active key");
    }
    if keys.iter().filter(|entry| entry.in_first_file).count() > 1 {
        return Err("two keys in one file");
    }
    Ok(Ring {
        generation: document.generation,
        keys,
    })
}

impl Key {
    fn entry(self) -> Result<Entry, &'static str> {
        // The id becomes the name of a file.
        let is_id = self.id.len() == ID_LEN
            && self
                .id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !is_id {
            return Err("a key id that is none");
        }
        let stage = match (self.state, self.since, self.until) {
            (Word::Staged, Some(since_s), None) => Stage::Staged { since_s },
            (Word::Active, Some(since_s), None) => Stage::Active { since_s },
            (Word::Retired, None, Some(until_s)) => Stage::Retired { until_s },
            _ => return Err("a state without its time"),
        };
        let (Stage::Staged { since_s: time_s }
        | Stage::Active { since_s: time_s }
        | Stage::Retired { until_s: time_s }) = stage;
        if time_s > TIME_MAX_S {
            return Err("a time after the year 9999");
        }
        let Some(algorithm @ (Algorithm::EdDsa | Algorithm::Es256)) =
            Algorithm::from_name(&self.algorithm)
        else {
            return Err("an algorithm that is not used");
        };
        let entry = Entry {
            id: self.id.into(),
            algorithm,
            in_first_file: self.file == FIRST_FILE,
            stage,
        };
        if entry.file_name() != self.file {
            return Err("a file that is not the key's");
        }
        Ok(entry)
    }
}

impl Entry {
    pub(super) fn file_name(&self) -> String {
        if self.in_first_file {
            FIRST_FILE.to_owned()
        } else {
            format!("key-{}.pem", self.id)
        }
    }
}
