//! What became of introspections.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use crate::verify::Reason;

pub(crate) static INTROSPECTIONS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_introspections_total",
    "Opaque tokens by what became of them (accepted, refused, unavailable) and where the answer came from: cache, \
     issuer (asked, alone or together with others), form (it is no token) or shed (too many requests at once).",
    ["result", "from"],
);

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Cache,
    Issuer,
    Form,
    Shed,
}

#[derive(Debug)]
pub(super) struct IntrospectionMetrics([[Counter; 3]; 4]);

const FROM: [(From, &str); 4] = [
    (From::Cache, "cache"),
    (From::Issuer, "issuer"),
    (From::Form, "form"),
    (From::Shed, "shed"),
];

impl IntrospectionMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = INTROSPECTIONS.register(metrics)?;
        Ok(Self(FROM.map(|(_, from)| {
            ["accepted", "refused", "unavailable"].map(|result| family.with([result, from]))
        })))
    }

    pub(super) fn noop() -> Self {
        Self(FROM.map(|_| [(); 3].map(|()| Counter::noop())))
    }

    pub(super) fn count<T>(&self, from: From, outcome: &Result<T, Reason>) {
        let result = match outcome {
            Ok(_) => 0,
            Err(Reason::IssuerUnavailable) => 2,
            Err(_) => 1,
        };
        if let Some(place) = FROM.iter().position(|(own, _)| *own == from) {
            self.0[place][result].inc();
        }
    }
}
