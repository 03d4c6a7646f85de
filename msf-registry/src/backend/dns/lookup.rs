//! From a name to addresses, with every answer told apart: somebody, nobody, or no answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    lookup::Lookup,
    net::{DnsError, NetError, NoRecords},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, Record, RecordType, rdata::SRV},
    },
};

use super::{
    answer::{Located, TARGET},
    builder::AddressFamily,
    query::Records,
};
use crate::{backend::renew::all, error::RegistryError, model::Member};

/// What a name leads to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) located: Vec<Located>,
    /// The shortest of all records; without one, the zone does not say how long nothing stays nothing.
    pub(super) ttl: Option<Duration>,
    /// Whether every host was answered for, now or before.
    pub(super) coverage: Coverage,
}

/// How many of the hosts that SRV records name were answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All of them.
    Whole,
    /// All of them, some only before: those keep the addresses that they had.
    Kept,
    /// Not all of them.
    Part,
}

/// Asks for records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) resolver: &'a TokioResolver,
    pub(super) family: AddressFamily,
    pub(super) timeout: Duration,
    pub(super) records_max: usize,
    /// The list before this one.
    pub(super) before: &'a [Member],
}

/// Records, or the certainty that there are none.
struct Answer {
    lookup: Option<Lookup>,
    ttl: Option<Duration>,
}

impl Asking<'_> {
    pub(super) async fn find(self, name: Name, records: Records) -> Result<Found, RegistryError> {
        // Whoever asks wants to know it now: how long an answer holds is decided elsewhere.
        self.resolver.clear_cache();
        match records {
            Records::Addresses { port } => self.by_address(name, port).await,
            Records::Srv => self.by_srv(name).await,
        }
    }

    async fn by_address(self, name: Name, port: u16) -> Result<Found, RegistryError> {
        let target: Arc<str> = name.to_ascii().into();
        let (ips, ttl) = self.addresses(name).await?;
        let located = ips.into_iter().map(|ip| Located {
            addr: SocketAddr::new(ip, port),
            priority: 0,
            weight: 0,
            target: Arc::clone(&target),
        });
        Ok(Found {
            located: located.collect(),
            ttl,
            coverage: Coverage::Whole,
        })
    }

    async fn by_srv(self, name: Name) -> Result<Found, RegistryError> {
        let Answer { lookup, mut ttl } = self.ask(name, RecordType::SRV).await?;
        let mut hosts: BTreeMap<Name, Vec<SRV>> = BTreeMap::new();
        let additionals: &[Record] = lookup.as_ref().map_or(&[], |lookup| lookup.additionals());
        for record in lookup.iter().flat_map(Lookup::answers) {
            // A target of "." says that the service is decidedly not there (RFC 2782).
            if let RData::SRV(srv) = &record.data
                && !srv.target.is_root()
            {
                let mut target = srv.target.clone();
                target.set_fqdn(true);
                hosts.entry(target).or_default().push(srv.clone());
            }
        }
        let (mut located, mut failed) = (Vec::new(), None);
        let mut coverage = Coverage::Whole;
        let mut unknown: Vec<Name> = Vec::new();
        let mut place = |host: &Name, ips: &[IpAddr]| {
            let target: Arc<str> = host.to_ascii().into();
            let records = hosts.get(host).map_or(&[][..], Vec::as_slice);
            for srv in records {
                located.extend(ips.iter().map(|ip| Located {
                    addr: SocketAddr::new(*ip, srv.port),
                    priority: srv.priority,
                    weight: srv.weight,
                    target: Arc::clone(&target),
                }));
            }
        };
        for host in hosts.keys() {
            let (ips, added_ttl) = self.added(host, additionals);
            if ips.is_empty() {
                unknown.push(host.clone());
            } else {
                ttl = sooner(ttl, added_ttl);
                place(host, &ips);
            }
        }
        for some in unknown.chunks(AT_ONCE) {
            let asked = some
                .iter()
                .map(|host| Box::pin(self.addresses(host.clone())));
            for (host, answer) in some.iter().zip(all(asked.collect()).await) {
                match answer {
                    Ok((ips, host_ttl)) => {
                        ttl = sooner(ttl, host_ttl);
                        place(host, &ips);
                    }
                    Err(error) => {
                        let ips = self.before(host);
                        coverage = match (coverage, ips.is_empty()) {
                            (Coverage::Part, _) | (_, true) => Coverage::Part,
                            _ => Coverage::Kept,
                        };
                        place(host, &ips);
                        failed = Some(error);
                    }
                }
            }
        }
        match failed {
            // Each record may name a host of many addresses.
            _ if located.len() > self.records_max => {
                let (count, max) = (located.len(), self.records_max);
                let text = format!("the SRV records lead to {count} addresses, more than {max}");
                Err(RegistryError::Protocol(text.into()))
            }
            // Some hosts are better than none, if nobody takes the rest for gone.
            Some(error) if located.is_empty() => Err(error),
            _ => Ok(Found {
                located,
                ttl,
                coverage,
            }),
        }
    }

    /// The addresses that a host had. One host that nobody answers for must not keep those of others listed that
    /// are gone.
    fn before(self, host: &Name) -> Vec<IpAddr> {
        let host = host.to_ascii();
        let instances = self.before.iter().map(|member| &member.instance);
        let of_host = instances.filter(|i| i.metadata.get(TARGET) == Some(&host));
        let ips: BTreeSet<IpAddr> = of_host.map(|i| i.addr().ip()).collect();
        ips.into_iter().collect()
    }

    /// The addresses of a host that came with the answer, of the family that is wanted.
    fn added(self, host: &Name, additionals: &[Record]) -> (Vec<IpAddr>, Option<Duration>) {
        let of = |is_wanted: fn(&IpAddr) -> bool| {
            let mut found = (Vec::new(), None);
            for record in additionals.iter().filter(|record| record.name == *host) {
                if let Some(ip) = ip_of(record).filter(is_wanted) {
                    found.0.push(ip);
                    found.1 = sooner(found.1, Some(ttl_of(record)));
                }
            }
            found
        };
        // Only the family that comes first: whether the other one may be used has to be asked.
        match self.family {
            AddressFamily::V4First | AddressFamily::V4Only => of(IpAddr::is_ipv4),
            AddressFamily::V6First | AddressFamily::V6Only => of(IpAddr::is_ipv6),
        }
    }

    async fn addresses(self, host: Name) -> Result<(Vec<IpAddr>, Option<Duration>), RegistryError> {
        let (first, second) = match self.family {
            AddressFamily::V4First => (RecordType::A, Some(RecordType::AAAA)),
            AddressFamily::V6First => (RecordType::AAAA, Some(RecordType::A)),
            AddressFamily::V4Only => (RecordType::A, None),
            AddressFamily::V6Only => (RecordType::AAAA, None),
        };
        let mut ttl = None;
        for kind in [Some(first), second].into_iter().flatten() {
            let answer = self.ask(host.clone(), kind).await?;
            ttl = sooner(ttl, answer.ttl);
            let records = answer.lookup.iter().flat_map(Lookup::answers);
            let ips: Vec<IpAddr> = records.filter_map(ip_of).collect();
            if !ips.is_empty() {
                // How long the other family is absent is of no interest.
                return Ok((ips, answer.ttl));
            }
        }
        Ok((Vec::new(), ttl))
    }

    async fn ask(self, name: Name, kind: RecordType) -> Result<Answer, RegistryError> {
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(lookup) if lookup.answers().len() > self.records_max => {
                let (count, max) = (lookup.answers().len(), self.records_max);
                let text = format!("{name} has {count} records of type {kind}, more than {max}");
                Err(RegistryError::Protocol(text.into()))
            }
            Ok(lookup) => {
                let ttl = lookup.answers().iter().map(ttl_of).min();
                let lookup = Some(lookup);
                Ok(Answer { lookup, ttl })
            }
            Err(error) => {
                let ttl = self.nobody(&name, kind, error)?;
                Ok(Answer { lookup: None, ttl })
            }
        }
    }

    /// For how long there is certainly nobody; any other failure is one to keep the last list through.
    fn nobody(
        self,
        name: &Name,
        kind: RecordType,
        error: NetError,
    ) -> Result<Option<Duration>, RegistryError> {
        let refused = |code: ResponseCode| RegistryError::Refused {
            status: code.into(),
            detail: Some(format!("{code} for {kind} of {name}")),
        };
        match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain | ResponseCode::NoError if is_referral(&none) => {
                    let text = format!("{kind} of {name}: a referral to other servers, no answer");
                    Err(RegistryError::Protocol(text.into()))
                }
                ResponseCode::NXDomain | ResponseCode::NoError => {
                    Ok(none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into())))
                }
                code => Err(refused(code)),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => Err(refused(code)),
            NetError::Timeout => Err(RegistryError::Timeout(self.timeout)),
            NetError::Io(_) | NetError::NoConnections | NetError::Busy => {
                Err(RegistryError::Unreachable(error.into()))
            }
            _ => Err(RegistryError::Protocol(error.into())),
        }
    }
}

/// No answers, and other servers named in their place (RFC 2308 section 2.2): nobody said that there is
/// nothing.
fn is_referral(none: &NoRecords) -> bool {
    none.response_code == ResponseCode::NoError && none.ns.is_some() && none.soa.is_none()
}

const fn ip_of(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

fn ttl_of(record: &Record) -> Duration {
    Duration::from_secs(record.ttl.into())
}

fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// How many hosts are asked for at once.
const AT_ONCE: usize = 16;
