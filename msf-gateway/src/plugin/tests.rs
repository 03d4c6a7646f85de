//! In which order plugins are asked, and that each hears of the end once.

use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode, request::Parts, response};
use http_body_util::BodyExt;
use msf_core::{body::Body, clock};
use proptest::prelude::*;

use super::*;
use crate::body::Proxied;

type Noted = Arc<Mutex<Vec<String>>>;

/// Notes what it is asked, with what it left for itself.
struct Noting {
    name: usize,
    noted: Noted,
    answers: bool,
}

impl Noting {
    fn note(&self, what: &str, context: usize) {
        let line = format!("{what} {} {context}", self.name);
        self.noted.lock().unwrap().push(line);
    }
}

impl Plugin for Noting {
    type Context = usize;

    async fn on_request(&self, _request: &mut Parts, context: &mut usize) -> Flow {
        *context = self.name * 10;
        self.note("request", *context);
        if self.answers {
            return Flow::Respond(Response::new(Bytes::new()));
        }
        Flow::Continue
    }

    fn on_response(&self, _response: &mut response::Parts, context: &mut usize) {
        self.note("response", *context);
        *context += 1;
    }

    fn on_complete(&self, completed: &Completed, context: &mut usize) {
        let end = if completed.is_whole { "whole" } else { "cut" };
        self.note(end, *context);
    }
}

fn installed(noted: &Noted, plugins: usize, answers: Option<usize>) -> Vec<Installed> {
    let plugin = |name| Noting {
        name,
        noted: Arc::clone(noted),
        answers: answers == Some(name),
    };
    (0..plugins)
        .map(|name| Installed::new(plugin(name)))
        .collect()
}

/// Shows a request to plugins until one answers.
async fn shown(plugins: &[Installed]) -> Contexts {
    let mut parts = Request::new(()).into_parts().0;
    let mut contexts = Contexts::default();
    for plugin in plugins {
        if let Flow::Respond(_) = contexts.on_request(plugin, &mut parts).await {
            break;
        }
    }
    contexts
}

fn followed(contexts: Contexts, body: Body) -> Proxied {
    Watched::around(
        Proxied::Boxed { body },
        contexts,
        StatusCode::OK,
        clock::now(),
    )
}

proptest! {
    #[test]
    fn the_way_back_is_the_way_there_and_everybody_hears_of_the_end_once(
        plugins in 1_usize..6,
        answers in proptest::option::of(0_usize..6),
        reads in any::<bool>(),
    ) {
        let noted = Noted::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut contexts = shown(&installed(&noted, plugins, answers)).await;
            let mut response = Response::new(()).into_parts().0;
            contexts.on_response(&mut response);
            let body = followed(contexts, Body::from("x"));
            if reads {
                body.collect().await.unwrap();
            }
        });
        let seen = answers.map_or(plugins, |at| plugins.min(at + 1));
        let there = (0..seen).map(|name| format!("request {name} {}", name * 10));
        let back = (0..seen).rev().map(|name| format!("response {name} {}", name * 10));
        let end = if reads { "whole" } else { "cut" };
        let ends = (0..seen).rev().map(|name| format!("{end} {name} {}", name * 10 + 1));
        let expected: Vec<String> = there.chain(back).chain(ends).collect();
        prop_assert_eq!(&*noted.lock().unwrap(), &expected);
    }
}

#[tokio::test]
async fn an_empty_answer_is_whole_and_one_without_plugins_is_not_followed() {
    let noted = Noted::default();
    let contexts = shown(&installed(&noted, 1, None)).await;
    drop(followed(contexts, Body::empty()));
    assert_eq!(noted.lock().unwrap().last().unwrap(), "whole 0 0");
    let body = followed(Contexts::default(), Body::from("x"));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
}
