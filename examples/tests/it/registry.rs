//! `examples/registry`: what its first comment says to do, done.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use tokio::time::Instant;

use crate::process::{PATIENCE, command};

/// A part of the example. Killed when it is dropped.
struct Part(Child);

impl Part {
    /// Starts a part, and reads its first line.
    fn start(args: &[&str]) -> (Self, String) {
        let mut child = command("registry")
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        (Self(child), line)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The exit code, what it said and what it complained of.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = command("registry").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_demo_loses_no_call() {
    let (code, said, complained) = run(&["--demo", "--registry", "127.0.0.1:0"]);
    assert_eq!(code, Some(0), "{said}{complained}");
    for what in [
        "kill -KILL",
        "kill -TERM",
        "is draining",
        "left",
        " 0 failed",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let came = said.lines().filter(|line| line.contains(" came")).count();
    assert_eq!(came, 5, "three, and two that were started again: {said}");
    assert!(!said.contains('\x1b'), "no terminal, no table: {said}");
}

#[test]
fn what_it_does_not_understand_it_says() {
    let (code, said, complained) = run(&["--help"]);
    assert_eq!((code, complained.as_str()), (Some(0), ""));
    assert!(said.contains("cargo run --example registry"), "{said}");

    for (args, why) in [
        (&["--dmo"][..], "error: `--dmo` is not understood"),
        (&["instance"], "error: `instance` needs a value"),
        (&["instance", "x"], "error: `x` is no value of `instance`"),
        (
            &["--registry", "here"],
            "error: `here` is no value of `--registry`",
        ),
    ] {
        let (code, said, complained) = run(args);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{args:?}");
        assert!(complained.starts_with(why), "{args:?}: {complained}");
    }
}

#[test]
fn a_port_that_is_taken_ends_it_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for args in [
        &["--registry", &addr][..],
        &["serve", "--registry", &addr][..],
    ] {
        let (code, _, complained) = run(args);
        assert_eq!(code, Some(1), "{complained}");
        assert!(complained.contains(&addr), "{complained}");
        assert_eq!(complained.lines().count(), 1, "{complained}");
    }
}

#[test]
fn its_parts_find_each_other_and_end_when_they_are_told() {
    let (_registry, line) = Part::start(&["serve", "--registry", "127.0.0.1:0"]);
    let addr = line.trim().strip_prefix("the registry is at ").unwrap();
    let (mut instance, line) = Part::start(&["instance", "1", "--registry", addr]);
    assert!(line.starts_with("greeter-1-"), "{line}");
    let (mut caller, line) = Part::start(&["call", "--registry", addr]);
    assert!(line.contains("greeter-1-"), "{line}");

    for part in [&mut instance, &mut caller] {
        let id = part.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(told.success());
    }
    let deadline = Instant::now() + PATIENCE;
    for part in [instance, caller] {
        let mut part = part;
        while part.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
