//! Instances whose calls fail are left alone for a while.

mod book;
mod cell;
mod detector;
mod settings;
mod sweep;
#[cfg(test)]
mod tests;
mod window;

pub use self::settings::{InvalidOutliers, Outliers};
pub(crate) use self::{
    cell::{Cell, Signal, Successes},
    detector::{Detector, Watched},
    sweep::{Change, Reason, Swept},
};
