//! Extractors that fail with a problem.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_path_to_error::{Path as ErrorPath, Segment};

use crate::problem::{Code, Problem};

/// A JSON body, in requests and responses.
///
/// A body of another media type is `unsupported_media_type`, broken JSON is `bad_request`, and JSON of the
/// wrong shape is `validation_failed` with a pointer to the place. See the [module documentation](super).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Json<T>(pub T);

/// Parameters of the route's template; those that do not parse are `bad_request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Path<T>(pub T);

/// The query string; one that does not parse is `bad_request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Query<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::UnsupportedMediaType)
                .with_detail("send JSON, with `Content-Type: application/json`"));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(Problem::from_error)?;
        let json = &mut serde_json::Deserializer::from_slice(&body);
        let value =
            serde_path_to_error::deserialize(&mut *json).map_err(|e| not_as_expected(&e))?;
        json.end().map_err(|error| broken(&error))?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection::PathRejection::FailedToDeserializePathParams(error)) => {
                Err(Problem::new(Code::BadRequest).with_detail(about_path(error.into_kind())))
            }
            // The route was set up wrong, which is not the caller's concern.
            Err(error) => Err(Problem::new(Code::Internal).with_source(error)),
        }
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::new(Code::BadRequest).with_detail(error.body_text())),
        }
    }
}

/// What is wrong with a path, for those who do not know which type the handler reads it into.
fn about_path(error: ErrorKind) -> String {
    match error {
        ErrorKind::ParseErrorAtKey { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. }
        | ErrorKind::ParseError { value, .. } => {
            format!("`{value}` in the path is not of the expected form")
        }
        ErrorKind::DeserializeError { message, .. } | ErrorKind::Message(message) => message,
        other => other.to_string(),
    }
}

/// `application/json` and everything that ends in `+json` (RFC 6839 section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::to_str)
    else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn not_as_expected(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if error.inner().is_data() {
        Problem::new(Code::ValidationFailed)
            .with_detail("the JSON does not have the expected shape")
            .with_error(pointer(error.path()), error.inner().to_string())
    } else {
        broken(error.inner())
    }
}

fn broken(error: &serde_json::Error) -> Problem {
    Problem::new(Code::BadRequest).with_detail(format!("the body is not JSON: {error}"))
}

/// The place as a JSON pointer (RFC 6901).
fn pointer(path: &ErrorPath) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::post};
    use http::Request;
    use serde::Deserialize;

    use super::*;
    use crate::{assert_problem, testing::TestClient};

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Deserialize, Serialize)]
    struct Item {
        quantity: u32,
    }

    #[derive(Deserialize)]
    struct Page {
        limit: u8,
    }

    fn client() -> TestClient<Router> {
        let handler =
            async |Path(id): Path<u64>, Query(page): Query<Page>, Json(order): Json<Order>| {
                let quantities: Vec<u32> = order.items.iter().map(|item| item.quantity).collect();
                Json(serde_json::json!([id, page.limit, quantities]))
            };
        TestClient::new(Router::new().route("/orders/{id}", post(handler)))
    }

    async fn post_raw(path: &str, media_type: &str, body: &str) -> crate::testing::TestResponse {
        let request = Request::post(path)
            .header("content-type", media_type)
            .body(body.to_owned())
            .unwrap();
        client().send(request).await
    }

    #[tokio::test]
    async fn good_input_passes() {
        let body = r#"{"items":[{"quantity":2}]}"#;
        for media_type in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/x+json",
        ] {
            let response = post_raw("/orders/7?limit=3", media_type, body).await;
            assert_eq!(response.text(), "[7,3,[2]]", "{media_type}");
        }
    }

    #[tokio::test]
    async fn a_wrong_shape_says_where() {
        let body = r#"{"items":[{"quantity":2},{"quantity":-1}]}"#;
        let response = post_raw("/orders/7?limit=3", "application/json", body).await;
        let problem = assert_problem!(response, Code::ValidationFailed);
        assert_eq!(problem.errors[0].pointer, "/items/1/quantity");
    }

    #[tokio::test]
    async fn broken_input_is_the_callers_problem() {
        for body in ["", "{", "{\"items\":[]} x", "\u{0}"] {
            let response = post_raw("/orders/7?limit=3", "application/json", body).await;
            assert_problem!(response, Code::BadRequest);
        }
        let good = r#"{"items":[]}"#;
        let wrong_path = post_raw("/orders/x?limit=3", "application/json", good).await;
        let problem = assert_problem!(wrong_path, Code::BadRequest);
        // It does not tell which type of which language the handler reads.
        assert_eq!(
            problem.detail.as_deref(),
            Some("`x` in the path is not of the expected form")
        );
        assert_problem!(
            post_raw("/orders/7?limit=999", "application/json", good).await,
            Code::BadRequest
        );
        assert_problem!(
            post_raw("/orders/7?limit=3", "text/plain", good).await,
            Code::UnsupportedMediaType
        );
    }
}
