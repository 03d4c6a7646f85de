//! Secrets: read from every place, shown nowhere.

use msf_core::config::{Loader, Plain, Secret};
use serde::{Deserialize, Serialize};

use super::{Scratch, Secrets, Store, file, problems};

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
