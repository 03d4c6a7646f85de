//! What is in a file: JSON that names its format, its service and when it was written.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use msf_core::name::ServiceName;
use serde::{Deserialize, Serialize};

use crate::model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status};

/// A list that an earlier process used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Persisted {
    pub(crate) snapshot: Snapshot,
    pub(crate) written_at: SystemTime,
    /// How old it is.
    pub(crate) age: Duration,
}

/// A file that cannot be used, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("the disk refuses")]
    Disk(#[from] io::Error),
    #[error("it is not a file")]
    NoFile,
    #[error("it is larger than {0} bytes")]
    Large(u64),
    #[error("it is not a list of instances")]
    Garbage(#[source] serde_json::Error),
    #[error("it has format {0}, and this version reads {FORMAT}")]
    Format(u64),
    #[error("it is of the service {0}")]
    Service(ServiceName),
    #[error("none of its {0} instances is understood")]
    Instances(usize),
    #[error("it is {} s old, and {} s are the limit", .age.as_secs(), .max.as_secs())]
    Old { age: Duration, max: Duration },
    #[error("the disk did not answer within {0:?}")]
    Slow(Duration),
    #[error("it was interrupted")]
    Interrupted,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    service: &'a ServiceName,
    written_at_ms: u64,
    epoch: u64,
    revision: u64,
    instances: Vec<Listed<&'a Instance>>,
}

/// Read first, because a later format may be anything besides.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

#[derive(Deserialize)]
struct Read {
    service: ServiceName,
    written_at_ms: u64,
    epoch: u64,
    revision: u64,
    /// Read one by one: an instance that this version does not understand must not hide the others.
    instances: Vec<serde_json::Value>,
}

/// An instance without its health, which is a matter of the moment.
#[derive(Serialize, Deserialize)]
struct Listed<I> {
    #[serde(flatten)]
    instance: I,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_status: Option<Status>,
}

/// The file of a list.
pub(super) fn encode(snapshot: &Snapshot, now: SystemTime) -> Result<Vec<u8>, CacheError> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let members = snapshot.instances().iter();
    let written = Written {
        format: FORMAT,
        service: snapshot.service(),
        written_at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        epoch: snapshot.cursor().epoch(),
        revision: snapshot.cursor().revision(),
        instances: members
            .map(|member| Listed {
                instance: &*member.instance,
                operator_status: member.operator_status,
            })
            .collect(),
    };
    let bytes = serde_json::to_vec(&written).map_err(CacheError::Garbage)?;
    if bytes.len() as u64 > BYTES_MAX {
        // Never write what would not be read.
        return Err(CacheError::Large(BYTES_MAX));
    }
    Ok(bytes)
}

/// The list of a file.
pub(super) fn decode(
    bytes: &[u8],
    service: &ServiceName,
    now: SystemTime,
) -> Result<Persisted, CacheError> {
    let Format { format } = serde_json::from_slice(bytes).map_err(CacheError::Garbage)?;
    if format != FORMAT {
        return Err(CacheError::Format(format));
    }
    let read: Read = serde_json::from_slice(bytes).map_err(CacheError::Garbage)?;
    if read.service != *service {
        return Err(CacheError::Service(read.service));
    }
    let count = read.instances.len();
    let members: Vec<Member> = read
        .instances
        .into_iter()
        .filter_map(|value| serde_json::from_value::<Listed<Instance>>(value).ok())
        .filter(|listed| listed.instance.service == *service)
        .map(|listed| {
            Member::new(Arc::new(listed.instance), Health::Unknown)
                .operator_status(listed.operator_status)
        })
        .collect();
    if members.is_empty() && count > 0 {
        return Err(CacheError::Instances(count));
    }
    let written_at = UNIX_EPOCH
        .checked_add(Duration::from_millis(read.written_at_ms))
        .unwrap_or(now);
    Ok(Persisted {
        snapshot: Snapshot::new(
            service.clone(),
            Cursor::new(read.epoch, read.revision),
            // Whoever vouched for it then does not vouch for it now.
            Authority::Partial,
            members,
        ),
        written_at,
        // A clock that was set back makes it new, not useless.
        age: now.duration_since(written_at).unwrap_or_default(),
    })
}

const FORMAT: u64 = 1;
/// Some 100 000 instances.
pub(super) const BYTES_MAX: u64 = 64 << 20;
