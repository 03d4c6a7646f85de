//! Keeps the list of one service current for all who call it, whatever happens to the registry.
//!
//! What the registry says goes through [`track`], which decides how much of it is believed, and [`merge`], which
//! decides when callers see it; [`pace`] decides how often it is asked. The [`driver`] around them only waits.

mod driver;
mod merge;
mod pace;
mod track;

pub(crate) use self::driver::{WatchDriver, WatchRules};
