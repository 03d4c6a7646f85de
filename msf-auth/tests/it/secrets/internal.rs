//! Tokens that an edge mints for services inside.

use msf_auth::{
    InternalCall, InternalTokens, Principal, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::Audit,
};
use msf_core::metrics::Metrics;

use super::printed::Printed;
use crate::support::{ISSUER, clock};

const EDGE: &str = "https://gateway.shop";

async fn caller(printed: &mut Printed) -> std::sync::Arc<Principal> {
    let users = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let users = users.with_clock(clock());
    let trusted = TrustedIssuer::new(ISSUER, users.jwks()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).clock(clock());
    let token = users.token("7").audience("shop").sign().unwrap();
    printed.token("a token from outside", &token);
    let verifier = verifier.build().unwrap();
    verifier.verify(&token).await.unwrap()
}

pub(super) async fn internal(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    let caller = caller(printed).await;
    let edge = TokenIssuer::new(EDGE, SigningKey::generate_ed25519().unwrap());
    let edge = edge.with_clock(clock());
    let builder = || InternalTokens::builder(edge.clone()).metrics(metrics);
    printed.debug("builder", &builder());
    printed.failed("carried", builder().carry("sub").build());
    printed.failed("keep", builder().keep(std::time::Duration::MAX).build());
    let tokens = builder().build().unwrap();
    let kept = InternalCall::to("order");
    for call in [kept, kept, kept.request("01J8Z0"), kept.scopes(&["a"])] {
        printed.debug("call", &call);
        let header = tokens.bearer(&caller, &call).unwrap();
        printed.debug("header", &header);
        let token = header.to_str().unwrap().trim_start_matches("Bearer ");
        printed.token("a token for inside", token);
        // For others, and where it is not taken.
        for (issuer, audience) in [(EDGE, "payment"), (ISSUER, "order"), (EDGE, "order")] {
            let trusted = TrustedIssuer::internal(issuer, edge.jwks()).audience(audience);
            let verifier = Verifier::builder().issuer(trusted).clock(clock());
            let verifier = verifier.audit(audit.clone()).metrics(metrics).build();
            match verifier.unwrap().verify(token).await {
                Ok(caller) => printed.debug("caller inside", &caller),
                Err(error) => printed.error("inside", &error),
            }
        }
    }
    printed.failed("no audience", tokens.bearer(&caller, &InternalCall::to("")));
    printed.debug("tokens", &tokens);
}
