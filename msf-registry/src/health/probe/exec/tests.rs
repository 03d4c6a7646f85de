//! With real commands.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use tokio::time::{sleep, timeout};

use super::*;

fn instance() -> Instance {
    let (service, id) = (ServiceName::new("db"), InstanceId::new("db-1"));
    Instance::new(service.unwrap(), id.unwrap(), "[::1]:5432".parse().unwrap())
}

fn sh(script: &str) -> ExecProbe {
    ExecProbe::new("sh").arg("-c").arg(script)
}

async fn why(probe: ExecProbe) -> String {
    probe.probe(&instance()).await.unwrap_err().line()
}

#[tokio::test]
async fn the_exit_code_decides() {
    assert!(sh("exit 0").probe(&instance()).await.is_ok());
    let line = why(sh("echo 'it is \u{1b}[31mfull' >&2; echo more >&2; exit 3")).await;
    assert_eq!(line, "exit status: 3: it is  [31mfull");
    assert!(why(sh("kill -9 $$")).await.contains("signal: 9"));
}

#[tokio::test]
async fn a_command_that_is_not_there_says_nothing_about_an_instance() {
    for (program, why) in [
        ("/no/such/command", "No such file"),
        ("/dev/null", "Permission denied"),
    ] {
        let failed = ExecProbe::new(program).probe(&instance()).await;
        let failed = failed.unwrap_err();
        assert!(failed.line().contains(why), "{}", failed.line());
        assert!(failed.is_ours());
    }
    assert!(
        !sh("exit 127")
            .probe(&instance())
            .await
            .unwrap_err()
            .is_ours()
    );
}

#[tokio::test]
async fn the_instance_is_in_arguments_and_environment_and_no_shell_reads_it() {
    let script = r#"test "$0 $1" = "::1:5432 [::1]:5432 db-1 db" && test "$MSF_HOST $MSF_PORT" = "::1 5432" &&
        test "$MSF_ADDR" = "[::1]:5432" && test "$MSF_SERVICE/$MSF_INSTANCE" = db/db-1 && test "$LEVEL" = 2"#;
    let probe = sh(script)
        .arg("{host}:{port}")
        .arg("{addr} {id} {service}")
        .env("LEVEL", "2");
    assert!(probe.probe(&instance()).await.is_ok());
    let injected = ExecProbe::new("test").arg("; exit 0").arg("=").arg("x");
    assert!(injected.probe(&instance()).await.is_err());
}

#[tokio::test]
async fn of_our_environment_it_gets_the_path_alone() {
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
    let probe = sh(r#"test -n "$PATH" && test -z "$CARGO_PKG_NAME" && test -z "$HOME""#);
    assert!(probe.probe(&instance()).await.is_ok());
}

/// Waits for a file with a process id, and for the end of that process.
async fn ended(file: &Path) {
    let deadline = clock::now() + Duration::from_secs(10);
    loop {
        let pid = std::fs::read_to_string(file).unwrap_or_default();
        let pid = pid.trim();
        // A zombie has ended; who inherits it here may never wait for it.
        let is_gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z"),
            Err(_) => true,
        };
        if !pid.is_empty() && is_gone() {
            return;
        }
        assert!(clock::now() < deadline, "{pid:?} lives");
        sleep(Duration::from_millis(10)).await;
    }
}

fn pid_file(name: &str) -> PathBuf {
    let name = format!("msf-exec-{}-{name}", std::process::id());
    std::env::temp_dir().join(name)
}

#[tokio::test]
async fn what_takes_too_long_is_killed_with_all_that_it_started() {
    let file = pid_file("late");
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let probe = sh(&script);
    let late = timeout(Duration::from_millis(300), probe.probe(&instance())).await;
    assert!(late.is_err());
    ended(&file).await;
    drop(std::fs::remove_file(file));
}

#[tokio::test]
async fn what_writes_without_end_is_killed() {
    let line = timeout(Duration::from_secs(10), why(sh("exec yes >&2"))).await;
    assert!(line.unwrap().contains("more than 65536 bytes"));
    let quiet = sh("yes | head -c 1000000; exit 0");
    assert!(
        quiet.probe(&instance()).await.is_ok(),
        "output is thrown away"
    );
}

#[tokio::test]
async fn whoever_holds_the_pipe_open_is_not_waited_for() {
    let begun = clock::now();
    let file = pid_file("daemon");
    let script = format!("sleep 600 & echo $! > {}; exit 1", file.display());
    assert!(why(sh(&script)).await.contains("exit status: 1"));
    assert!(clock::now() - begun < Duration::from_secs(30));
    let pid = std::fs::read_to_string(&file).unwrap();
    let killed = std::process::Command::new("kill").arg(pid.trim()).status();
    assert!(
        killed.unwrap().success(),
        "what ended by itself keeps what it started"
    );
    drop(std::fs::remove_file(file));
}
