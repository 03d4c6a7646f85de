//! Parts that are a time, or a pair of them.

use std::{sync::Arc, time::Duration};

use msf_core::{
    deadline::Deadline,
    metrics::{Metrics, MetricsError},
};

use super::{Knob, Part};
use crate::{
    deadline::{self, DeadlineLayer},
    timeout::TimeoutLayer,
};

/// The total time of a call that a client makes.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Total(pub(in crate::pipeline) DeadlineLayer);

impl Part for Total {
    type Config = Duration;
    type Invalid = InvalidTime;

    fn make(
        name: &Arc<str>,
        total: &Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidTime> {
        let layer = DeadlineLayer::new().max(InvalidTime::check(*total)?);
        match metrics {
            Some(metrics) => Ok(Self(layer.metrics(metrics, name)?)),
            None => Ok(Self(layer)),
        }
    }

    fn check(&self, total: &Duration) -> Result<(), InvalidTime> {
        InvalidTime::check(*total).map(drop)
    }

    fn apply(&self, total: &Duration) -> Result<(), InvalidTime> {
        self.0.reconfigure(None, Some(*total));
        Ok(())
    }
}

/// The deadlines that requests bring to a server.
impl Part for DeadlineLayer {
    type Config = deadline::Config;
    type Invalid = InvalidDeadline;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidDeadline> {
        let layer = Self::new().config(InvalidDeadline::check(config)?);
        match metrics {
            Some(metrics) => Ok(layer.metrics(metrics, name)?),
            None => Ok(layer),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidDeadline> {
        InvalidDeadline::check(config).map(drop)
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidDeadline> {
        self.reconfigure(config.default, config.max);
        Ok(())
    }
}

/// What is wrong with the deadlines of a server.
#[derive(Debug, thiserror::Error)]
pub(in crate::pipeline) enum InvalidDeadline {
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Default(Duration),
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Max(Duration),
    #[error("the default must not be longer than the maximum, {0:?}")]
    Order(Duration),
    #[error("the metrics could not be registered: {0}")]
    Metrics(#[from] MetricsError),
}

impl InvalidDeadline {
    fn check(config: &deadline::Config) -> Result<&deadline::Config, Self> {
        if let Some(time) = config.default {
            InvalidTime::check(time).map_err(|_| Self::Default(time))?;
        }
        if let Some(time) = config.max {
            InvalidTime::check(time).map_err(|_| Self::Max(time))?;
            if config.default > Some(time) {
                return Err(Self::Order(time));
            }
        }
        Ok(config)
    }
}

impl Knob for InvalidDeadline {
    fn knob(&self) -> &'static str {
        match self {
            Self::Default(_) | Self::Order(_) => "default",
            Self::Max(_) => "max",
            Self::Metrics(_) => "",
        }
    }
}

/// The time of an attempt.
impl Part for TimeoutLayer {
    type Config = Duration;
    type Invalid = InvalidTime;

    fn make(
        name: &Arc<str>,
        after: &Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidTime> {
        let layer = Self::new(InvalidTime::check(*after)?);
        match metrics {
            Some(metrics) => Ok(layer.metrics(metrics, name)?),
            None => Ok(layer),
        }
    }

    fn check(&self, after: &Duration) -> Result<(), InvalidTime> {
        InvalidTime::check(*after).map(drop)
    }

    fn apply(&self, after: &Duration) -> Result<(), InvalidTime> {
        self.reconfigure(*after);
        Ok(())
    }
}

/// What is wrong with a time that a pipeline sets.
#[derive(Debug, thiserror::Error)]
pub(in crate::pipeline) enum InvalidTime {
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Range(Duration),
    #[error("the metrics could not be registered: {0}")]
    Metrics(#[from] MetricsError),
}

impl InvalidTime {
    fn check(time: Duration) -> Result<Duration, Self> {
        if time.is_zero() || time > Deadline::MAX {
            return Err(Self::Range(time));
        }
        Ok(time)
    }
}

impl Knob for InvalidTime {
    fn knob(&self) -> &'static str {
        ""
    }
}
