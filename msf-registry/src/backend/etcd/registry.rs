//! The client: what it is, and the side that instances use.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use async_trait::async_trait;
use msf_core::name::{InstanceId, ServiceName};
use serde_json::{Value, json};

use super::{
    builder::{EtcdRegistryBuilder, InvalidEtcd},
    call::Caller,
    keys::Keys,
    leavers::Leavers,
    wire::{self, Done, Granted, Line, Ranged},
};
use crate::{
    backend::{Registrar, remote::to_json},
    error::RegistryError,
    model::{Instance, Lease, Renewal},
};

/// A registry in etcd; clones share its connections. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct EtcdRegistry {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) caller: Caller,
    pub(super) keys: Keys,
    pub(super) wait: Duration,
    pub(super) warm_up: Duration,
    /// How often etcd was seen to go back in its history.
    pub(super) setbacks: AtomicU64,
    pub(super) leavers: Mutex<Leavers>,
}

impl EtcdRegistry {
    /// A client with the usual limits.
    ///
    /// # Errors
    ///
    /// [`InvalidEtcd`] when there cannot be an etcd at the address.
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidEtcd> {
        Self::builder(url).build()
    }

    /// A client with settings of its own.
    pub fn builder(url: impl Into<String>) -> EtcdRegistryBuilder {
        EtcdRegistryBuilder::new(url.into())
    }

    pub(super) fn with(settings: &EtcdRegistryBuilder) -> Result<Self, InvalidEtcd> {
        Ok(Self {
            shared: Arc::new(Shared {
                caller: Caller::new(settings)?,
                keys: Keys::new(&settings.prefix),
                wait: settings.limits.wait,
                warm_up: settings.warm_up,
                setbacks: AtomicU64::new(0),
                leavers: Mutex::default(),
            }),
        })
    }
}

#[async_trait]
impl Registrar for EtcdRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        instance.validate()?;
        self.shared.put(instance, ttl).await
    }

    /// The lease alone does not list anybody: the key may have been taken over, or deleted by hand. So both
    /// are asked for, at once.
    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        let Some(id) = lease_id(lease) else {
            return Ok(Renewal::Gone);
        };
        let (service, instance) = (lease.service(), lease.instance());
        let (kept, holder) = tokio::try_join!(
            self.shared.keep_alive(id),
            self.shared.holder(service, instance),
        )?;
        Ok(match kept {
            Some(ttl) if holder == id => Renewal::Renewed { ttl },
            _ => Renewal::Gone,
        })
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        let Some(id) = lease_id(lease) else {
            return Ok(());
        };
        self.shared
            .leave(lease.service(), lease.instance(), id)
            .await
    }
}

impl Shared {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        let (service, id) = (&instance.service, &instance.id);
        let value = to_json(instance)?;
        let granted = self.grant(ttl).await?;
        let steps = vec![
            wire::delete(&self.keys.left(service, id)),
            wire::put(&self.keys.instance(service, id), &value, granted.id),
        ];
        let before = match self.write(steps).await {
            Ok(before) => before,
            Err(error) => {
                // Whether it was written is not known after a timeout; a refusal is one.
                if matches!(error, RegistryError::Refused { .. }) {
                    self.revoke(granted.id).await;
                }
                return Err(error);
            }
        };
        // Its owner hears at its next renewal that it was replaced; until then it would lie about.
        if before != 0 && before != granted.id {
            self.revoke(before).await;
        }
        let ttl = seconds(granted.ttl)?;
        let token = granted.id.to_string();
        Ok(Lease::new(service.clone(), id.clone(), token, ttl))
    }

    /// Writes an instance; gives the lease that its key had before. In an etcd without memory it begins a new
    /// life first, in the same step, so that no reader sees the one without the other.
    async fn write(&self, steps: Vec<Value>) -> Result<u64, RegistryError> {
        let epoch = self.keys.epoch();
        let is_begun = json!({
            "target": "CREATE", "key": wire::encode(&epoch), "result": "GREATER", "create_revision": "0",
        });
        let done = self
            .transact(&json!({ "compare": [is_begun], "success": steps }))
            .await?;
        if done.succeeded {
            return Ok(done.lease_before());
        }
        let mut first = vec![wire::put(&epoch, new_epoch().as_bytes(), 0)];
        let warm_up = if self.warm_up.is_zero() {
            None
        } else {
            let lease = self.grant(self.warm_up).await?.id;
            first.push(wire::put(&self.keys.warming(), b"", lease));
            Some(lease)
        };
        first.extend(steps.iter().cloned());
        let done = self
            .transact(&json!({ "compare": [is_begun], "success": steps, "failure": first }))
            .await?;
        if done.succeeded {
            // Somebody else began it meanwhile.
            if let Some(lease) = warm_up {
                self.revoke(lease).await;
            }
        }
        Ok(done.lease_before())
    }

    /// Deletes an instance if the lease still holds it, and says goodbye in the same step. The lease is left to
    /// expire: as long as it lives, it keeps the goodbye.
    async fn leave(
        &self,
        service: &ServiceName,
        id: &InstanceId,
        lease: u64,
    ) -> Result<(), RegistryError> {
        let key = self.keys.instance(service, id);
        let is_ours = json!({
            "target": "LEASE", "key": wire::encode(&key), "result": "EQUAL", "lease": lease.to_string(),
        });
        let steps = [
            wire::delete(&key),
            wire::put(&self.keys.left(service, id), b"", lease),
        ];
        let transaction = json!({ "compare": [is_ours], "success": steps });
        match self.transact(&transaction).await {
            // The lease ended between the two steps, and the instance with it.
            Ok(_) | Err(RegistryError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The lease that lists an instance; 0 when none does.
    async fn holder(&self, service: &ServiceName, id: &InstanceId) -> Result<u64, RegistryError> {
        let key = self.keys.instance(service, id);
        let question = json!({ "key": wire::encode(key), "keys_only": true });
        let found: Ranged = self.caller.ask("kv/range", &question).await?;
        Ok(found.kvs.first().map_or(0, |found| found.lease))
    }

    /// Prolongs a lease; `None` when it is gone.
    async fn keep_alive(&self, lease: u64) -> Result<Option<Duration>, RegistryError> {
        let question = json!({ "ID": lease.to_string() });
        let line: Line<Granted> = self.caller.ask(KEEP_ALIVE, &question).await?;
        let kept = line.result(KEEP_ALIVE)?;
        (kept.ttl > 0).then(|| seconds(kept.ttl)).transpose()
    }

    /// etcd counts in whole seconds, and grants no less than about two elections last.
    async fn grant(&self, ttl: Duration) -> Result<Granted, RegistryError> {
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
            return Err(RegistryError::Ttl {
                ttl,
                min: TTL_MIN,
                max: TTL_MAX,
            });
        }
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let granted: Granted = self
            .caller
            .ask("lease/grant", &json!({ "TTL": seconds.to_string() }))
            .await?;
        if granted.id == 0 {
            return Err(RegistryError::Protocol("lease/grant: no id".into()));
        }
        Ok(granted)
    }

    /// Ends a lease that nobody needs; one that cannot be ended expires.
    async fn revoke(&self, lease: u64) {
        let question = json!({ "ID": lease.to_string() });
        let revoked: Result<Value, _> = self.caller.ask("lease/revoke", &question).await;
        if let Err(error) = revoked {
            tracing::debug!(%error, "a lease is left to expire");
        }
    }

    pub(super) async fn transact(&self, transaction: &Value) -> Result<Done, RegistryError> {
        self.caller.ask("kv/txn", transaction).await
    }
}

impl Done {
    /// The lease of the key that the last step has written over.
    fn lease_before(&self) -> u64 {
        let put = self
            .responses
            .last()
            .and_then(|step| step.response_put.as_ref());
        let before = put.and_then(|put| put.prev_kv.as_ref());
        before.map_or(0, |before| before.lease)
    }
}

/// A lease of another backend is none of ours.
fn lease_id(lease: &Lease) -> Option<u64> {
    lease.token().parse().ok().filter(|id| *id != 0)
}

fn seconds(ttl: i64) -> Result<Duration, RegistryError> {
    match u64::try_from(ttl) {
        Ok(ttl) if ttl > 0 => Ok(Duration::from_secs(ttl).min(TTL_MAX)),
        _ => Err(RegistryError::Protocol(
            "a lease was granted without a time to live".into(),
        )),
    }
}

fn new_epoch() -> String {
    format!("{:016x}", fastrand::u64(..))
}

const KEEP_ALIVE: &str = "lease/keepalive";
const TTL_MIN: Duration = Duration::from_millis(1);
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);
