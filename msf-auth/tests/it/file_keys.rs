//! Keys in a file.

use std::{fs, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use msf_auth::{Algorithm, FileJwks, JwksSource as _, KeySet, RemoteKeys, SigningKey};
use msf_core::clock;

/// A directory of its own that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = format!("msf-auth-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn publish(&self, text: &str) {
        let (new, path) = (self.0.join("new"), self.path());
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.0.join("keys.json")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn set() -> (SigningKey, String) {
    let key = SigningKey::generate_ed25519().unwrap();
    let set = KeySet::new([key.verifying_key()]).unwrap().to_json();
    (key, set)
}

#[tokio::test]
async fn a_file_is_followed_and_what_is_wrong_changes_nothing() {
    let (dir, (first, first_set), (second, second_set)) = (Dir::new("followed"), set(), set());
    let keys = RemoteKeys::new(FileJwks::new(dir.path()).poll_every(Duration::from_secs(1)));
    assert!(!keys.refresh().await);
    dir.publish(&first_set);
    keys.await_ready(Duration::from_secs(20)).await.unwrap();
    let has = |key: &SigningKey| keys.current().is_some_and(|keys| keys.contains(key.id()));
    assert!(has(&first));
    for wrong in ["", "{", "{\"keys\":[]}", &first_set[..first_set.len() / 2]] {
        dir.publish(wrong);
        assert!(keys.refresh().await);
        assert!(has(&first), "{wrong}");
    }
    dir.publish(&second_set);
    let _keeper = keys.keep_fresh();
    let deadline = clock::now() + Duration::from_secs(30);
    while !has(&second) {
        assert!(clock::now() < deadline, "never read again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!has(&first));
}

#[tokio::test]
async fn what_is_no_small_file_is_not_read() {
    let dir = Dir::new("refused");
    assert!(FileJwks::new(&dir.0).fetch().await.is_err());
    assert!(FileJwks::new("/dev/zero").fetch().await.is_err());
    assert!(FileJwks::new(dir.path()).fetch().await.is_err());
    dir.publish(&" ".repeat(512 * 1024 + 1));
    assert!(FileJwks::new(dir.path()).fetch().await.is_err());
}

#[tokio::test]
async fn keys_in_pem_are_called_by_their_thumbprints() {
    let (dir, (first, _), (second, _)) = (Dir::new("pem"), set(), set());
    let pem = |key: &SigningKey| {
        let der = STANDARD.encode(key.verifying_key().to_spki_der());
        format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
    };
    dir.publish(&format!("{}\n{}", pem(&first), pem(&second)));
    let keys = RemoteKeys::new(FileJwks::pem(dir.path(), Algorithm::EdDsa));
    assert!(keys.refresh().await);
    let has = |key: &SigningKey| keys.current().is_some_and(|keys| keys.contains(key.id()));
    assert!(has(&first) && has(&second));
    // A block that is cut off is no key, and a private key is none either.
    let cut_off = format!("{}{}", pem(&first), &pem(&second)[..60]);
    for wrong in [
        cut_off,
        pem(&first).replace("PUBLIC", "PRIVATE"),
        String::new(),
    ] {
        dir.publish(&wrong);
        assert!(keys.refresh().await);
        assert!(has(&first) && has(&second), "{wrong}");
    }
    let other = FileJwks::pem(dir.path(), Algorithm::Es256);
    dir.publish(&pem(&first));
    assert!(other.fetch().await.is_err());
}
