//! What a shop consists of, and what each of its services is told when it starts.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use msf_core::name::InstanceId;

use crate::paths::DataDir;

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Gateway,
    Inventory,
    Order,
    Payment,
    Registry,
    User,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Registry,
        Self::User,
        Self::Inventory,
        Self::Payment,
        Self::Order,
        Self::Gateway,
    ];

    /// The name under which callers know it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Inventory => "inventory",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Registry => "registry",
            Self::User => "user",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How many of it run. Two where the other services depend on it in the middle of an order, so that a
    /// death is a retry and not an outage.
    pub(crate) const fn replicas(self) -> usize {
        match self {
            Self::Inventory | Self::Payment => 2,
            Self::Gateway | Self::Order | Self::Registry | Self::User => 1,
        }
    }

    /// Whether a restart has to come back on the same port, since others know only the address.
    pub(crate) const fn keeps_port(self) -> bool {
        matches!(self, Self::Registry | Self::Gateway)
    }

    /// The file that it keeps, if it has one.
    pub(crate) const fn database(self) -> Option<&'static str> {
        match self {
            Self::User => Some("users.db"),
            Self::Order => Some("orders.db"),
            Self::Payment => Some("payments.db"),
            Self::Inventory => Some("inventory.db"),
            Self::Registry | Self::Gateway => None,
        }
    }
}

/// One service of the shop: what it is, and its name among its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    /// Kept over restarts: the registry takes a restarted process for the same instance at another address, so
    /// that nobody is sent to the dead one while its lease runs out.
    pub(crate) instance: InstanceId,
}

impl Slot {
    /// Every slot of a shop, in the order in which they are listed.
    pub(crate) fn all() -> Vec<Self> {
        Kind::ALL
            .into_iter()
            .flat_map(|kind| (1..=kind.replicas()).map(move |replica| Self::new(kind, replica)))
            .collect()
    }

    fn new(kind: Kind, replica: usize) -> Self {
        let name = kind.name();
        let name = match kind.replicas() {
            1 => name.to_owned(),
            _ => format!("{name}-{replica}"),
        };
        Self {
            kind,
            instance: InstanceId::new(name).expect("our own names are letters, digits and '-'"),
        }
    }
}

/// What one service is told when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceSettings {
    pub(crate) slot: Slot,
    pub(crate) data: DataDir,
    /// Where it listens, on loopback; 0 takes a free port.
    pub(crate) port: u16,
    /// Where the registry is; the registry itself knows.
    pub(crate) registry: Option<SocketAddr>,
}

impl ServiceSettings {
    /// The arguments that [`cli`](crate::cli) turns into these settings again.
    pub(crate) fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            "service".into(),
            self.slot.kind.name().into(),
            "--instance".into(),
            self.slot.instance.as_str().into(),
            "--data".into(),
            self.data.path().into(),
            "--port".into(),
            self.port.to_string().into(),
        ];
        if let Some(registry) = self.registry {
            args.extend(["--registry".into(), registry.to_string().into()]);
        }
        if self.data.is_temporary() {
            args.push("--temporary".into());
        }
        args
    }
}

/// Who comes in is stopped first; who is called by others, after them. Every request in flight finds what it
/// still needs.
pub(crate) const STOP_ORDER: [&[Kind]; 4] = [
    &[Kind::Gateway],
    &[Kind::Order],
    &[Kind::User, Kind::Payment, Kind::Inventory],
    &[Kind::Registry],
];

/// The port of the gateway, if it is free.
pub(crate) const PORT: u16 = 8080;

/// How long requests in flight have when a service ends. The longest one, an order, waits 4 s.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long a service may take to be ready. It takes a tenth of a second; a loaded machine is allowed a lot.
pub(crate) const START_MAX: Duration = Duration::from_secs(20);

/// How long callers leave a failing service alone: a dead one is back after about this time.
pub(crate) const BREAKER_OPEN: Duration = Duration::from_secs(1);
/// The longest that an outage may go on after its cause is gone.
pub(crate) const BREAKER_OPEN_MAX: Duration = Duration::from_secs(5);

/// How long a service goes on serving after it has said that it ends. Callers hear of it within milliseconds, since all
/// is on this machine.
pub(crate) const LEAVE_WAIT: Duration = Duration::from_millis(300);

/// How long a service tries to leave the registry when it ends, with [`LEAVE_WAIT`]; its lease expires anyway.
pub(crate) const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Threads of one service: one that works while another is busy. Eight processes share the machine.
pub(crate) const WORKERS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_services_with_names_of_their_own() {
        let names: Vec<_> = Slot::all()
            .iter()
            .map(|slot| slot.instance.to_string())
            .collect();
        assert_eq!(
            names,
            [
                "registry",
                "user",
                "inventory-1",
                "inventory-2",
                "payment-1",
                "payment-2",
                "order",
                "gateway"
            ]
        );
    }
}
