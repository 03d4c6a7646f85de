//! Keys and values that are wrong, word for word.

use msf_core::config::{Loader, Plain};

use super::{Settings, file, load, problems};

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
fn many_problems_are_counted_and_not_all_printed() {
    let text: String = (0..500).map(|n| format!("key{n} = 1\n")).collect();
    let error = file(&text).load::<Plain<Settings>>().unwrap_err();
    assert_eq!(error.problems().len(), 100);
    let text = error.to_string();
    assert_eq!(text.lines().count(), 35);
    assert!(text.contains("\n  and 68 more\n"), "{text}");
}
