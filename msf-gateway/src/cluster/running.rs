//! Clusters that are called.

#[cfg(feature = "health")]
use std::sync::{Mutex, PoisonError};
use std::{collections::BTreeMap, sync::Arc};

use msf_client::{Client, InvalidService, ServiceClient, ServiceSettings};
use msf_core::{
    metrics::Metrics,
    name::{InstanceId, ServiceName},
};
use msf_registry::{Instance, Registry, backend::fixed::StaticRegistry};

use super::{
    endpoint,
    error::InvalidCluster,
    hash_by::HashBy,
    settings::{Cluster, Listed, Source},
};

/// The clusters of a gateway by name, those that were declared and the services that routes name besides.
pub(crate) type Clusters = BTreeMap<ServiceName, Arc<Running>>;

/// A cluster with its instances, breaker and budget.
#[derive(Debug)]
pub(crate) struct Running {
    /// `None` for a service that no cluster was declared for.
    definition: Option<Cluster>,
    service: ServiceClient,
    #[cfg(feature = "health")]
    checks: Mutex<Option<msf_registry::health::HealthChecks>>,
}

impl Running {
    /// A service of the client's registry, called with the client's settings.
    pub(crate) fn service(client: &Client, name: &ServiceName) -> Result<Self, InvalidService> {
        Ok(Self {
            definition: None,
            service: client.service(name)?,
            #[cfg(feature = "health")]
            checks: Mutex::default(),
        })
    }

    /// A declared cluster.
    pub(crate) fn declared(
        definition: Cluster,
        client: &Client,
        metrics: &Metrics,
    ) -> Result<Self, InvalidCluster> {
        let name = definition.check()?;
        let settings = definition.service_settings();
        #[cfg(feature = "health")]
        let mut checks = None;
        let service = match &definition.source {
            // Of a client of its own, over the same registry and connections: the settings are the cluster's, and
            // whoever names the service without it must not have them.
            Source::Discovered => {
                let client = client.with_registry(client.registry().clone());
                client.service_with(&name, &settings)
            }
            Source::Listed(endpoints) => {
                let listed = listed(&name, endpoints)?;
                let load_balancing = definition.load_balancing.clone().unwrap_or_default();
                let registry = Registry::builder(listed)
                    .load_balancing(load_balancing)
                    .metrics(metrics)
                    .build()
                    .map_err(|error| InvalidCluster::LoadBalancing(chain(&error)))?;
                #[cfg(feature = "health")]
                if let Some(health) = &definition.health {
                    checks = Some(health.start(&registry)?);
                }
                let client = client.with_registry(registry);
                client.service_with(&name, &settings)
            }
        };
        Ok(Self {
            service: service.map_err(|error| InvalidCluster::Settings(chain(&error)))?,
            definition: Some(definition),
            #[cfg(feature = "health")]
            checks: Mutex::new(checks),
        })
    }

    /// Whether it may go on in the place of one of this definition.
    pub(crate) fn is_as(&self, definition: &Cluster) -> bool {
        self.definition.as_ref() == Some(definition)
    }

    /// Asks the instances no more, though a request or an idle worker may hold on to the cluster for long.
    pub(crate) fn retire(&self) {
        #[cfg(feature = "health")]
        drop(
            self.checks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// What its requests are kept together by, if they are: where the balance is by hash, something always is.
    pub(crate) fn hash_by(&self) -> Option<HashBy> {
        let by = self.definition.as_ref().and_then(|it| it.hash_by.clone());
        let is_hashing = self.service.instances().balance().is_hashing();
        is_hashing.then(|| by.unwrap_or(HashBy::Client))
    }

    /// Calls it.
    pub(crate) const fn client(&self) -> &ServiceClient {
        &self.service
    }
}

impl Cluster {
    fn check(&self) -> Result<ServiceName, InvalidCluster> {
        let name = ServiceName::new(&self.name)?;
        let refuse = |setting, allowed| Err(InvalidCluster::OutOfRange { setting, allowed });
        if let Source::Listed(endpoints) = &self.source
            && endpoints.is_empty()
        {
            return Err(InvalidCluster::NoEndpoints);
        }
        if self.source == Source::Discovered && self.load_balancing.is_some() {
            return refuse(
                "load_balancing",
                "set in the registry of a discovered cluster",
            );
        }
        let is_hashing = self
            .load_balancing
            .as_ref()
            .is_some_and(|it| it.balance().is_hashing());
        if self.source != Source::Discovered && self.hash_by.is_some() && !is_hashing {
            return refuse("hash_by", "beside a load balancing by hash");
        }
        #[cfg(feature = "health")]
        if self.source == Source::Discovered && self.health.is_some() {
            return refuse("health", "set in the registry of a discovered cluster");
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return refuse("timeout", "above zero");
        }
        Ok(name)
    }

    fn service_settings(&self) -> ServiceSettings {
        let mut settings = ServiceSettings::new().upstream(self.upstream);
        if let Some(timeout) = self.timeout {
            settings = settings.timeout(timeout);
        }
        if let Some(breaker) = &self.breaker {
            let change = Arc::clone(&breaker.0);
            settings = settings.breaker(move |breaker| change(breaker));
        }
        settings
    }
}

fn listed(name: &ServiceName, endpoints: &[Listed]) -> Result<StaticRegistry, InvalidCluster> {
    let mut instances = Vec::with_capacity(endpoints.len());
    for Listed {
        url: text,
        weight,
        zone,
    } in endpoints
    {
        let addr = endpoint::parse(text)?;
        if instances.iter().any(|it: &Instance| it.addr() == addr) {
            return Err(InvalidCluster::Duplicate(text.clone()));
        }
        let invalid = |reason| InvalidCluster::Endpoint {
            endpoint: text.clone(),
            reason,
        };
        // What an address looks like is what an id may look like, but for the brackets of IPv6.
        let id = addr.to_string().replace(['[', ']'], "");
        let id = InstanceId::new(id).map_err(|_| invalid("its address makes no id"))?;
        let mut instance = Instance::new(name.clone(), id, addr).weight(*weight);
        if let Some(zone) = zone {
            instance = instance.zone(zone);
        }
        if instance
            .zone
            .as_ref()
            .is_some_and(|it| it.is_empty() || it.len() > ZONE_MAX)
        {
            return Err(invalid("its zone is 1 to 64 bytes"));
        }
        let valid = instance.validate();
        valid.map_err(|_| invalid("nobody can be called at this address"))?;
        instances.push(instance);
    }
    let registry = StaticRegistry::new();
    registry
        .replace(name, instances)
        .map_err(|error| InvalidCluster::Settings(chain(&error)))?;
    Ok(registry)
}

/// As the registry has it.
const ZONE_MAX: usize = 64;

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes
        .take(8)
        .fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
