//! Counting allocations.

/// What some code took from the allocator, on its own thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocations {
    /// Calls that asked for memory, growing a buffer included.
    pub count: u64,
    /// Bytes that were asked for.
    pub bytes: u64,
}

/// Runs code and counts what it allocates on this thread.
///
/// Linking this function installs a counting global allocator in the whole binary, which is why it
/// has a feature of its own and belongs into tests and benches only.
///
/// ```
/// use msf_core::{name::ServiceName, testing::allocations};
///
/// let name = ServiceName::new("orders")?;
/// let cost = allocations(|| drop(name.clone()));
/// assert_eq!(cost.count, 0);
/// # Ok::<(), msf_core::name::InvalidName>(())
/// ```
pub fn allocations(code: impl FnOnce()) -> Allocations {
    let info = allocation_counter::measure(code);
    Allocations {
        count: info.count_total,
        bytes: info.bytes_total,
    }
}
