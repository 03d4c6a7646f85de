//! Configuration from the outside: precedence, every kind of problem word for word, and that no
//! secret gets out.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};

use msf_core::config::{Command, Config, Loader, Plain, Problems, Secret};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    server: Server,
    log: Log,
    tls: Option<Tls>,
    routes: Vec<Route>,
    weights: BTreeMap<String, u8>,
    ratio: f64,
    tags: Vec<String>,
    label: Option<String>,
    level: Option<u8>,
    verbose: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Server {
    bind: SocketAddr,
    workers: u16,
    #[serde(with = "msf_core::config::duration")]
    header_timeout: Duration,
    #[serde(with = "msf_core::config::size")]
    body_max: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: ([127, 0, 0, 1], 8080).into(),
            workers: 2,
            header_timeout: Duration::from_secs(5),
            body_max: 1 << 20,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Log {
    #[default]
    Pretty,
    Json,
    File {
        path: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tls {
    cert_file: String,
    key_file: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Route {
    path: String,
    #[serde(default)]
    weight: u8,
}

/// Loads what must be valid.
fn load(loader: &Loader) -> Settings {
    loader
        .load::<Plain<Settings>>()
        .unwrap()
        .into_loaded()
        .unwrap()
        .settings
}

/// The lines of the report between the first and the last.
fn problems<C: Config>(loader: &Loader) -> Vec<String> {
    let Err(error) = loader.load::<C>() else {
        panic!("it must not load")
    };
    assert_eq!(format!("{error:?}"), error.to_string());
    let text = error.to_string();
    assert!(
        text.starts_with("the configuration has ")
            && text.ends_with("\nrun with --help for every key")
    );
    let lines: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    lines[..lines.len() - 1].to_vec()
}

fn file(text: &str) -> Loader {
    Loader::new().file_text("a.toml", text)
}

/// A directory of this test's own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("msf-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

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
fn every_unknown_key_is_reported_with_what_was_meant() {
    let loader =
        file("[servr]\nbind = 'x'\n[server]\nwrokers = 1\n\n[[routes]]\npath = '/'\nwieght = 1")
            .env([
                ("MSF__SERVR__BIND", "x"),
                ("MSF__SERVER__TIMEOUT", "1s"),
                ("MSF__WORKERS", "1"),
            ])
            .args(["--tls.cert", "x", "--colour=red", "--server.wrokers", "3"]);
    assert_eq!(
        problems::<Plain<Settings>>(&loader),
        [
            "a.toml:8: routes[0].wieght: unknown key; did you mean routes[0].weight?",
            "env MSF__SERVER__TIMEOUT: server.timeout: unknown key; known here: bind, workers, header_timeout, body_max",
            "flag --server.wrokers: server.wrokers: unknown key; did you mean --server.workers?",
            "flag --tls.cert: tls.cert: unknown key; known here: certFile, keyFile",
            "flag --colour: colour: unknown key; known here: label, level, log, ratio, routes, server, tags, tls, verbose, weights",
            "a.toml:1: servr: unknown key; did you mean server?",
            "env MSF__SERVR__BIND: servr: unknown key; did you mean MSF__SERVER__BIND?",
            "env MSF__WORKERS: workers: unknown key; did you mean MSF__SERVER__WORKERS?",
        ]
    );
}

#[test]
fn every_wrong_value_is_reported_in_one_go() {
    let loader = file(
        "ratio = 'half'\n[server]\nworkers = 70000\nbind = 'localhost'\n[log]\nfile = 1\njson = 2\n\
         [[routes]]\nweight = 1\n[[routes]]\npath = '/'\nweight = 'x'\n[[routes]]\npath = 1\n\
         [weights]\na = 256\nb = -1\n",
    )
    .env([
        ("MSF__SERVER__HEADER_TIMEOUT", "5 parsecs"),
        ("MSF__LEVEL", "low"),
        ("MSF__TAGS", "[1,"),
        ("MSF__VERBOSE", "maybe"),
    ])
    .args(["--server.body_max=64K", "--label.x=1", "--tls=yes"]);
    assert_eq!(
        problems::<Plain<Settings>>(&loader),
        [
            "flag --label.x: label: expected a string, found a table",
            "env MSF__LEVEL: level: expected a whole number from 0 to 255, found \"low\"",
            "a.toml:5: log: expected a table with one key, the choice; found both \"file\" and \"json\"",
            "a.toml:1: ratio: expected a number, found \"half\"",
            "a.toml:8: routes[0].path: must be set",
            "a.toml:12: routes[1].weight: expected a whole number from 0 to 255, found \"x\"",
            "a.toml:14: routes[2].path: expected a string, found 1",
            "a.toml:4: server.bind: invalid socket address syntax",
            "flag --server.body_max: server.body_max: expected a size such as \"64KiB\", found \"64K\"",
            "env MSF__SERVER__HEADER_TIMEOUT: server.header_timeout: expected a duration such as \"5s\", found \"5 parsecs\"",
            "a.toml:3: server.workers: expected a whole number from 0 to 65535, found 70000",
            "env MSF__TAGS: tags: expected a list such as [1, 2] or 1,2: unclosed array, expected `]`",
            "flag --tls: tls: expected a table such as { key = \"value\" }, found a string",
            "env MSF__VERBOSE: verbose: expected true or false, found \"maybe\"",
            "a.toml:16: weights.a: expected a whole number from 0 to 255, found 256",
            "a.toml:17: weights.b: expected a whole number from 0 to 255, found -1",
        ]
    );
}

#[test]
fn a_wrong_choice_names_the_right_ones() {
    let one =
        |value: &str| problems::<Plain<Settings>>(&Loader::new().args([format!("--log={value}")]));
    assert_eq!(
        one("jsno"),
        ["flag --log: log: \"jsno\" is not one of the choices; did you mean \"json\"?"]
    );
    assert_eq!(
        one("syslog"),
        ["flag --log: log: \"syslog\" is not one of the choices; choose from pretty, json, file"]
    );
    assert_eq!(
        one("file"),
        ["flag --log: log: expected a table such as { \"file\" = .. }, found the name alone"]
    );
    assert_eq!(
        one("{ json = 1 }"),
        ["flag --log: log: \"json\" has no settings"]
    );
}

#[test]
fn flags_that_are_no_keys_are_reported() {
    let args = [
        "serve",
        "-v=3",
        "--",
        "--server..bind=1",
        "--label",
        "--print-config=yes",
        "--config",
        "--level",
    ];
    assert_eq!(
        problems::<Plain<Settings>>(&Loader::new().args(args)),
        [
            "argument 1 is not a flag; keys are set as --key=value",
            "flag -v: unknown flag; keys are set as --key=value",
            "flag --: unknown flag; keys are set as --key=value",
            "flag --server..bind: names no key",
            "flag --label: needs a value; write --label=VALUE if the value begins with --",
            "flag --print-config: takes no value",
            "flag --config: needs the name of a file",
            "flag --level: needs a value; write --level=VALUE if the value begins with --",
        ]
    );
}

#[test]
fn variables_that_name_no_key_are_reported() {
    let loader = Loader::new().env([
        ("MSF__", "1"),
        ("MSF__SERVER____BIND", "1"),
        (&format!("MSF{}", "__A".repeat(17)), "1"),
        ("MSF__LABEL", "1"),
        ("msf__label", "2"),
        ("MSF_SERVER", "not ours"),
        ("PATH", "not ours"),
    ]);
    assert_eq!(
        problems::<Plain<Settings>>(&loader),
        [
            "env MSF__: names no key: two underscores stand where a name should be",
            "env MSF__SERVER____BIND: names no key: two underscores stand where a name should be",
            &format!(
                "env MSF{}: names no key: it has too many parts",
                "__A".repeat(17)
            ),
            "env msf__label: is set a second time, as env MSF__LABEL",
        ]
    );
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_matters_only_if_it_is_ours() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let bytes = |bytes: &'static [u8]| OsStr::from_bytes(bytes).to_owned();

    load(&Loader::new().env([
        (bytes(b"OTHER"), bytes(b"\xff")),
        (bytes(b"\xff"), bytes(b"")),
    ]));

    let loader = Loader::new()
        .env([
            (bytes(b"MSF__LABEL"), bytes(b"hunter\xff")),
            (bytes(b"MSF__\xff"), bytes(b"1")),
        ])
        .args([
            bytes(b"--label=hunter\xff"),
            bytes(b"--label"),
            bytes(b"\xff"),
        ]);
    assert_eq!(
        problems::<Plain<Settings>>(&loader),
        [
            "argument 1 is not valid UTF-8",
            "flag --label: is not valid UTF-8",
            "env MSF__LABEL: is not valid UTF-8",
            "env MSF__\u{fffd}: is not valid UTF-8",
        ]
    );
}

#[test]
fn a_file_that_was_named_must_be_readable() {
    let scratch = Scratch::new("files");
    let dir = scratch.0.display().to_string();
    let one = |loader: Loader| {
        let mut problems = problems::<Plain<Settings>>(&loader);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0).replace(&dir, "DIR")
    };
    let named = |path: &PathBuf| one(Loader::new().file(path));

    assert_eq!(named(&scratch.0.join("none")), "DIR/none: does not exist");
    assert_eq!(named(&scratch.0), "DIR: is a directory, not a file");
    let latin1 = scratch.file("latin1", b"a = 1\n# \xe9\n");
    assert_eq!(named(&latin1), "DIR/latin1: is not valid UTF-8 in line 2");
    let large = scratch.file("large", vec![b'#'; (1 << 20) + 1]);
    assert_eq!(named(&large), "DIR/large: is larger than 1048576 bytes");
    load(&Loader::new().file(scratch.file("fits", vec![b'#'; 1 << 20])));

    let by_env = Loader::new().env([("MSF_CONFIG", scratch.0.join("none"))]);
    assert_eq!(
        one(by_env.clone()),
        "DIR/none: does not exist; the file was named by env MSF_CONFIG"
    );
    let flag = format!("--config={dir}/nix");
    assert_eq!(
        one(by_env.args([flag])),
        "DIR/nix: does not exist; the file was named by flag --config"
    );
}

#[test]
fn the_file_is_the_one_that_was_named_last() {
    let scratch = Scratch::new("which");
    let level = |loader: &Loader| load(loader).level.unwrap();
    let path = |level: u8| scratch.file(&format!("{level}.toml"), format!("level = {level}"));

    load(&Loader::new().default_file(scratch.0.join("none")));
    let loader = Loader::new().default_file(path(1));
    assert_eq!(level(&loader), 1);
    let loader = loader.file(path(2));
    assert_eq!(level(&loader), 2);
    let loader = loader.env([("MSF_CONFIG", path(3))]);
    assert_eq!(level(&loader), 3);
    let loader = loader.args(["--config".into(), path(4)]);
    assert_eq!(level(&loader), 4);
}

#[test]
fn a_file_with_broken_syntax_is_reported_beside_the_other_layers() {
    let loader = file("[server]\nworkers = 1\npassword = \"hunter2\n").args(["--levle=1"]);
    assert_eq!(
        problems::<Plain<Settings>>(&loader),
        [
            "a.toml:3: invalid basic string, expected `\"`",
            "flag --levle: levle: unknown key; did you mean --level?",
        ]
    );
    assert_eq!(
        problems::<Plain<Settings>>(&file("level = 1\nlevel = 2")),
        ["a.toml:2: duplicate key"]
    );
    let deep = format!("x = {}{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(problems::<Plain<Settings>>(&file(&deep)).len(), 1);
}

#[test]
fn many_problems_are_counted_and_not_all_printed() {
    let text: String = (0..500).map(|n| format!("key{n} = 1\n")).collect();
    let error = file(&text).load::<Plain<Settings>>().unwrap_err();
    assert_eq!(error.problems().len(), 100);
    let text = error.to_string();
    assert_eq!(text.lines().count(), 35);
    assert!(text.contains("\n  and 68 more\n"), "{text}");
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Pool {
    min: u32,
    max: u32,
    hosts: Vec<String>,
    nested: Server,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            min: 1,
            max: 8,
            hosts: vec!["a:1".into()],
            nested: Server::default(),
        }
    }
}

impl Config for Pool {
    type Resolved = Vec<SocketAddr>;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self::Resolved> {
        if self.min > self.max {
            problems.report(
                "max",
                format_args!("must be at least min, which is {}", self.min),
            );
        }
        let mut nested = problems.nested("nested");
        if self.nested.workers == 0 {
            nested.report("workers", "must be at least 1");
        }
        let hosts = self.hosts.iter().enumerate();
        let hosts: Vec<_> = hosts
            .map(|(index, host)| problems.check(&format!("hosts[{index}]"), host.parse()))
            .collect();
        hosts.into_iter().collect()
    }
}

#[test]
fn resolving_reports_several_problems_with_their_sources() {
    let loader = file("min = 9\nhosts = ['[::1]:1',\n'b']").args(["--nested.workers=0"]);
    assert_eq!(
        problems::<Pool>(&loader),
        [
            "default: max: must be at least min, which is 9",
            "flag --nested.workers: nested.workers: must be at least 1",
            "a.toml:3: hosts[1]: invalid socket address syntax",
        ]
    );
    let fine = file("hosts = ['[::1]:1']")
        .load::<Pool>()
        .unwrap()
        .into_loaded()
        .unwrap();
    assert_eq!(fine.settings, ["[::1]:1".parse().unwrap()]);
}

#[test]
fn what_could_not_be_read_is_not_also_refused() {
    let loader = Loader::new().args(["--hosts=b", "--max=none", "--min=9"]);
    assert_eq!(
        problems::<Pool>(&loader),
        [
            "flag --max: max: expected a whole number from 0 to 4294967295, found \"none\"",
            "flag --hosts: hosts[0]: invalid socket address syntax",
        ]
    );
}

#[test]
fn a_refusal_without_a_reason_is_still_a_problem() {
    #[derive(Default, Serialize, Deserialize)]
    struct Sulking {}
    impl Config for Sulking {
        type Resolved = ();
        fn resolve(self, _: &mut Problems<'_>) -> Option<()> {
            None
        }
    }
    assert_eq!(
        problems::<Sulking>(&Loader::new()),
        ["the settings were refused, and no reason was given"]
    );
}

#[test]
fn two_sections_share_a_file_and_claim_their_keys() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct App {
        greeting: String,
    }
    let loader = file("greeting = 'hello'\n[server]\nworkers = 3");
    let loaded = loader
        .load_pair::<Plain<Settings>, Plain<App>>()
        .unwrap()
        .into_loaded()
        .unwrap();
    assert_eq!(loaded.settings.0.server.workers, 3);
    assert_eq!(loaded.settings.1.greeting, "hello");
    assert!(loaded.explanation.to_string().contains("# a.toml:1"));

    loader.load_pair::<(), Plain<App>>().unwrap_err();
    file("greeting = 'x'")
        .load_pair::<Plain<App>, ()>()
        .unwrap()
        .into_loaded()
        .unwrap();

    let error = loader
        .load_pair::<Plain<Settings>, Plain<Settings>>()
        .unwrap_err();
    assert_eq!(error.problems().len(), 10);
    let first = error.problems()[0].to_string();
    assert!(
        first.starts_with(
            "label: is claimed by both it::config::Settings and it::config::Settings; "
        ),
        "{first}"
    );
    assert!(
        first.ends_with("; rename the key in one of the two types"),
        "{first}"
    );
}

#[test]
fn what_the_command_line_asks_for_is_returned() {
    let ask = |args: &[&str]| Loader::new().args(args).load::<Pool>();
    let Command::CheckConfig = ask(&["--check-config", "--hosts=[::1]:1"]).unwrap() else {
        panic!()
    };
    ask(&["--check-config"]).unwrap_err();

    // Help works with a broken configuration.
    let command = Loader::new()
        .env_prefix("ORDERS")
        .env([("ORDERS_CONFIG", "/nowhere")])
        .args(["--print-config", "--help"])
        .load::<Pool>()
        .unwrap();
    assert_eq!(
        command.to_string(),
        "\
usage: PROGRAM [--KEY=VALUE]...

  --config FILE   read settings from a TOML file, as does ORDERS_CONFIG=FILE
  --print-config  print every key, its value and where it came from
  --check-config  check the configuration and do not run
  --help          print this

A flag wins over its variable, a variable over the file, the file over the default.

KEY                    DEFAULT           VARIABLE
hosts                  [\"a:1\"]           ORDERS__HOSTS
max                    8                 ORDERS__MAX
min                    1                 ORDERS__MIN
nested.bind            \"127.0.0.1:8080\"  ORDERS__NESTED__BIND
nested.body_max        \"1MiB\"            ORDERS__NESTED__BODY_MAX
nested.header_timeout  \"5s\"              ORDERS__NESTED__HEADER_TIMEOUT
nested.workers         2                 ORDERS__NESTED__WORKERS"
    );
}

#[test]
fn print_config_shows_every_key_and_its_source() {
    let command = file("tags = ['a']\n[weights]\na = 1\n\"b c\" = 2\n[log.file]\npath = 'x'\n[[routes]]\npath = '/'\n")
        .env([("MSF__TLS", "{ certFile = 'c' }"), ("MSF__LEVEL", "3")])
        .args(["--print-config", "--server.workers=4"])
        .load::<Plain<Settings>>()
        .unwrap();
    let text = command.to_string();
    assert_eq!(
        text,
        "\
# label is not set                     # default
level = 3                              # env MSF__LEVEL
log.file.path = \"x\"                    # a.toml:6
ratio = 0.0                            # default
routes = [{ path = \"/\", weight = 0 }]  # a.toml:7
server.bind = \"127.0.0.1:8080\"         # default
server.body_max = \"1MiB\"               # default
server.header_timeout = \"5s\"           # default
server.workers = 4                     # flag --server.workers
tags = [\"a\"]                           # a.toml:1
tls.certFile = \"c\"                     # env MSF__TLS
tls.keyFile = \"\"                       # env MSF__TLS
verbose = false                        # default
weights.a = 1                          # a.toml:3
weights.\"b c\" = 2                      # a.toml:4"
    );
    // What is printed can be loaded again.
    let Command::Run(again) = file(&text).load::<Plain<Settings>>().unwrap() else {
        panic!()
    };
    assert_eq!(again.settings.server.workers, 4);
    assert_eq!(again.settings.weights["b c"], 2);
    let json = serde_json::to_value(&again.explanation).unwrap();
    assert_eq!(json[1]["env"], "MSF__LEVEL");
    assert_eq!(json[1]["source"], "a.toml:2");
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Secrets {
    token: Secret<String>,
    pin: Option<Secret<u32>>,
    keys: Vec<Secret<String>>,
    by_user: BTreeMap<String, Secret<String>>,
    store: Store,
    database: Option<Database>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Store {
    #[default]
    Memory,
    Redis {
        password: Secret<String>,
        keys: Vec<Secret<String>>,
        name: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Database {
    password: Secret<String>,
}

#[test]
fn secrets_are_read_from_every_place_and_shown_nowhere() {
    let scratch = Scratch::new("secrets");
    let path = scratch.file("key", "hunter3\r\n");
    let loader = file(&format!(
        "token = 'env:TOKEN'\nkeys = ['hunter2', 'file:{}']\n[store]\ntype = 'redis'\npassword = 'hunter5'\nkeys = []",
        path.display()
    ))
    .env([
        ("TOKEN", "env:hunter1"),
        ("MSF__PIN", "0004711"),
        ("MSF__BY_USER__ANN", "hunter4"),
        ("MSF__STORE__NAME", "12"),
        ("MSF__DATABASE", "{ password = 'hunter6' }"),
    ]);
    let loaded = loader
        .load::<Plain<Secrets>>()
        .unwrap()
        .into_loaded()
        .unwrap();
    let secrets = &loaded.settings;
    assert_eq!(secrets.token.expose(), "env:hunter1");
    assert_eq!(*secrets.pin.unwrap().expose(), 4711);
    assert_eq!(secrets.keys[0].expose(), "hunter2");
    assert_eq!(secrets.keys[1].expose(), "hunter3");
    assert_eq!(secrets.by_user["ann"].expose(), "hunter4");
    let Store::Redis { password, name, .. } = &secrets.store else {
        panic!()
    };
    assert_eq!(
        (password.expose().as_str(), name.as_str()),
        ("hunter5", "12")
    );
    assert_eq!(
        secrets.database.as_ref().unwrap().password.expose(),
        "hunter6"
    );

    let printed = [
        loaded.explanation.to_string(),
        format!("{loaded:?} {loader:?}"),
        serde_json::to_string(&loaded.explanation).unwrap(),
    ];
    for text in printed {
        assert!(!text.contains("hunter") && !text.contains("4711"), "{text}");
    }
}

#[test]
fn a_default_secret_stays_what_it_is() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default)]
    struct Inner {
        port: u16,
        token: Secret<String>,
        more: Vec<Secret<String>>,
    }
    impl Default for Inner {
        fn default() -> Self {
            Self {
                port: 1,
                token: Secret::new("hunter2".into()),
                more: vec![Secret::new("x".into())],
            }
        }
    }
    let loaded = Loader::new()
        .args(["--port=2"])
        .load::<Plain<Inner>>()
        .unwrap()
        .into_loaded()
        .unwrap();
    assert_eq!(loaded.settings.token.expose(), "hunter2");
    assert_eq!(loaded.settings.more[0].expose(), "x");
}

#[test]
fn no_error_about_a_secret_contains_it() {
    let broken = [
        file("token = 4711"),
        file("token = ['hunter2']"),
        file("token = { hunter2 = 'hunter2' }"),
        file("token = \"hunter2"),
        file("token = 'hunter2' hunter2"),
        file("tokn = 'hunter2'"),
        file("pin = 'hunter2'"),
        file("keys = 'hunter2'"),
        file("keys = [4711]"),
        file("by_user = 'hunter2'"),
        file("by_user = { a = 4711 }"),
        file("database = 'hunter2'"),
        file("database = { pasword = 'hunter2' }"),
        file("store = { type = 'redis', password = 4711, keys = [], name = '' }"),
        file("store = { type = 'redis', password = '', keys = 'hunter2', name = '' }"),
        file("token = 'env:hunter2-'"),
        file("token = 'env:MISSING'").env([("OTHER", "hunter2")]),
        Loader::new().env([("MSF__TOKN", "hunter2")]),
        Loader::new().env([("MSF__PIN", "hunter2")]),
        Loader::new().env([("MSF__KEYS", "['hunter2', ")]),
        Loader::new().env([("MSF__BY_USER", "{ a = 'hunter2' ")]),
        Loader::new().env([("MSF__BY_USER", "hunter2")]),
        Loader::new().env([("MSF__DATABASE", "hunter2")]),
        Loader::new().env([("MSF__STORE", "hunter2")]),
        Loader::new().env([
            ("MSF__STORE__TYPE", "redis"),
            ("MSF__STORE__KEYS", "hunter2"),
        ]),
        Loader::new().args(["--tokn=hunter2"]),
        Loader::new().args(["--tokn", "hunter2"]),
        Loader::new().args(["hunter2"]),
        Loader::new().args(["--pin", "hunter2"]),
    ];
    for loader in broken {
        let text = problems::<Plain<Secrets>>(&loader).join("\n");
        assert!(
            !text.contains("hunter2") && !text.contains("4711"),
            "{text}"
        );
    }
}

#[test]
fn a_broken_reference_names_the_place() {
    let scratch = Scratch::new("references");
    let one = |written: String| {
        let loader = Loader::new()
            .args([format!("--token={written}")])
            .env([("EMPTY", "")]);
        problems::<Plain<Secrets>>(&loader)
            .join("\n")
            .replace(&scratch.0.display().to_string(), "DIR")
    };
    let at = |name: &str| format!("file:{}/{name}", scratch.0.display());
    scratch.file("empty", "\n");
    scratch.file("large", vec![b'x'; (64 << 10) + 1]);
    scratch.file("binary", b"\xff");

    let start = "flag --token: token: the secret ";
    assert_eq!(
        one("env:NONE".into()),
        format!("{start}refers to NONE, which is not set")
    );
    assert_eq!(
        one("env:EMPTY".into()),
        format!("{start}refers to EMPTY, which is empty")
    );
    assert_eq!(
        one("env:a b".into()),
        format!("{start}begins with env: but no variable name follows")
    );
    let file = |name: &str, reason: &str| {
        assert_eq!(
            one(at(name)),
            format!("{start}cannot be read from file \"DIR/{name}\": {reason}")
        );
    };
    file("none", "it does not exist");
    file("empty", "it is empty");
    file("large", "it is larger than 65536 bytes");
    file("binary", "it is not valid UTF-8");
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

/// Text that resembles configuration more than random bytes do.
fn almost_toml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[server]",
        "[[routes]]",
        "[log.file]",
        "workers",
        "bind",
        "routes",
        "tls",
        "log",
        "=",
        " = ",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ".",
        "\n",
        "1",
        "-1",
        "1e999",
        "0xff",
        "99999999999999999999999",
        "true",
        "nan",
        "1979-05-27",
        "'x'",
        "é",
        "\u{0}",
        "weights",
        "server",
        "path",
        "store",
        "type",
        "redis",
        "memory",
        "token",
        "by_user",
        "database",
        "env:",
        "file:/",
        "file:/dev/null",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_panics(
        text in prop_oneof![almost_toml(), any::<String>()],
        variables in prop::collection::vec((almost_toml(), almost_toml(), any::<bool>()), 0..4),
        args in prop::collection::vec((almost_toml(), any::<bool>()), 0..6),
    ) {
        let variables: Vec<_> = variables
            .into_iter()
            .map(|(name, value, ours)| (if ours { format!("MSF__{name}") } else { name }, value))
            .collect();
        let args: Vec<_> =
            args.into_iter().map(|(arg, flag)| if flag { format!("--{arg}") } else { arg }).collect();
        // `--config` would read whatever the text names.
        prop_assume!(args.iter().all(|arg| !arg.starts_with("--config")));
        let loader = file(&text).env(variables).args(args);
        match loader.load_pair::<Plain<Settings>, Plain<Other>>() {
            Ok(command) => drop(command.to_string()),
            Err(error) => assert!(!error.problems().is_empty() && !error.to_string().is_empty()),
        }
        match loader.load::<Plain<Secrets>>() {
            Ok(command) => drop(command.to_string()),
            Err(error) => assert!(!error.problems().is_empty()),
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_bytes_panic(file in any::<Vec<u8>>(), name in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
        let scratch = Scratch::new("bytes");
        let name = [b"MSF__", name.as_slice()].concat();
        let loader = Loader::new()
            .file(scratch.file("any", file))
            .env([(OsString::from_vec(name), OsString::from_vec(value.clone()))])
            .args([OsString::from_vec([b"--", value.as_slice()].concat()), OsString::from_vec(value)]);
        drop(loader.load::<Plain<Settings>>().map(|command| command.to_string()));
    }

    #[test]
    fn a_value_reads_back_from_what_print_config_prints(
        label in any::<String>(), level in any::<Option<u8>>(), tags in any::<Vec<String>>(),
    ) {
        // A label in a file, where no text is None.
        let json = serde_json::json!({ "label": label, "tags": tags });
        let settings: Settings = serde_json::from_value(json).unwrap();
        let loader = file(&toml_of(&settings)).args(level.map(|level| format!("--level={level}")));
        let loaded = loader.load::<Plain<Settings>>().unwrap().into_loaded().unwrap();
        let again = load(&file(&loaded.explanation.to_string()));
        prop_assert_eq!(&again, &loaded.settings);
        prop_assert_eq!(again.label.unwrap(), label);
        prop_assert_eq!(again.tags, tags);
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Other {
    store: Store,
    anything: serde_json::Value,
}

/// TOML with every character that is not a letter escaped.
fn toml_of(settings: &Settings) -> String {
    let quote = |text: &String| {
        let escaped: String = text
            .chars()
            .map(|c| format!("\\U{:08X}", u32::from(c)))
            .collect();
        format!("\"{escaped}\"")
    };
    let tags: Vec<_> = settings.tags.iter().map(quote).collect();
    format!(
        "label = {}\ntags = [{}]",
        quote(settings.label.as_ref().unwrap()),
        tags.join(",")
    )
}
