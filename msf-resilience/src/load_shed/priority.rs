//! What matters more.

use std::str::FromStr;

use http::{HeaderName, Request};

/// How much a request matters: a level from 0 to 499. A higher level is shed later.
///
/// Levels from 400 on are *critical* and never shed, so give them to little.
///
/// ```
/// use msf_resilience::load_shed::{Class, Priority};
///
/// let batch = Priority::level(20).unwrap();
/// assert!(batch < Priority::SHEDDABLE && Priority::SHEDDABLE < Priority::DEFAULT);
/// assert_eq!("critical".parse(), Ok(Priority::CRITICAL));
/// assert_eq!("20".parse(), Ok(batch));
/// assert_eq!(batch.class(), Class::Sheddable);
/// assert!("500".parse::<Priority>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u16);

/// The third of the levels that a priority belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Levels 0 to 199: nobody notices, or a machine tries again.
    Sheddable,
    /// Levels 200 to 399.
    Default,
    /// Levels 400 to 499: never shed.
    Critical,
}

/// Not the name of a class and not a level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a priority is `critical`, `default`, `sheddable` or a level from 0 to 499")]
#[non_exhaustive]
pub struct InvalidPriority;

impl Priority {
    /// Level 100.
    pub const SHEDDABLE: Self = Self(100);
    /// Level 250, for requests that say nothing.
    pub const DEFAULT: Self = Self(250);
    /// Level 450: never shed.
    pub const CRITICAL: Self = Self(450);

    /// A level from 0 to 499; `None` above.
    #[must_use]
    pub const fn level(level: u16) -> Option<Self> {
        if level > LEVEL_MAX {
            return None;
        }
        Some(Self(level))
    }

    /// The level.
    #[must_use]
    pub const fn as_level(self) -> u16 {
        self.0
    }

    /// The class of the level.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 {
            ..=199 => Class::Sheddable,
            200..CRITICAL_MIN => Class::Default,
            CRITICAL_MIN.. => Class::Critical,
        }
    }

    /// Where it is counted: critical levels share the last place.
    pub(super) fn index(self) -> usize {
        self.0.min(CRITICAL_MIN).into()
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Class {
    /// `sheddable`, `default` or `critical`: the word in headers and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sheddable => "sheddable",
            Self::Default => "default",
            Self::Critical => "critical",
        }
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;

    fn from_str(text: &str) -> Result<Self, InvalidPriority> {
        match text {
            "sheddable" => Ok(Self::SHEDDABLE),
            "default" => Ok(Self::DEFAULT),
            "critical" => Ok(Self::CRITICAL),
            level => level
                .parse()
                .ok()
                .and_then(Self::level)
                .ok_or(InvalidPriority),
        }
    }
}

/// The priority in the extensions of a request, where a layer outside may have put it; otherwise
/// [`DEFAULT`](Priority::DEFAULT).
///
/// ```
/// use http::Request;
/// use msf_resilience::load_shed::{Priority, from_extensions};
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(Priority::CRITICAL);
/// assert_eq!(from_extensions(&request), Priority::CRITICAL);
/// ```
pub fn from_extensions<B>(request: &Request<B>) -> Priority {
    let priority = request.extensions().get();
    priority.copied().unwrap_or_default()
}

/// The priority in a header, [`DEFAULT`](Priority::DEFAULT) if there is none that can be read.
///
/// **Only where the header can be trusted.** Every client that may write it is critical soon: a gateway has to set or remove it.
///
/// ```
/// use http::{HeaderName, Request};
/// use msf_resilience::load_shed::{Priority, from_header};
///
/// let priority = from_header(HeaderName::from_static("x-priority"));
/// let request = Request::builder().header("x-priority", "sheddable").body(())?;
/// assert_eq!(priority(&request), Priority::SHEDDABLE);
/// # Ok::<(), http::Error>(())
/// ```
pub fn from_header<B>(name: HeaderName) -> impl Fn(&Request<B>) -> Priority + Clone {
    move |request| {
        let value = request.headers().get(&name);
        let text = value.and_then(|value| value.to_str().ok());
        text.and_then(|text| text.trim().parse().ok())
            .unwrap_or_default()
    }
}

const LEVEL_MAX: u16 = 499;
pub(super) const CRITICAL_MIN: u16 = 400;
