//! Several processes, and such that die.

use super::*;

/// What the tests below start as processes of their own.
#[tokio::test]
async fn child() {
    let Ok(dir) = env::var("MSF_AUTH_RING_DIR") else {
        return;
    };
    let dir = std::mem::ManuallyDrop::new(Dir(dir.into()));
    let now_s = env::var("MSF_AUTH_RING_NOW_S").map(|text| text.parse().unwrap());
    let ring = dir.open_at(now_s.unwrap_or(NOW_S)).unwrap();
    println!("\nready");
    let mut done = 0;
    let wanted: u32 = env::var("MSF_AUTH_RING_TIMES").unwrap().parse().unwrap();
    while done < wanted {
        let key = ring.keys()[0].key_id.clone();
        match ring.revoke(&key).await {
            Ok(_) => done += 1,
            // Another process was first.
            Err(KeyRingError::UnknownKey(_)) => drop(ring.rotate().await.unwrap()),
            Err(error) => {
                println!("failed {error:?}");
                let before = ring.keys();
                TokenIssuer::with_ring(ISSUER, ring.clone());
                assert_eq!(ring.keys(), before);
                return;
            }
        }
    }
}

fn start(dir: &Dir, times: u32, prefix: &str) -> Child {
    start_at(dir, NOW_S, times, prefix)
}

fn start_at(dir: &Dir, now_s: u64, times: u32, prefix: &str) -> Child {
    let command = format!("{prefix} exec \"$0\" key_ring::processes::child --exact --nocapture");
    Command::new("sh")
        .args(["-c", &command])
        .arg(env::current_exe().unwrap())
        .env("MSF_AUTH_RING_DIR", &dir.0)
        .env("MSF_AUTH_RING_NOW_S", now_s.to_string())
        .env("MSF_AUTH_RING_TIMES", times.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_change_the_ring_together_lose_nothing() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let before = dir.generation();
    let children: Vec<Child> = (0..4).map(|_| start(&dir, 10, "")).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    // Each of them counted.
    assert_eq!(dir.generation(), before + 40);
    let ring_now = dir.open().unwrap();
    assert_eq!(states(&ring_now), [KeyState::Active, KeyState::Staged]);
    assert_eq!(dir.files().len(), 3);
    assert_ne!(ring.keys(), ring_now.keys());
}

#[test]
fn a_process_that_is_killed_in_the_middle_leaves_a_ring() {
    let dir = Dir::new();
    dir.open().unwrap();
    for _ in 0..8 {
        let mut child = start(&dir, u32::MAX, "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while lines.next().unwrap().unwrap() != "ready" {}
        thread::sleep(Duration::from_millis(fastrand::u64(1..40)));
        child.kill().unwrap();
        child.wait().unwrap();
        let ring = dir.open().unwrap();
        assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);
        // What it left is swept.
        assert_eq!(dir.files().len(), 3, "{:?}", dir.files());
    }
}

#[test]
fn on_a_full_disk_the_ring_stays() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let before = fs::read(dir.manifest()).unwrap();
    // No file may grow, as on a full disk, and that is no reason to die.
    let mut child = start(&dir, 1, "trap '' XFSZ; ulimit -f 0;");
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    assert!(
        output.contains("failed Key(Io {") || output.contains("failed Io {"),
        "{output}"
    );
    assert_eq!(fs::read(dir.manifest()).unwrap(), before);
    assert_eq!(dir.open().unwrap().keys(), ring.keys());
    assert_eq!(dir.files().len(), 3, "{:?}", dir.files());
}

#[test]
fn on_a_full_disk_a_process_starts_with_the_ring_as_it_is() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    // The staged key is due, and cannot be made the one that signs.
    let child = start_at(&dir, NOW_S + 1_000, 0, "trap '' XFSZ; ulimit -f 0;");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("ready"), "{text}");
    assert_eq!(dir.open().unwrap().keys(), ring.keys());
    assert_eq!(dir.files().len(), 3, "{:?}", dir.files());
}
