//! What is left of a shop: nothing.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{Shop, signal};
use crate::process::{PATIENCE, command};

/// Waits until processes are gone, ports are closed and the directory is removed.
fn assert_nothing_is_left(pids: &[u32], addrs: &[std::net::SocketAddr], data: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        let open: Vec<_> = addrs
            .iter()
            .filter(|addr| TcpStream::connect(addr).is_ok())
            .collect();
        if alive.is_empty() && open.is_empty() && !data.exists() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "alive: {alive:?}, open: {open:?}, data: {}",
            data.exists()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .trim()
        .chars()
        .next();
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn ctrl_c_and_sigterm_leave_nothing_behind() {
    for name in ["-INT", "-TERM"] {
        let mut shop = Shop::start(&[]);
        let pids: Vec<_> = shop.processes().into_values().collect();
        assert_eq!(pids.len(), 8);
        let (addrs, data) = (shop.addresses(), shop.data());
        let asked = Instant::now();
        shop.signal(name);
        assert_eq!(shop.ended().code(), Some(0));
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
        assert_nothing_is_left(&pids, &addrs, &data);
    }
}

#[test]
fn a_signal_at_any_moment_of_the_start_leaves_nothing_behind() {
    let tmp = std::env::temp_dir().join(format!("msf-shop-test-start-{}", std::process::id()));
    fs::create_dir_all(&tmp).unwrap();
    for after in (0..200).step_by(8).map(Duration::from_millis) {
        let mut child = command("shop")
            .args(["--port", "0"])
            .env("TMPDIR", &tmp)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(after);
        // Not -INT, which shells let programs in the background ignore until these ask for it.
        signal(child.id(), "-TERM");
        child.wait().unwrap();
        let left: Vec<_> = fs::read_dir(&tmp).unwrap().flatten().collect();
        assert!(left.is_empty(), "after {after:?}: {left:?}");
    }
    fs::remove_dir_all(&tmp).unwrap();
}

#[test]
fn a_killed_shop_leaves_nothing_behind() {
    let mut shop = Shop::start(&[]);
    let pids: Vec<_> = shop.processes().into_values().collect();
    let (addrs, data) = (shop.addresses(), shop.data());
    shop.signal("-KILL");
    shop.ended();
    assert_nothing_is_left(&pids, &addrs, &data);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut shop = Shop::start(&[]);
    let pids: Vec<_> = shop.processes().into_values().collect();
    let (addrs, data) = (shop.addresses(), shop.data());
    // A stopped process cannot drain, so only the second signal can end this in time.
    let gateway = shop.processes()["gateway"];
    signal(gateway, "-STOP");
    shop.signal("-TERM");
    shop.says("ending");
    let asked = Instant::now();
    shop.signal("-TERM");
    assert_eq!(shop.ended().code(), Some(130));
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    assert_nothing_is_left(&pids, &addrs, &data);
}

#[test]
fn a_killed_service_comes_back_and_says_so() {
    let shop = Shop::start(&[]);
    for instance in ["registry", "gateway"] {
        let before = shop.address(instance);
        signal(shop.processes()[instance], "-KILL");
        let died = shop.says("died");
        assert!(
            died.contains(instance) && died.contains("signal: 9"),
            "{died}"
        );
        let back = shop.says("is back");
        assert!(
            back.contains(&format!("{instance} is back on {before}")),
            "{back}"
        );
    }
}

#[test]
fn a_killed_service_comes_back_although_the_program_was_rebuilt() {
    let tmp = std::env::temp_dir().join(format!("msf-shop-test-rebuilt-{}", std::process::id()));
    fs::create_dir_all(&tmp).unwrap();
    let program = tmp.join("shop");
    fs::copy(command("shop").get_program(), &program).unwrap();
    let shop = Shop::run(Command::new(&program), &[]);
    fs::remove_dir_all(&tmp).unwrap();

    signal(shop.processes()["payment-1"], "-KILL");
    shop.says("payment-1 died");
    shop.says("payment-1 is back");
}
