//! The file: which one it is, and what cannot be read.

use std::path::PathBuf;

use msf_core::config::{Loader, Plain};

use super::{Scratch, Settings, file, load, problems};

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
