//! An attempt that is being made.

use std::{fmt, net::IpAddr};

use super::{Attempt, LoginLimiter, ledger::Charges};
use crate::audit::{Event, Kind};

/// An attempt that may be made. Dropped, it has failed.
///
/// # Cancel safety
///
/// A request that is dropped while the password is compared drops this, and so counts as a failure: else who hangs up
/// early could guess without end.
#[must_use = "dropped, the attempt has failed"]
pub struct Admission {
    limiter: LoginLimiter,
    charges: Charges,
    subject: Option<Box<str>>,
    network: Option<IpAddr>,
    is_settled: bool,
}

impl Admission {
    pub(super) fn new(limiter: LoginLimiter, charges: Charges, attempt: Attempt<'_>) -> Self {
        Self {
            limiter,
            charges,
            subject: attempt.subject.map(Into::into),
            network: attempt.network,
            is_settled: false,
        }
    }

    /// The password was right. The failures of this device, or without one of this network, are forgotten.
    pub fn succeeded(mut self) {
        self.is_settled = true;
        self.limiter.succeeded(self.charges);
        self.record(Kind::LoginSucceeded, None);
    }

    /// The password was wrong, or there is no such account.
    pub fn failed(self) {
        drop(self);
    }

    /// The password was not looked at, as when too many are being compared: the attempt does not count.
    pub fn withdrawn(mut self) {
        self.is_settled = true;
        self.limiter.withdrawn(self.charges);
    }

    fn record(&self, kind: Kind, reason: Option<&str>) {
        let network = self.network.map(|network| network.to_string());
        let mut event = Event::new(kind);
        if let Some(reason) = reason {
            event = event.reason(reason);
        }
        self.limiter
            .record(event, self.subject.as_deref(), network.as_deref());
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        self.limiter.failed();
        let reason = if self.subject.is_some() {
            "credentials"
        } else {
            "unknown_account"
        };
        self.record(Kind::LoginFailed, Some(reason));
        // What is guessed for an account that there is not alarms nobody.
        if self.charges.locks() && self.subject.is_some() {
            self.record(Kind::LoginLocked, None);
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("subject", &self.subject)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
