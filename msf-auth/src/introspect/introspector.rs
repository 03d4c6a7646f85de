//! The introspector itself.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use msf_core::{
    clock::{self, WallClock},
    config::Secret,
};
use tokio::{runtime::Handle, sync::watch};

use super::{
    IntrospectorBuilder,
    cache::{Answers, Digest},
    metrics::{From, IntrospectionMetrics},
    request,
};
use crate::{
    audit::{Audit, Event, Kind},
    bearer::is_b64token,
    outbound::called::Endpoint,
    principal::Principal,
    verify::{Reason, TrustedIssuer, VerifyError, VouchedFor},
};

/// Asks an issuer what tokens stand for, and remembers it for a few seconds. Cloning shares everything.
///
/// See the [module documentation](super) for an example and for what is certain.
#[derive(Clone)]
pub struct Introspector(Arc<Shared>);

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) vouched_for: VouchedFor,
    pub(super) answers: Answers,
    pub(super) clock: WallClock,
    concurrency: usize,
    metrics: IntrospectionMetrics,
    audit: Audit,
    flights: Mutex<HashMap<Digest, Flight>>,
}

/// The outcome of a request, once it is there; the sender is dropped then.
pub(super) type Flight = watch::Receiver<Option<Result<Arc<Principal>, Reason>>>;

/// As that of a verifier.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;

impl Introspector {
    /// Begins with the address of an introspection endpoint and the issuer that answers there.
    ///
    /// Of the issuer its name, audiences, users and services count; its keys, algorithms and token type do not, since
    /// nothing is signed.
    pub fn builder(endpoint: &str, issuer: TrustedIssuer) -> IntrospectorBuilder {
        IntrospectorBuilder::new(endpoint, issuer)
    }

    /// The clock by which tokens expire.
    pub(crate) fn wall_clock(&self) -> &WallClock {
        &self.0.clock
    }

    pub(super) fn assemble(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] for a token that is not accepted, or when the issuer cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the request to others, and counts nothing.
    pub async fn introspect(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        let (from, outcome) = self.look(token).await;
        self.0.metrics.count(from, &outcome);
        if let Err(reason) = &outcome {
            tracing::debug!(target: "msf_auth::introspect", %reason, "token not accepted");
            // That the issuer is away is in the log; it is nothing that anybody did.
            if *reason != Reason::IssuerUnavailable {
                let event = Event::new(Kind::TokenRefused).reason(reason.as_str());
                self.0
                    .audit
                    .record(&event.issuer(self.0.vouched_for.issuer()));
            }
        }
        outcome.map_err(VerifyError::from)
    }

    async fn look(&self, token: &str) -> (From, Result<Arc<Principal>, Reason>) {
        if token.len() > TOKEN_BYTES_MAX {
            return (From::Form, Err(Reason::Size));
        }
        if !is_b64token(token.as_bytes()) {
            return (From::Form, Err(Reason::Form));
        }
        let hash: Digest = digest(&SHA256, token.as_bytes())
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes");
        let shared = &self.0;
        if let Some(outcome) = shared.find(&hash) {
            return (From::Cache, outcome);
        }
        let Some(mut flight) = self.join_or_start(token, hash) else {
            return (From::Shed, Err(Reason::IssuerUnavailable));
        };
        // The flight ends within the limit of a request, and then it has an outcome or its sender is gone.
        let outcome = match flight.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(Reason::IssuerUnavailable)),
            Err(_) => Err(Reason::IssuerUnavailable),
        };
        (From::Issuer, outcome)
    }

    /// The request that runs for this token, or a new one; `None` when too many run.
    fn join_or_start(&self, token: &str, hash: Digest) -> Option<Flight> {
        if Handle::try_current().is_err() {
            tracing::error!(target: "msf_auth::introspect", "tokens are asked about inside a tokio runtime only");
            return None;
        }
        let mut flights = self.0.flights();
        if let Some(flight) = flights.get(&hash) {
            return Some(flight.clone());
        }
        if flights.len() >= self.0.concurrency {
            return None;
        }
        let (sender, flight) = watch::channel(None);
        flights.insert(hash, flight.clone());
        // A runtime that shuts down drops what it is given at once, and that locks the flights.
        drop(flights);
        request::start(&self.0, Secret::new(token.to_owned()), hash, sender);
        Some(flight)
    }
}

impl Shared {
    pub(super) fn new(
        endpoint: Endpoint,
        vouched_for: VouchedFor,
        answers: Answers,
        concurrency: usize,
        clock: WallClock,
        metrics: IntrospectionMetrics,
        audit: Audit,
    ) -> Self {
        Self {
            endpoint,
            vouched_for,
            answers,
            clock,
            concurrency,
            metrics,
            audit,
            flights: Mutex::default(),
        }
    }

    fn find(&self, hash: &Digest) -> Option<Result<Arc<Principal>, Reason>> {
        let now_s = self.clock.unix_seconds();
        self.answers
            .find(hash, &self.vouched_for, clock::now(), now_s)
    }

    pub(super) fn flights(&self) -> MutexGuard<'_, HashMap<Digest, Flight>> {
        // A map is whole between any two of its methods.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the secret.
impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("endpoint", &self.0.endpoint.shown())
            .finish_non_exhaustive()
    }
}
