//! What became of tokens.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use super::Reason;

pub(crate) static VERIFICATIONS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_verifications_total",
    "Tokens by what became of them (accepted, refused, unavailable) and why.",
    ["result", "reason"],
);

#[derive(Debug)]
pub(super) struct VerifyMetrics {
    accepted: Counter,
    refused: Box<[Counter]>,
}

impl VerifyMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = VERIFICATIONS.register(metrics)?;
        let refused = Reason::ALL.iter().map(|reason| match reason {
            reason if reason.is_unavailable() => family.with(["unavailable", reason.as_str()]),
            _ => family.with(["refused", reason.as_str()]),
        });
        Ok(Self {
            accepted: family.with(["accepted", ""]),
            refused: refused.collect(),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            accepted: Counter::noop(),
            refused: Reason::ALL.iter().map(|_| Counter::noop()).collect(),
        }
    }

    pub(super) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(super) fn refused(&self, reason: Reason) {
        // `ALL` has the reasons in the order of their numbers.
        if let Some(counter) = self.refused.get(reason as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_series() {
        let metrics = Metrics::new();
        let verify = VerifyMetrics::new(&metrics).unwrap();
        verify.refused(Reason::Expired);
        verify.refused(Reason::KeysUnavailable);
        verify.accepted();
        let text = metrics.render();
        for line in [
            r#"msf_auth_verifications_total{reason="",result="accepted"} 1"#,
            r#"msf_auth_verifications_total{reason="expired",result="refused"} 1"#,
            r#"msf_auth_verifications_total{reason="keys_unavailable",result="unavailable"} 1"#,
            r#"msf_auth_verifications_total{reason="signature",result="refused"} 0"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
