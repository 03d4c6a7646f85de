//! The last list on disk.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use msf_core::testing::LogCapture;

use super::*;

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!("msf-registry-{:016x}", fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("service-payment.json")
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(&self.0).unwrap();
        fs::write(self.file(), text).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn kept(backend: &Flaky, dir: &Path, metrics: &Metrics) -> Registry {
    Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .cache_dir(dir)
        .metrics(metrics)
        .build()
        .unwrap()
}

/// Time passes only while the disk does not work.
async fn pass() {
    sleep(Duration::from_secs(2)).await;
}

async fn written(dir: &Dir) -> Flaky {
    let backend = Flaky::new();
    let registry = kept(&backend, &dir.0, &Metrics::new());
    for n in 1..=2 {
        registered(&registry, n).await.detach();
    }
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    pass().await;
    pass().await;
    assert_eq!(dir.names(), ["service-payment.json"]);
    backend
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_while_the_registry_is_away_begins_with_the_list_of_its_predecessor()
{
    let dir = Dir::new();
    let backend = written(&dir).await;
    backend.set(Mode::Away);
    let metrics = Metrics::new();
    let registry = kept(&backend, &dir.0, &metrics);
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    assert_eq!(in_use(&endpoints), 2);
    let Freshness::Persisted { written_at } = endpoints.freshness() else {
        panic!("{:?}", endpoints.freshness());
    };
    assert!(SystemTime::now().duration_since(written_at).unwrap() < Duration::from_secs(60));
    assert_eq!(endpoints.age(), None, "the registry has not confirmed it");
    assert!(registry.is_healthy(&payment()).await);
    let text = metrics.render();
    assert!(
        text.contains(r#"msf_registry_stale{service="payment"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"msf_registry_cache_errors_total{operation="read"} 0"#),
        "{text}"
    );
    sleep(Duration::from_secs(3_600)).await;
    assert!(endpoints.pick(&PickContext::new()).is_ok());

    backend.set(Mode::Up);
    pass().await;
    sleep(TTL * 2).await;
    assert!(endpoints.freshness().is_live());
    let text = metrics.render();
    assert!(
        text.contains(r#"msf_registry_stale{service="payment"} 0"#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_says_goes_before_what_is_on_disk() {
    let dir = Dir::new();
    drop(written(&dir).await);
    let backend = Flaky::new();
    let registry = kept(&backend, &dir.0, &Metrics::new());
    let _third = registered(&registry, 3).await;
    let endpoints = registry.service(&payment());
    pass().await;
    let snapshot = endpoints.snapshot();
    let ids: Vec<&str> = snapshot
        .instances()
        .iter()
        .map(|m| m.instance.id.as_str())
        .collect();
    assert_eq!(ids, ["p-3"]);
    pass().await;
    assert!(fs::read_to_string(dir.file()).unwrap().contains("p-3"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_used_costs_a_warning_and_a_count() {
    let dir = Dir::new();
    drop(written(&dir).await);
    let good = fs::read_to_string(dir.file()).unwrap();
    let old = good.replace(r#""written_at_ms":1"#, r#""written_at_ms":"#);
    assert_ne!(old, good);
    let bad = [
        "",
        "null",
        "[]",
        "\0\u{fffd}",
        &good[..good.len() / 2],
        &good.replace("payment", "order"),
        &good.replace(r#""format":1"#, r#""format":2"#),
        &good.replace(r#""epoch":"#, r#""epoch":-"#),
        &good.replace(r#""endpoints""#, r#""nowhere""#),
        &"[".repeat(100_000),
        &old,
    ];
    for text in bad {
        dir.write(text);
        let backend = Flaky::new();
        backend.set(Mode::Away);
        let (metrics, logs) = (Metrics::new(), LogCapture::start());
        let registry = kept(&backend, &dir.0, &metrics);
        let endpoints = registry.service(&payment());
        pass().await;
        assert_eq!(endpoints.freshness(), Freshness::Unknown, "{text}");
        let rendered = metrics.render();
        let counted = r#"msf_registry_cache_errors_total{operation="read"} 1"#;
        assert!(rendered.contains(counted), "{text}\n{rendered}");
        let warning = logs
            .find("the last list of this service cannot be read; it is found when the registry answers")
            .unwrap();
        assert!(
            warning
                .field("path")
                .unwrap()
                .ends_with("service-payment.json")
        );
        // The registry is there in spite of it, and the file is put right.
        backend.set(Mode::Up);
        let _registration = registered(&registry, 1).await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(in_use(&endpoints), 1);
        pass().await;
        assert!(fs::read_to_string(dir.file()).unwrap().contains("p-1"));
    }
}

/// To open a pipe waits for its writer, and a thread that waits holds up the end of the process.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.file())
        .status();
    assert!(made.unwrap().success());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (metrics, backend) = (Metrics::new(), Flaky::new());
    backend.set(Mode::Away);
    runtime.block_on(async {
        let registry = kept(&backend, &dir.0, &metrics);
        let _endpoints = registry.service(&payment());
        let failed = r#"msf_registry_cache_errors_total{operation="read"} 1"#;
        let deadline = clock::now() + Duration::from_secs(3);
        while !metrics.render().contains(failed) {
            assert!(clock::now() < deadline, "it waits for a writer");
            sleep(Duration::from_millis(10)).await;
        }
    });
    runtime.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn one_instance_that_is_not_understood_hides_no_other() {
    let dir = Dir::new();
    let backend = written(&dir).await;
    let text = fs::read_to_string(dir.file()).unwrap();
    dir.write(&text.replacen("http://", "from-the-future://", 1));
    backend.set(Mode::Away);
    let registry = kept(&backend, &dir.0, &Metrics::new());
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    assert_eq!(in_use(&endpoints), 1);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_costs_a_warning_once_and_no_call() {
    let dir = Dir::new();
    // A file where the directory should be: also who may do everything cannot write into it.
    fs::write(&dir.0, "").unwrap();
    let backend = Flaky::new();
    let (metrics, logs) = (Metrics::new(), LogCapture::start());
    let registry = kept(&backend, &dir.0.join("lists"), &metrics);
    let endpoints = registry.service(&payment());
    for n in 1..5 {
        registered(&registry, n).await.detach();
        pass().await;
    }
    assert_eq!(in_use(&endpoints), 4);
    assert!(endpoints.freshness().is_live());
    let text = metrics.render();
    let line = text
        .lines()
        .find(|line| line.starts_with(r#"msf_registry_cache_errors_total{operation="write"}"#));
    let count: u32 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((3..=6).contains(&count), "{count}");
    let warnings = logs.events().into_iter();
    let said = warnings.filter(|event| event.message.contains("cannot be kept on disk"));
    assert_eq!(said.count(), 1);
    // The disk is back: written without another change.
    fs::remove_file(&dir.0).unwrap();
    sleep(Duration::from_secs(60)).await;
    pass().await;
    assert!(dir.0.join("lists/service-payment.json").exists());
    fs::remove_dir_all(&dir.0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_is_written_at_most_once_per_second_and_not_for_nothing() {
    let dir = Dir::new();
    let backend = Flaky::new();
    let registry = kept(&backend, &dir.0, &Metrics::new());
    let endpoints = registry.service(&payment());
    let registration = registered(&registry, 1).await;
    let write_time = || {
        fs::metadata(dir.file())
            .and_then(|file| file.modified())
            .ok()
    };
    let (mut seen, mut writes) = (write_time(), 0);
    for n in 0..100 {
        let change = |instance: Instance| instance.version(n.to_string());
        registration.update(change).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let now = write_time();
        writes += u32::from(now != seen);
        seen = now;
    }
    assert!((5..=12).contains(&writes), "{writes} writes in ten seconds");
    pass().await;
    assert!(
        fs::read_to_string(dir.file())
            .unwrap()
            .contains(r#""version":"99""#)
    );
    let before = write_time();
    sleep(Duration::from_secs(500)).await;
    assert_eq!(write_time(), before, "nothing has changed");
    // Its time says how old the list is, so a list that is still true is written again.
    sleep(Duration::from_secs(200)).await;
    pass().await;
    assert_ne!(write_time(), before);
    drop(endpoints);
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_kept_too() {
    let dir = Dir::new();
    let backend = written(&dir).await;
    let registry = kept(&backend, &dir.0, &Metrics::new());
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.say(Authority::Explicit);
    backend.lose_memory(Duration::ZERO);
    backend.set(Mode::Away);
    pass().await;
    drop(endpoints);
    // Instances of the other process register again; take a service of nobody.
    let empty = Flaky::new();
    empty.say(Authority::Explicit);
    let registry = kept(&empty, &dir.0, &Metrics::new());
    let endpoints = registry.service(&payment());
    pass().await;
    pass().await;
    assert_eq!(in_use(&endpoints), 0);
    assert!(
        fs::read_to_string(dir.file())
            .unwrap()
            .contains(r#""instances":[]"#)
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_writer_left_behind_is_removed() {
    let dir = Dir::new();
    drop(written(&dir).await);
    let leave = |name: &str, age: u64| {
        let file = File::create(dir.0.join(name)).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age);
        file.set_modified(then).unwrap();
    };
    leave(".service-payment.json.0123456789abcdef.tmp", 3_600);
    leave(".service-payment.json.0123456789abcdee.tmp", 1);
    leave(".service-order.json.0123456789abcdef.tmp", 3_600);
    let registry = kept(&Flaky::new(), &dir.0, &Metrics::new());
    let _endpoints = registry.service(&payment());
    pass().await;
    let mut names = dir.names();
    names.sort_unstable();
    let expected = [
        ".service-order.json.0123456789abcdef.tmp",
        ".service-payment.json.0123456789abcdee.tmp",
        "service-payment.json",
    ];
    assert_eq!(names, expected);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn it_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let dir = Dir::new();
    drop(written(&dir).await);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.file()), 0o600);
    assert_eq!(mode(&dir.0), 0o700);
}
