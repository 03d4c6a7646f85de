//! What is registered under which name.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use super::{
    catalogue::MetricKind,
    error::MetricsError,
    series::{Series, SeriesSet},
    shape::Shape,
};

/// Families by name. Names are written in code, so their number has no other bound.
pub(super) type Families = BTreeMap<String, Registered>;

/// A family whose handle type is known by its shape only.
pub(super) struct Registered {
    shape: Shape,
    set: Arc<dyn Any + Send + Sync>,
}

impl Registered {
    pub(super) fn new<M: Series>(shape: Shape, set: Arc<SeriesSet<M>>) -> Self {
        Self { shape, set }
    }

    /// The family, if it has the shape that is wanted.
    pub(super) fn downcast<M: Series>(
        &self,
        name: &str,
        wanted: &Shape,
    ) -> Result<Arc<SeriesSet<M>>, MetricsError> {
        let same_shape = (self.shape == *wanted).then(|| Arc::clone(&self.set));
        same_shape
            .and_then(|set| set.downcast().ok())
            .ok_or_else(|| MetricsError::Mismatch {
                metric: name.to_owned(),
                registered: self.shape.to_string(),
                wanted: wanted.to_string(),
            })
    }
}

/// The family whose exported lines would mix with those of `name`: a histogram `h` also writes
/// `h_bucket`, `h_sum` and `h_count`.
pub(super) fn histogram_clash<'a>(
    families: &'a Families,
    name: &str,
    kind: MetricKind,
) -> Option<&'a str> {
    const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
    let owner = |name: &str| families.get_key_value(name);
    let base = SUFFIXES
        .iter()
        .filter_map(|suffix| owner(name.strip_suffix(suffix)?))
        .find(|(_, base)| base.shape.kind == MetricKind::Histogram);
    let derived = || {
        let suffixes = (kind == MetricKind::Histogram).then_some(SUFFIXES);
        let mut names = suffixes.into_iter().flatten();
        names.find_map(|suffix| owner(&format!("{name}{suffix}")))
    };
    base.or_else(derived).map(|(owner, _)| owner.as_str())
}
