//! What is asked for instead of a start: help, a check, the settings with their sources.

use msf_core::config::{Command, Loader, Plain};

use super::{Pool, Settings, file};

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
