//! What is a request.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_no_form_is_refused() {
    let server = Server::start();
    let good = encode(&[
        CREDENTIALS[0],
        ("client_id", "order"),
        ("client_secret", server.order.text().expose()),
    ]);
    let form = (
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    assert_eq!(
        server
            .send("/oauth/token", &[form], good.clone())
            .await
            .status(),
        200
    );
    let twice = format!("{good}&grant_type=client_credentials");
    let unknown_twice = format!("{good}&x=1&x=1");
    for (path, headers, body) in [
        ("/oauth/token", vec![], good.clone()),
        (
            "/oauth/token",
            vec![("content-type", "application/json")],
            good.clone(),
        ),
        ("/oauth/token", vec![form, form], good.clone()),
        ("/oauth/token?scope=x", vec![form], good.clone()),
        ("/oauth/token", vec![form], twice),
        ("/oauth/token", vec![form], unknown_twice),
        ("/oauth/token", vec![form], format!("{good}&a=%zz")),
    ] {
        refused(
            &server.send(path, &headers, body).await,
            400,
            "invalid_request",
        );
    }
    let huge = format!("{good}&x={}", "x".repeat(17 * 1_024));
    refused(
        &server.send("/oauth/token", &[form], huge).await,
        413,
        "invalid_request",
    );
    // One that never ends.
    let endless = Body::new(Never);
    refused(
        &server.send("/oauth/token", &[form], endless).await,
        400,
        "invalid_request",
    );
    assert_eq!(server.client.get("/oauth/token").await.status(), 405);
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}
