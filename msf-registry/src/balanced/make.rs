//! From an instance to a service that calls it.

use crate::model::Instance;

/// Makes the service that calls one instance.
///
/// A closure `Fn(&Instance) -> S` is one. It is called once for each instance, by the first call that goes there,
/// and must not block: connect in the service's `poll_ready` or `call`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make services for instances",
    note = "use a closure `Fn(&msf_registry::Instance) -> S`"
)]
pub trait MakeEndpoint {
    /// The service.
    type Service;

    /// Makes the service of an instance.
    fn make(&self, instance: &Instance) -> Self::Service;
}

impl<F, S> MakeEndpoint for F
where
    F: Fn(&Instance) -> S,
{
    type Service = S;

    fn make(&self, instance: &Instance) -> S {
        self(instance)
    }
}

/// Whether a service that was made for one description of an instance serves another: its weight, its status and how it
/// is checked may change without a new connection.
pub(super) fn is_served_alike(one: &Instance, other: &Instance) -> bool {
    std::ptr::eq(one, other)
        || one.id == other.id
            && one.zone == other.zone
            && one.version == other.version
            && one.metadata == other.metadata
            && one.endpoints().eq(other.endpoints())
}
