//! What tokio's stable runtime metrics tell.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use super::{
    catalogue::{RUNTIME_ALIVE_TASKS, RUNTIME_BUSY, RUNTIME_QUEUE_DEPTH, RUNTIME_WORKERS},
    error::MetricsError,
    registry::Metrics,
};

impl Metrics {
    /// Exports `msf_runtime_*` of one tokio runtime, read at each scrape.
    ///
    /// A process with several runtimes calls it once for each, with a name of its own; a name used
    /// again takes the place of the former runtime. The registry keeps the handle.
    ///
    /// # Errors
    ///
    /// [`MetricsError::Mismatch`] if one of the names was registered with another shape.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use msf_core::metrics::Metrics;
    ///
    /// let metrics = Metrics::new();
    /// metrics.register_runtime("main", &tokio::runtime::Handle::current())?;
    /// assert!(metrics.render().contains(r#"msf_runtime_workers{runtime="main"} 1"#));
    /// # Ok::<(), msf_core::metrics::MetricsError>(())
    /// # }).unwrap();
    /// ```
    pub fn register_runtime(&self, name: &str, runtime: &Handle) -> Result<(), MetricsError> {
        let workers = RUNTIME_WORKERS.register(self)?.with([name]);
        let alive_tasks = RUNTIME_ALIVE_TASKS.register(self)?.with([name]);
        let queue_depth = RUNTIME_QUEUE_DEPTH.register(self)?.with([name]);
        let busy_family = RUNTIME_BUSY.register(self)?;

        let runtime = runtime.metrics();
        // The number of workers of a runtime never changes.
        let busy: Vec<_> = (0..runtime.num_workers())
            .map(|worker| busy_family.with(&[name, &worker.to_string()]))
            .collect();
        // Two scrapes at once must not both add the same seconds.
        let busy = Mutex::new(busy);

        self.on_scrape_keyed(format!("runtime {name}"), move || {
            workers.set(runtime.num_workers() as f64);
            alive_tasks.set(runtime.num_alive_tasks() as f64);
            queue_depth.set(runtime.global_queue_depth() as f64);
            let busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
            for (worker, seconds) in busy.iter().enumerate() {
                seconds.raise_to(runtime.worker_total_busy_duration(worker));
            }
        });
        Ok(())
    }
}
