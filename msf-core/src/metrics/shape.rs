//! What makes two registrations the same family, and what makes one valid.

use std::fmt;

use super::{catalogue::MetricKind, error::MetricsError};

/// Kind, labels and buckets of a family: equal shapes under one name are one family.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) kind: MetricKind,
    pub(super) labels: Vec<String>,
    pub(super) buckets: Vec<f64>,
}

impl Shape {
    pub(super) fn new(kind: MetricKind, labels: &[&str], buckets: &[f64]) -> Self {
        Self {
            kind,
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            buckets: buckets.to_vec(),
        }
    }

    pub(super) fn validate(&self, name: &str, help: &str) -> Result<(), MetricsError> {
        let metric = || name.to_owned();
        if !is_identifier(name) {
            return Err(MetricsError::InvalidName { metric: metric() });
        }
        if help.is_empty() {
            return Err(MetricsError::EmptyHelp { metric: metric() });
        }
        for (index, label) in self.labels.iter().enumerate() {
            let reserved = label == "le" || label.starts_with("__");
            let repeated = self.labels[..index].contains(label);
            if !is_identifier(label) || reserved || repeated {
                return Err(MetricsError::InvalidLabel {
                    metric: metric(),
                    label: label.clone(),
                });
            }
        }
        if self.kind == MetricKind::Histogram {
            let increasing = self.buckets.windows(2).all(|pair| pair[0] < pair[1]);
            let finite = self.buckets.iter().all(|bound| bound.is_finite());
            if self.buckets.is_empty() || !increasing || !finite {
                return Err(MetricsError::InvalidBuckets { metric: metric() });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {{{}}}", self.kind, self.labels.join(","))?;
        if !self.buckets.is_empty() {
            write!(f, " over {:?}", self.buckets)?;
        }
        Ok(())
    }
}

/// Colons are left to recording rules, as Prometheus asks.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
