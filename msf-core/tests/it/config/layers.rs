//! Files, variables and flags: which of them wins, and what they make of their text.

use std::{collections::BTreeMap, time::Duration};

use msf_core::config::{Loader, Plain};
use serde::{Deserialize, Serialize};

use super::{Log, Pool, Route, Server, Settings, Tls, file, load};

#[test]
fn a_later_layer_wins() {
    let text = "[server]\nworkers = 3";
    let env = [("MSF__SERVER__WORKERS", "4")];
    let args = ["--server.workers=5"];
    let workers = |loader: Loader| load(&loader).server.workers;

    assert_eq!(workers(Loader::new()), 2);
    assert_eq!(workers(file(text)), 3);
    assert_eq!(workers(file(text).env(env)), 4);
    assert_eq!(workers(file(text).env(env).args(args)), 5);
    assert_eq!(workers(file(text).args(args)), 5);
    assert_eq!(workers(Loader::new().env(env).args(args)), 5);
    assert_eq!(
        workers(Loader::new().args(["--server.workers=5", "--server.workers", "6"])),
        6
    );
}

#[test]
fn a_layer_changes_only_what_it_mentions() {
    let settings =
        load(&file("[server]\nbody_max = '2MiB'").env([("MSF__SERVER__BIND", "[::1]:0")]));
    let expected = Server {
        body_max: 2 << 20,
        bind: "[::1]:0".parse().unwrap(),
        ..Server::default()
    };
    assert_eq!(
        settings,
        Settings {
            server: expected,
            ..Settings::default()
        }
    );
}

/// What the outer default says about a nested struct survives a change to one of its keys.
#[test]
fn an_outer_default_beats_the_default_of_the_nested_type() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default)]
    struct Outer {
        server: Server,
    }
    impl Default for Outer {
        fn default() -> Self {
            Self {
                server: Server {
                    workers: 64,
                    ..Server::default()
                },
            }
        }
    }
    let loader = Loader::new().args(["--server.body_max=1kB"]);
    let outer = loader
        .load::<Plain<Outer>>()
        .unwrap()
        .into_loaded()
        .unwrap()
        .settings;
    assert_eq!((outer.server.workers, outer.server.body_max), (64, 1000));
}

#[test]
fn text_becomes_what_the_type_asks_for() {
    let settings = load(&Loader::new().env([
        ("MSF__LABEL", "007"),
        ("MSF__LEVEL", "7"),
        ("MSF__VERBOSE", "Yes"),
        ("MSF__RATIO", "3"),
        ("MSF__TAGS", "1, b"),
        (
            "MSF__ROUTES",
            "[{ path = '/', weight = 3 }, { path = '/x' }]",
        ),
        ("MSF__WEIGHTS", r#"{"a": 1}"#),
        ("MSF__WEIGHTS__B", "2"),
        ("MSF__LOG__FILE__PATH", "/tmp/log"),
        ("MSF__TLS__CERT_FILE", "1.5"),
        ("MSF__SERVER", "{ workers = 9 }"),
        ("msf__server__body_max", "1_000"),
    ]));
    assert_eq!(settings.label.as_deref(), Some("007"));
    assert_eq!((settings.level, settings.verbose), (Some(7), true));
    assert!((settings.ratio - 3.0).abs() < f64::EPSILON);
    assert_eq!(settings.tags, ["1", "b"]);
    assert_eq!(
        settings.routes[0],
        Route {
            path: "/".into(),
            weight: 3
        }
    );
    assert_eq!(settings.routes[1].weight, 0);
    assert_eq!(
        settings.weights,
        BTreeMap::from([("a".into(), 1), ("b".into(), 2)])
    );
    assert_eq!(
        settings.log,
        Log::File {
            path: "/tmp/log".into()
        }
    );
    assert_eq!(
        settings.tls,
        Some(Tls {
            cert_file: "1.5".into(),
            key_file: String::new()
        })
    );
    assert_eq!(
        (settings.server.workers, settings.server.body_max),
        (9, 1000)
    );
}

#[test]
fn flags_are_spelled_as_people_spell_them() {
    let settings = load(&Loader::new().args([
        "--verbose",
        "--server.header-timeout",
        "1m 30s",
        "--Server.Workers=7",
        "--level",
        "8",
        "--tls.certFile=x",
        "--log=json",
        "--ratio",
        "-2.5",
    ]));
    assert!(settings.verbose);
    assert_eq!(settings.server.header_timeout, Duration::from_secs(90));
    assert_eq!((settings.server.workers, settings.level), (7, Some(8)));
    assert_eq!(settings.tls.unwrap().cert_file, "x");
    assert_eq!(settings.log, Log::Json);
    assert!((settings.ratio + 2.5).abs() < f64::EPSILON);
    assert!(!load(&Loader::new().args(["--verbose", "false"])).verbose);
}

#[test]
fn an_empty_variable_takes_back_an_option() {
    let loader = file("label = 'x'\nlevel = 3").env([("MSF__LABEL", ""), ("MSF__LEVEL", "")]);
    assert_eq!(load(&loader), Settings::default());
}

#[test]
fn a_choice_replaces_the_choice_of_the_file() {
    let text = "[log.file]\npath = 'x'";
    assert_eq!(load(&file(text).args(["--log=pretty"])).log, Log::Pretty);
    assert_eq!(load(&file(text)).log, Log::File { path: "x".into() });
}

#[test]
fn an_alias_replaces_the_default() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Outer {
        inner: Aliased,
    }
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Aliased {
        #[serde(alias = "addr")]
        bind: String,
    }
    let load = |text| file(text).load::<Plain<Outer>>();
    let outer = load("inner.addr = 'x'")
        .unwrap()
        .into_loaded()
        .unwrap()
        .settings;
    assert_eq!(outer.inner.bind, "x");
    let error = load("inner.addr = 'x'\ninner.bind = 'y'").unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "a.toml:2: inner.bind: is set twice, under two names"
    );
}

#[test]
fn addresses_in_brackets_are_a_list_without_brackets() {
    let hosts = |text: &str| {
        let loader = Loader::new().args([format!("--hosts={text}")]);
        loader
            .load::<Plain<Pool>>()
            .unwrap()
            .into_loaded()
            .unwrap()
            .settings
            .hosts
    };
    assert_eq!(hosts("[::1]:1,[::2]:2"), ["[::1]:1", "[::2]:2"]);
    assert_eq!(hosts("['[::1]:1']"), ["[::1]:1"]);
    assert_eq!(hosts("[]"), [""; 0]);
    assert_eq!(hosts(""), [""; 0]);
}
