//! The rules of a list that somebody wrote.

use std::{collections::BTreeMap, sync::Arc};

use msf_core::name::{InstanceId, ServiceName};

use crate::model::{Health, Instance, InvalidInstance, Member};

/// A list of instances that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidList {
    /// An instance that nobody could call.
    #[error("instance {id} of {service} is not valid")]
    Instance {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: InstanceId,
        /// The rule that it breaks.
        source: InvalidInstance,
    },
    /// Two instances of a service with one id.
    #[error("{service} has two instances with the id {id}; ids are unique within a service")]
    Duplicate {
        /// Their service.
        service: ServiceName,
        /// Their id.
        id: InstanceId,
    },
    /// An instance of another service than the list is for.
    #[error("instance {id} is one of {found}, in the list of {service}")]
    OtherService {
        /// Whose list it is.
        service: ServiceName,
        /// The service that the instance names.
        found: ServiceName,
        /// Its id.
        id: InstanceId,
    },
    /// More instances than one service may have.
    #[error("{service} has more than {max} instances")]
    Long {
        /// The service.
        service: ServiceName,
        /// The limit.
        max: usize,
    },
}

/// The members of one service's list, sorted by id.
pub(crate) fn checked(
    service: &ServiceName,
    instances: Vec<Instance>,
) -> Result<Vec<Member>, InvalidList> {
    if instances.len() > INSTANCES_MAX {
        return Err(InvalidList::Long {
            service: service.clone(),
            max: INSTANCES_MAX,
        });
    }
    let mut by_id = BTreeMap::new();
    for instance in instances {
        let (service, id) = (service.clone(), instance.id.clone());
        if instance.service != service {
            let found = instance.service;
            return Err(InvalidList::OtherService { service, found, id });
        }
        if let Err(source) = instance.validate() {
            return Err(InvalidList::Instance {
                service,
                id,
                source,
            });
        }
        let member = Member::new(Arc::new(instance), Health::Unknown);
        if by_id.insert(id.clone(), member).is_some() {
            return Err(InvalidList::Duplicate { service, id });
        }
    }
    Ok(by_id.into_values().collect())
}

/// As many as a registry in memory holds.
const INSTANCES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(service: &str, id: &str, port: u16) -> Instance {
        let service = ServiceName::new(service).unwrap();
        let id = InstanceId::new(id).unwrap();
        Instance::new(service, id, ([127, 0, 0, 1], port).into())
    }

    #[test]
    fn a_list_is_sorted_and_each_of_its_contradictions_is_named() {
        let payment = ServiceName::new("payment").unwrap();
        let check = |instances: Vec<Instance>| checked(&payment, instances);
        let good = check(vec![
            instance("payment", "b", 1),
            instance("payment", "a", 2),
        ])
        .unwrap();
        assert_eq!(good[0].instance.id, "a");

        let twice = check(vec![
            instance("payment", "a", 1),
            instance("payment", "a", 2),
        ]);
        assert!(matches!(twice, Err(InvalidList::Duplicate { .. })));
        let other = check(vec![instance("user", "a", 1)]).unwrap_err();
        assert_eq!(
            other.to_string(),
            "instance a is one of user, in the list of payment"
        );
        let nowhere = check(vec![instance("payment", "a", 0)]);
        assert!(matches!(nowhere, Err(InvalidList::Instance { .. })));
    }
}
