//! `--demo`: an outside user orders, pays, and meets a declined card and processes that die.
//!
//! Every step says what came back and how long it took; a step that is not as told ends the story.

mod http;
mod orders;
mod story;

use std::net::SocketAddr;

use crate::{supervisor::Supervisor, terminal::Terminal};

/// Plays the story; says whether everything went as told.
pub(crate) async fn play(shop: &Supervisor, gateway: SocketAddr, terminal: Terminal) -> bool {
    let mut story = story::Story::new(gateway, terminal);
    let told = orders::tell(&mut story, shop).await;
    story.end(told)
}
