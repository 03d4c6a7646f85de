//! Instances whose calls fail are left alone for a while.

mod cell;
mod settings;

pub(crate) use self::cell::{Cell, Signal, Successes};
pub use self::settings::{InvalidOutliers, Outliers};
