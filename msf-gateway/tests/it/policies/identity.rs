//! The token that a route mints for its service.

use http::Method;
use msf_auth::{
    InternalTokens, SigningKey, TokenIssuer, TrustedIssuer, Verifier, policy::authenticated,
};
use msf_gateway::Route;

use super::{builder, errors, request};
use crate::common::{System, mirror, seen, send, start};

#[tokio::test]
async fn the_service_gets_a_token_of_its_own_for_the_caller() {
    let system = System::new().with("order", mirror).await;
    let edge = TokenIssuer::new(
        "https://gateway.shop",
        SigningKey::generate_ed25519().unwrap(),
    );
    let gateway = builder(&system)
        .internal_tokens(InternalTokens::new(edge.clone()))
        .route(
            Route::prefix("/orders")
                .to("order")
                .policy(authenticated())
                .internal_identity(),
        );
    let gateway = start(system.build(gateway).await);
    let callers = format!("Bearer {}", system.token("7", &["orders:read"]));
    let asked = request(Method::GET, "/orders", &[("authorization", &callers)]);
    let answer = send(gateway.addr(), asked).await;

    let [authorization] = &seen(&answer, "authorization")[..] else {
        panic!("{}", answer.text())
    };
    assert_ne!(authorization, &callers);
    let trusted = TrustedIssuer::internal("https://gateway.shop", edge.jwks()).audience("order");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let caller = verifier
        .verify(authorization.trim_start_matches("Bearer "))
        .await
        .unwrap();
    assert_eq!(caller.subject(), "7");
    assert_eq!(caller.subject_issuer(), "https://user.shop");
    assert!(caller.scopes().eq(["orders:read"]));
}

#[tokio::test]
async fn an_identity_that_nobody_has_or_nobody_mints_is_an_error() {
    let system = System::new();
    let said = errors(
        builder(&system)
            .verifier(system.verifier())
            .route(Route::prefix("/a").to("order").public().internal_identity())
            .route(
                Route::prefix("/b")
                    .to("order")
                    .policy(authenticated())
                    .internal_identity(),
            ),
    );
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("nobody is known") && said[1].contains("`internal_tokens`"),
        "{said:?}"
    );
}
