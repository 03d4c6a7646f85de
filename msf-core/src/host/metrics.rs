//! Metrics of the process that only its host can see.

use std::sync::{Mutex, PoisonError};

use crate::{
    metrics::{Counter, LOG_LINES_DROPPED, Metrics, MetricsError, OTLP_SPANS, SERVER_CONNECTIONS},
    server::Server,
    telemetry::TelemetryStats,
};

/// Counts the connections of a server, at each scrape.
pub(super) fn watch_server(metrics: &Metrics, server: &Server) -> Result<(), MetricsError> {
    let connections = SERVER_CONNECTIONS.register(metrics)?.with([]);
    let server = server.clone();
    metrics.on_scrape(move || {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 connections")]
        connections.set(server.connections() as f64);
    });
    Ok(())
}

/// Shows what telemetry loses, which cannot be told by telemetry itself.
pub(super) fn watch_telemetry(
    metrics: &Metrics,
    stats: TelemetryStats,
) -> Result<(), MetricsError> {
    let lines = LOG_LINES_DROPPED.register(metrics)?.with([]);
    let spans = OTLP_SPANS.register(metrics)?;
    let [exported, dropped, failed] =
        ["exported", "dropped", "failed"].map(|outcome| spans.with([outcome]));
    // Two scrapes at once must not both add the same difference.
    let scrape = Mutex::new(());
    metrics.on_scrape(move || {
        let _one = scrape.lock().unwrap_or_else(PoisonError::into_inner);
        raise_to(&lines, stats.dropped_lines());
        raise_to(&exported, stats.exported_spans());
        raise_to(&dropped, stats.dropped_spans());
        raise_to(&failed, stats.failed_spans());
    });
    Ok(())
}

/// Brings a counter to a total that is counted elsewhere.
fn raise_to(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}
