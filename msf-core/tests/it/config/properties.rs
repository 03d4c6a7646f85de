//! No text and no bytes make it panic, and what it prints reads back: as properties.

use msf_core::config::{Loader, Plain};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Scratch, Secrets, Settings, Store, file, load};

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
