//! The ledger without time or registry.

mod changes;
mod ends;
mod model;
mod renewals;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    entry::Stage,
    ledger::{Call, Duplicate, Ledger, Number, Put, Taken},
};
use crate::{
    error::RegistryError,
    model::{Instance, Lease, Renewal, Status},
};

const TTL: Duration = Duration::from_secs(15);
const END: Duration = Duration::from_secs(3);
const MS: Duration = Duration::from_millis(1);

fn instance(n: u16) -> Instance {
    let service = ServiceName::new("payment").unwrap();
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(service, id, ([127, 0, 0, 1], 8_000 + n).into())
}

fn lease(n: u16) -> Lease {
    let instance = instance(n);
    Lease::new(instance.service, instance.id, "token", TTL)
}

fn away() -> RegistryError {
    RegistryError::Unreachable("refused".into())
}

fn never() -> RegistryError {
    RegistryError::Refused {
        status: 400,
        detail: None,
    }
}

fn put(ledger: &mut Ledger, now: Instant) -> (Number, Put) {
    match ledger.call(now) {
        Some(Call::Put(number, put)) => (number, put),
        other => panic!("{other:?}"),
    }
}

fn renewals(ledger: &mut Ledger, now: Instant) -> Vec<Number> {
    match ledger.call(now) {
        Some(Call::Renew(batch)) => batch.into_iter().map(|(number, _)| number).collect(),
        other => panic!("{other:?}"),
    }
}

/// A ledger with so many instances, all of them registered.
fn listed(count: u16, now: Instant) -> Ledger {
    let mut ledger = Ledger::new(TTL, 7);
    for n in 0..count {
        ledger.add(instance(n), now).unwrap();
        let (number, asked) = put(&mut ledger, now);
        let taken = ledger.put(number, &asked, Ok(lease(n)), now);
        assert_eq!(taken, Taken::Yes);
    }
    assert!(ledger.call(now).is_none());
    ledger
}

const GONE: Renewal = Renewal::Gone;
const OK: Renewal = Renewal::Renewed { ttl: TTL };
