//! What a policy is doing now.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::policy::Kind;

/// What a policy is doing now, as words and figures that a dashboard can show without knowing the kind.
///
/// Serializes as `{"kind": "circuit_breaker", "name": "payment", "state": "closed", "figures": {"failure_rate": 0.1}}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    kind: Kind,
    #[serde(serialize_with = "as_text")]
    name: Arc<str>,
    state: Option<&'static str>,
    #[serde(serialize_with = "as_map")]
    figures: Vec<(&'static str, f64)>,
}

impl Snapshot {
    pub(crate) fn new(kind: Kind, name: &Arc<str>) -> Self {
        Self {
            kind,
            name: Arc::clone(name),
            state: None,
            figures: Vec::new(),
        }
    }

    pub(crate) fn in_state(mut self, state: &'static str) -> Self {
        self.state = Some(state);
        self
    }

    pub(crate) fn with(mut self, figure: &'static str, value: f64) -> Self {
        self.figures.push((figure, value));
        self
    }

    /// The pattern.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The state, of a policy that has states.
    #[must_use]
    pub const fn state(&self) -> Option<&'static str> {
        self.state
    }

    /// Its figures: a name in `snake_case` with the unit last, and the value.
    #[must_use]
    pub fn figures(&self) -> &[(&'static str, f64)] {
        &self.figures
    }

    /// One figure.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let found = self.figures.iter().find(|(figure, _)| *figure == name);
        found.map(|(_, value)| *value)
    }
}

fn as_text<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

fn as_map<S: Serializer>(
    figures: &[(&'static str, f64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(figures.len()))?;
    for (name, value) in figures {
        map.serialize_entry(name, value)?;
    }
    map.end()
}
