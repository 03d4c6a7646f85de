//! From the names of clusters to calls.

use std::sync::Arc;

use msf_client::{Client, ServiceClient};
use msf_core::{metrics::Metrics, name::ServiceName};

use super::{
    check::{Action, Calls, CheckedRoute, Draft},
    error::GatewayError,
};
use crate::{
    cluster::{Cluster, Clusters, InvalidCluster, Running},
    layered::RouteLayer,
    pipeline::{CallSlot, Shared},
};

/// Looks clusters up, and gives each route its calls.
pub(super) struct Wiring<'a> {
    client: &'a Client,
    metrics: &'a Metrics,
    clusters: Clusters,
    calls: Vec<CallSlot>,
}

/// What came of it.
pub(super) struct Wired {
    pub(super) clusters: Clusters,
    pub(super) calls: Box<[CallSlot]>,
}

impl<'a> Wiring<'a> {
    pub(super) const fn new(client: &'a Client, metrics: &'a Metrics) -> Self {
        Self {
            client,
            metrics,
            clusters: Clusters::new(),
            calls: Vec::new(),
        }
    }

    /// Begins clusters, and keeps those of the gateway before that are defined alike: their breakers, budgets and what
    /// was learnt of their instances go on.
    pub(super) fn declare(
        &mut self,
        declared: Vec<Cluster>,
        before: Option<&Shared>,
        errors: &mut Vec<GatewayError>,
    ) {
        for definition in declared {
            let cluster = definition.name.clone();
            match self.begin(definition, before) {
                Ok((name, running)) => {
                    self.clusters.insert(name, running);
                }
                Err(source) => errors.push(GatewayError::Cluster { cluster, source }),
            }
        }
    }

    fn begin(
        &self,
        definition: Cluster,
        before: Option<&Shared>,
    ) -> Result<(ServiceName, Arc<Running>), InvalidCluster> {
        let name = ServiceName::new(&definition.name)?;
        if self.clusters.contains_key(&name) {
            return Err(InvalidCluster::Duplicate(definition.name));
        }
        let kept = before
            .and_then(|before| before.clusters.get(&name))
            .filter(|running| running.is_as(&definition));
        let running = match kept {
            Some(running) => Arc::clone(running),
            None => Arc::new(Running::declared(definition, self.client, self.metrics)?),
        };
        Ok((name, running))
    }

    /// The route with the places of its calls; `None` if one of them cannot be made.
    pub(super) fn connect(
        &mut self,
        draft: Draft,
        errors: &mut Vec<GatewayError>,
    ) -> Option<CheckedRoute> {
        let Draft {
            mut route,
            clusters,
            mirrored,
            calls,
            ..
        } = draft;
        let layers = route.extras.as_ref().map(|extras| extras.layers.clone());
        let layers: Arc<[RouteLayer]> = layers.unwrap_or_default().into();
        let template = route.template.as_str().to_owned();
        let mut places = Vec::with_capacity(clusters.len());
        for cluster in &clusters {
            let service = self.service(cluster, errors)?;
            let hash_by = self.clusters.get(cluster).and_then(|it| it.hash_by());
            match configured(service, &calls, &template) {
                Ok(service) => {
                    places.push(self.calls.len());
                    let layers = Arc::clone(&layers);
                    self.calls.push(CallSlot {
                        service,
                        hash_by,
                        is_mirror: false,
                        layers,
                    });
                }
                Err(error) => errors.push(error),
            }
        }
        let mirror_place = match &mirrored {
            Some(cluster) => {
                let service = self.service(cluster, errors)?;
                self.calls.push(CallSlot {
                    service,
                    // What a copy meets is nobody's session.
                    hash_by: None,
                    is_mirror: true,
                    layers: Arc::default(),
                });
                Some(self.calls.len() - 1)
            }
            None => None,
        };
        let mirror = route
            .extras
            .as_mut()
            .and_then(|extras| extras.mirror.as_mut());
        if let (Some(mirror), Some(place)) = (mirror, mirror_place)
            && let Err(error) = mirror.connect(place, &template, self.metrics)
        {
            errors.push(error.into());
        }
        match &mut route.action {
            Action::Forward(at) => *at = *places.first()?,
            Action::Split(_, at) => *at = places.into(),
            Action::Redirect(_) | Action::Respond(_) => {}
        }
        Some(route)
    }

    /// The cluster of a name, or the service that has it in the registry.
    fn service(
        &mut self,
        name: &ServiceName,
        errors: &mut Vec<GatewayError>,
    ) -> Option<ServiceClient> {
        if let Some(running) = self.clusters.get(name) {
            return Some(running.client().clone());
        }
        // The watch begins here, and not with the first request on a worker's runtime.
        match Running::service(self.client, name) {
            Ok(running) => {
                let running = Arc::new(running);
                let service = running.client().clone();
                self.clusters.insert(name.clone(), running);
                Some(service)
            }
            Err(source) => {
                errors.push(GatewayError::Client {
                    service: name.clone(),
                    source,
                });
                None
            }
        }
    }

    pub(super) fn finish(self) -> Wired {
        Wired {
            clusters: self.clusters,
            calls: self.calls.into(),
        }
    }
}

/// The service as a route calls it. What it shares with others, the breaker above all, stays shared.
fn configured(
    mut service: ServiceClient,
    calls: &Calls,
    template: &str,
) -> Result<ServiceClient, GatewayError> {
    let route = || template.to_owned();
    if let Some(change) = &calls.retry {
        let policy = (change.0)(service.retry_builder()).build();
        let policy = policy.map_err(|source| GatewayError::InvalidRetry {
            route: route(),
            source,
        })?;
        service = service.with_retry(policy);
    }
    if let Some(change) = &calls.hedge {
        let policy = (change.0)(service.hedge_builder()).build();
        let policy = policy.map_err(|source| GatewayError::InvalidHedge {
            route: route(),
            source,
        })?;
        service = service.with_hedge(policy);
    }
    if let Some(timeout) = calls.attempt_timeout {
        service = service.with_attempt_timeout(timeout);
    }
    if let Some(timeout) = calls.timeout {
        service = service.with_timeout(timeout);
    }
    Ok(service)
}
