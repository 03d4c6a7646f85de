//! Refresh tokens, and a process that is killed while it exchanges them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use msf_auth::refresh::{
    Grant, Presented, RefreshError, RefreshPolicy, RefreshTokens, SqliteRefreshStore,
};

const FILE: &str = "MSF_AUTH_TEST_REFRESH_FILE";
const TOKEN: &str = "MSF_AUTH_TEST_REFRESH_TOKEN";
const KILLS: u64 = 6;

async fn open(file: &Path) -> RefreshTokens {
    let policy = RefreshPolicy {
        // A machine that is busy with other tests is slow between two exchanges.
        grace: Duration::from_secs(60),
        wait_max: Duration::from_secs(60),
        ..RefreshPolicy::default()
    };
    let store = SqliteRefreshStore::open(file).await.unwrap();
    RefreshTokens::new(store, policy).unwrap()
}

/// Not a test by itself: what the other one starts, and kills. It exchanges one token after the other and says which
/// it was given.
#[tokio::test]
async fn the_process_that_is_killed() {
    let (Ok(file), Ok(mut token)) = (std::env::var(FILE), std::env::var(TOKEN)) else {
        return;
    };
    let tokens = open(Path::new(&file)).await;
    loop {
        let rotated = tokens.rotate(&Presented::new(&token)).await.unwrap();
        token = rotated.token.into_exposed();
        println!("\ntoken {token}");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_one_successor() {
    let dir = std::env::temp_dir().join(format!("msf-auth-crash-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("auth.db");
    let issued = open(&file).await.issue(Grant::new("7")).await.unwrap();
    let mut last = issued.token.into_exposed();
    for round in 0..KILLS {
        let heard = run_and_kill(&file, &last, round).await;
        assert!(!heard.is_empty(), "it was killed before it began");
        let tokens = open(&file).await;
        // The last one that anybody was given. What came after it may have been made, but nobody has it.
        let known = heard.last().unwrap();
        let next = rotated(&tokens, known).await.unwrap();
        assert_eq!(rotated(&tokens, known).await.unwrap(), next);
        last = rotated(&tokens, &next).await.unwrap();
    }
    let tokens = open(&file).await;
    assert_eq!(tokens.families("7").await.unwrap().len(), 1);
    drop(tokens);
    fs::remove_dir_all(&dir).unwrap();
}

async fn rotated(tokens: &RefreshTokens, token: &str) -> Result<String, RefreshError> {
    let rotated = tokens.rotate(&Presented::new(token)).await?;
    Ok(rotated.token.into_exposed())
}

/// The tokens that the process said before it was killed, at another moment each round.
async fn run_and_kill(file: &Path, token: &str, round: u64) -> Vec<String> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "refresh_crash::the_process_that_is_killed",
            "--nocapture",
        ])
        .env(FILE, file)
        .env(TOKEN, token)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let output = BufReader::new(child.0.stdout.take().unwrap());
    let listening = tokio::task::spawn_blocking(move || {
        let mut heard = Vec::new();
        for line in output.lines() {
            let line = line.unwrap();
            heard.extend(line.strip_prefix("token ").map(str::to_owned));
            // In the midst of an exchange, by the time that some of them take.
            if heard.len() > 3 && child.0.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(700 * round));
                child.0.kill().unwrap();
            }
        }
        heard
    });
    listening.await.unwrap()
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
