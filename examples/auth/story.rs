//! What there is to see, by hand or by itself.

use std::{future, io, net::SocketAddr, process::Stdio, time::Duration};

use msf_core::BoxError;
use serde_json::Value;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::say;

/// Where the two servers are.
pub(crate) struct Urls {
    pub(crate) id: String,
    notes: String,
}

/// What a server answered.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    /// What a person wants to see of it. Tokens are long, and nobody's business.
    fn short(&self) -> String {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let said = |name: &str| json[name].as_str();
        if said("access_token").is_some() {
            return "(tokens)".to_owned();
        }
        match said("code").or_else(|| said("error")) {
            Some(code) => code.to_owned(),
            None => self.body.trim().to_owned(),
        }
    }
}

impl Urls {
    pub(crate) fn new(id: SocketAddr, notes: SocketAddr) -> Self {
        Self {
            id: format!("http://{id}"),
            notes: format!("http://{notes}"),
        }
    }
}

/// Says what to try, and waits for ever.
pub(crate) async fn wait(urls: &Urls) {
    let Urls { id, notes } = urls;
    say(&format!(
        r#"id is at {id}, notes at {notes}. Users: ada lovelace-1815, bob builder-1998, root toor-1969.

curl -i {notes}/notes/1                                                       # 401: who are you?
T=$(curl -s {id}/login --json '{{"name":"ada","password":"lovelace-1815"}}'); A=$(jq -r .access_token <<<$T); R=$(jq -r .refresh_token <<<$T)
curl -i {notes}/notes -H "Authorization: Bearer $A" --json '{{"text":"milk"}}'   # 201
B=$(curl -s {id}/login --json '{{"name":"bob","password":"builder-1998"}}' | jq -r .access_token)
curl -i {notes}/notes/1 -H "Authorization: Bearer $B"                         # 404: not Bob's, so there is none
curl -i {notes}/notes -H "Authorization: Bearer $B" --json '{{"text":"x"}}'      # 403: Bob lacks notes:write
curl -s {id}/.well-known/jwks.json | jq -c '.keys[].kid'                      # an active key and a staged one
K=$(curl -s {id}/login --json '{{"name":"root","password":"toor-1969"}}' | jq -r .access_token)
curl -s -X POST {id}/rotate -H "Authorization: Bearer $K"                     # the staged one signs from now on
curl -s {notes}/whoami -H "Authorization: Bearer $A"                          # Ada's token is as good as before
curl -s {id}/oauth/token -d grant_type=refresh_token -d client_id=web -d refresh_token=$R   # a new pair
curl -i -X POST {id}/logout -H "Authorization: Bearer $A"                     # and her token is refused at once
curl -i {notes}/whoami -H "Authorization: Bearer $A"

ctrl-c ends it.
"#
    ));
    future::pending::<()>().await;
}

/// Tries it all with curl, and says how many answers were wrong.
pub(crate) async fn tell(urls: &Urls) -> Result<usize, BoxError> {
    let Urls { id, notes } = urls;
    let mut told = Told::default();
    let began = Instant::now();
    let note = format!("{notes}/notes/1");
    let whoami = format!("{notes}/whoami");
    let rotate = format!("{id}/rotate");

    told.step("a stranger asks for a note", 401, &curl(&[&note]).await?);
    let wrong = r#"{"name":"ada","password":"byron-1788"}"#;
    let login = format!("{id}/login");
    told.step(
        "Ada mistypes her password",
        401,
        &curl(&[&login, "--json", wrong]).await?,
    );
    let ada = told.log_in(&login, "ada", "lovelace-1815").await?;
    let bob = told.log_in(&login, "bob", "builder-1998").await?;
    let root = told.log_in(&login, "root", "toor-1969").await?;

    let add = format!("{notes}/notes");
    let milk = ["--json", r#"{"text":"milk"}"#];
    let answer = curl(&[&[&*add, "-H", &ada.bearer][..], &milk].concat()).await?;
    told.step("Ada writes a note", 201, &answer);
    let answer = curl(&[&*note, "-H", &ada.bearer]).await?;
    told.step("Ada reads her note", 200, &answer);
    let answer = curl(&[&*note, "-H", &bob.bearer]).await?;
    told.step("Bob asks for it: for him there is none", 404, &answer);
    let answer = curl(&[&[&*add, "-H", &bob.bearer][..], &milk].concat()).await?;
    told.step("Bob may not write", 403, &answer);

    let before = curl(&[&*whoami, "-H", &ada.bearer]).await?;
    told.step("Ada's token, and the key that signed it", 200, &before);
    let answer = curl(&[&*rotate, "-X", "POST", "-H", &ada.bearer]).await?;
    told.step("Ada may not change the key", 403, &answer);
    let mut answer = curl(&[&*rotate, "-X", "POST", "-H", &root.bearer]).await?;
    while answer.status == 409 && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(200)).await;
        answer = curl(&[&*rotate, "-X", "POST", "-H", &root.bearer]).await?;
    }
    told.step("root may: the staged key signs from now on", 200, &answer);
    let answer = curl(&[&*whoami, "-H", &ada.bearer]).await?;
    told.step("Ada's token is as good as before", 200, &answer);
    let renewed = told.refresh(id, &ada.refresh, 200, "Ada refreshes").await?;
    let after = curl(&[&*whoami, "-H", &renewed.bearer]).await?;
    told.step("her new token, signed by the new key", 200, &after);
    told.check("it is another key", before.body != after.body);

    let repeated = told
        .refresh(id, &ada.refresh, 200, "an answer was lost: she asks again")
        .await?;
    told.check(
        "it is the same successor",
        repeated.refresh == renewed.refresh,
    );
    told.refresh(id, &renewed.refresh, 200, "she goes on")
        .await?;
    told.refresh(id, &ada.refresh, 400, "a thief comes with the first one")
        .await?;
    let answer = curl(&[&*whoami, "-H", &renewed.bearer]).await?;
    told.step("so the whole session has ended", 401, &answer);

    let logout = format!("{id}/logout");
    let answer = curl(&[&*logout, "-X", "POST", "-H", &bob.bearer]).await?;
    told.step("Bob logs out", 204, &answer);
    let answer = curl(&[&*whoami, "-H", &bob.bearer]).await?;
    told.step("his access token is refused at once", 401, &answer);
    told.refresh(id, &bob.refresh, 400, "and so is his refresh token")
        .await?;
    let answer = curl(&[&*whoami, "-H", &root.bearer]).await?;
    told.step("root is not concerned", 200, &answer);
    say(&format!("\n{} steps, {} wrong\n", told.steps, told.wrong));
    Ok(told.wrong)
}

#[derive(Default)]
struct Told {
    steps: usize,
    wrong: usize,
}

/// What a login or a refresh gave.
#[derive(Default)]
struct Held {
    /// The header.
    bearer: String,
    refresh: String,
}

impl Held {
    fn of(answer: &Answer) -> Self {
        let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        Self {
            bearer: format!("Authorization: Bearer {}", text("access_token")),
            refresh: text("refresh_token"),
        }
    }
}

impl Told {
    async fn log_in(&mut self, url: &str, name: &str, password: &str) -> Result<Held, BoxError> {
        let given = format!(r#"{{"name":"{name}","password":"{password}"}}"#);
        let answer = curl(&[url, "--json", &given]).await?;
        self.step(&format!("{name} logs in"), 200, &answer);
        Ok(Held::of(&answer))
    }

    async fn refresh(
        &mut self,
        id: &str,
        token: &str,
        expected: u16,
        what: &str,
    ) -> Result<Held, BoxError> {
        let url = format!("{id}/oauth/token");
        let token = format!("refresh_token={token}");
        let form = [
            "-d",
            "grant_type=refresh_token",
            "-d",
            "client_id=web",
            "-d",
            &token,
        ];
        let answer = curl(&[&[&*url][..], &form].concat()).await?;
        self.step(what, expected, &answer);
        Ok(Held::of(&answer))
    }

    fn step(&mut self, what: &str, expected: u16, answer: &Answer) {
        let is_right = answer.status == expected;
        self.count(is_right);
        let mark = if is_right { '✓' } else { '✗' };
        say(&format!(
            "{mark} {} {what:<44} {}\n",
            answer.status,
            answer.short()
        ));
        if !is_right {
            say(&format!("      expected {expected}\n"));
        }
    }

    fn check(&mut self, what: &str, is_right: bool) {
        self.count(is_right);
        say(&format!(
            "{}     {what}\n",
            if is_right { '✓' } else { '✗' }
        ));
    }

    fn count(&mut self, is_right: bool) {
        self.steps += 1;
        self.wrong += usize::from(!is_right);
    }
}

async fn curl(args: &[&str]) -> Result<Answer, BoxError> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--write-out",
            "\n%{http_code}",
        ])
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err("the demo needs curl on the PATH".into());
        }
        output => output?,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((body, status)) = text.rsplit_once('\n').filter(|_| output.status.success()) else {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    };
    Ok(Answer {
        status: status.parse()?,
        body: body.to_owned(),
    })
}

/// The staged key signs after three seconds.
const PATIENCE: Duration = Duration::from_secs(20);
