//! The life of a service: settings, start, signals, end.

use std::{pin::pin, time::Duration};

use tokio::{select, time};

use super::{
    HostConfig, HostError, HostInfo, HostSettings, RunningHost, ServiceHostBuilder, axum_routes,
    builder::Settings,
    export,
    hooks::{self, Hook},
    metrics,
    ops::Ops,
    signals::Signals,
};
use crate::{
    clock,
    config::{self, Command, Loader},
    name::InstanceId,
    server::{Drain, Listener, Phase, Server},
    task,
    telemetry::{Telemetry, TelemetryError, TelemetrySetup, otlp::ServiceIdentity},
};

/// Runs a service as the only one of its process.
pub(super) async fn run(mut builder: ServiceHostBuilder) -> Result<(), HostError> {
    let settings = match builder.settings.take() {
        Settings::Process => settings_or_exit(Loader::from_process().load::<HostConfig>()?),
        given => given_settings(given)?,
    };
    let name = builder.name.clone()?;
    let instance = builder
        .instance
        .get_or_insert_with(|| InstanceId::random(&name))
        .clone();
    let identity = ServiceIdentity::new(name.as_str())
        .version(builder.version.clone())
        .instance(instance.as_str());
    let telemetry = telemetry(&settings, &identity)?;
    if let Some(telemetry) = &telemetry {
        metrics::watch_telemetry(&builder.metrics, telemetry.stats())?;
        builder.log_level = Some(telemetry.level());
    }
    // Listened for before anything is started: a signal during the start must not kill half of it.
    let mut signals = Signals::listen().map_err(HostError::Signals)?;
    let outcome = serve(builder, settings, &mut signals).await;
    if let Err(error) = &outcome {
        tracing::error!(target: TARGET, ?error, "the service ends");
    }
    let limit = if matches!(outcome, Ok(End::Forced)) {
        LAST_WORDS_MAX
    } else {
        FLUSH_MAX
    };
    if let Some(telemetry) = telemetry
        && let Err(error) = telemetry.shutdown(limit).await
    {
        report(&error);
    }
    match outcome? {
        End::Drained => Ok(()),
        End::Forced => exit_now(),
    }
}

/// How the life of a service ended.
enum End {
    Drained,
    /// A second signal came before the drain was done.
    Forced,
}

async fn serve(
    builder: ServiceHostBuilder,
    settings: HostSettings,
    signals: &mut Signals,
) -> Result<End, HostError> {
    let stop = async {
        let signal = signals.next().await;
        tracing::info!(target: TARGET, signal, "stopped before the start was done");
    };
    let mut running = match start(builder, settings, stop).await {
        Err(HostError::Stopped) => return Ok(End::Drained),
        started => started?,
    };
    let signal = select! {
        biased;
        signal = signals.next() => signal,
        // The server ends by itself only when it fails.
        () = running.finished() => "none: the server ended",
    };
    // Before it is said, so that whoever reads the line finds it true.
    begin_drain(&running);
    tracing::info!(
        target: TARGET,
        signal,
        delay = ?running.plan.delay(),
        timeout = ?running.plan.timeout(),
        "draining; a second signal ends at once"
    );
    let served = {
        let mut end = pin!(async {
            drain(&mut running).await;
            running.ended().await
        });
        select! {
            biased;
            served = &mut end => served?,
            signal = signals.next() => {
                tracing::warn!(target: TARGET, signal, "stopped at once; requests in flight are lost");
                return Ok(End::Forced);
            }
        }
    };
    tracing::info!(target: TARGET, connections_cut = served.cut, "drained");
    Ok(End::Drained)
}

/// Starts everything but what belongs to the process, unless `stop` comes first.
pub(super) async fn start(
    builder: ServiceHostBuilder,
    settings: HostSettings,
    stop: impl Future<Output = ()>,
) -> Result<RunningHost, HostError> {
    let began = clock::now();
    let layers = builder.layers()?;
    let routes = match &builder.routes {
        Some(routes) => routes(layers),
        None => axum_routes::nothing(),
    };
    let ServiceHostBuilder {
        name,
        version,
        instance,
        health,
        metrics,
        checks,
        on_start,
        on_drain,
        log_level,
        ..
    } = builder;
    let service = name?;
    let instance = instance.unwrap_or_else(|| InstanceId::random(&service));
    for check in checks {
        health.add(check)?;
    }
    let server = Server::new().limits(settings.limits).metrics(&metrics)?;
    metrics::watch_server(&metrics, &server)?;
    metrics.register_process()?;
    metrics.register_build_info(service.as_str(), &version)?;
    metrics.register_runtime("main", &tokio::runtime::Handle::current())?;
    let listeners = match settings.workers {
        0 => vec![Listener::bind(settings.bind)?],
        workers => Listener::bind_shared(settings.bind, workers.into())?,
    };
    let addr = listeners
        .first()
        .map_or(settings.bind, Listener::local_addr);
    let info = HostInfo::new(hooks::Shared {
        service,
        instance,
        version,
        addr,
        health: health.clone(),
        metrics: metrics.clone(),
        drain: server.drain().signal(),
        log_level,
    });

    // The socket is open and nobody accepts yet: what comes early waits in the kernel and is not refused.
    let hooks = select! {
        biased;
        () = stop => Err(HostError::Stopped),
        outcome = run_start_hooks(on_start, &info) => outcome,
    };
    if let Err(error) = hooks {
        // An earlier hook may have told others of us already.
        run_drain_hooks(on_drain, &info).await;
        return Err(error);
    }
    let ops = Ops::new(health.clone(), metrics, routes);
    let serving = {
        let server = server.clone();
        task::spawn("server", async move {
            if settings.workers == 0 {
                let mut listeners = listeners;
                match listeners.pop() {
                    Some(listener) => server.serve(listener, ops).await,
                    None => Ok(crate::server::Served::default()),
                }
            } else {
                server.serve_sharded(listeners, move || ops.clone()).await
            }
        })
    };
    health.set_ready();
    tracing::info!(
        target: TARGET,
        service = %info.service(),
        instance = %info.instance(),
        version = (!info.version().is_empty()).then(|| info.version()),
        url = %format_args!("http://{addr}"),
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "listening on http://{addr}"
    );
    Ok(RunningHost {
        info,
        server,
        plan: settings.plan,
        on_drain,
        serving: Some(serving),
    })
}

/// Goes through the phases of the end, up to the point where the server is told to cut.
pub(super) async fn drain(running: &mut RunningHost) {
    begin_drain(running);
    let drain = running.server.drain().clone();
    run_drain_hooks(std::mem::take(&mut running.on_drain), &running.info).await;
    follow_plan(&drain, running).await;
}

/// Callers are asked to go elsewhere from now on, while the hooks tell others. Once is enough, twice does no harm.
fn begin_drain(running: &RunningHost) {
    running.info.health().set_draining();
    running.server.drain().advance(Phase::Draining);
}

async fn follow_plan(drain: &Drain, running: &mut RunningHost) {
    let plan = running.plan;
    let finished = until_finished(&mut running.serving);
    select! {
        biased;
        () = finished => {}
        () = drain.run(plan) => {}
    }
}

pub(super) async fn until_finished<T>(task: &mut Option<task::Task<T>>) {
    match task {
        Some(task) => task.finished().await,
        None => std::future::pending().await,
    }
}

async fn run_start_hooks(hooks: Vec<Hook>, info: &HostInfo) -> Result<(), HostError> {
    let all = async {
        for hook in hooks {
            hook.run(info.clone()).await.map_err(HostError::Start)?;
        }
        Ok(())
    };
    time::timeout(START_HOOKS_MAX, all)
        .await
        .unwrap_or(Err(HostError::StartTimeout(START_HOOKS_MAX)))
}

async fn run_drain_hooks(hooks: Vec<Hook>, info: &HostInfo) {
    let all = async {
        for hook in hooks.into_iter().rev() {
            if let Err(error) = hook.run(info.clone()).await {
                tracing::warn!(target: TARGET, error = &*error, "a drain hook failed");
            }
        }
    };
    if time::timeout(DRAIN_HOOKS_MAX, all).await.is_err() {
        tracing::warn!(
            target: TARGET,
            limit = ?DRAIN_HOOKS_MAX,
            "the drain hooks took too long and were given up"
        );
    }
}

/// The settings that do not come from the command line.
pub(super) fn given_settings(settings: Settings) -> Result<HostSettings, HostError> {
    Ok(match settings {
        Settings::Resolved(settings) => *settings,
        Settings::Raw(config) => config::resolve(*config)?,
        Settings::Process => config::resolve(HostConfig::default())?,
    })
}

/// The settings, unless the command line asked for something else: then that is printed and the process
/// ends, as with any command line parser.
#[expect(
    clippy::print_stdout,
    clippy::exit,
    reason = "this is what the flags ask for"
)]
pub(super) fn settings_or_exit<T>(command: Command<T>) -> T {
    match command {
        Command::Run(loaded) => loaded.settings,
        other => {
            println!("{other}");
            std::process::exit(0)
        }
    }
}

/// Sets up telemetry; `None` when somebody else has.
fn telemetry(
    settings: &HostSettings,
    identity: &ServiceIdentity,
) -> Result<Option<Telemetry>, HostError> {
    let setup = TelemetrySetup::new(&settings.log);
    match export::add(setup, &settings.otlp, identity)?.init() {
        Ok(telemetry) => Ok(Some(telemetry)),
        Err(TelemetryError::AlreadySet) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[expect(clippy::print_stderr, reason = "the log is what failed")]
fn report(error: &impl std::fmt::Display) {
    eprintln!("{error}");
}

/// A second signal means it. Leaving `main` in order would wait for handlers that block a thread.
#[expect(clippy::exit, reason = "the user asked twice")]
fn exit_now() -> ! {
    std::process::exit(130)
}

const START_HOOKS_MAX: Duration = Duration::from_secs(30);
const DRAIN_HOOKS_MAX: Duration = Duration::from_secs(5);
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// The user asked twice; the line that says so is worth a moment.
const LAST_WORDS_MAX: Duration = Duration::from_millis(100);
const TARGET: &str = "msf_core::host";
