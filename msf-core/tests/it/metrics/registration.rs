//! Families: their names, their shapes, their bounds, and the catalogue.

use std::sync::Arc;

use http::Request;
use msf_core::metrics::{HttpMetricsLayer, MetricKind, Metrics, MetricsError, catalogue};
use tower::{Layer, ServiceExt, service_fn};

use super::{collect, full, get, value};

#[test]
fn the_same_family_twice_is_one_family() {
    let metrics = Metrics::new();
    let first = metrics
        .counter_family("calls_total", "Calls.", ["outcome"])
        .unwrap();
    let second = metrics
        .counter_family("calls_total", "Otherwise.", ["outcome"])
        .unwrap();
    first.with(["ok"]).inc();
    second.with(["ok"]).inc();
    assert_eq!(first.with(["ok"]).get(), 2);
}

#[test]
fn another_shape_under_the_same_name_is_refused() {
    let metrics = Metrics::new();
    metrics
        .counter_family("calls_total", "Calls.", ["outcome"])
        .unwrap();
    metrics
        .histogram_family_with("wait_seconds", "Waiting.", ["pool"], &[1.0])
        .unwrap();

    let label = metrics
        .counter_family("calls_total", "Calls.", ["result"])
        .unwrap_err();
    assert_eq!(
        label.to_string(),
        "metric `calls_total` is registered as counter {outcome}, not as counter {result}"
    );
    let kind = metrics
        .gauge_family("calls_total", "Calls.", ["outcome"])
        .unwrap_err();
    assert!(matches!(kind, MetricsError::Mismatch { .. }));
    let buckets = metrics
        .histogram_family("wait_seconds", "Waiting.", ["pool"])
        .unwrap_err();
    assert!(matches!(buckets, MetricsError::Mismatch { .. }));
}

#[test]
fn bad_names_labels_help_and_buckets_are_refused() {
    let metrics = Metrics::new();
    for name in ["", "9lives", "a-b", "a:b", "naïve"] {
        let error = metrics.counter(name, "Help.").unwrap_err();
        assert!(matches!(error, MetricsError::InvalidName { .. }), "{name}");
    }
    for labels in [
        ["", "a"],
        ["le", "a"],
        ["__a", "a"],
        ["a", "a"],
        ["a:b", "a"],
    ] {
        let error = metrics.gauge_family("depth", "Help.", labels).unwrap_err();
        assert!(
            matches!(error, MetricsError::InvalidLabel { .. }),
            "{labels:?}"
        );
    }
    let error = metrics.counter("jobs_total", "").unwrap_err();
    assert!(matches!(error, MetricsError::EmptyHelp { .. }));
    for buckets in [
        &[][..],
        &[2.0, 1.0],
        &[1.0, 1.0],
        &[f64::NAN],
        &[1.0, f64::INFINITY],
    ] {
        let error = metrics
            .histogram_family_with("h", "Help.", [], buckets)
            .unwrap_err();
        assert!(
            matches!(error, MetricsError::InvalidBuckets { .. }),
            "{buckets:?}"
        );
    }
}

#[test]
fn names_that_a_histogram_writes_are_taken() {
    let metrics = Metrics::new();
    metrics.histogram("wait_seconds", "Waiting.").unwrap();
    let error = metrics.counter("wait_seconds_count", "Waits.").unwrap_err();
    assert!(matches!(error, MetricsError::Taken { owner, .. } if owner == "wait_seconds"));

    metrics.counter("size_sum", "Sizes.").unwrap();
    let error = metrics.histogram("size", "Sizes.").unwrap_err();
    assert!(matches!(error, MetricsError::Taken { owner, .. } if owner == "size_sum"));
}

#[test]
fn label_values_that_read_alike_are_different_series() {
    let metrics = Metrics::new();
    let family = metrics
        .counter_family("pairs_total", "Pairs.", ["a", "b"])
        .unwrap();
    family.with(["ab", "c"]).inc();
    assert_eq!(family.with(["a", "bc"]).get(), 0);
    family.with(["quote\"", "line\nbreak"]).inc();
    assert!(
        metrics
            .render()
            .contains(r#"pairs_total{a="quote\"",b="line\nbreak"} 1"#)
    );
}

#[test]
fn a_full_family_folds_new_series_into_other_and_says_so() {
    let metrics = Metrics::with_series_limit(2);
    let family = metrics
        .counter_family("calls_total", "Calls.", ["peer"])
        .unwrap();
    for peer in ["a", "b", "c", "d", "a"] {
        family.with([peer]).inc();
    }
    let text = metrics.render();
    assert_eq!(value(&text, r#"calls_total{peer="a"}"#), 2.0);
    assert_eq!(value(&text, r#"calls_total{peer="other"}"#), 2.0);
    assert_eq!(
        value(&text, r#"msf_metrics_overflow_total{family="calls_total"}"#),
        2.0
    );
    assert!(!text.contains(r#"peer="c""#));
}

#[test]
fn scrape_hooks_run_outlive_a_panic_and_go_with_their_source() {
    let metrics = Metrics::new();
    let depth = metrics.gauge("depth", "Depth.").unwrap();
    let size = metrics.gauge("size", "Size.").unwrap();
    let source = Arc::new(5.0);
    let seen = size.clone();
    metrics.on_scrape(|| panic!("on purpose"));
    metrics.on_scrape(move || depth.inc());
    metrics.on_scrape_of(&source, move |source| size.set(*source));

    assert_eq!(value(&metrics.render(), "depth"), 1.0);
    assert_eq!(seen.get(), 5.0);
    drop(source);
    seen.set(0.0);
    assert_eq!(value(&metrics.render(), "depth"), 2.0);
    assert_eq!(seen.get(), 0.0);
}

#[tokio::test]
async fn what_is_registered_is_what_the_catalogue_says() {
    let metrics = Metrics::with_series_limit(1);
    metrics.register_process().unwrap();
    metrics.register_process().unwrap();
    metrics.register_build_info("orders", "1").unwrap();
    let runtime = tokio::runtime::Handle::current();
    metrics.register_runtime("main", &runtime).unwrap();
    metrics.register_runtime("main", &runtime).unwrap();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let _again = HttpMetricsLayer::new(&metrics).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| async { full("x") }));
    collect(service.oneshot(get("/a")).await.unwrap()).await;

    let text = metrics.render();
    for metric in catalogue() {
        if metric.name.starts_with("process_") && cfg!(not(target_os = "linux")) {
            continue;
        }
        // These a host registers; the test of the reference page and that of `hello` look for them.
        if ["msf_log_", "msf_otlp_", "msf_server_"]
            .iter()
            .any(|area| metric.name.starts_with(area))
        {
            continue;
        }
        let head = format!(
            "# HELP {0} {1}\n# TYPE {0} {2}\n",
            metric.name, metric.help, metric.kind
        );
        assert!(text.contains(&head), "{head}\n{text}");
        let suffix = if metric.kind == MetricKind::Histogram {
            "_count"
        } else {
            ""
        };
        let prefix = format!("{}{suffix}{{", metric.name);
        if let Some(line) = text.lines().find(|line| line.starts_with(&prefix)) {
            for label in metric.labels {
                assert!(line.contains(&format!("{label}=\"")), "{line}");
            }
        } else {
            assert!(metric.labels.is_empty(), "{}", metric.name);
        }
    }
    let registered = text.lines().filter(|line| line.starts_with("# TYPE"));
    for line in registered {
        let name = line.split(' ').nth(2).unwrap();
        assert!(
            catalogue().iter().any(|metric| metric.name == name),
            "{name}"
        );
    }
}
