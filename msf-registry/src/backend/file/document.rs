//! The content of the file: read, changed and written as a plain value that is told the time.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::model::Instance;

/// Everything that the file says. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    entries: Vec<Entry>,
    /// When a lease of the service ran out last, so that whoever reads later knows it from a goodbye.
    lapsed: BTreeMap<ServiceName, u64>,
    /// Until then somebody may be missing who has yet to register again.
    partial_until: Option<u64>,
}

/// One instance, and the text of it that is kept as it is when somebody else's entry changes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Absent: registered by a version that says more than this one understands.
    pub(super) instance: Option<Arc<Instance>>,
    /// Absent: somebody wrote it by hand, and it stays until somebody takes it out.
    lease: Option<Granted>,
    text: Box<RawValue>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Granted {
    token: String,
    ttl_ms: u64,
    expires_at_ms: u64,
}

/// What is wrong, and on which line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Content {
        line: usize,
        reason: String,
    },
    Duplicate {
        line: usize,
        service: ServiceName,
        id: InstanceId,
    },
}

/// Why an instance cannot be registered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Somebody wrote an instance of this id by hand.
    ByHand,
    Full,
    /// It cannot be written as JSON.
    Unwritable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer<'a> {
    #[serde(default = "version")]
    version: u32,
    #[serde(borrow)]
    instances: Vec<&'a RawValue>,
    #[serde(default)]
    lapsed: BTreeMap<ServiceName, u64>,
    partial_until_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Lease {
    lease: Option<Granted>,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    instance: &'a Instance,
    lease: &'a Granted,
}

impl Document {
    /// An empty one that somebody made in the place of a lost one.
    pub(super) fn in_place_of_a_lost_one(now: u64) -> Self {
        Self {
            partial_until: Some(now.saturating_add(WARM_UP_MS)),
            ..Self::default()
        }
    }

    /// Reads a file.
    ///
    /// An entry that somebody wrote by hand and that is not understood refuses the whole file, so that
    /// the list before it stays in use. One that another process registered hides nobody.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text.trim_start().is_empty() {
            return Err(Wrong::content(1, "the file is empty".into()));
        }
        let outer: Outer<'_> = serde_json::from_str(text)
            .map_err(|error| Wrong::content(error.line(), reason_of(&error)))?;
        if outer.version != VERSION {
            let reason = format!(
                "the file is of version {}, and this program reads {VERSION}",
                outer.version
            );
            return Err(Wrong::content(1, reason));
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(outer.instances.len());
        let mut lines = Lines::of(text);
        let mut seen = BTreeMap::new();
        for raw in outer.instances {
            let line = lines.of_part(raw.get());
            let entry = Entry::parse(raw).map_err(|error| {
                Wrong::content(line + error.line().saturating_sub(1), reason_of(&error))
            })?;
            if let Some(instance) = &entry.instance {
                let key = (instance.service.clone(), instance.id.clone());
                if seen.insert(key, ()).is_some() {
                    let (service, id) = (instance.service.clone(), instance.id.clone());
                    return Err(Wrong::Duplicate { line, service, id });
                }
            }
            entries.push(entry);
        }
        Ok(Self {
            entries,
            lapsed: outer.lapsed,
            partial_until: outer.partial_until_ms,
        })
    }

    /// The text of the file. Entries that did not change keep theirs.
    pub(super) fn render(&self) -> String {
        let mut text = format!("{{\n  \"version\": {VERSION},\n  \"instances\": [");
        for (n, entry) in self.entries.iter().enumerate() {
            text.push_str(if n == 0 { "\n    " } else { ",\n    " });
            text.push_str(entry.text.get());
        }
        text.push_str("\n  ]");
        if !self.lapsed.is_empty() {
            text.push_str(",\n  \"lapsed\": {");
            for (n, (service, at)) in self.lapsed.iter().enumerate() {
                let comma = if n == 0 { "" } else { ", " };
                // Names of services have nothing to escape.
                let _infallible = write!(text, "{comma}\"{service}\": {at}");
            }
            text.push('}');
        }
        if let Some(until) = self.partial_until {
            let _infallible = write!(text, ",\n  \"partial_until_ms\": {until}");
        }
        text.push_str("\n}\n");
        text
    }

    /// Lists an instance, in the place of a registered one of the same id.
    pub(super) fn put(
        &mut self,
        instance: &Instance,
        token: String,
        ttl: Duration,
        now: u64,
    ) -> Result<(), Refused> {
        let ttl_ms = millis(ttl);
        let lease = Granted {
            token,
            ttl_ms,
            expires_at_ms: now.saturating_add(ttl_ms),
        };
        let entry = Entry::registered(Arc::new(instance.clone()), lease)?;
        let place = self
            .entries
            .iter()
            .position(|e| e.is(&instance.service, &instance.id));
        match place {
            Some(n) if self.entries[n].lease.is_none() => return Err(Refused::ByHand),
            Some(n) => self.entries[n] = entry,
            None if self.entries.len() >= INSTANCES_MAX => return Err(Refused::Full),
            None => self.entries.push(entry),
        }
        Ok(())
    }

    /// Prolongs a lease; `None` if it is not known.
    pub(super) fn renew(
        &mut self,
        service: &ServiceName,
        id: &InstanceId,
        token: &str,
        now: u64,
    ) -> Option<Duration> {
        let entry = self.entries.iter_mut().find(|e| e.is(service, id))?;
        let lease = entry.lease.as_ref()?;
        if lease.token != token || entry.is_expired(now) {
            return None;
        }
        let ttl_ms = lease.ttl_ms;
        let renewed = Granted {
            expires_at_ms: now.saturating_add(ttl_ms),
            ..lease.clone()
        };
        *entry = Entry::registered(entry.instance.clone()?, renewed).ok()?;
        Some(Duration::from_millis(ttl_ms))
    }

    /// Ends a lease; whether it was there.
    pub(super) fn remove(&mut self, service: &ServiceName, id: &InstanceId, token: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| {
            let is_it = entry.is(service, id)
                && entry
                    .lease
                    .as_ref()
                    .is_some_and(|lease| lease.token == token);
            !is_it
        });
        self.entries.len() < before
    }

    /// No lease ends later than a whole time to live from now, whatever clock wrote it: else whoever dies after the
    /// clock was set back stays listed until it has caught up. Whether any was shortened.
    pub(super) fn cap(&mut self, now: u64) -> bool {
        let mut is_shorter = false;
        for entry in &mut self.entries {
            is_shorter |= entry.cap(now);
        }
        is_shorter
    }

    /// Takes out whose lease ran out, and forgets what nobody needs to know any more.
    pub(super) fn sweep(&mut self, now: u64) {
        self.cap(now);
        let mut lapsed = std::mem::take(&mut self.lapsed);
        self.entries.retain(|entry| {
            let is_expired = entry.is_expired(now);
            if let (true, Some(instance), Some(lease)) = (is_expired, &entry.instance, &entry.lease)
            {
                let at = lapsed.entry(instance.service.clone()).or_default();
                *at = lease.expires_at_ms.max(*at);
            }
            !is_expired
        });
        lapsed.retain(|_, at| *at <= now && at.saturating_add(LAPSED_KEPT_MS) > now);
        self.lapsed = lapsed;
        self.partial_until = self.partial_until.filter(|_| self.is_partial(now));
    }

    /// Whom it lists now.
    pub(super) fn listed(&self, now: u64) -> impl Iterator<Item = &Arc<Instance>> {
        let living = self.entries.iter().filter(move |e| !e.is_expired(now));
        living.filter_map(|entry| entry.instance.as_ref())
    }

    /// The services of which a lease ran out after `since`.
    pub(super) fn lapsed(&self, since: u64, now: u64) -> impl Iterator<Item = &ServiceName> {
        let noted = self
            .lapsed
            .iter()
            .filter(move |(_, at)| (since..=now).contains(*at))
            .map(|(service, _)| service);
        let unswept = self.entries.iter().filter_map(move |entry| {
            let (instance, lease) = (entry.instance.as_ref()?, entry.lease.as_ref()?);
            let is_so = entry.is_expired(now) && lease.expires_at_ms >= since;
            is_so.then_some(&instance.service)
        });
        noted.chain(unswept)
    }

    /// Whether somebody may be missing who has yet to register again.
    pub(super) fn is_partial(&self, now: u64) -> bool {
        // A time far ahead was written by a clock that was wrong.
        self.partial_until
            .is_some_and(|until| now < until && until <= now.saturating_add(WARM_UP_MS))
    }

    /// The next moment at which it says something else by itself.
    pub(super) fn next_change(&self, hold_ms: u64, now: u64) -> Option<u64> {
        let leases = self.entries.iter().filter_map(|entry| entry.lease.as_ref());
        let expiries = leases.map(|lease| lease.expires_at_ms);
        let unswept = self
            .entries
            .iter()
            .filter(|entry| entry.is_expired(now))
            .filter_map(|entry| Some(entry.lease.as_ref()?.expires_at_ms.saturating_add(hold_ms)));
        let held = self.lapsed.values().map(|at| at.saturating_add(hold_ms));
        let moments = expiries
            .chain(unswept)
            .chain(held)
            .chain(self.partial_until);
        moments.filter(|moment| *moment > now).min()
    }

    /// How many entries are not understood.
    pub(super) fn foreign(&self) -> usize {
        let foreign = self.entries.iter().filter(|e| e.instance.is_none());
        foreign.count()
    }
}

impl Entry {
    fn parse(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let lease: Lease = serde_json::from_str(raw.get())?;
        let instance = match serde_json::from_str::<Instance>(raw.get()) {
            Ok(instance) => Some(Arc::new(instance)),
            Err(_newer) if lease.lease.is_some() => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            instance,
            lease: lease.lease,
            text: raw.to_owned(),
        })
    }

    fn registered(instance: Arc<Instance>, lease: Granted) -> Result<Self, Refused> {
        let written = Written {
            instance: &instance,
            lease: &lease,
        };
        let text =
            to_raw_value(&written).map_err(|error| Refused::Unwritable(error.to_string()))?;
        Ok(Self {
            instance: Some(instance),
            lease: Some(lease),
            text,
        })
    }

    fn is(&self, service: &ServiceName, id: &InstanceId) -> bool {
        self.instance
            .as_ref()
            .is_some_and(|i| i.service == *service && i.id == *id)
    }

    /// Whether its lease was shortened to a whole time to live from now.
    fn cap(&mut self, now: u64) -> bool {
        let Some(lease) = &mut self.lease else {
            return false;
        };
        let latest = now.saturating_add(lease.ttl_ms);
        if lease.expires_at_ms <= latest {
            return false;
        }
        lease.expires_at_ms = latest;
        // Whatever else the text says stays: a newer version may have written it.
        if let Ok(mut text) = serde_json::from_str::<Value>(self.text.get())
            && let Some(expires_at) = text.pointer_mut("/lease/expires_at_ms")
        {
            *expires_at = latest.into();
            if let Ok(text) = to_raw_value(&text) {
                self.text = text;
            }
        }
        true
    }

    fn is_expired(&self, now: u64) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.expires_at_ms <= now)
    }
}

impl Wrong {
    const fn content(line: usize, reason: String) -> Self {
        Self::Content {
            // An error at the very end has no line of its own.
            line: if line == 0 { 1 } else { line },
            reason,
        }
    }
}

/// Tells the line that a part of a text begins on; parts are asked for in their order.
struct Lines<'a> {
    text: &'a str,
    counted_to: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    const fn of(text: &'a str) -> Self {
        Self {
            text,
            counted_to: 0,
            line: 1,
        }
    }

    fn of_part(&mut self, part: &str) -> usize {
        let begin = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let between = self.text.as_bytes().get(self.counted_to..begin);
        let ends = between.unwrap_or_default().iter();
        self.line += ends.filter(|byte| **byte == b'\n').count();
        self.counted_to = begin;
        self.line
    }
}

/// The position is told apart from the reason.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const fn version() -> u32 {
    VERSION
}

const VERSION: u32 = 1;
/// As many as a registry in memory holds.
const INSTANCES_MAX: usize = 100_000;
/// The usual time to live: after it, whoever runs has registered again.
const WARM_UP_MS: u64 = 15_000;
/// Longer than callers hold an empty list.
const LAPSED_KEPT_MS: u64 = 60_000;
