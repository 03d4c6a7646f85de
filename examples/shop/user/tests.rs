//! The user service on its own: registering, logging in, and what stays secret.

use std::sync::LazyLock;

use msf_auth::{PasswordConfig, Passwords, TokenIssuer};
use msf_core::{assert_problem, clock::WallClock, problem::Code};
use serde_json::{Value, json};

use super::{http, limiter, login::Login, seed, store};
use crate::{
    db::{Db, DbError},
    identity::{AUDIENCE, Role, USER_ISSUER, verifier},
    testing::{Caller, TempDir, Tokens},
};

struct Shop {
    dir: TempDir,
    db: Db,
    issuer: TokenIssuer,
    anybody: Caller,
}

/// Cheap hashes: how dear they are is not what is tested here.
static PASSWORDS: LazyLock<Passwords> = LazyLock::new(|| {
    let config = PasswordConfig {
        memory_kib: 8,
        iterations: 1,
        ..PasswordConfig::default()
    };
    Passwords::new(config).unwrap()
});

async fn shop() -> Shop {
    let dir = TempDir::new();
    let db = Db::open(dir.path().join("users.db"), store::MIGRATIONS);
    let db = db.await.unwrap();
    seed::seed(&db, WallClock::system()).await.unwrap();
    let issuer = Tokens::new().users;
    let app = http::App {
        login: Login {
            db: db.clone(),
            passwords: PASSWORDS.clone(),
            limiter: limiter("login").unwrap(),
            confirmations: limiter("confirmation").unwrap(),
        },
        issuer: issuer.clone(),
        clock: WallClock::system(),
    };
    let router = http::router(app, verifier(issuer.jwks(), None).unwrap()).unwrap();
    Shop {
        dir,
        db,
        issuer,
        anybody: Caller::new(router),
    }
}

impl Shop {
    async fn log_in(&self, email: &str, password: &str) -> Caller {
        let body = json!({ "email": email, "password": password });
        let session = self.anybody.post("/api/users/login", body).await;
        assert_eq!(session.status(), 200, "{}", session.text());
        assert_eq!(session.header("cache-control"), Some("no-store"));
        let session: Value = session.json();
        self.anybody.with(session["token"].as_str().unwrap())
    }

    async fn ada(&self) -> Caller {
        self.log_in("ada@example.com", "lovelace-1815").await
    }

    async fn grace(&self) -> Caller {
        self.log_in("grace@example.com", "hopper-1906").await
    }
}

fn register(name: &str, email: &str, password: &str) -> Value {
    json!({ "name": name, "email": email, "password": password })
}

#[tokio::test]
async fn who_registers_can_log_in_and_is_told_of_once() {
    let shop = shop().await;
    let body = register("Alan", " Alan@Example.com ", "turing-1912");
    let registered = shop.anybody.post("/api/users/register", body).await;
    assert_eq!(registered.status(), 201);
    let registered: Value = registered.json();
    assert_eq!(registered["email"], "alan@example.com");
    let alan = shop.log_in("ALAN@example.com", "turing-1912").await;
    let path = format!("/api/users/{}", registered["id"]);
    let shown: Value = alan.get(&path).await.json();
    assert_eq!(shown["name"], "Alan");
    assert!(shown.get("password").is_none() && shown.get("role").is_none());

    let taken = register("Eve", "alan@EXAMPLE.com", "something-else");
    let taken = shop.anybody.post("/api/users/register", taken).await;
    assert_problem!(taken, Code::Conflict);
    let events = shop.db.read::<_, DbError>(|tx| {
        let sql = "SELECT count(*) FROM events WHERE type = 'user.registered'";
        Ok(tx.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(events.await.unwrap(), 3);
}

#[tokio::test]
async fn a_bad_registration_is_told_everything_at_once() {
    let shop = shop().await;
    let body = register("", "nobody", "short");
    let answer = shop.anybody.post("/api/users/register", body).await;
    let problem = assert_problem!(answer, Code::ValidationFailed);
    let places: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(places, ["/name", "/email", "/password"]);

    let mut staff = register("Eve", "eve@example.com", "long-enough-1");
    staff["role"] = "staff".into();
    let answer = shop.anybody.post("/api/users/register", staff).await;
    assert_problem!(answer, Code::ValidationFailed);
}

#[tokio::test]
async fn a_password_is_never_a_file_or_a_variable() {
    let shop = shop().await;
    let secret = shop.dir.path().join("secret");
    std::fs::write(&secret, "what-is-in-the-file").unwrap();
    let reference = format!("file:{}", secret.display());
    let body = register("Eve", "eve@example.com", &reference);
    let registered = shop.anybody.post("/api/users/register", body).await;
    assert_eq!(registered.status(), 201);
    shop.log_in("eve@example.com", &reference).await;
}

#[tokio::test]
async fn passwords_lie_hashed_with_argon2_and_nowhere_in_clear() {
    let shop = shop().await;
    let hashes = shop.db.read::<_, DbError>(|tx| {
        let mut select = tx.prepare("SELECT password FROM users")?;
        let rows = select.query_map([], |row| row.get::<_, String>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    let hashes = hashes.await.unwrap();
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")));
    for file in std::fs::read_dir(shop.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"lovelace"));
    }
}

#[tokio::test]
async fn a_wrong_password_and_nobody_get_the_same_answer() {
    let shop = shop().await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let body = json!({ "email": email, "password": "wrong-password" });
        let answer = shop.anybody.post("/api/users/login", body).await;
        let mut problem: Value = answer.json();
        assert_problem!(answer, Code::InvalidToken);
        problem.as_object_mut().unwrap().remove("trace_id");
        answers.push(problem);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn guessing_is_limited_by_account_whether_it_exists_or_not() {
    let shop = shop().await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut limited = 0;
        for guess in 0..30 {
            let body = json!({ "email": email, "password": format!("guess-{guess:05}") });
            let answer = shop.anybody.post("/api/users/login", body).await;
            if answer.status() == 429 {
                assert!(answer.header("retry-after").is_some());
                limited += 1;
            } else {
                assert_problem!(answer, Code::InvalidToken);
            }
        }
        assert!(limited >= 15, "{limited}");
    }
    // Another account is not locked out.
    shop.grace().await;
}

#[tokio::test]
async fn a_new_password_is_taken_also_while_the_old_one_is_hashed_anew() {
    let shop = shop().await;
    // Seeded with dearer hashes than those of the tests, and never logged in.
    let token = shop.issuer.token("1").audience(AUDIENCE);
    let token = token.scopes(Role::Customer.scopes()).sign().unwrap();
    let change = json!({ "password": "a-new-password", "current_password": "lovelace-1815" });
    let ada = shop.anybody.with(token);
    let answer = ada.send("PUT", "/api/users/1", Some(change)).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    shop.log_in("ada@example.com", "a-new-password").await;
}

#[tokio::test]
async fn guesses_from_outside_do_not_keep_an_owner_from_a_new_password() {
    let shop = shop().await;
    let ada = shop.ada().await;
    for _ in 0..30 {
        let guess = json!({ "email": "ada@example.com", "password": "wrong-password" });
        shop.anybody.post("/api/users/login", guess).await;
    }
    let change =
        |current: &str| json!({ "password": "a-new-password", "current_password": current });
    for _ in 0..3 {
        let answer = ada
            .send("PUT", "/api/users/1", Some(change("wrong-password")))
            .await;
        assert_problem!(answer, Code::InvalidToken);
    }
    let answer = ada
        .send("PUT", "/api/users/1", Some(change("lovelace-1815")))
        .await;
    assert_eq!(answer.status(), 200, "{}", answer.text());

    // With a stolen token the password is not guessed faster.
    let mut limited = 0;
    for _ in 0..20 {
        let answer = ada
            .send("PUT", "/api/users/1", Some(change("wrong-password")))
            .await;
        limited += u32::from(answer.status() == 429);
    }
    assert!(limited >= 10, "{limited}");
}

#[tokio::test]
async fn users_see_themselves_and_staff_sees_all() {
    let shop = shop().await;
    let (ada, grace) = (shop.ada().await, shop.grace().await);
    assert_eq!(ada.get("/api/users/1").await.status(), 200);
    for (method, body) in [
        ("GET", None),
        ("PUT", Some(json!({ "name": "x" }))),
        ("DELETE", None),
    ] {
        let other = ada.send(method, "/api/users/2", body).await;
        let missing = ada
            .send(method, "/api/users/99", Some(json!({ "name": "x" })))
            .await;
        assert_problem!(other, Code::NotFound);
        assert_problem!(missing, Code::NotFound);
    }
    assert_problem!(ada.get("/api/users").await, Code::Forbidden);
    let all: Vec<Value> = grace.get("/api/users").await.json();
    assert_eq!(all.len(), 2);
    assert_eq!(grace.get("/api/users/1").await.status(), 200);
    for path in ["/api/users", "/api/users/1"] {
        assert_problem!(shop.anybody.get(path).await, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_token_alone_does_not_take_an_account_over() {
    let shop = shop().await;
    let ada = shop.ada().await;
    let put = |body: Value| {
        let ada = ada.clone();
        async move { ada.send("PUT", "/api/users/1", Some(body)).await }
    };
    let renamed: Value = put(json!({ "name": "Countess" })).await.json();
    assert_eq!(renamed["name"], "Countess");
    for body in [
        json!({ "email": "eve@example.com" }),
        json!({ "password": "eves-password" }),
    ] {
        let problem = assert_problem!(put(body).await, Code::ValidationFailed);
        assert_eq!(problem.errors[0].pointer, "/current_password");
    }
    let wrong = json!({ "password": "eves-password", "current_password": "guess-1815" });
    assert_problem!(put(wrong).await, Code::InvalidToken);
    let taken = json!({ "email": "grace@example.com", "current_password": "lovelace-1815" });
    assert_problem!(put(taken).await, Code::Conflict);
    let right = json!({ "password": "a-new-password", "current_password": "lovelace-1815" });
    assert_eq!(put(right).await.status(), 200);
    shop.log_in("ada@example.com", "a-new-password").await;
    assert_problem!(
        put(json!({ "role": "staff" })).await,
        Code::ValidationFailed
    );
}

#[tokio::test]
async fn a_deleted_users_number_is_not_given_again() {
    let shop = shop().await;
    let body = register("Eve", "eve@example.com", "long-enough-1");
    let eve: Value = shop
        .anybody
        .post("/api/users/register", body.clone())
        .await
        .json();
    let token = shop.anybody.with(eve["token"].as_str().unwrap());
    let path = format!("/api/users/{}", eve["id"]);
    assert_eq!(token.send("DELETE", &path, None).await.status(), 204);
    assert_problem!(token.get(&path).await, Code::NotFound);
    let again: Value = shop.anybody.post("/api/users/register", body).await.json();
    assert_ne!(again["id"], eve["id"]);
}

#[tokio::test]
async fn only_sound_tokens_count() {
    let shop = shop().await;
    let own = |audience, scopes: &[&str]| {
        shop.issuer
            .token("1")
            .audience(audience)
            .scopes(scopes)
            .sign()
            .unwrap()
    };
    let good = own(AUDIENCE, Role::Customer.scopes());
    assert_eq!(
        shop.anybody.with(&*good).get("/api/users/1").await.status(),
        200
    );

    let foreign = Tokens::new().user(1, Role::Staff);
    let mut cut = good.clone();
    cut.truncate(good.len() - 4);
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for token in [
        foreign,
        own("other", &["users:admin"]),
        cut,
        unsigned,
        "x".to_owned(),
    ] {
        let answer = shop.anybody.with(&*token).get("/api/users/1").await;
        assert_eq!(answer.status(), 401, "{token}");
    }
    assert_eq!(shop.issuer.issuer(), USER_ISSUER);
    let keys: Value = shop.anybody.get("/.well-known/jwks.json").await.json();
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert!(keys["keys"][0].get("d").is_none());
}
