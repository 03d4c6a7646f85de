//! The pages of `docs/reference` say what the code says; `BLESS=1` writes them.

use std::{env, fmt::Write, fs, path::PathBuf};

use msf_core::{
    config::{Loader, Setting},
    host::HostConfig,
    problem::Code,
};

#[test]
fn errors_page_lists_every_code() {
    let mut page = page(
        "Error codes",
        "Every error that msf answers with has one of these codes, in the body (`code`) and in the log\n\
         (field `code`). The list is closed. What the body looks like, and how to answer with one:\n\
         [errors](../guide/errors.md).\n",
    );
    page += "| code | status | title | meaning |\n|---|---|---|---|\n";
    for code in Code::ALL {
        let (status, title, meaning) = (code.status().as_u16(), code.title(), code.meaning());
        writeln!(page, "| `{code}` | {status} | {title} | {meaning} |").unwrap();
    }
    page += "\nAn error answer that comes without a code gets the general one of its status:\n\n\
             | status | code |\n|---|---|\n";
    let mut statuses: Vec<_> = Code::ALL.iter().map(|code| code.status()).collect();
    statuses.dedup();
    for status in statuses {
        let code = Code::from_status(status).expect("the status is in the list");
        writeln!(page, "| {} | `{code}` |", status.as_u16()).unwrap();
    }
    compare("errors.md", &page);
}

#[test]
fn configuration_page_lists_every_key() {
    let loaded = Loader::new()
        .load::<HostConfig>()
        .expect("the defaults are valid")
        .into_loaded()
        .expect("no flag asks for anything else");
    let mut page = page(
        "Configuration keys",
        "What can be set for every service that `ServiceHost` runs. A key is the same in the file (as\n\
         TOML), as a flag (`--server.bind=0.0.0.0:8080`) and, spelled as below, as an environment\n\
         variable. A dash is a key without a default. How the layers work together:\n\
         [configuration](../guide/configuration.md).\n",
    );
    let mut section = "";
    for setting in loaded.explanation.settings() {
        let table = setting.key().split('.').next().unwrap_or_default();
        if table != section {
            section = table;
            let reasons = explained_in(section);
            write!(
                page,
                "\n## {section}\n\nExplained in [{reasons}](../guide/{reasons}.md).\n\n\
                 | key | default | environment variable |\n|---|---|---|\n"
            )
            .unwrap();
        }
        let (key, default, env) = (setting.key(), default_of(setting), setting.env());
        writeln!(page, "| `{key}` | {default} | `{env}` |").unwrap();
    }
    page = page.replace("\n\n\n", "\n\n");
    compare("configuration.md", &page);
}

/// Which page of the guide gives the reasons of a table's defaults.
fn explained_in(table: &str) -> &'static str {
    match table {
        "server" => "server-limits",
        "drain" => "shutdown",
        "log" | "otlp" => "observability",
        new => panic!("the table `{new}` is new: say here which page of docs/guide explains it"),
    }
}

fn default_of(setting: &Setting) -> String {
    if setting.value().is_null() {
        "-".to_owned()
    } else {
        format!("`{}`", setting.value())
    }
}

/// Process metrics are read from `/proc`, so only Linux can say what a service exports.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn metrics_page_lists_what_a_service_exports() {
    use msf_core::{
        host::ServiceHost,
        metrics::{MetricInfo, catalogue},
    };

    let mut config = HostConfig::default();
    config.server.bind = "127.0.0.1:0".to_owned();
    let host = ServiceHost::builder("reference")
        .config(config)
        .start()
        .await
        .unwrap();
    let at_start = host.metrics().render();
    // What only a request makes is counted by a layer of its own: this host has no routes.
    let layer = msf_core::metrics::HttpMetricsLayer::new(host.metrics()).unwrap();
    let service = tower::service_fn(|_request: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(msf_core::server::Body::empty()))
    });
    let request = http::Request::new(());
    let response = tower::ServiceExt::oneshot(tower::Layer::layer(&layer, service), request).await;
    drop(response);
    let after_a_request = host.metrics().render();
    host.stop().await.unwrap();

    let exported = |text: &str, name: &str| text.contains(&format!("# TYPE {name} "));
    let when = |row: &MetricInfo| match row.name {
        name if exported(&at_start, name) => "always",
        name if exported(&after_a_request, name) => "after the first request",
        // `run` sets up the logs of the process, which a test must leave alone.
        "msf_log_lines_dropped_total" | "msf_otlp_spans_total" => "always, by `run`",
        _ => "once it happens",
    };

    let mut page = page(
        "Metrics",
        "What msf-core exports, and when it appears at `/metrics` of a service that `ServiceHost` runs.\n\
         `process_*` exists on Linux only. How to add your own:\n\
         [observability](../guide/observability.md).\n",
    );
    page += "| metric | type | labels | help | exported |\n|---|---|---|---|---|\n";
    for row in catalogue() {
        let labels = row.labels.join("`, `");
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("`{labels}`")
        };
        let MetricInfo {
            name, kind, help, ..
        } = row;
        let when = when(row);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} | {when} |").unwrap();
    }
    compare("metrics.md", &page);
}

fn page(title: &str, introduction: &str) -> String {
    format!(
        "<!-- Written by msf-core/tests/it/reference.rs. Do not edit: {WAY_OUT} -->\n\n\
         # {title}\n\n{introduction}\n"
    )
}

/// # Panics
///
/// When the file does not hold this text, unless `BLESS` asks to write it.
#[track_caller]
fn compare(name: &str, generated: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(name);
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
        fs::write(&path, generated).unwrap();
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(generated.lines()).find(|(a, b)| a != b);
    assert!(
        written == generated,
        "docs/reference/{name} does not say what the code says ({}); {WAY_OUT}",
        match differs {
            Some((old, new)) => format!("first difference:\n  page: {old}\n  code: {new}\n"),
            None => "one of the two is longer".to_owned(),
        }
    );
}

const WAY_OUT: &str = "run `BLESS=1 cargo test -p msf-core --all-features reference`";
