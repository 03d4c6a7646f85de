//! What makes two tokens the same.

use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

/// SHA-256 of everything that goes into a token but its times and its id: a token that is kept can stand only for one
/// that would say the same.
pub(super) type Digest = [u8; 32];

/// Collects the parts; each with its length, so that no two lists of parts look alike.
pub(super) struct Digester(Context);

impl Digester {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    /// A part that may not be there, which is not the same as an empty one.
    pub(super) fn optional(&mut self, text: Option<&str>) {
        self.0.update(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// JSON ends by itself, and what follows cannot be taken for a part of it.
    pub(super) fn value(&mut self, value: &Value) {
        serde_json::to_writer(&mut *self, value).expect("a digest takes every byte");
        self.0.update(&[0]);
    }

    pub(super) fn finish(self) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

impl io::Write for &mut Digester {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
