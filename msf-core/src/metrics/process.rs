//! What is running: the operating system's view of the process, and its name and version.

use super::{catalogue::BUILD_INFO, error::MetricsError, registry::Metrics};

impl Metrics {
    /// Exports `process_*`: CPU time, memory, file descriptors, threads and start time.
    ///
    /// Linux only, read from `/proc` at each scrape; elsewhere it does nothing. CPU time has a
    /// resolution of one second.
    ///
    /// # Errors
    ///
    /// [`MetricsError::Taken`] if a family has one of the names.
    pub fn register_process(&self) -> Result<(), MetricsError> {
        register_process(self)
    }

    /// Exports `msf_build_info{service,version} 1`.
    ///
    /// # Errors
    ///
    /// [`MetricsError::Mismatch`] if the name was registered with another shape.
    ///
    /// ```
    /// use msf_core::metrics::Metrics;
    ///
    /// let metrics = Metrics::new();
    /// metrics.register_build_info("orders", "1.4.2")?;
    /// let text = metrics.render();
    /// assert!(text.contains(r#"msf_build_info{service="orders",version="1.4.2"} 1"#));
    /// # Ok::<(), msf_core::metrics::MetricsError>(())
    /// ```
    pub fn register_build_info(&self, service: &str, version: &str) -> Result<(), MetricsError> {
        let info = BUILD_INFO.register(self)?;
        info.with([service, version]).set(1.0);
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn register_process(metrics: &Metrics) -> Result<(), MetricsError> {
    use prometheus::process_collector::ProcessCollector;

    metrics
        .collect_from(Box::new(ProcessCollector::for_self()))
        .map_err(|_| MetricsError::Taken {
            metric: "process_*".to_owned(),
            owner: "a family with one of these names".to_owned(),
        })
}

#[cfg(not(target_os = "linux"))]
fn register_process(_metrics: &Metrics) -> Result<(), MetricsError> {
    Ok(())
}
