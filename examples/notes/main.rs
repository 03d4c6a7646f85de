//! The service that the guide grows step by step (`docs/guide/first-service.md`): short notes, kept in memory.
//!
//! `cargo run --example notes`, then
//! `curl -i localhost:8080/notes --json '{"text":"buy milk"}'`, `curl -i localhost:8080/notes/1`.

use std::{
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use msf_core::{
    axum::{Json, Path},
    config::Plain,
    health::{Check, CheckError},
    host::{HostError, ServiceHost, ServiceHostBuilder},
    metrics::{Counter, Metrics, MetricsError},
    problem::{Code, Problem},
};
use serde::{Deserialize, Serialize};

#[tokio::main]
async fn main() -> Result<(), HostError> {
    let (settings, host) = ServiceHost::with_settings::<Plain<Settings>>("notes")?;
    service(host, settings)?.run().await
}

/// Everything but where it runs, so that tests start the same service.
fn service(host: ServiceHostBuilder, settings: Settings) -> Result<ServiceHostBuilder, HostError> {
    let notes = Arc::new(Notes::new(settings.notes, &host.metrics())?);
    let asked = Arc::clone(&notes);
    let capacity = Check::new("capacity", move || ready(asked.has_room()));
    Ok(host
        .version(env!("CARGO_PKG_VERSION"))
        .health_check(capacity.soft())
        .router(routes(notes)))
}

fn routes(notes: Arc<Notes>) -> Router {
    Router::new()
        .route("/notes", post(add))
        .route("/notes/{id}", get(read))
        .with_state(notes)
}

async fn add(
    State(notes): State<Arc<Notes>>,
    Json(new): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    Ok((StatusCode::CREATED, Json(notes.add(new.text)?)))
}

async fn read(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<usize>,
) -> Result<Json<Note>, Problem> {
    notes.read(id).map(Json)
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    notes: NotesSettings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NotesSettings {
    /// How many notes are kept.
    capacity: usize,
    /// Bytes of one note.
    #[serde(with = "msf_core::config::size")]
    text_limit: usize,
}

impl Default for NotesSettings {
    fn default() -> Self {
        Self {
            capacity: 1_000,
            text_limit: 1 << 10,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
}

#[derive(Serialize)]
struct Note {
    id: usize,
    text: String,
}

struct Notes {
    settings: NotesSettings,
    texts: Mutex<Vec<String>>,
    created: Counter,
}

impl Notes {
    fn new(settings: NotesSettings, metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            settings,
            texts: Mutex::default(),
            created: metrics.counter("notes_created_total", "Notes that were taken.")?,
        })
    }

    fn add(&self, text: String) -> Result<Note, Problem> {
        let limit = self.settings.text_limit;
        if text.is_empty() || text.len() > limit {
            return Err(Problem::new(Code::ValidationFailed)
                .with_error("/text", format!("must have 1 to {limit} bytes")));
        }
        let mut texts = self.texts();
        if texts.len() >= self.settings.capacity {
            return Err(Problem::new(Code::Unavailable)
                .with_detail("no room for another note")
                .with_log_detail("notes.capacity is reached"));
        }
        texts.push(text.clone());
        let id = texts.len();
        self.created.inc();
        tracing::info!(id, "note taken");
        Ok(Note { id, text })
    }

    fn read(&self, id: usize) -> Result<Note, Problem> {
        let texts = self.texts();
        match id.checked_sub(1).and_then(|index| texts.get(index)) {
            Some(text) => Ok(Note {
                id,
                text: text.clone(),
            }),
            None => Err(Problem::new(Code::NotFound).with_detail(format!("there is no note {id}"))),
        }
    }

    fn has_room(&self) -> Result<(), CheckError> {
        if self.texts().len() < self.settings.capacity {
            Ok(())
        } else {
            Err(CheckError::new("no room for another note"))
        }
    }

    fn texts(&self) -> MutexGuard<'_, Vec<String>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use msf_core::{assert_problem, host::HostConfig, testing::TestClient};
    use serde_json::json;

    use super::*;

    fn client(capacity: usize) -> (TestClient<Router>, Metrics) {
        let settings = NotesSettings {
            capacity,
            ..NotesSettings::default()
        };
        let metrics = Metrics::new();
        let notes = Arc::new(Notes::new(settings, &metrics).unwrap());
        (TestClient::new(routes(notes)), metrics)
    }

    #[tokio::test]
    async fn a_note_reads_back_and_is_counted() {
        let (client, metrics) = client(10);
        let added = client
            .post_json("/notes", &json!({ "text": "buy milk" }))
            .await;
        assert_eq!(added.status(), StatusCode::CREATED);

        let read: serde_json::Value = client.get("/notes/1").await.json();
        assert_eq!(read, json!({ "id": 1, "text": "buy milk" }));
        assert!(metrics.render().contains("notes_created_total 1"));
    }

    #[tokio::test]
    async fn an_empty_note_is_refused_with_its_place() {
        let (client, _metrics) = client(10);
        let answer = client.post_json("/notes", &json!({ "text": "" })).await;
        let problem = assert_problem!(answer, Code::ValidationFailed);
        assert_eq!(problem.errors[0].pointer, "/text");
    }

    #[tokio::test]
    async fn a_full_service_takes_no_note_and_still_reads() {
        let (client, _metrics) = client(1);
        client.post_json("/notes", &json!({ "text": "one" })).await;
        let second = client.post_json("/notes", &json!({ "text": "two" })).await;
        assert_problem!(second, Code::Unavailable);
        assert_eq!(client.get("/notes/1").await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn the_whole_service_starts_and_stops() {
        let mut config = HostConfig::default();
        config.server.bind = "127.0.0.1:0".to_owned();
        let host = ServiceHost::builder("notes").config(config);

        let running = service(host, Settings::default())
            .unwrap()
            .start()
            .await
            .unwrap();
        assert!(running.health().report().await.is_ready());
        assert_eq!(running.stop().await.unwrap().cut, 0);
    }
}
