//! What calls say about an instance, for whoever shows it.

use msf_core::name::InstanceId;

use crate::model::Health;

/// What is known of one instance: from its checks, and from the calls that were made from here. Made by
/// [`ServiceHandle::observed`](crate::ServiceHandle::observed).
///
/// ```
/// use msf_core::{classify::Classification, name::ServiceName};
/// use msf_registry::{PickContext, Registry, backend::fixed::StaticRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let payment = ServiceName::new("payment")?;
/// let backend = StaticRegistry::new().addrs(&payment, ["10.0.0.1:80".parse()?])?;
/// let instances = Registry::new(backend).service(&payment);
/// instances.ready(std::time::Duration::from_secs(1)).await?;
///
/// instances.pick(&PickContext::new())?.record(&Classification::FAILURE);
/// assert_eq!(instances.observed()[0].failures_in_a_row, 1);
///
/// instances.pick(&PickContext::new())?.record(&Classification::SUCCESS);
/// assert_eq!(instances.observed()[0].failures_in_a_row, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Which one.
    pub id: InstanceId,
    /// What its checks say.
    pub health: Health,
    /// Calls from here that failed since the last one that succeeded, or since it was ejected or taken back. It does not
    /// fade: where nobody calls, it is what the last callers met.
    pub failures_in_a_row: u32,
    /// Whether it is left alone because its calls failed, or one call is about to find out whether it works again.
    pub is_ejected: bool,
}
