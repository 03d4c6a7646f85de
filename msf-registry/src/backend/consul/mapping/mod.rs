//! An instance as a service of Consul, and back: pure.
//!
//! | instance | Consul |
//! |---|---|
//! | service, id | `Name`; `ID` is `{service}:{id}`, since ids are unique within an agent and not a service. An upper-case letter is written `~` and its lower-case one: Consul makes no difference |
//! | first endpoint | `Address`, `Port` |
//! | weight | `Weights.Passing` |
//! | all endpoints, version, zone, priority, status, health check | `Meta`: `msf-endpoints`, `msf-version`, ... |
//! | metadata | `Meta`, under its own key if Consul takes such a key, else under `msf-m-` and the key in base64 |
//!
//! A service that somebody else registered is an instance as well: of its address, weight, and metadata.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use msf_core::name::{InstanceId, ServiceName};

use super::wire::{Check, Entry, Weights};
use crate::model::{Endpoint, Health, Instance, InvalidInstance, Member, Scheme, Status};

/// A service of Consul that is no instance; the text says why.
pub(super) type NotUnderstood = &'static str;

/// The id of an instance within its agent. Consul takes `A` and `a` for the same: an upper-case letter becomes `~`
/// and the lower-case one.
pub(super) fn service_id(service: &ServiceName, id: &InstanceId) -> String {
    let mut text = format!("{service}:");
    for c in id.as_str().chars() {
        if c.is_ascii_uppercase() {
            text.push('~');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The instance that an id within an agent stands for.
fn instance_id(service: &ServiceName, id: &str) -> Option<InstanceId> {
    let mut rest = id
        .strip_prefix(service.as_str())?
        .strip_prefix(':')?
        .chars();
    let mut text = String::new();
    while let Some(c) = rest.next() {
        text.push(match c {
            '~' => rest.next()?.to_ascii_uppercase(),
            c => c,
        });
    }
    InstanceId::new(text).ok()
}

/// The id of the check that a lease renews.
pub(super) fn check_id(service_id: &str) -> String {
    format!("{LAPSE}{service_id}")
}

pub(super) fn weights(instance: &Instance) -> Weights {
    Weights {
        passing: instance.weight.get().into(),
        warning: 1,
    }
}

pub(super) fn meta(instance: &Instance, token: &str) -> BTreeMap<String, String> {
    let endpoints: Vec<String> = instance.endpoints().map(|e| e.to_string()).collect();
    let mut meta = BTreeMap::from([
        (LEASE.to_owned(), token.to_owned()),
        (ENDPOINTS.to_owned(), endpoints.join(" ")),
    ]);
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            meta.insert(key.to_owned(), value);
        }
    };
    set(VERSION, instance.version.clone());
    set(ZONE, instance.zone.clone());
    set(
        CHECK,
        instance.health_check.as_ref().map(ToString::to_string),
    );
    set(
        PRIORITY,
        (instance.priority != 0).then(|| instance.priority.to_string()),
    );
    set(
        STATUS,
        (instance.status != Status::Up).then(|| instance.status.as_str().to_owned()),
    );
    for (key, value) in &instance.metadata {
        meta.insert(meta_key(key), value.clone());
    }
    meta
}

/// An instance as Consul lists it, and when it was registered.
pub(super) fn member(service: &ServiceName, entry: &Entry) -> Result<Member, NotUnderstood> {
    let meta = &entry.service.meta;
    let mut instance = match meta.get(LEASE) {
        Some(_) => of_ours(service, entry)?,
        None => of_others(service, entry)?,
    };
    let checks = Checks::of(entry);
    if let Some(weights) = entry.service.weights {
        let weight = if checks.is_warning {
            weights.warning
        } else {
            weights.passing
        };
        let weight = u16::try_from(weight.clamp(1, i64::from(u16::MAX))).ok();
        instance.weight = weight.and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN);
    }
    for (key, value) in meta {
        if let Some(key) = metadata_key(key) {
            instance.metadata.insert(key, value.clone());
        }
    }
    if !meta.contains_key(LEASE) {
        instance = without_what_is_too_long(instance);
    }
    instance
        .validate()
        .map_err(|_broken| "it breaks a rule of instances")?;
    let member = Member::new(Arc::new(instance), checks.health);
    Ok(member.operator_status(checks.is_in_maintenance.then_some(Status::OutOfService)))
}

fn of_ours(service: &ServiceName, entry: &Entry) -> Result<Instance, NotUnderstood> {
    let meta = &entry.service.meta;
    let id = instance_id(service, &entry.service.id).ok_or("its id is not one")?;
    let mut endpoints = meta
        .get(ENDPOINTS)
        .map_or("", String::as_str)
        .split(' ')
        .map(str::parse::<Endpoint>);
    let mut next = || {
        endpoints
            .next()
            .transpose()
            .map_err(|_bad| "an endpoint is not one")
    };
    let first = next()?.ok_or("it has no endpoint")?;
    let mut instance = Instance::at(service.clone(), id, first);
    while let Some(endpoint) = next()? {
        instance = instance.endpoint(endpoint);
    }
    instance.version = meta.get(VERSION).cloned();
    instance.zone = meta.get(ZONE).cloned();
    if let Some(priority) = meta.get(PRIORITY) {
        instance.priority = priority.parse().map_err(|_bad| "its priority is not one")?;
    }
    if let Some(check) = meta.get(CHECK) {
        let check = check
            .parse()
            .map_err(|_bad| "its health check is not one")?;
        instance.health_check = Some(check);
    }
    if let Some(status) = meta.get(STATUS) {
        let status = serde_json::from_value(status.as_str().into());
        instance.status = status.map_err(|_bad| "its status is not one")?;
    }
    Ok(instance)
}

/// Ids of others are unique within an agent only.
fn of_others(service: &ServiceName, entry: &Entry) -> Result<Instance, NotUnderstood> {
    let (node, other, meta) = (&entry.node, &entry.service, &entry.service.meta);
    let id = InstanceId::new(format!("{}:{}", node.node, other.id)).or_else(|_bad| {
        let id = format!("{}:{}", node.node, other.id);
        InstanceId::new(format!("consul-{:016x}", fnv1a(id.as_bytes())))
    });
    let address = if other.address.is_empty() {
        &node.address
    } else {
        &other.address
    };
    let ip = address
        .parse()
        .map_err(|_name| "its address is no IP address")?;
    let scheme = meta.get("scheme").map(|scheme| scheme.parse());
    let endpoint = Endpoint::new(
        scheme.and_then(Result::ok).unwrap_or(Scheme::Http),
        SocketAddr::new(ip, other.port),
    );
    let id = id.map_err(|_bad| "its id is not one")?;
    let mut instance = Instance::at(service.clone(), id, endpoint);
    instance.version = meta.get("version").cloned();
    instance.zone = meta.get("zone").filter(|zone| !zone.is_empty()).cloned();
    Ok(instance)
}

/// Consul takes more text than we do. Who said too much is called all the same: only its text is left out.
fn without_what_is_too_long(mut instance: Instance) -> Instance {
    if instance.validate() == Err(InvalidInstance::Version) {
        instance.version = None;
    }
    if instance.validate() == Err(InvalidInstance::Zone) {
        instance.zone = None;
    }
    if instance.validate() == Err(InvalidInstance::Metadata) {
        let all = std::mem::take(&mut instance.metadata);
        for (key, value) in all {
            instance.metadata.insert(key.clone(), value);
            if instance.validate() == Err(InvalidInstance::Metadata) {
                instance.metadata.remove(&key);
            }
        }
    }
    instance
}

/// What all checks together say.
struct Checks {
    health: Health,
    is_warning: bool,
    is_in_maintenance: bool,
}

impl Checks {
    fn of(entry: &Entry) -> Self {
        let (mut is_critical, mut is_warning, mut is_checked) = (false, false, false);
        let mut is_in_maintenance = false;
        for Check { check_id, status } in &entry.checks {
            let is_maintenance =
                check_id == "_node_maintenance" || check_id.starts_with("_service_maintenance:");
            if is_maintenance {
                is_in_maintenance |= status == "critical";
                continue;
            }
            is_critical |= status == "critical";
            // Our own one says by a warning that the instance takes no calls, which its status says better; a node
            // that is alive was not checked.
            if !check_id.starts_with(LAPSE) {
                is_warning |= status == "warning";
                is_checked |= check_id != "serfHealth";
            }
        }
        let health = match (is_critical, is_checked) {
            (true, _) => Health::Unhealthy,
            (false, true) => Health::Healthy,
            (false, false) => Health::Unknown,
        };
        Self {
            health,
            is_warning,
            is_in_maintenance,
        }
    }
}

/// Consul takes letters, digits, `-` and `_` in a key.
fn meta_key(key: &str) -> String {
    let is_plain = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_plain && !key.starts_with(OURS) && !key.starts_with("consul-") {
        key.to_owned()
    } else {
        format!("{ENCODED}{}", URL_SAFE_NO_PAD.encode(key))
    }
}

fn metadata_key(key: &str) -> Option<String> {
    match key.strip_prefix(ENCODED) {
        Some(encoded) => String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok(),
        None => (!key.starts_with(OURS)).then(|| key.to_owned()),
    }
}

/// FNV-1a of 64 bits (RFC 9923, section 2): ids only have to differ.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const OURS: &str = "msf-";
const ENCODED: &str = "msf-m-";
const ENDPOINTS: &str = "msf-endpoints";
const VERSION: &str = "msf-version";
const ZONE: &str = "msf-zone";
const PRIORITY: &str = "msf-priority";
const STATUS: &str = "msf-status";
const CHECK: &str = "msf-check";
const LAPSE: &str = "msf:";
pub(super) const LEASE: &str = "msf-lease";

#[cfg(test)]
mod tests;
