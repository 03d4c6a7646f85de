//! How an exchange ended.

/// The word in the access log's `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The response went out whole, whatever its status.
    Completed,
    /// The service gave an error instead of a response, or the body broke off with one.
    Failed,
    /// The caller left: the future or the body was dropped before its end.
    Cancelled,
    /// The future or the body was dropped by a panic.
    Panicked,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }

    /// What goes into `error.type`. A cancelled request is no error of the server.
    pub(super) fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Completed | Self::Cancelled => None,
            // OpenTelemetry's word for an error of which no more is known; the type of the error is
            // the inner service's and need not implement anything.
            Self::Failed => Some("_OTHER"),
            Self::Panicked => Some("panic"),
        }
    }
}
