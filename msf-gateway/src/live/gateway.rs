//! [`LiveGateway`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

#[cfg(feature = "tls")]
use msf_core::server::Tls;
use msf_core::{
    metrics::Metrics,
    task::{self, Task},
};
use tokio::{sync::Mutex as AsyncMutex, time};

use super::{
    metrics::ConfigMetrics,
    provider::{ConfigProvider, ConfigText},
    restart,
    revision::Revision,
    status::{LiveStatus, Reload},
};
#[cfg(feature = "tls")]
use crate::config::running_places;
use crate::{
    admin::Admin,
    config::{Assembly, ConfigErrors, ConfigProblem, GatewayConfig, Places},
    gateway::Gateway,
    server::GatewayServer,
};

/// A gateway whose configuration is read again when it changes; see the [module documentation](super). Clones are
/// the same gateway.
#[derive(Clone)]
pub struct LiveGateway {
    inner: Arc<Inner>,
}

struct Inner {
    gateway: Gateway,
    provider: Box<dyn ConfigProvider>,
    metrics: ConfigMetrics,
    /// What the process started with, by which listeners and workers go.
    first: GatewayConfig,
    /// Where its keys are.
    places: Places,
    /// Held over a whole reload, so that two do not overtake one another.
    state: AsyncMutex<State>,
    seen: Mutex<Seen>,
    /// The certificates that are served, by the places of their listeners.
    #[cfg(feature = "tls")]
    served: Mutex<Vec<Option<Tls>>>,
}

struct State {
    assembly: Assembly,
    /// What was looked at last, right or wrong, so that a wrong file is told of once.
    tried: Tried,
}

#[derive(PartialEq)]
enum Tried {
    Text(ConfigText),
    Unreadable(String),
}

/// What others may look at while a reload is on its way.
struct Seen {
    status: LiveStatus,
    config: Arc<GatewayConfig>,
}

impl LiveGateway {
    /// Reads the first configuration and builds its gateway.
    ///
    /// ```
    /// # use std::{fs, time::Duration};
    /// use msf_gateway::live::{FileProvider, LiveGateway};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("gateway-{}.toml", std::process::id()));
    /// # fs::write(&path, r#"
    /// #     [[listeners]]
    /// #     bind = "127.0.0.1:0"
    /// #     [[routes]]
    /// #     match = { path = "/hello" }
    /// #     respond = { body = "hello" }
    /// # "#)?;
    /// let live = LiveGateway::start(FileProvider::new(&path)).await?;
    /// let running = live.server()?.workers(1).start()?;
    /// let watch = live.watch(Duration::from_secs(1));
    ///
    /// fs::write(&path, "this is no TOML")?;
    /// live.reload().await;
    /// assert!(live.status().last_error.is_some());
    /// assert_eq!(live.status().revision.get(), 1);
    /// # drop(watch);
    /// # running.stop().await?;
    /// # fs::remove_file(path)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(provider: impl ConfigProvider) -> Result<Self, ConfigErrors> {
        Self::start_with(provider, &Metrics::new()).await
    }

    /// As [`start`](Self::start), counting in these metrics.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(
        provider: impl ConfigProvider,
        metrics: &Metrics,
    ) -> Result<Self, ConfigErrors> {
        let text = provider.read().await.map_err(ConfigErrors::one)?;
        let config = GatewayConfig::load(&text.name, &text.text)?;
        let places = Places::of(&text.name, &text.text);
        let located = |errors: ConfigErrors| errors.located(&places);
        let mut assembly = Assembly::new(&config, metrics).map_err(located)?;
        let gateway = assembly.build(&config).map_err(located)?;
        let counted = ConfigMetrics::register(metrics).map_err(ConfigErrors::one)?;
        log_start(&config, &text.name);
        let status = LiveStatus {
            revision: Revision::FIRST,
            since: SystemTime::now(),
            last_error: None,
            needs_restart: Vec::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                gateway,
                provider: Box::new(provider),
                metrics: counted,
                first: config.clone(),
                places,
                state: AsyncMutex::new(State {
                    assembly,
                    tried: Tried::Text(text),
                }),
                seen: Mutex::new(Seen {
                    status,
                    config: Arc::new(config),
                }),
                #[cfg(feature = "tls")]
                served: Mutex::default(),
            }),
        })
    }

    /// The gateway, which every configuration changes.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.inner.gateway
    }

    /// The configuration that is in use.
    #[must_use]
    pub fn config(&self) -> Arc<GatewayConfig> {
        Arc::clone(&self.seen().config)
    }

    /// Which configuration is in use, and what was wrong with the last one.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        self.seen().status.clone()
    }

    /// Serves as the first configuration says; `/config` of the admin listener shows the one in use.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when there is no listener, or with what is wrong with the files of certificates.
    pub fn server(&self) -> Result<GatewayServer, ConfigErrors> {
        let server = self.inner.first.server(self.inner.gateway.clone());
        let server = server.map_err(|errors| errors.located(&self.inner.places))?;
        #[cfg(feature = "tls")]
        {
            let served = self.inner.served.lock();
            *served.unwrap_or_else(PoisonError::into_inner) = server.certificates();
        }
        Ok(match self.admin() {
            Some(admin) => server.admin(admin),
            None => server,
        })
    }

    /// The admin listener as the first configuration says, for whoever has more to add to it.
    #[must_use]
    pub fn admin(&self) -> Option<Admin> {
        let admin = self.inner.first.admin()?;
        let live = self.clone();
        Some(admin.config(move || live.document()))
    }

    /// The configuration in use, without secrets, and what became of the last one.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let (status, config) = {
            let seen = self.seen();
            (seen.status.clone(), Arc::clone(&seen.config))
        };
        let since = humantime::format_rfc3339_seconds(status.since).to_string();
        serde_json::json!({
            "revision": status.revision.get(),
            "since": since,
            "last_error": status.last_error.map(|errors| errors.to_string()),
            "needs_restart": status.needs_restart,
            "config": *config,
        })
    }

    /// Reads the text and applies it, also if it is the one that was looked at before: a secret that it refers to
    /// may have changed.
    ///
    /// # Cancel safety
    ///
    /// Given up before the text is read, nothing happens; afterwards it is not given up any more.
    pub async fn reload(&self) -> Reload {
        let mut state = self.inner.state.lock().await;
        let read = self.inner.provider.read().await;
        self.take(&mut state, read)
    }

    /// As [`reload`](Self::reload), if the text has changed and nobody writes to it any more.
    ///
    /// # Cancel safety
    ///
    /// As [`reload`](Self::reload).
    pub async fn poll(&self) -> Reload {
        let mut state = self.inner.state.lock().await;
        let mut read = self.inner.provider.read().await;
        for _ in 0..SETTLE_READS {
            match &read {
                Ok(text) if state.tried == Tried::Text(text.clone()) => return Reload::Unchanged,
                Err(error) if state.tried == Tried::Unreadable(error.to_string()) => {
                    return Reload::Unchanged;
                }
                _ => {}
            }
            // The half of a file that is being written may be valid, and is not what its writer means.
            time::sleep(SETTLE).await;
            let again = self.inner.provider.read().await;
            let is_settled = match (&read, &again) {
                (Ok(one), Ok(other)) => one == other,
                (Err(one), Err(other)) => one.kind() == other.kind(),
                _ => false,
            };
            read = again;
            if is_settled {
                return self.take(&mut state, read);
            }
        }
        // Whoever writes without end gets what is there at the next poll.
        Reload::Unchanged
    }

    /// Polls until it is dropped. Once a second ([`POLL_EVERY`](Self::POLL_EVERY)) is what reading a file costs
    /// nothing at.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn watch(&self, every: Duration) -> Task<()> {
        let live = self.clone();
        task::spawn("gateway configuration", async move {
            let mut ticks = time::interval(every.max(POLL_EVERY_MIN));
            ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                live.poll().await;
            }
        })
    }

    /// How often a file is polled unless somebody says otherwise.
    pub const POLL_EVERY: Duration = Duration::from_secs(1);

    /// Everything after the text was read: nothing here waits, so nobody can give it up half-way.
    fn take(&self, state: &mut State, read: std::io::Result<ConfigText>) -> Reload {
        let outcome = match read {
            Ok(text) => {
                let outcome = self.apply(&mut state.assembly, &text);
                state.tried = Tried::Text(text);
                outcome
            }
            Err(error) => {
                state.tried = Tried::Unreadable(error.to_string());
                Err(ConfigErrors::one(format_args!("cannot be read: {error}")))
            }
        };
        match outcome {
            Ok(revision) => {
                self.inner.metrics.applied(revision);
                let status = self.status();
                tracing::info!(
                    target: TARGET,
                    revision = revision.get(),
                    needs_restart = ?status.needs_restart,
                    "configuration applied"
                );
                Reload::Applied(revision)
            }
            Err(errors) => {
                self.inner.metrics.rejected();
                tracing::error!(
                    target: TARGET,
                    revision = self.inner.gateway.revision().get(),
                    "configuration refused, the one before stays in use: {errors}"
                );
                self.seen().status.last_error = Some(errors.clone());
                Reload::Rejected(errors)
            }
        }
    }

    fn apply(&self, assembly: &mut Assembly, text: &ConfigText) -> Result<Revision, ConfigErrors> {
        let config = GatewayConfig::load(&text.name, &text.text)?;
        let located = |errors: ConfigErrors| errors.located(&Places::of(&text.name, &text.text));
        if let Some(key) = restart::refused(&self.inner.first, &config) {
            let problem = ConfigProblem {
                path: key.to_owned(),
                place: None,
                message: "cannot change while the gateway runs".to_owned(),
                hint: Some("restart it".to_owned()),
            };
            return Err(located(ConfigErrors::new(vec![problem])));
        }
        #[cfg(feature = "tls")]
        let certificates = self.certificates(&config).map_err(located)?;
        let applied = assembly.apply(&config, &self.inner.gateway);
        let revision = applied.map_err(located)?;
        #[cfg(feature = "tls")]
        for (served, next) in &certificates {
            served.replace(next);
        }
        let needs_restart = restart::needed(&self.inner.first, &config);
        let mut seen = self.seen();
        seen.status = LiveStatus {
            revision,
            since: SystemTime::now(),
            last_error: None,
            needs_restart,
        };
        seen.config = Arc::new(config);
        Ok(revision)
    }

    /// The certificates of the listeners that speak TLS, with those of a configuration to take their places.
    #[cfg(feature = "tls")]
    fn certificates(&self, config: &GatewayConfig) -> Result<Vec<(Tls, Tls)>, ConfigErrors> {
        let served = self.inner.served.lock();
        let served = served.unwrap_or_else(PoisonError::into_inner).clone();
        let mut next = Vec::new();
        for (served, place) in served
            .into_iter()
            .zip(running_places(&self.inner.first, config))
        {
            if let (Some(served), Some(place)) = (served, place)
                && let Some(loaded) = config.certificates(place)?
            {
                next.push((served, loaded));
            }
        }
        Ok(next)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        let seen = self.inner.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody who reads the log should know.
fn log_start(config: &GatewayConfig, name: &str) {
    let routes = config.routes.len();
    tracing::info!(target: TARGET, file = name, routes, "configuration read");
    if config.auth.is_none() {
        tracing::warn!(
            target: TARGET,
            "there is no [auth]: every route is public"
        );
    }
}

impl fmt::Debug for LiveGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveGateway")
            .field("gateway", &self.inner.gateway)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// Between two reads that must agree. Editors and `cp` are done within a few milliseconds.
const SETTLE: Duration = Duration::from_millis(50);
const SETTLE_READS: usize = 10;
/// Below it the control runtime would do nothing else.
const POLL_EVERY_MIN: Duration = Duration::from_millis(10);
const TARGET: &str = "msf_gateway::live";
