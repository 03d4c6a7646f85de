//! What a person sees, and what a script waits for.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use msf_core::clock;
use serde::Serialize;
use tokio::time::Instant;

use crate::{ready::Ready, settings::Kind};

/// Standard output: coloured for people, with a line of JSON for scripts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    began: Instant,
    for_people: bool,
    colour: bool,
}

/// A shop that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcome<'a> {
    pub(crate) services: &'a [Ready],
    pub(crate) data: &'a Path,
    pub(crate) temporary: bool,
    /// The port that was asked for.
    pub(crate) port: u16,
    pub(crate) took: Duration,
}

/// The line for scripts.
#[derive(Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    url: String,
    data: &'a Path,
    took_ms: u128,
    services: &'a [Ready],
}

impl Terminal {
    pub(crate) fn new(began: Instant) -> Self {
        let for_people = io::stdout().is_terminal();
        // https://no-color.org: set to anything but the empty string.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            began,
            for_people,
            colour: for_people && !refused,
        }
    }

    /// Tells what started, where, how fast, and what to do with it.
    pub(crate) fn welcome(&self, shop: Welcome<'_>) {
        let mut text = self.table(&shop);
        let Some(gateway) = gateway(shop.services) else {
            return self.say(&text);
        };
        let url = format!("http://{gateway}");
        if shop.port != 0 && shop.port != gateway.port() {
            text += &format!(
                "\n  Port {} is busy, so the gateway is on {}.\n",
                shop.port,
                gateway.port()
            );
        }
        text += &format!("\n  Sign in as   {ADA} (customer)    {GRACE} (staff)\n  Try\n");
        for line in walk_through(&url) {
            text += &format!("    {line}\n");
        }
        text += &format!(
            "  Health       {url}/health    logs in {}\n  Ctrl-c ends it in order.\n\n",
            shop.data.join("logs").display()
        );
        self.say(&text);
        if !self.for_people {
            let line = ReadyLine {
                event: "ready",
                url,
                data: shop.data,
                took_ms: shop.took.as_millis(),
                services: shop.services,
            };
            if let Ok(line) = serde_json::to_string(&line) {
                self.say(&format!("{line}\n"));
            }
        }
    }

    fn table(&self, shop: &Welcome<'_>) -> String {
        let place = if shop.temporary {
            "data in a temporary directory (removed at the end)".to_owned()
        } else {
            format!("data in {}", shop.data.display())
        };
        let mut text = format!(
            "\n  msf shop {} · {} services · {place}\n\n",
            env!("CARGO_PKG_VERSION"),
            shop.services.len(),
        );
        for kind in Kind::ALL {
            let replicas = replicas(shop.services, kind);
            let Some(slowest) = replicas.iter().map(|ready| ready.took_ms).max() else {
                continue;
            };
            let place = match (kind, &replicas[..]) {
                (Kind::Gateway, [only, ..]) => format!("http://{}", only.addr),
                (_, [only]) => only.addr.to_string(),
                (_, several) => format!("{} replicas", several.len()),
            };
            let took = match kind {
                Kind::Gateway => format!("ready in {:.2} s", shop.took.as_secs_f32()),
                _ => format!("{slowest} ms"),
            };
            let note = replicas.iter().find_map(|ready| ready.note.as_deref());
            let line = format!(
                "{:<11} {place:<23} {:<13} {took:<9} {}",
                kind.name(),
                kind.database().unwrap_or_default(),
                note.unwrap_or_default()
            );
            text += &format!("  {} {}\n", self.mark(true), line.trim_end());
        }
        text
    }

    /// A step that went as told, or did not.
    pub(crate) fn mark(&self, good: bool) -> &'static str {
        match (good, self.colour) {
            (true, true) => "\x1b[32m✔\x1b[0m",
            (true, false) => "✔",
            (false, true) => "\x1b[31m✗\x1b[0m",
            (false, false) => "✗",
        }
    }

    /// Tells of a change, with its time since the start.
    pub(crate) fn change(&self, what: impl std::fmt::Display) {
        let now = clock::now().saturating_duration_since(self.began);
        self.say(&format!("  {:>6.1} s  {what}\n", now.as_secs_f32()));
    }

    pub(crate) fn say(&self, text: &str) {
        // Whoever read it has gone; the shop goes on.
        let mut out = io::stdout().lock();
        let _unread = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// What a newcomer pastes into a shell: sign in, look, order, see the order.
///
/// The key of the order is fixed: pasting it twice shows that it is still one order.
pub(crate) fn walk_through(url: &str) -> [String; 4] {
    [
        format!(
            r#"TOKEN=$(curl -s {url}/api/users/login --json '{{"email":"ada@example.com","password":"lovelace-1815"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')"#
        ),
        format!("curl -s {url}/api/inventory/products"),
        format!(
            r#"curl -s {url}/api/orders -H "authorization: Bearer $TOKEN" -H 'idempotency-key: my-first-order' --json '{{"items":[{{"product_id":2,"quantity":2}}],"payment":{{"payment_method":"card","card_token":"tok_visa"}}}}'"#
        ),
        format!(r#"curl -s {url}/api/orders -H "authorization: Bearer $TOKEN""#),
    ]
}

/// Where the shop is entered.
pub(crate) fn gateway(services: &[Ready]) -> Option<SocketAddr> {
    let ready = replicas(services, Kind::Gateway);
    ready.first().map(|ready| ready.addr)
}

fn replicas(services: &[Ready], kind: Kind) -> Vec<&Ready> {
    let of_kind = |ready: &&Ready| ready.service == kind.name();
    services.iter().filter(of_kind).collect()
}

const ADA: &str = "ada@example.com / lovelace-1815";
const GRACE: &str = "grace@example.com / hopper-1906";
