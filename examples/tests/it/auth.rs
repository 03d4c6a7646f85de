//! `examples/auth`: what its first comment says to do, done.

use std::{net::TcpListener, process::Output};

use crate::process::command;

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command("auth").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
#[ignore = "needs curl on PATH"]
fn the_demo_has_no_wrong_answer() {
    let (code, said, complained) = run(&["--demo", "--port", "0"]);
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(said.contains(" steps, 0 wrong"), "{said}");
    // Nobody's token is in what it prints or logs.
    for text in [&said, &complained] {
        assert!(!text.contains("eyJ") && !text.contains("msfr_"), "{text}");
        assert!(!text.contains("lovelace-1815"), "{text}");
    }
}

#[test]
fn what_it_does_not_understand_it_says() {
    let (code, said, complained) = run(&["--help"]);
    assert_eq!((code, complained.as_str()), (Some(0), ""));
    assert!(said.contains("cargo run --example auth"), "{said}");
    for (args, why) in [
        (&["--dmo"][..], "error: `--dmo` is not understood"),
        (&["--port"], "error: `--port` needs a value"),
        (&["--port", "x"], "error: `x` is no value of `--port`"),
    ] {
        let (code, said, complained) = run(args);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{args:?}");
        assert!(complained.starts_with(why), "{args:?}: {complained}");
    }
}

#[test]
fn a_port_that_is_taken_ends_it_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, complained) = run(&["--port", &port]);
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains(&port), "{complained}");
    assert_eq!(complained.lines().count(), 1, "{complained}");
}

#[test]
fn keys_that_others_may_read_are_not_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = std::env::temp_dir().join(format!("msf-auth-open-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, _, complained) = run(&["--port", "0", "--keys", dir.to_str().unwrap()]);
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains(dir.to_str().unwrap()), "{complained}");
}
