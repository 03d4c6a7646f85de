//! The JSON Schema of a configuration.

use schemars::Schema;

use super::GatewayConfig;

impl GatewayConfig {
    /// The JSON Schema of the file, for editors and for checks elsewhere.
    ///
    /// ```
    /// use msf_gateway::config::GatewayConfig;
    ///
    /// let schema = GatewayConfig::schema();
    /// assert!(schema.pointer("/properties/routes").is_some());
    /// ```
    #[must_use]
    pub fn schema() -> Schema {
        schemars::schema_for!(Self)
    }
}
