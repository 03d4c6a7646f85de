//! [`TestGateway`].

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use http::Method;
use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
use msf_client::{Client, transport::Connections};
use msf_core::{metrics::Metrics, name::ServiceName, testing::TestClient};
use msf_registry::{Registry, backend::fixed::StaticRegistry};

use super::{
    network::{Network, Wire},
    received::Received,
    request::TestRequest,
    script::Script,
};
use crate::{
    Gateway, GatewayBuilder, GatewayErrors, GatewayService, Probe,
    cluster::{Listed, Source, endpoint},
    config::{AuthConfig, ConfigErrors, GatewayConfig, dry},
    route::Explanation,
};

/// A gateway of a test, whose services are [scripts](Script); see the [module documentation](super).
///
/// Clones are the same gateway.
#[derive(Clone)]
pub struct TestGateway {
    gateway: Gateway,
    client: TestClient<GatewayService>,
    network: Arc<Network>,
    issuer: Option<Issuer>,
}

/// Who signs in the place of the issuer of an `[auth]`.
#[derive(Clone)]
struct Issuer {
    tokens: TokenIssuer,
    audience: String,
}

impl TestGateway {
    /// A gateway as a file says.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        Self::from_config(&GatewayConfig::load("gateway.toml", text)?)
    }

    /// A gateway as a configuration says, that was read from the file of production for example.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn from_config(config: &GatewayConfig) -> Result<Self, ConfigErrors> {
        let mut config = config.clone();
        // Nothing of a test is written to the files of production.
        config.access_log = None;
        let metrics = Metrics::new();
        let client = Client::builder(Registry::new(StaticRegistry::new()))
            .metrics(&metrics)
            .build()
            .map_err(ConfigErrors::one)?;
        let (issuer, verifier) = match config.auth.as_ref().map(trusted).transpose()? {
            Some((issuer, verifier)) => (Some(issuer), Some(verifier)),
            None => (None, None),
        };
        let builder = dry(&config, &metrics, client, verifier)?;
        let built = Self::built(builder, issuer);
        built.map_err(|errors| ConfigErrors::blamed(&config, &errors))
    }

    /// A gateway as code says. Its verifier is the builder's own.
    ///
    /// # Errors
    ///
    /// [`GatewayErrors`] with all that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn new(builder: GatewayBuilder) -> Result<Self, GatewayErrors> {
        Self::built(builder, None)
    }

    fn built(mut builder: GatewayBuilder, issuer: Option<Issuer>) -> Result<Self, GatewayErrors> {
        let network = Arc::new(Network::default());
        move_to(&network, &mut builder);
        let gateway = builder.build()?;
        let client = TestClient::new(gateway.clone().into_service());
        Ok(Self {
            gateway,
            client,
            network,
            issuer,
        })
    }

    /// What a service does from now on; until then nobody is there.
    ///
    /// # Panics
    ///
    /// When no route leads to the service.
    #[must_use]
    #[track_caller]
    pub fn upstream(self, service: &str, script: Script) -> Self {
        self.check(service);
        self.network.play(service, script);
        self
    }

    /// What a service got so far, in the order in which it came; of a retried request every attempt.
    ///
    /// # Panics
    ///
    /// When no route leads to the service.
    #[must_use]
    #[track_caller]
    pub fn received(&self, service: &str) -> Vec<Received> {
        self.check(service);
        self.network.received(service)
    }

    #[track_caller]
    fn check(&self, service: &str) {
        assert!(
            self.network.knows(service),
            "no route leads to {service:?}; there are {:?}",
            self.network.names()
        );
    }

    /// Begins a request.
    ///
    /// # Panics
    ///
    /// When the path is none.
    #[track_caller]
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, path)
    }

    /// Begins a `GET`.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn get(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::GET, path)
    }

    /// Begins a `POST`.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn post(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::POST, path)
    }

    /// Begins a `PUT`.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn put(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::PUT, path)
    }

    /// Begins a `DELETE`.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn delete(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, path)
    }

    /// A token of the first issuer of the `[auth]`, as it would have signed it.
    ///
    /// # Panics
    ///
    /// When the gateway was not made of a configuration with `[auth]`: then the test knows who signs.
    #[must_use]
    #[track_caller]
    pub fn token(&self, subject: &str, scopes: &[&str]) -> String {
        let issuer = self.issuer.as_ref();
        let issuer = issuer.expect("the gateway was made of a configuration with [auth]");
        let token = issuer.tokens.token(subject).audience(&issuer.audience);
        let signed = token.scopes(scopes).sign();
        signed.expect("a subject and scopes make a token")
    }

    /// Which route takes a request and why, without sending it.
    #[must_use]
    pub fn explain(&self, probe: &Probe) -> Explanation {
        self.gateway.explain(probe)
    }

    /// The gateway itself: its metrics, its health, its revision.
    #[must_use]
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(super) const fn client(&self) -> &TestClient<GatewayService> {
        &self.client
    }
}

impl fmt::Debug for TestGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestGateway")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// Puts a network of the test in the place of endpoints and registry.
fn move_to(network: &Arc<Network>, builder: &mut GatewayBuilder) {
    let (client, clusters, routes) = builder.parts();
    let mut services: BTreeSet<String> = routes
        .iter()
        .flat_map(|route| {
            let to = route.service.iter().cloned();
            let split = route.settings.split.iter().map(|(name, _)| name.clone());
            let mirror = route.settings.mirror.iter().map(|it| it.cluster.clone());
            to.chain(split).chain(mirror)
        })
        .collect();
    for cluster in clusters {
        // Their questions would leave the process.
        cluster.health = None;
        let Source::Listed(endpoints) = &mut cluster.source else {
            services.insert(cluster.name.clone());
            continue;
        };
        services.remove(&cluster.name);
        let mut moved = HashMap::new();
        for Listed { url, .. } in endpoints {
            // What is wrong with one is said when the gateway is built.
            if let Ok(addr) = endpoint::parse(url) {
                let new = moved.entry(addr);
                let new = new.or_insert_with(|| network.endpoint(&cluster.name));
                *url = format!("http://{new}");
            }
        }
    }
    let mut registry = StaticRegistry::new();
    for name in services {
        // What is no name is said when the gateway is built.
        if let Ok(service) = ServiceName::new(&name) {
            let addr = network.endpoint(&name);
            let listed = registry.clone().addrs(&service, [addr]);
            registry = listed.unwrap_or(registry);
        }
    }
    let connections = Connections::builder().dial(Wire(Arc::clone(network)));
    *client = client
        .with_registry(Registry::new(registry))
        .with_connections(connections.build());
}

/// A verifier of the same issuers, whose keys the test has.
fn trusted(config: &AuthConfig) -> Result<(Issuer, Verifier), ConfigErrors> {
    let mut first = None;
    let mut builder = Verifier::builder();
    if let Some(leeway) = config.leeway {
        builder = builder.leeway(leeway.get());
    }
    for issuer in &config.issuers {
        let name = issuer.issuer.as_deref().unwrap_or_default();
        let key = SigningKey::generate_ed25519().map_err(ConfigErrors::one)?;
        let tokens = TokenIssuer::new(name, key);
        let mut trusted = TrustedIssuer::new(name, tokens.jwks());
        for audience in issuer.audience.as_slice() {
            trusted = trusted.audience(audience.as_str());
        }
        builder = builder.issuer(trusted);
        let audience = issuer.audience.as_slice().first().cloned();
        first = first.or_else(|| {
            Some(Issuer {
                tokens,
                audience: audience.unwrap_or_default(),
            })
        });
    }
    let verifier = builder.build().map_err(ConfigErrors::one)?;
    let first = first.ok_or_else(|| ConfigErrors::one("auth.issuers must have an issuer"))?;
    Ok((first, verifier))
}
