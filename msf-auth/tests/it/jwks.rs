//! An issuer elsewhere on a bad day: keys over HTTP that are away, wrong, too many or too late.

use std::{error::Error as _, future::Future, time::Duration};

use msf_auth::{
    DiscoveryError, HttpJwks, InvalidEndpoint, JwksSource, KeySet, Reason, RemoteKeys, SigningKey,
    TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
};
use msf_core::{clock, task};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::support::{self, ISSUER, NOW_S};

/// An issuer whose keys are at `/keys`.
struct World {
    server: MockServer,
    events: MemorySink,
    keys: RemoteKeys,
    verifier: Verifier,
}

impl World {
    async fn new() -> Self {
        Self::with(Duration::from_secs(10)).await
    }

    async fn with(wait_max: Duration) -> Self {
        let (server, events) = (MockServer::start().await, MemorySink::new(100));
        let source = HttpJwks::at(&format!("{}/keys", server.uri())).allow_http_loopback();
        let source = source.timeout(Duration::from_secs(10)).build().unwrap();
        // The limits of time are those of a machine that is busy; what they are by default is tested without one.
        let keys = RemoteKeys::builder(source)
            .fetch_timeout(Duration::from_secs(10))
            .audit(Audit::new(events.clone()))
            .wait_max(wait_max);
        let keys = keys.build().unwrap();
        let trusted = TrustedIssuer::new(ISSUER, keys.clone()).audience("shop");
        let verifier = Verifier::builder().issuer(trusted).clock(support::clock());
        Self {
            server,
            events,
            keys,
            verifier: verifier.build().unwrap(),
        }
    }

    async fn answer(&self, answer: ResponseTemplate) {
        self.server.reset().await;
        Mock::given(path("/keys"))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    async fn publish(&self, keys: &[&SigningKey]) {
        let set = KeySet::new(keys.iter().map(|key| key.verifying_key())).unwrap();
        self.answer(ResponseTemplate::new(200).set_body_string(set.to_json()))
            .await;
    }

    /// Since the last change of the answer.
    async fn fetches(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    async fn verify(&self, key: &SigningKey) -> Result<(), Reason> {
        let outcome = self.verifier.verify(&token(key)).await;
        outcome.map(|_| ()).map_err(|error| error.reason())
    }
}

fn key() -> SigningKey {
    SigningKey::generate_ed25519().unwrap()
}

fn jwk(key: &SigningKey) -> Value {
    let set = KeySet::new([key.verifying_key()]).unwrap().to_json();
    serde_json::from_str::<Value>(&set).unwrap()["keys"][0].take()
}

fn token(key: &SigningKey) -> String {
    let issuer = TokenIssuer::new(ISSUER, key.clone()).with_clock(support::clock());
    issuer.token("7").audience("shop").sign().unwrap()
}

/// A token that names a key of nobody's.
fn token_of_nobody(id: u64) -> String {
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": format!("{id:016x}") });
    let claims = json!({ "iss": ISSUER, "sub": "7", "aud": "shop", "exp": NOW_S + 300 });
    support::signed(&header.to_string(), &claims.to_string(), |_| vec![0; 64])
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

#[tokio::test]
async fn an_outage_changes_nothing_and_is_over_when_it_is_over() {
    let (world, old, new) = (World::new().await, key(), key());
    world.publish(&[&old]).await;
    assert_eq!(world.verify(&old).await, Ok(()));
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(503).set_body_string(r#"{"keys":[]}"#),
        ResponseTemplate::new(302).insert_header("location", "/elsewhere"),
        ResponseTemplate::new(200).set_body_string("<html>maintenance</html>"),
        ResponseTemplate::new(200).set_body_string(r#"{"keys":["#),
        ResponseTemplate::new(200).set_body_string(r#"{"keys":[]}"#),
        ResponseTemplate::new(204),
    ] {
        world.answer(answer).await;
        assert!(world.keys.refresh().await);
        assert_eq!(world.fetches().await, 1);
        assert_eq!(world.verify(&old).await, Ok(()));
    }
    world.publish(&[&new]).await;
    assert!(world.keys.refresh().await);
    assert_eq!(world.verify(&new).await, Ok(()));
    assert_eq!(world.verify(&old).await, Err(Reason::UnknownKey));
}

#[tokio::test]
async fn a_rotation_is_seen_by_the_first_token_of_the_new_key() {
    let (world, old, new) = (World::new().await, key(), key());
    world.publish(&[&old]).await;
    assert_eq!(world.verify(&old).await, Ok(()));
    world.publish(&[&old, &new]).await;
    assert_eq!(world.verify(&new).await, Ok(()));
    assert_eq!(world.verify(&old).await, Ok(()));
    assert_eq!(world.fetches().await, 1);
}

#[tokio::test]
async fn a_key_that_changes_under_its_id_is_the_new_key() {
    let (world, old, new) = (World::new().await, key(), key());
    world.publish(&[&old]).await;
    assert_eq!(world.verify(&old).await, Ok(()));
    let mut renamed = jwk(&new);
    renamed["kid"] = old.id().into();
    let set = ResponseTemplate::new(200).set_body_json(json!({ "keys": [renamed] }));
    world.answer(set).await;
    assert!(world.keys.refresh().await);
    assert_eq!(world.verify(&old).await, Err(Reason::Signature));
}

#[tokio::test]
async fn ten_thousand_unknown_keys_cost_three_fetches_and_no_valid_user() {
    let (world, good) = (World::new().await, key());
    world.publish(&[&good]).await;
    let (begin, valid) = (clock::now(), token(&good));
    assert!(world.verifier.verify(&valid).await.is_ok());
    for id in 0..10_000 {
        let error = world
            .verifier
            .verify(&token_of_nobody(id))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), Reason::UnknownKey);
        if id % 100 == 0 {
            let outcome = tokio_test::task::spawn(world.verifier.verify(&valid)).poll();
            assert!(matches!(outcome, std::task::Poll::Ready(Ok(_))));
        }
    }
    // The budget is one more each ten seconds, which a busy machine may take.
    let more = usize::try_from(begin.elapsed().as_secs() / 10).unwrap();
    let fetches = world.fetches().await;
    assert!(fetches <= 3 + more, "{fetches}");
}

#[tokio::test]
async fn two_hundred_that_come_at_once_share_one_fetch() {
    let (world, good) = (World::new().await, key());
    let set = KeySet::new([good.verifying_key()]).unwrap().to_json();
    let slow = ResponseTemplate::new(200).set_body_string(set);
    world
        .answer(slow.set_delay(Duration::from_millis(300)))
        .await;
    let token = token(&good);
    let waiting: Vec<_> = (0..200)
        .map(|_| task::spawn("waiter", world.verifier.verify(&token)))
        .collect();
    for waiter in waiting {
        assert!(waiter.join().await.unwrap().is_ok());
    }
    assert_eq!(world.fetches().await, 1);
}

#[tokio::test]
async fn a_poisoned_set_gives_its_good_keys_only() {
    let (world, good, twin) = (World::new().await, key(), key());
    let mut impostor = jwk(&key());
    impostor["kid"] = twin.id().into();
    let private = key();
    let mut published = jwk(&private);
    published["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let set = json!({ "keys": [
        { "kty": "oct", "kid": "oct", "k": "c2VjcmV0", "alg": "HS256" },
        { "kty": "unknown", "kid": "u" },
        { "kty": "OKP", "crv": "Ed25519", "kid": "short", "x": "AA" },
        { "kid": 7 }, 7, null, [], "x",
        published, jwk(&twin), impostor, jwk(&good),
    ]});
    world
        .answer(ResponseTemplate::new(200).set_body_json(set))
        .await;
    assert_eq!(world.verify(&good).await, Ok(()));
    for bad in [&twin, &private] {
        assert_eq!(world.verify(bad).await, Err(Reason::UnknownKey));
    }
    assert_eq!(world.keys.current().unwrap().len(), 1);
    let events = world.events.events();
    let alerts = events
        .iter()
        .filter(|event| event.kind() == Kind::PrivateKeyPublished);
    let ids: Vec<_> = alerts.map(|event| event.field("key_id")).collect();
    assert_eq!(ids.first(), Some(&Some(private.id())));
}

#[tokio::test]
async fn a_huge_set_is_not_read_and_the_last_one_stays() {
    let (world, good) = (World::new().await, key());
    world.publish(&[&good]).await;
    assert_eq!(world.verify(&good).await, Ok(()));
    let many: Vec<Value> = (0..129)
        .map(|n| json!({ "kty": "x", "kid": n.to_string() }))
        .collect();
    for answer in [
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 512 * 1024 + 1]),
        ResponseTemplate::new(200).set_body_json(json!({ "keys": many })),
        ResponseTemplate::new(200).set_body_string("[".repeat(100_000)),
    ] {
        world.answer(answer).await;
        world.keys.refresh().await;
        assert_eq!(world.verify(&good).await, Ok(()));
    }
}

/// Answers each connection with a head and whatever `write` adds to it.
async fn serve<F>(write: impl Fn(TcpStream) -> F + Send + 'static) -> (String, task::Task<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let serving = task::spawn("raw_server", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let _written = stream.write_all(head.as_bytes()).await;
            task::spawn("raw_body", write(stream)).detach();
        }
    });
    (url, serving)
}

#[tokio::test]
async fn an_endless_body_ends() {
    let (url, _server) = serve(|mut stream| async move {
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let source = HttpJwks::at(&url).allow_http_loopback();
    let source = source.timeout(Duration::from_secs(10)).build().unwrap();
    let error = source.fetch().await.unwrap_err();
    assert!(
        chain(&error).contains("above 524288 bytes"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_body_that_drips_ends() {
    let (url, _server) = serve(|mut stream| async move {
        while stream.write_all(b"1\r\n \r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let source = HttpJwks::at(&url).allow_http_loopback();
    let source = source.timeout(Duration::from_millis(300)).build().unwrap();
    assert!(source.fetch().await.is_err());
}

/// An issuer with a discovery document.
struct Discovered {
    server: MockServer,
    source: HttpJwks,
}

impl Discovered {
    /// `{}` in the document stands for the address of the server.
    async fn new(document: &Value) -> Self {
        let server = MockServer::start().await;
        let document = document.to_string().replace("{}", &server.uri());
        Mock::given(path("/t/.well-known/openid-configuration"))
            .respond_with(ResponseTemplate::new(200).set_body_string(document))
            .mount(&server)
            .await;
        let issuer = format!("{}/t", server.uri());
        let source = HttpJwks::discovery(&issuer).allow_http_loopback();
        let source = source.timeout(Duration::from_secs(10)).build().unwrap();
        Self { server, source }
    }

    async fn keys(&self, answer: ResponseTemplate) {
        Mock::given(path("/keys"))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&self.server)
            .await;
    }

    async fn paths(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().map(|r| r.url.path().to_owned()).collect()
    }

    async fn fault(&self) -> String {
        let error = self.source.fetch().await.unwrap_err();
        let source = error.source().unwrap();
        assert!(source.is::<DiscoveryError>(), "{source}");
        chain(source)
    }
}

const METADATA: &str = "/t/.well-known/openid-configuration";

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    let document = json!({ "issuer": "{}/t", "jwks_uri": "{}/keys", "scopes_supported": ["a"] });
    let world = Discovered::new(&document).await;
    let set = KeySet::new([key().verifying_key()]).unwrap().to_json();
    for answer in [
        ResponseTemplate::new(200).set_body_string(&set),
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_string(&set),
        ResponseTemplate::new(200).set_body_string(&set),
    ] {
        world.keys(answer).await;
        let _outcome = world.source.fetch().await;
    }
    // The address is remembered while it is of use, and looked for again after a failure.
    let expected = [METADATA, "/keys", "/keys", METADATA, "/keys", "/keys"];
    assert_eq!(world.paths().await, expected);
}

#[tokio::test]
async fn a_fetch_that_is_cut_off_between_two_slow_answers_goes_on_the_next_time() {
    let document = json!({ "issuer": "{}/t", "jwks_uri": "{}/keys" });
    let world = Discovered::new(&document).await;
    let set = KeySet::new([key().verifying_key()]).unwrap().to_json();
    let good = ResponseTemplate::new(200).set_body_string(&set);
    let late = good.clone().set_delay(Duration::from_secs(60));
    let deadline = clock::now() + Duration::from_secs(20);
    let cut_off_after = async |keys: usize| {
        let source = world.source.clone();
        let cut_off = task::spawn("cut_off", async move { source.fetch().await.is_ok() });
        while world.paths().await.iter().filter(|p| *p == "/keys").count() < keys {
            assert!(clock::now() < deadline, "the keys are never asked for");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(cut_off);
    };
    world.keys(late.clone()).await;
    cut_off_after(1).await;
    world.keys(late).await;
    // An address that was of no use twice is looked for again.
    cut_off_after(2).await;
    world.keys(good).await;
    assert!(world.source.fetch().await.is_ok());
    let expected = [METADATA, "/keys", "/keys", METADATA, "/keys"];
    assert_eq!(world.paths().await, expected);
}

#[tokio::test]
async fn the_document_of_another_issuer_is_not_believed() {
    for issuer in ["{}", "{}/t/", "{}/T", "https://id.example/t", ""] {
        let world = Discovered::new(&json!({ "issuer": issuer, "jwks_uri": "{}/keys" })).await;
        let fault = world.fault().await;
        assert!(fault.contains("of another issuer"), "{issuer}: {fault}");
        assert_eq!(world.paths().await, [METADATA]);
    }
}

#[tokio::test]
async fn keys_elsewhere_are_not_fetched() {
    let elsewhere = MockServer::start().await;
    let evil = format!("{}/keys", elsewhere.uri());
    for uri in [
        evil.as_str(),
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/keys",
        "http://id.example/keys",
        "file:///etc/passwd",
        "/keys",
    ] {
        let world = Discovered::new(&json!({ "issuer": "{}/t", "jwks_uri": uri })).await;
        let fault = world.fault().await;
        assert!(
            fault.contains("names an address that is not called"),
            "{uri}: {fault}"
        );
        assert_eq!(world.paths().await, [METADATA]);
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_that_is_allowed_may_have_the_keys() {
    let elsewhere = MockServer::start().await;
    let set = KeySet::new([key().verifying_key()]).unwrap().to_json();
    Mock::given(path("/keys"))
        .respond_with(ResponseTemplate::new(200).set_body_string(set))
        .mount(&elsewhere)
        .await;
    let server = MockServer::start().await;
    let issuer = server.uri();
    let document = json!({ "issuer": issuer, "jwks_uri": format!("{}/keys", elsewhere.uri()) });
    Mock::given(path("/.well-known/openid-configuration"))
        .respond_with(ResponseTemplate::new(200).set_body_json(document))
        .mount(&server)
        .await;
    let source = HttpJwks::discovery(&issuer)
        .allow_http_loopback()
        .allow_host(elsewhere.address().to_string())
        .timeout(Duration::from_secs(10));
    let keys = RemoteKeys::builder(source.build().unwrap()).fetch_timeout(Duration::from_secs(10));
    assert!(keys.build().unwrap().refresh().await);
}

#[tokio::test]
async fn a_discovery_document_that_redirects_or_never_ends_is_no_document() {
    for answer in [
        ResponseTemplate::new(301).insert_header("location", "/other"),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 64 * 1024 + 1]),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(404),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/.well-known/openid-configuration"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let source = HttpJwks::discovery(&server.uri())
            .allow_http_loopback()
            .build();
        assert!(source.unwrap().fetch().await.is_err());
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_name_that_leads_into_the_own_network_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = HttpJwks::new(&format!("https://localhost:{port}/keys")).unwrap();
    let error = source.fetch().await.unwrap_err();
    assert!(
        chain(&error).contains("no public address"),
        "{}",
        chain(&error)
    );
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err());
}

#[test]
fn a_host_that_is_none_is_an_error_wherever_the_keys_are() {
    for builder in [
        HttpJwks::at("https://id.example/keys"),
        HttpJwks::discovery("https://id.example"),
    ] {
        assert!(
            builder
                .clone()
                .allow_host("https://keys.example/")
                .build()
                .is_err()
        );
        assert!(builder.allow_host("keys.example").build().is_ok());
    }
}

#[test]
fn certificates_have_to_be_certificates() {
    for pem in [
        &b""[..],
        b"x",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        let built = HttpJwks::at("https://id.example/")
            .root_certificates(pem)
            .build();
        assert!(
            matches!(
                built,
                Err(InvalidEndpoint::Certificate(_) | InvalidEndpoint::Client(_))
            ),
            "{built:?}"
        );
    }
}
