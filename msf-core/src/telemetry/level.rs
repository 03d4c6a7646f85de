//! The level directive: parsed strictly, replaced at run time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::error::InvalidLevel;

/// Reads and changes the log level of a running process.
///
/// Clones share the level. A change takes effect at once for every thread; a request in flight
/// keeps its ids because spans that carry a `trace_id` are made at any level.
///
/// ```
/// # use msf_core::telemetry::LevelHandle;
/// fn turn_up(level: &LevelHandle) {
///     level.set("debug,hyper=info").expect("a valid directive");
///     assert_eq!(level.current(), "debug,hyper=info");
/// }
/// ```
#[derive(Clone)]
pub struct LevelHandle {
    shared: Arc<Shared>,
}

struct Shared {
    directives: ArcSwap<Directives>,
    /// [`Directives::follows_spans`], asked whenever a span is entered or left.
    follows_spans: AtomicBool,
}

impl LevelHandle {
    /// Replaces the directive.
    ///
    /// # Errors
    ///
    /// [`InvalidLevel`] if the directive cannot be understood; the level stays as it was.
    pub fn set(&self, directive: &str) -> Result<(), InvalidLevel> {
        let directives = Directives::parse(directive)?;
        let follows_spans = directives.follows_spans;
        self.shared.directives.store(Arc::new(directives));
        // Later than the filter: a span seen in between is one that was made before the change.
        self.shared
            .follows_spans
            .store(follows_spans, Ordering::Release);
        // Every callsite cached its answer, and the maximum level was computed from the old filter.
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// The directive in force.
    #[must_use]
    pub fn current(&self) -> String {
        self.load().text.clone()
    }

    pub(super) fn new(directives: Directives) -> Self {
        Self {
            shared: Arc::new(Shared {
                follows_spans: AtomicBool::new(directives.follows_spans),
                directives: ArcSwap::from_pointee(directives),
            }),
        }
    }

    pub(super) fn load(&self) -> arc_swap::Guard<Arc<Directives>> {
        self.shared.directives.load()
    }

    /// The directives, if they name spans.
    pub(super) fn load_following(&self) -> Option<arc_swap::Guard<Arc<Directives>>> {
        self.shared
            .follows_spans
            .load(Ordering::Acquire)
            .then(|| self.load())
    }
}

impl fmt::Debug for LevelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LevelHandle").field(&self.current()).finish()
    }
}

/// A directive as written, and the filter made of it.
pub(super) struct Directives {
    text: String,
    pub(super) filter: EnvFilter,
    /// Whether a directive names a span: only then must the filter follow spans, which takes locks.
    follows_spans: bool,
}

impl Directives {
    /// Parses a directive of our configuration.
    ///
    /// `EnvFilter` takes a bare word that is no level for a target and switches on everything it
    /// says. A typo in `level = "inof"` would silence the service, so a bare word must be a level.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidLevel> {
        if text.trim().is_empty() {
            return Err(invalid(text, "it is empty"));
        }
        if !text.contains('[') {
            for piece in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
                if !piece.contains('=') && piece.parse::<LevelFilter>().is_err() {
                    return Err(invalid(
                        piece,
                        "expected off, error, warn, info, debug, trace or `target=level`",
                    ));
                }
            }
        }
        Self::parse_lenient(text)
    }

    /// Parses `RUST_LOG` by the rules its users know.
    pub(super) fn parse_lenient(text: &str) -> Result<Self, InvalidLevel> {
        if text.len() > MAX_DIRECTIVE_BYTES {
            return Err(invalid(text, "it is longer than 4096 bytes"));
        }
        // The directive can come from an admin endpoint: no regular expressions from there.
        let builder = EnvFilter::builder().with_regex(false);
        let filter = builder.parse(text).map_err(|error| {
            // The parser does not say which piece it refused.
            let piece = text.split(',').find(|piece| builder_refuses(piece));
            invalid(piece.unwrap_or(text), &error.to_string())
        })?;
        Ok(Self {
            text: text.to_owned(),
            filter,
            follows_spans: text.contains('['),
        })
    }
}

fn builder_refuses(piece: &str) -> bool {
    EnvFilter::builder().with_regex(false).parse(piece).is_err()
}

fn invalid(directive: &str, reason: &str) -> InvalidLevel {
    InvalidLevel {
        directive: directive.chars().take(MAX_ECHO_CHARS).collect(),
        reason: reason.to_owned(),
    }
}

/// Longest directive; a page of targets is far below.
const MAX_DIRECTIVE_BYTES: usize = 4096;

/// How much of a bad directive an error repeats.
const MAX_ECHO_CHARS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match Directives::parse(text) {
            Ok(_) => panic!("{text:?} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_misspelt_level_is_refused_and_named() {
        assert_eq!(
            refused("inof,msf::access=warn"),
            "invalid log level `inof`: expected off, error, warn, info, debug, trace or `target=level`"
        );
        assert!(refused("info,hyper=loud").starts_with("invalid log level `hyper=loud`: "));
        assert!(refused("  ").ends_with("it is empty"));
        assert!(refused(&"a=info,".repeat(1000)).ends_with("4096 bytes"));
    }

    #[test]
    fn rust_log_keeps_its_bare_targets() {
        assert!(Directives::parse("my_crate").is_err());
        assert!(Directives::parse_lenient("my_crate").is_ok());
    }

    #[test]
    fn only_span_directives_follow_spans() {
        assert!(!Directives::parse("info,a::b=debug").unwrap().follows_spans);
        assert!(
            Directives::parse("info,[charge]=debug")
                .unwrap()
                .follows_spans
        );
    }
}
