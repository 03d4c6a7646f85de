//! Key sets over HTTP.

use msf_auth::{HttpJwks, InvalidEndpoint, JwksSource, RemoteKeys, SigningKey, TokenIssuer};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

async fn serve(answer: ResponseTemplate) -> (MockServer, HttpJwks) {
    let server = MockServer::start().await;
    Mock::given(path("/jwks.json"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let source = HttpJwks::danger_any_scheme(&format!("{}/jwks.json", server.uri())).unwrap();
    (server, source)
}

#[tokio::test]
async fn a_document_is_fetched() {
    let issuer = TokenIssuer::new("i", SigningKey::generate_ed25519().unwrap());
    let (_server, source) =
        serve(ResponseTemplate::new(200).set_body_string(issuer.jwks().to_json())).await;
    let keys = RemoteKeys::new(source);
    assert!(keys.refresh().await);
    assert!(keys.current().unwrap().contains(&issuer.key_id()));
}

#[tokio::test]
async fn a_redirect_is_not_followed_even_to_a_good_document() {
    let (server, source) =
        serve(ResponseTemplate::new(302).insert_header("location", "/elsewhere")).await;
    let issuer = TokenIssuer::new("i", SigningKey::generate_ed25519().unwrap());
    Mock::given(path("/elsewhere"))
        .respond_with(ResponseTemplate::new(200).set_body_string(issuer.jwks().to_json()))
        .mount(&server)
        .await;
    assert!(source.fetch().await.is_err());
}

#[tokio::test]
async fn what_is_no_document_is_an_error() {
    let large = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 512 * 1024 + 1]);
    for answer in [
        ResponseTemplate::new(404),
        ResponseTemplate::new(500),
        large,
    ] {
        let (_server, source) = serve(answer).await;
        assert!(source.fetch().await.is_err());
    }
}

#[test]
fn only_https_is_safe() {
    assert!(matches!(
        HttpJwks::new("http://id.example/"),
        Err(InvalidEndpoint::NotHttps)
    ));
    assert!(matches!(
        HttpJwks::new("file:///etc/passwd"),
        Err(InvalidEndpoint::NotHttps)
    ));
    assert!(matches!(
        HttpJwks::new("id.example"),
        Err(InvalidEndpoint::Syntax(_))
    ));
    assert!(HttpJwks::new("https://id.example/jwks.json").is_ok());
}
