//! How a shop starts.

use std::{fs, net::TcpListener, process::Stdio, time::Duration};

use tokio::time::Instant;

use super::{Shop, children};
use crate::process::command;

#[test]
fn it_is_ready_within_a_second_of_its_start() {
    // The other tests want the processors too, so the best of a few starts is what it can do.
    let best = (0..5)
        .map(|_| {
            let began = Instant::now();
            let _shop = Shop::start(&[]);
            began.elapsed()
        })
        .min();
    assert!(best < Some(Duration::from_secs(1)), "{best:?}");
}

#[test]
fn all_processes_together_take_less_than_150_mib() {
    let shop = Shop::start(&[]);
    let token = shop.ada();
    for _ in 0..20 {
        assert_eq!(shop.get("/api/orders", &token).status, 200);
        assert_eq!(shop.get("/api/inventory/products", "").status, 200);
    }
    let mut pids: Vec<u32> = shop.processes().into_values().collect();
    assert_eq!(pids.len(), 8);
    pids.push(shop.pid());
    let kib: u64 = pids.into_iter().map(proportional_kib).sum();
    assert!(kib < 150 * 1024, "{} MiB", kib / 1024);
}

/// Memory of a process, with what it shares split among those who share it.
fn proportional_kib(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup
        .lines()
        .find(|line| line.starts_with("Pss:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_busy_port_is_replaced_and_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let shop = Shop::start(&["--port", &port.to_string()]);
    assert_ne!(shop.gateway().port(), port);
    let said = format!("Port {port} is busy");
    assert!(
        shop.welcome.iter().any(|line| line.contains(&said)),
        "{:#?}",
        shop.welcome
    );
}

#[test]
fn two_shops_do_not_share_a_directory() {
    let data = std::env::temp_dir().join(format!("msf-shop-test-shared-{}", std::process::id()));
    let mut first = Shop::start(&["--data", data.to_str().unwrap()]);

    let second = command("shop").arg("--data").arg(&data).output().unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("in use by another shop"), "{error}");

    first.signal("-TERM");
    assert_eq!(first.ended().code(), Some(0));
    assert!(data.join("orders.db").exists());
    fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_service_that_cannot_start_is_named_with_its_last_words() {
    let data = std::env::temp_dir().join(format!("msf-shop-test-broken-{}", std::process::id()));
    fs::create_dir_all(data.join("payments.db")).unwrap();
    let output = command("shop")
        .args(["--port", "0", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    fs::remove_dir_all(&data).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    // Which of the two fails first is chance.
    assert!(error.starts_with("error: payment-"), "{error}");
    assert!(error.contains("ended while it started"), "{error}");
    assert!(error.contains("payments.db"), "{error}");
}

#[test]
fn one_process_does_it_too() {
    let mut shop = Shop::start(&["--in-process"]);
    assert!(children(shop.pid()).is_empty());
    let token = shop.ada();
    let key = "idempotency-key: in-process\r\n";
    let answer = shop.post(
        "/api/orders",
        &format!("{token}{key}"),
        &super::order(2, 1, "tok_visa"),
    );
    assert_eq!(answer.status, 201, "{answer:?}");
    shop.signal("-INT");
    assert_eq!(shop.ended().code(), Some(0));
    assert!(!shop.data().exists());
}

#[test]
fn wrong_arguments_end_it_with_2() {
    let output = command("shop")
        .arg("--dmeo")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--dmeo"));
}
