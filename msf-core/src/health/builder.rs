//! What a service says about itself.

use super::state::Health;

/// Says what a service is. Made by [`Health::builder`].
///
/// ```
/// use msf_core::health::Health;
///
/// let health = Health::builder("orders")
///     .version("1")
///     .release_id("1.4.2")
///     .description("takes orders")
///     .build();
/// assert!(!health.status().as_str().is_empty());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct HealthBuilder {
    identity: Identity,
}

impl HealthBuilder {
    pub(super) fn new(service_id: String) -> Self {
        Self {
            identity: Identity {
                service_id,
                ..Identity::default()
            },
        }
    }

    /// `version`: the public version of the service.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.identity.version = Some(version.into());
        self
    }

    /// `releaseId`: what is deployed, if that is not the version.
    pub fn release_id(mut self, release_id: impl Into<String>) -> Self {
        self.identity.release_id = Some(release_id.into());
        self
    }

    /// `description`: a sentence for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.identity.description = Some(description.into());
        self
    }

    /// A service that is starting and has no checks.
    #[must_use]
    pub fn build(self) -> Health {
        Health::with_identity(self.identity)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) service_id: String,
    pub(super) version: Option<String>,
    pub(super) release_id: Option<String>,
    pub(super) description: Option<String>,
}
