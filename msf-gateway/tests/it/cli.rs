//! The program.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use msf_core::{
    body::Body,
    name::{InstanceId, ServiceName},
    testing::TestServer,
};
use tokio::time;

use crate::common::{PATIENCE, get, hello};

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = InstanceId::random(&ServiceName::new("cli").unwrap());
        let path = std::env::temp_dir().join(format!("msf-gateway-{name}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        let beside = self.0.join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &path).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs; it ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_msf-gateway"));
    command.args(args).env_remove("MSF_GATEWAY_CONFIG");
    command
}

fn outcome(args: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn file(upstream: SocketAddr, path: &str) -> String {
    format!(
        r#"
workers = 1
[[listeners]]
bind = "127.0.0.1:0"
[admin]
bind = "127.0.0.1:0"
[clusters.users]
endpoints = ["http://{upstream}"]
[[routes]]
id = "users"
match = {{ path = "{path}" }}
to = "users"
"#
    )
}

fn nowhere() -> SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn check_says_that_a_file_is_valid_or_everything_that_is_wrong() {
    let dir = Dir::new();
    let good = dir.file("good.toml", &file(nowhere(), "/api/users/**"));
    let (code, out, _) = outcome(&["check", "--config", text(&good)]);
    assert_eq!(code, 0);
    assert!(out.contains("is valid: 1 route, 1 cluster"), "{out}");

    let wrong = file(nowhere(), "/a")
        .replace("to =", "too =")
        .replace("[admin]", "[admins]");
    let wrong = dir.file("wrong.toml", &wrong);
    let (code, out, err) = outcome(&["check", "--config", text(&wrong)]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("did you mean routes[0].to?"), "{err}");
    assert!(err.contains("did you mean admin?"), "{err}");
    assert!(err.contains("wrong.toml:12"), "{err}");

    let (code, _, err) = outcome(&["check", "--config", "/nowhere.toml"]);
    assert_eq!(code, 1);
    assert!(err.contains("/nowhere.toml: No such file"), "{err}");
}

#[test]
fn explain_says_which_route_and_why() {
    let dir = Dir::new();
    let path = dir.file("g.toml", &file(nowhere(), "/api/users/**"));
    let ask = |url| outcome(&["explain", "--config", text(&path), url]);
    let (code, out, _) = ask("http://shop.example/api/users/7");
    assert_eq!(code, 0);
    assert!(out.contains("users"), "{out}");
    let (code, out, _) = ask("http://shop.example/api/orders");
    assert_eq!(code, 1, "{out}");
    let json = [
        "explain",
        "-c",
        text(&path),
        "--json",
        "-X",
        "POST",
        "/api/users/7",
    ];
    let (code, out, _) = outcome(&json);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["method"], "POST");
}

#[test]
fn diff_says_what_differs() {
    let dir = Dir::new();
    let one = dir.file("one.toml", &file(nowhere(), "/a/**"));
    let other = dir.file(
        "other.toml",
        &(file(nowhere(), "/b/**") + "timeout = \"3s\"\n"),
    );
    let (code, out, _) = outcome(&["diff", "-c", text(&one), "--with", text(&other)]);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "~ routes[users].match.path: \"/a/**\" -> \"/b/**\"\n+ routes[users].timeout: \"3s\"\n"
    );
    let (code, out, _) = outcome(&["diff", "-c", text(&one), text(&one)]);
    assert_eq!((code, out.as_str()), (0, ""));
}

#[test]
fn the_schema_is_json_and_help_is_there() {
    let (code, out, _) = outcome(&["schema"]);
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["title"], "GatewayConfig");
    let (code, out, _) = outcome(&["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("Exit codes"), "{out}");
    assert_eq!(outcome(&["fly"]).0, 2);
    assert_eq!(outcome(&["run"]).0, 2);
}

#[test]
fn run_fails_with_a_code_that_says_why() {
    let dir = Dir::new();
    let wrong = dir.file("wrong.toml", "workers = 0");
    let (code, _, err) = outcome(&["run", "-c", text(&wrong)]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("must be 1 or more"), "{err}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let busy = file(nowhere(), "/a").replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    let busy = dir.file("busy.toml", &busy);
    let (code, _, err) = outcome(&["run", "-c", text(&busy)]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("in use"), "{err}");
}

#[tokio::test]
async fn run_serves_reloads_on_change_and_on_sighup_and_drains() {
    let upstream = TestServer::start(tower::service_fn(|request: http::Request<Body>| async {
        Ok::<_, std::convert::Infallible>(hello(request).await)
    }))
    .await;
    let dir = Dir::new();
    let path = dir.file("g.toml", &file(upstream.addr(), "/one/**"));
    // Polled so seldom that only the signal is left.
    let mut run = command(&["run", "-c", text(&path), "--poll", "1h"]);
    run.env("RUST_LOG", "info")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = Program(run.spawn().unwrap());
    let addr = listening(&mut program.0);
    assert_eq!(get(addr, "/one/x").await.text(), "hello");
    assert_eq!(get(addr, "/two/x").await.status(), 404);

    dir.file("g.toml", &file(upstream.addr(), "/two/**"));
    signal(&program.0, "HUP");
    until(addr, "/two/x", 200).await;
    assert_eq!(get(addr, "/one/x").await.status(), 404);

    dir.file("g.toml", "broken = ");
    signal(&program.0, "HUP");
    time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(get(addr, "/two/x").await.text(), "hello");

    signal(&program.0, "TERM");
    let ended = tokio::task::spawn_blocking(move || program.0.wait().unwrap());
    let status = time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

/// The address that the program says in its log.
fn listening(program: &mut Child) -> SocketAddr {
    let lines = BufReader::new(program.stdout.take().unwrap());
    let (found, find) = mpsc::channel();
    // Reads on, so that the program is never held up by a full pipe.
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
                let addr = rest[..end.unwrap_or(rest.len())].parse().unwrap();
                let _nobody_asks_twice = found.send(addr);
            }
        }
    });
    find.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ended = program.kill();
        let mut said = String::new();
        let _read = program.stderr.take().unwrap().read_to_string(&mut said);
        panic!("it does not listen: {said}")
    })
}

async fn until(addr: SocketAddr, path: &str, status: u16) {
    let reached = async {
        while get(addr, path).await.status() != status {
            time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    time::timeout(PATIENCE, reached).await.unwrap();
}

fn signal(program: &Child, name: &str) {
    let kill = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(program.id().to_string())
        .status();
    assert!(kill.unwrap().success());
}
