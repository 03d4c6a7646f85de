//! What operators said about instances that have left since.

use std::{collections::HashMap, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::state::later;
use crate::model::Status;

/// Overrides of instances that are not listed, so that one that restarts under the same id does not come
/// back from what an operator took it out of.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    kept: HashMap<(ServiceName, InstanceId), (Status, Instant)>,
}

impl Overrides {
    pub(super) fn keep(
        &mut self,
        service: &ServiceName,
        id: &InstanceId,
        status: Status,
        now: Instant,
    ) {
        if self.kept.len() >= KEPT_MAX {
            self.kept.retain(|_, (_, until)| *until > now);
        }
        if self.kept.len() < KEPT_MAX {
            let until = later(now, KEPT_FOR);
            self.kept
                .insert((service.clone(), id.clone()), (status, until));
        }
    }

    pub(super) fn take(
        &mut self,
        service: &ServiceName,
        id: &InstanceId,
        now: Instant,
    ) -> Option<Status> {
        if self.kept.is_empty() {
            return None;
        }
        let (status, until) = self.kept.remove(&(service.clone(), id.clone()))?;
        (until > now).then_some(status)
    }
}

/// A restart takes minutes; an id that comes back the next day is another matter.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
const KEPT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use msf_core::clock;

    use super::*;

    #[test]
    fn an_override_waits_an_hour_for_its_instance_and_is_given_back_once() {
        let (service, now) = (ServiceName::new("payment").unwrap(), clock::now());
        let id = |n: usize| InstanceId::new(format!("p-{n}")).unwrap();
        let mut overrides = Overrides::default();
        overrides.keep(&service, &id(1), Status::Down, now);
        overrides.keep(&service, &id(2), Status::Down, now);
        let soon = now + KEPT_FOR - Duration::from_millis(1);
        assert_eq!(overrides.take(&service, &id(1), soon), Some(Status::Down));
        assert_eq!(overrides.take(&service, &id(1), soon), None);
        assert_eq!(overrides.take(&service, &id(2), now + KEPT_FOR), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let (service, now) = (ServiceName::new("payment").unwrap(), clock::now());
        let id = |n: usize| InstanceId::new(format!("p-{n}")).unwrap();
        let mut overrides = Overrides::default();
        for n in 0..KEPT_MAX + 10 {
            overrides.keep(&service, &id(n), Status::Down, now);
        }
        assert_eq!(overrides.kept.len(), KEPT_MAX);
        overrides.keep(&service, &id(KEPT_MAX + 11), Status::Down, now + KEPT_FOR);
        assert_eq!(overrides.kept.len(), 1);
    }
}
