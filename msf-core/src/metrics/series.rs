//! The series of one family, bounded, whatever their kind.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus::{
    HistogramOpts,
    core::{Collector, Desc, Metric as _},
    proto,
};

use super::{
    catalogue::MetricKind,
    handle::{Counter, Gauge, Histogram, SecondsCounter},
};

/// The value of every label of the series that takes what the bound refused.
pub(super) const OTHER: &str = "other";

/// What a family makes one of per set of label values.
pub(super) trait Series: Clone + Send + Sync + 'static {
    const KIND: MetricKind;

    fn build(opts: HistogramOpts) -> prometheus::Result<Self>;

    fn sample(&self) -> proto::Metric;
}

impl Series for Counter {
    const KIND: MetricKind = MetricKind::Counter;

    fn build(opts: HistogramOpts) -> prometheus::Result<Self> {
        prometheus::IntCounter::with_opts(opts.common_opts).map(Self)
    }

    fn sample(&self) -> proto::Metric {
        self.0.metric()
    }
}

impl Series for SecondsCounter {
    const KIND: MetricKind = MetricKind::Counter;

    fn build(opts: HistogramOpts) -> prometheus::Result<Self> {
        prometheus::Counter::with_opts(opts.common_opts).map(Self)
    }

    fn sample(&self) -> proto::Metric {
        self.0.metric()
    }
}

impl Series for Gauge {
    const KIND: MetricKind = MetricKind::Gauge;

    fn build(opts: HistogramOpts) -> prometheus::Result<Self> {
        prometheus::Gauge::with_opts(opts.common_opts).map(Self)
    }

    fn sample(&self) -> proto::Metric {
        self.0.metric()
    }
}

impl Series for Histogram {
    const KIND: MetricKind = MetricKind::Histogram;

    fn build(opts: HistogramOpts) -> prometheus::Result<Self> {
        prometheus::Histogram::with_opts(opts).map(Self)
    }

    fn sample(&self) -> proto::Metric {
        self.0.metric()
    }
}

/// The series of one family.
///
/// It takes the place of prometheus' `MetricVec`, which knows a series only by a hash of its label
/// values written one after the other: there `["ab", "c"]` and `["a", "bc"]` are one series.
pub(super) struct SeriesSet<M> {
    desc: Desc,
    buckets: Vec<f64>,
    limit: usize,
    series: RwLock<HashMap<Box<[u8]>, M>>,
    // Nothing for the family that counts overflows: it would count into itself.
    overflow: Option<Arc<SeriesSet<Counter>>>,
}

impl<M: Series> SeriesSet<M> {
    pub(super) fn new(
        desc: Desc,
        buckets: &[f64],
        limit: usize,
        overflow: Option<Arc<SeriesSet<Counter>>>,
    ) -> Self {
        Self {
            desc,
            buckets: buckets.to_vec(),
            limit,
            series: RwLock::default(),
            overflow,
        }
    }

    /// The series with these label values, or [`OTHER`] when the family is full.
    pub(super) fn with(&self, values: &[&str]) -> M {
        let key = key(values);
        let read = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(&key) {
            return known.clone();
        }
        drop(read);

        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        if series.len() < self.limit || values.is_empty() {
            let fresh = series.entry(key).or_insert_with(|| self.build(values));
            return fresh.clone();
        }
        if let Some(known) = series.get(&key) {
            return known.clone();
        }
        let others = vec![OTHER; values.len()];
        let other = series
            .entry(self::key(&others))
            .or_insert_with(|| self.build(&others))
            .clone();
        drop(series);
        self.count_overflow();
        other
    }

    /// Counts one label set that was folded into [`OTHER`].
    pub(super) fn count_overflow(&self) {
        let Some(overflow) = &self.overflow else {
            return;
        };
        let folded = overflow.with(&[&self.desc.fq_name]);
        folded.inc();
        if folded.get() == 1 {
            tracing::warn!(
                metric = self.desc.fq_name,
                limit = self.limit,
                "metric has too many label sets, new ones are counted as `other`"
            );
        }
    }

    fn build(&self, values: &[&str]) -> M {
        let names = self.desc.variable_labels.iter().cloned();
        let labels = names.zip(values.iter().map(|&value| value.to_owned()));
        let opts = HistogramOpts::new(&self.desc.fq_name, &self.desc.help)
            .const_labels(labels.collect())
            .buckets(self.buckets.clone());
        M::build(opts).expect("name, labels and buckets were checked at registration")
    }
}

impl<M> fmt::Debug for SeriesSet<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesSet")
            .field("name", &self.desc.fq_name)
            .field("labels", &self.desc.variable_labels)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A [`SeriesSet`] as the registry sees it.
pub(super) struct Collected<M>(pub(super) Arc<SeriesSet<M>>);

impl<M: Series> Collector for Collected<M> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut family = proto::MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(match M::KIND {
            MetricKind::Counter => proto::MetricType::COUNTER,
            MetricKind::Gauge => proto::MetricType::GAUGE,
            MetricKind::Histogram => proto::MetricType::HISTOGRAM,
        });
        let series = self.0.series.read().unwrap_or_else(PoisonError::into_inner);
        family.set_metric(series.values().map(Series::sample).collect());
        vec![family]
    }
}

/// The label values in one allocation. 0xff never occurs in UTF-8, so it separates without doubt.
fn key(values: &[&str]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(values.iter().map(|value| value.len() + 1).sum());
    for value in values {
        key.extend_from_slice(value.as_bytes());
        key.push(0xff);
    }
    key.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_do_not_run_into_each_other() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["", "a"]), key(&["a", ""]));
    }
}
