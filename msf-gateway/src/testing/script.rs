//! [`Script`].

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::received::Received;

/// What a service does with the requests that it gets, one after the other; the last step holds for all that follow.
///
/// ```
/// use std::time::Duration;
/// use msf_gateway::testing::Script;
///
/// let slow = Script::text(200, "at last").after(Duration::from_secs(3));
/// let flaky = Script::status(503).times(2).then(Script::json(200, [1, 2])).then(Script::reset());
/// # drop((slow, flaky));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until a gateway has it"]
pub struct Script {
    /// At least one.
    steps: Vec<Step>,
}

/// What happens to one request.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) after: Duration,
    headers: HeaderMap,
    act: Act,
}

#[derive(Clone)]
enum Act {
    Answer(Arc<dyn Fn(&Received) -> Response<Bytes> + Send + Sync>),
    Hang,
    Reset,
}

impl Script {
    /// Answers with JSON.
    ///
    /// # Panics
    ///
    /// When the status is none, or the value does not serialize.
    #[track_caller]
    pub fn json(status: u16, value: impl Serialize) -> Self {
        let body = serde_json::to_vec(&value).expect("the value serializes");
        Self::fixed(status, body).header("content-type", "application/json")
    }

    /// Answers with text.
    ///
    /// # Panics
    ///
    /// When the status is none.
    #[track_caller]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self::fixed(status, body).header("content-type", "text/plain; charset=utf-8")
    }

    /// Answers without a body.
    ///
    /// # Panics
    ///
    /// When the status is none.
    #[track_caller]
    pub fn status(status: u16) -> Self {
        Self::fixed(status, Vec::new())
    }

    /// Answers as a function says.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use msf_gateway::testing::Script;
    ///
    /// let echo = Script::from_fn(|received| Response::new(received.bytes().clone()));
    /// # drop(echo);
    /// ```
    pub fn from_fn(answer: impl Fn(&Received) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        Self::of(Act::Answer(Arc::new(answer)))
    }

    /// Takes the request and never answers.
    pub fn hang() -> Self {
        Self::of(Act::Hang)
    }

    /// Takes the request and closes the connection without an answer.
    pub fn reset() -> Self {
        Self::of(Act::Reset)
    }

    #[track_caller]
    fn fixed(status: u16, body: Vec<u8>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status is 100 to 999");
        let body = Bytes::from(body);
        Self::from_fn(move |_received| {
            let mut response = Response::new(body.clone());
            *response.status_mut() = status;
            response
        })
    }

    fn of(act: Act) -> Self {
        let step = Step {
            after: Duration::ZERO,
            headers: HeaderMap::new(),
            act,
        };
        Self { steps: vec![step] }
    }

    /// Sends a header with the answer of the last step.
    ///
    /// # Panics
    ///
    /// When the name or the value is none.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("this is the name of a header");
        let value = HeaderValue::from_str(value).expect("this is the value of a header");
        self.last().headers.append(name, value);
        self
    }

    /// Waits before the last step.
    pub fn after(mut self, delay: Duration) -> Self {
        self.last().after = delay;
        self
    }

    /// Does the last step so many times.
    pub fn times(mut self, times: usize) -> Self {
        let step = self.last().clone();
        self.steps
            .extend(std::iter::repeat_n(step, times.saturating_sub(1)));
        self
    }

    /// Goes on with another script.
    pub fn then(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self
    }

    fn last(&mut self) -> &mut Step {
        self.steps.last_mut().expect("a script has a step")
    }

    /// The step for the request at this place.
    pub(super) fn step(&self, place: usize) -> Step {
        let last = self.steps.len() - 1;
        self.steps[place.min(last)].clone()
    }
}

impl Step {
    /// The answer; `None` for a connection that is closed instead. It may never come.
    pub(super) async fn run(&self, received: &Received) -> Option<Response<Bytes>> {
        // Without a delay there is nothing to wait for, also where nobody drives a clock.
        if !self.after.is_zero() {
            tokio::time::sleep(self.after).await;
        }
        match &self.act {
            Act::Hang => std::future::pending().await,
            Act::Reset => None,
            Act::Answer(answer) => {
                let mut response = answer(received);
                for (name, value) in &self.headers {
                    if name == header::CONTENT_TYPE {
                        response.headers_mut().insert(name, value.clone());
                    } else {
                        response.headers_mut().append(name, value.clone());
                    }
                }
                Some(response)
            }
        }
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer(_) => "Answer",
            Self::Hang => "Hang",
            Self::Reset => "Reset",
        })
    }
}
