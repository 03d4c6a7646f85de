//! Looking at files without serving.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use msf_gateway::{
    Probe,
    config::{ConfigErrors, GatewayConfig},
    live::{FileProvider, LiveGateway},
    route::Answer,
};
use tokio::runtime::{self, Runtime};

use crate::{FAILED, WRONG, args::Ask, complain, say};

pub(crate) fn schema() -> ExitCode {
    match serde_json::to_string_pretty(&GatewayConfig::schema()) {
        Ok(schema) => say(schema),
        Err(error) => {
            complain(error);
            ExitCode::from(FAILED)
        }
    }
}

pub(crate) fn check(path: &Path) -> ExitCode {
    with_runtime(|runtime| {
        // Whatever only a gateway that is built can find, such as routes that nothing reaches, is found too.
        let started = runtime.block_on(LiveGateway::start(FileProvider::new(path)));
        let live = match started.and_then(|live| live.server().map(|_server| live)) {
            Ok(live) => live,
            Err(errors) => return wrong(&errors),
        };
        let config = live.config();
        say(format_args!(
            "{} is valid: {}, {}{}",
            path.display(),
            count(config.routes.len(), "route"),
            count(config.clusters.len(), "cluster"),
            if config.auth.is_none() {
                "; there is no [auth], so every route is public"
            } else {
                ""
            }
        ))
    })
}

pub(crate) fn explain(path: PathBuf, ask: Ask) -> ExitCode {
    with_runtime(|runtime| {
        let live = match runtime.block_on(LiveGateway::start(FileProvider::new(path))) {
            Ok(live) => live,
            Err(errors) => return wrong(&errors),
        };
        let mut probe = Probe::new(ask.method, ask.url);
        for (name, value) in ask.headers {
            probe = probe.header(name, value);
        }
        let explanation = live.gateway().explain(&probe);
        let text = if ask.json {
            serde_json::to_string_pretty(&explanation).unwrap_or_default()
        } else {
            explanation.to_string()
        };
        let said = say(text.trim_end());
        match explanation.answer {
            Answer::Route { .. } | Answer::Own => said,
            _ => ExitCode::from(WRONG),
        }
    })
}

pub(crate) fn diff(path: PathBuf, with: PathBuf, json: bool) -> ExitCode {
    with_runtime(|runtime| {
        let read = |path: PathBuf| {
            let live = runtime.block_on(LiveGateway::start(FileProvider::new(path)))?;
            Ok::<_, ConfigErrors>(live.config())
        };
        let (before, after) = match (read(path), read(with)) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(errors), _) | (_, Err(errors)) => return wrong(&errors),
        };
        let changes = before.diff(&after);
        if json {
            say(serde_json::to_string_pretty(&changes).unwrap_or_default());
        } else {
            for change in &changes {
                say(change);
            }
        }
        if changes.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(WRONG)
        }
    })
}

fn with_runtime(look: impl FnOnce(&Runtime) -> ExitCode) -> ExitCode {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => look(&runtime),
        Err(error) => {
            complain(error);
            ExitCode::from(FAILED)
        }
    }
}

/// The problems as a table.
fn wrong(errors: &ConfigErrors) -> ExitCode {
    complain(errors.table());
    complain(count(errors.problems().len(), "problem"));
    ExitCode::from(WRONG)
}

fn count(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
