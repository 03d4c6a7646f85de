//! One file and several processes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use msf_core::clock;
use msf_registry::{
    Discovery, Health, PickContext, Registrar, Registry, RegistryError, ServiceHandle,
    backend::file::FileRegistry, conformance::Suite,
};

use crate::setup::{TTL, eventually, instance, payment};

/// A directory of its own, gone at the end of the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = env::temp_dir().join(format!("msf-file-{process}-{n}"));
        fs::create_dir(&directory).expect("the directory is new");
        Self(directory)
    }

    fn file(&self) -> PathBuf {
        self.0.join("services.json")
    }

    fn open(&self) -> FileRegistry {
        FileRegistry::builder(self.file())
            .poll(POLL)
            .open()
            .expect("the directory is there")
    }

    /// As an editor does that is careless.
    fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("it can be written");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// Another process of this program, killed at the end.
struct Process(Child);

impl Process {
    /// Runs one of [`the roles`](role_of_another_process) on a file.
    fn start(role: &str, file: &Path) -> Self {
        let program = env::current_exe().expect("it runs");
        let child = Command::new(program)
            .args(["--exact", "file::role_of_another_process", "--nocapture"])
            .env(ROLE, role)
            .env(FILE, file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts again");
        Self(child)
    }

    /// As `kill -9`.
    fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ended");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// No test of its own: what the processes do that other tests start.
#[tokio::test]
async fn role_of_another_process() {
    let (Ok(role), Ok(file)) = (env::var(ROLE), env::var(FILE)) else {
        return;
    };
    let backend = FileRegistry::open(&file).expect("it is there");
    match role.as_str() {
        "instance" => {
            let registry = Registry::builder(backend).lease_ttl(TTL).build();
            let registry = registry.expect("the settings are right");
            let here = registry.register(instance(7));
            here.registered().await.expect("it is taken");
            std::future::pending::<()>().await;
        }
        "writer" => loop {
            let lease = backend.put(&instance(8), TTL).await.expect("it is taken");
            backend.renew(&lease).await.expect("it is known");
        },
        "holder" => {
            let lock = fs::File::create(format!("{file}.lock")).expect("it is there");
            lock.lock().expect("nobody holds it");
            fs::write(format!("{file}.tmp"), "{\"instan").expect("it is written");
            fs::write(format!("{file}.held"), "").expect("it is written");
            std::future::pending::<()>().await;
        }
        role => panic!("{role} is no role"),
    }
}

#[tokio::test]
async fn a_file_conforms() {
    let place = Place::new();
    let next = AtomicU32::new(0);
    let make = || async {
        let n = next.fetch_add(1, Ordering::Relaxed);
        FileRegistry::builder(place.0.join(format!("{n}.json")))
            .poll(POLL)
            .open()
            .expect("the directory is there")
    };
    Suite::new().run(make).await;
}

/// Every call goes through another handle, as if each were made by another process.
#[tokio::test]
async fn handles_without_a_common_memory_see_the_same_registry() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    let (payment, first) = (payment(), instance(1));
    let before = other.fetch(&payment).await.unwrap().cursor();
    let (lease, change) = tokio::join!(
        one.put(&first, Duration::from_secs(60)),
        other.next(&payment, before)
    );
    assert!(matches!(change, Ok(msf_registry::Change::Changed(_))));
    let renewed = other.renew(&lease.unwrap()).await.unwrap();
    assert_ne!(renewed, msf_registry::Renewal::Gone);
}

async fn watched(place: &Place) -> (Registry, ServiceHandle) {
    let registry = Registry::new(place.open());
    let service = registry.service(&payment());
    eventually("the first list is there", async || count(&service) > 0).await;
    (registry, service)
}

fn count(service: &ServiceHandle) -> usize {
    service.snapshot().instances().len()
}

fn hand_written(ports: &[u16]) -> String {
    let one = |port: &u16| {
        format!(r#"{{"service":"payment","id":"p-{port}","endpoints":["http://10.0.0.1:{port}"]}}"#)
    };
    let all: Vec<String> = ports.iter().map(one).collect();
    format!("{{\"instances\": [\n  {}\n]}}\n", all.join(",\n  "))
}

#[tokio::test]
async fn whatever_happens_to_the_file_the_last_valid_list_stays_in_use() {
    let place = Place::new();
    place.write(&hand_written(&[1, 2, 3]));
    let (_registry, service) = watched(&place).await;
    assert_eq!(count(&service), 3);
    let reader = place.open();

    let half = &hand_written(&[4, 5])[..60];
    let garbage = "\u{0}\u{1}\u{2}";
    let twice = hand_written(&[6, 6]);
    let misspelt = "{\"instanses\": []}";
    for (bad, line) in [
        (half, 2),
        (garbage, 1),
        (&*twice, 3),
        (misspelt, 1),
        ("", 1),
    ] {
        place.write(bad);
        let error = reader.fetch(&payment()).await.unwrap_err();
        assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.contains(&format!("services.json:{line}:")), "{said}");
        tokio::time::sleep(POLL * 4).await;
        assert_eq!(count(&service), 3, "lost by {bad:?}");
        assert!(service.pick(&PickContext::new()).is_ok());
    }

    fs::remove_file(place.file()).unwrap();
    let error = reader.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error:?}");
    tokio::time::sleep(POLL * 4).await;
    assert_eq!(count(&service), 3, "lost with the file");

    place.write(&hand_written(&[1, 2]));
    eventually("the restored file counts", async || count(&service) == 2).await;
}

#[tokio::test]
async fn a_file_that_is_not_one_is_an_error_in_time() {
    let place = Place::new();
    let reader = place.open();
    fs::remove_file(place.file()).unwrap();
    let made = Command::new("mkfifo").arg(place.file()).status();
    assert!(made.expect("mkfifo is there").success());
    let error = reader.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error:?}");

    fs::remove_file(place.file()).unwrap();
    let small = FileRegistry::builder(place.file())
        .bytes_max(100)
        .read_only();
    let small = small.open().unwrap();
    place.write(&hand_written(&[1, 2, 3]));
    let error = small.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
    let refused = small.put(&instance(1), TTL).await.unwrap_err();
    assert!(matches!(refused, RegistryError::ReadOnly { .. }));
    assert!(FileRegistry::open(&place.0).is_err(), "a directory");
    assert!(FileRegistry::open("/nowhere/services.json").is_err());
}

#[tokio::test]
async fn what_is_written_by_hand_survives_those_who_register() {
    let place = Place::new();
    let by_hand = hand_written(&[1, 2]);
    place.write(&by_hand);
    let registry = place.open();
    let lease = registry.put(&instance(9), TTL).await.unwrap();
    let same_id = instance(1).moved_to(([10, 0, 0, 9], 1).into());
    let error = registry.put(&same_id, TTL).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 409, .. }),
        "{error:?}"
    );
    registry.remove(&lease).await.unwrap();
    let after = fs::read_to_string(place.file()).unwrap();
    for line in by_hand.lines().filter(|line| line.contains("service")) {
        assert!(after.contains(line.trim_end_matches(',').trim()), "{after}");
    }

    // A broken file is left for whoever mends it.
    place.write("{\"instances\": [");
    assert!(registry.put(&instance(9), TTL).await.is_err());
    assert_eq!(
        fs::read_to_string(place.file()).unwrap(),
        "{\"instances\": ["
    );
}

#[tokio::test]
async fn a_lost_file_is_made_again_by_those_who_are_registered() {
    let place = Place::new();
    let registry = Registry::builder(place.open())
        .lease_ttl(TTL)
        .build()
        .unwrap();
    let service = registry.service(&payment());
    let one = registry.register(instance(1));
    let two = registry.register(instance(2));
    one.registered().await.unwrap();
    two.registered().await.unwrap();
    eventually("both are listed", async || count(&service) == 2).await;
    fs::remove_file(place.file()).unwrap();
    let until = clock::now() + TTL * 2;
    while clock::now() < until {
        assert_eq!(count(&service), 2, "the list was lost with the file");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let listed = place.open().fetch(&payment()).await.unwrap();
    assert_eq!(listed.instances().len(), 2, "somebody gave up");
}

#[tokio::test]
async fn an_instance_whose_process_is_killed_is_gone_after_its_time() {
    let place = Place::new();
    let registry = place.open();
    let process = Process::start("instance", &place.file());
    let listed = async || registry.fetch(&payment()).await.unwrap().instances().len();
    eventually("it registers", async || listed().await == 1).await;
    process.kill();
    let killed = clock::now();
    eventually("its lease runs out", async || listed().await == 0).await;
    assert!(clock::now() - killed <= TTL + Duration::from_millis(300));
}

#[tokio::test]
async fn a_process_that_is_killed_with_the_lock_in_hand_stops_nobody() {
    let place = Place::new();
    let registry = place.open();
    let lease = registry.put(&instance(1), TTL * 60).await.unwrap();
    let process = Process::start("holder", &place.file());
    let held = place.0.join("services.json.held");
    eventually("it holds the lock", async || held.exists()).await;

    // As long as it lives, others wait, and not for ever.
    let begun = clock::now();
    let error = registry.renew(&lease).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error:?}");
    assert!(clock::now() - begun < Duration::from_secs(5));
    assert_eq!(
        registry.fetch(&payment()).await.unwrap().instances().len(),
        1
    );

    process.kill();
    let renewed = registry.renew(&lease).await.unwrap();
    assert_ne!(renewed, msf_registry::Renewal::Gone);
    registry.put(&instance(2), TTL).await.unwrap();
    let snapshot = registry.fetch(&payment()).await.unwrap();
    assert_eq!(snapshot.instances().len(), 2);
    assert_eq!(snapshot.instances()[0].health, Health::Unknown);
}

/// Takes the lock as another process would.
fn lock(path: &Path) -> fs::File {
    let lock = fs::File::create(path).expect("the directory is there");
    lock.lock().expect("nobody holds it");
    lock
}

#[cfg(unix)]
#[tokio::test]
async fn whoever_comes_by_way_of_a_link_waits_for_those_who_do_not() {
    let (place, elsewhere) = (Place::new(), Place::new());
    place.write(&hand_written(&[1]));
    std::os::unix::fs::symlink(place.file(), elsewhere.file()).unwrap();
    let linked = FileRegistry::builder(elsewhere.file())
        .timeout(Duration::from_millis(50))
        .open()
        .unwrap();
    let held = lock(&place.0.join("services.json.lock"));
    let error = linked.put(&instance(9), TTL).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error:?}");
    drop(held);
    linked.put(&instance(9), TTL).await.unwrap();
    assert!(elsewhere.file().is_symlink(), "the link is a file now");
    let listed = place.open().fetch(&payment()).await.unwrap();
    assert_eq!(listed.instances().len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_lock_that_was_deleted_while_it_was_held_is_made_again() {
    let place = Place::new();
    let registry = place.open();
    let path = place.0.join("services.json.lock");
    let held = lock(&path);
    let one = instance(1);
    let (lease, ()) = tokio::join!(registry.put(&one, TTL), async {
        tokio::time::sleep(POLL).await;
        fs::remove_file(&path).unwrap();
        drop(held);
    });
    lease.unwrap();
    assert!(path.exists(), "whoever comes now would not be kept out");
}

#[tokio::test]
async fn a_write_that_fails_leaves_the_file_as_it_is_and_says_why() {
    let place = Place::new();
    let registry = place.open();
    let lease = registry.put(&instance(1), TTL * 60).await.unwrap();
    let before = fs::read_to_string(place.file()).unwrap();
    let in_the_way = place.0.join("services.json.tmp");
    fs::create_dir(&in_the_way).unwrap();
    let error = registry.renew(&lease).await.unwrap_err();
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.ends_with("services.json cannot be written"), "{said}");
    assert!(!error.is_permanent());
    assert_eq!(fs::read_to_string(place.file()).unwrap(), before);
    fs::remove_dir(&in_the_way).unwrap();
    let renewed = registry.renew(&lease).await.unwrap();
    assert_ne!(renewed, msf_registry::Renewal::Gone);
}

#[tokio::test]
async fn writers_that_are_killed_at_any_moment_leave_a_whole_file() {
    let place = Place::new();
    let registry = place.open();
    let lease = registry.put(&instance(1), TTL * 60).await.unwrap();
    for round in 0..8_u64 {
        let process = Process::start("writer", &place.file());
        let is_there = |id: &str, text: &str| text.contains(id);
        eventually("it writes", async || {
            is_there("p-8", &fs::read_to_string(place.file()).unwrap())
        })
        .await;
        tokio::time::sleep(Duration::from_micros(round * 731)).await;
        process.kill();
        let snapshot = registry.fetch(&payment()).await.expect("the file is whole");
        assert!(!snapshot.instances().is_empty());
        let renewed = registry.renew(&lease).await.unwrap();
        assert_ne!(
            renewed,
            msf_registry::Renewal::Gone,
            "somebody's entry is lost"
        );
        eventually("the dead writer is gone", async || {
            registry.fetch(&payment()).await.unwrap().instances().len() == 1
        })
        .await;
        let swept = registry.put(&instance(2), TTL).await.unwrap();
        registry.remove(&swept).await.unwrap();
    }
}

const POLL: Duration = Duration::from_millis(20);
const ROLE: &str = "MSF_TEST_FILE_ROLE";
const FILE: &str = "MSF_TEST_FILE_PATH";
