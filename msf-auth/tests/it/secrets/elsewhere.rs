//! Another server, which is asked with our secret and says it back to us.

use std::time::Duration;

use msf_auth::{BearerSource as _, Introspector, KeySet, TokenClient, TrustedIssuer, audit::Audit};
use msf_core::{config::Secret, metrics::Metrics, problem::Problem};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::printed::Printed;
use crate::support::{ISSUER, NOW_S, clock};

const SECRET: &str = "Hd8KvQm2XpLs6WzNt9RyBg4JcFu7EaTo3V";
const TOKEN: &str = "opaque-Gk5TzYw8PbNx3MvRq7LcJf2DhSu9";

/// Bodies of somebody who quotes what was sent.
fn answers() -> Vec<ResponseTemplate> {
    let quoting = json!({
        "error": "invalid_client", "error_description": format!("{SECRET} {TOKEN}"), "active": false,
    });
    let coded = json!({ "error": format!("bad {SECRET}") });
    let inactive = json!({ "active": TOKEN, "sub": SECRET });
    let typed = json!({ "access_token": TOKEN, "token_type": SECRET, "expires_in": 300 });
    let active = json!({
        "active": true, "iss": ISSUER, "aud": "shop", "sub": "7", "iat": NOW_S, "exp": NOW_S + 300,
        "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300,
    });
    let with = |status, body| ResponseTemplate::new(status).set_body_json(body);
    vec![
        with(401, quoting.clone()),
        with(400, quoting.clone()),
        with(500, quoting),
        with(400, coded),
        with(200, inactive),
        with(200, typed),
        ResponseTemplate::new(200).set_body_string(format!("<p>{TOKEN} {SECRET}")),
        ResponseTemplate::new(200).set_body_string(format!("{{\"{TOKEN}\":\"{SECRET}")),
        ResponseTemplate::new(302).insert_header("location", format!("/{TOKEN}/{SECRET}").as_str()),
        ResponseTemplate::new(200).set_body_string(TOKEN.repeat(2_000)),
        with(200, active),
    ]
}

pub(super) async fn elsewhere(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    printed.secret("our secret", SECRET);
    printed.secret("an opaque token", TOKEN);
    let server = MockServer::start().await;
    for answer in answers() {
        server.reset().await;
        Mock::given(method("POST"))
            .respond_with(answer)
            .mount(&server)
            .await;
        ask(printed, metrics, audit, &server.uri()).await;
    }
    // Nobody listens there.
    let nowhere = server.uri();
    drop(server);
    ask(printed, metrics, audit, &format!("{nowhere}/?key={SECRET}")).await;
    endpoints(printed);
    #[cfg(feature = "jwks")]
    keys(printed).await;
}

async fn ask(printed: &mut Printed, metrics: &Metrics, audit: &Audit, endpoint: &str) {
    let secret = || Secret::new(SECRET.to_owned());
    let issuer = TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
    let builder = Introspector::builder(endpoint, issuer)
        .client("order", secret())
        .allow_http_loopback()
        .clock(clock())
        .audit(audit.clone())
        .metrics(metrics);
    printed.debug("builder", &builder);
    let introspector = builder.build().unwrap();
    for token in [TOKEN, &TOKEN.repeat(300), &format!("{TOKEN} x")] {
        match introspector.introspect(token).await {
            Ok(caller) => printed.debug("caller", &caller),
            Err(error) => {
                printed.error("introspect", &error);
                printed.debug("problem", &Problem::from(error));
            }
        }
    }
    printed.debug("introspector", &introspector);

    let builder = TokenClient::builder(endpoint)
        .client("order", secret())
        .allow_http_loopback()
        .metrics(metrics);
    printed.debug("builder", &builder);
    let tokens = builder.build().unwrap();
    if let Err(error) = tokens.await_ready(Duration::from_millis(100)).await {
        printed.error("not ready", &error);
    }
    match tokens.bearer() {
        Ok(header) => printed.debug("header", &header),
        Err(error) => printed.error("bearer", &error),
    }
    printed.debug("tokens", &tokens);
}

/// A secret in an address, where it does not belong.
fn endpoints(printed: &mut Printed) {
    let secret = || Secret::new(SECRET.to_owned());
    for endpoint in [
        format!("https://order:{SECRET}@id.example/"),
        format!("https://{SECRET}@id.example/"),
        format!("https://id.example/#{SECRET}"),
        format!("https://id.example:{SECRET}/"),
        format!("http://id.example/?key={SECRET}"),
        SECRET.to_owned(),
    ] {
        let issuer = TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
        let introspector = Introspector::builder(&endpoint, issuer).client("order", secret());
        let tokens = TokenClient::builder(&endpoint).client("order", secret());
        printed.debug("builder", &introspector);
        printed.debug("builder", &tokens);
        printed.failed("endpoint", introspector.build());
        printed.failed("endpoint", tokens.build());
    }
    // The one place where a query may be.
    let endpoint = format!("https://id.example/?key={SECRET}");
    let tokens = TokenClient::builder(&endpoint).client("order", secret());
    printed.debug("tokens", &tokens.build().unwrap());
}

#[cfg(feature = "jwks")]
async fn keys(printed: &mut Printed) {
    use msf_auth::{HttpJwks, JwksSource as _};

    for builder in [
        HttpJwks::at(&format!("http://127.0.0.1:9/?key={SECRET}")).allow_http_loopback(),
        HttpJwks::at(&format!("https://order:{SECRET}@id.example/")),
        HttpJwks::discovery(&format!("https://id.example/?key={SECRET}")),
        HttpJwks::discovery(SECRET),
    ] {
        printed.debug("builder", &builder);
        match builder.build() {
            Ok(source) => {
                printed.debug("source", &source);
                printed.error("fetch", &source.fetch().await.err().unwrap());
            }
            Err(error) => printed.error("keys", &error),
        }
    }
}
