//! Why a pick gives the instance that it gives, and why not each other one.
//!
//! ```
//! use std::time::Duration;
//! use msf_core::name::{InstanceId, ServiceName};
//! use msf_registry::{Instance, PickContext, Registry, Status, backend::memory::MemoryRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new(MemoryRegistry::new());
//! let payment = ServiceName::new("payment")?;
//! let here = |id, status| -> Result<Instance, Box<dyn std::error::Error>> {
//!     Ok(Instance::new(payment.clone(), InstanceId::new(id)?, "127.0.0.1:8080".parse()?).status(status))
//! };
//! let _works = registry.register(here("p-1", Status::Up)?);
//! let _starts = registry.register(here("p-2", Status::Starting)?);
//!
//! let service = registry.service(&payment);
//! # let mut changes = service.changes();
//! # while service.snapshot().instances().len() < 2 { changes.changed().await?; }
//! let explained = service.explain(&PickContext::new());
//! assert_eq!(explained.chosen, Some(InstanceId::new("p-1")?));
//! assert_eq!(explained.candidates[1].why.as_str(), "starting");
//! println!("{explained}"); // a table
//! # Ok(())
//! # }
//! ```

mod table;

use std::net::SocketAddr;

use msf_core::name::{InstanceId, ServiceName};
use serde::{Serialize, Serializer};

use crate::{
    model::{Health, Status},
    routing::{GroupKind, Routable, Why},
};

/// Why a pick gives the instance that it gives, and why not each other one. Made by
/// [`ServiceHandle::explain`](crate::ServiceHandle::explain); its `Display` is a table for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The service.
    pub service: ServiceName,
    /// The revision of the list that was picked from.
    pub revision: u64,
    /// The algorithm.
    pub balance: &'static str,
    /// The group of the one that was picked, [`LastResort`](GroupKind::LastResort) if it is in none; none when nobody can
    /// be called.
    pub group: Option<GroupKind>,
    /// The instance that was picked.
    pub chosen: Option<InstanceId>,
    /// All that are listed, in the order of their ids.
    pub candidates: Vec<Explained>,
}

/// One instance in an [`Explanation`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explained {
    /// Which one.
    pub id: InstanceId,
    /// Where it is called.
    pub addr: SocketAddr,
    /// Its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What it, or an operator, says about it.
    pub status: Status,
    /// What its checks say.
    pub health: Health,
    /// Whether it may be called.
    pub routable: Routable,
    /// What became of it in this pick.
    pub why: Reason,
    /// Its calls from here that have not ended.
    pub in_flight: u32,
    /// Its estimated latency in milliseconds; none without a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ewma_ms: Option<f32>,
    /// The part of its full share that it gets, below 1 while it starts slowly.
    pub slow_start: f32,
    /// What was compared, the lower the better; none for an algorithm that compares nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// What became of one instance in one pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was picked.
    Chosen,
    /// It may not be called.
    NotRoutable(Why),
    /// It is in none of the groups: others are preferred.
    NotNeeded,
    /// Another group was drawn.
    OtherGroup,
    /// Left out of the instances that this process calls.
    OutsideSubset,
    /// It was tried before.
    Tried,
    /// Its ejection is over, and one call finds out whether it works again.
    Probing,
    /// The draw gave others.
    NotDrawn,
    /// It scores worse than the one that was picked.
    WorseScore,
    /// It is another one's turn.
    NotItsTurn,
    /// The hash belongs to another one.
    OtherHash,
    /// The hash belongs to it, and it has not come to this part of its share yet.
    StartsSlowly,
    /// The hash belongs to it, and it has too many calls in flight.
    Full,
}

impl Reason {
    /// The word in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::NotRoutable(why) => why.as_str(),
            Self::NotNeeded => "not_needed",
            Self::OtherGroup => "other_group",
            Self::OutsideSubset => "outside_subset",
            Self::Tried => "tried",
            Self::Probing => "probing",
            Self::NotDrawn => "not_drawn",
            Self::WorseScore => "worse_score",
            Self::NotItsTurn => "not_its_turn",
            Self::OtherHash => "other_hash",
            Self::StartsSlowly => "starts_slowly",
            Self::Full => "full",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
