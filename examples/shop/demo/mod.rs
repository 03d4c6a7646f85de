//! `--demo`: an outside user orders, pays, and meets a declined card and processes that die.
//!
//! Every step says what came back and how long it took; a step that is not as told ends the story.

mod http;
mod orders;
mod story;

use std::{net::SocketAddr, path::Path};

use self::story::{NotAsTold, Story, Told};
use crate::{audit::audit, supervisor::Supervisor, terminal::Terminal};

/// One telling of the story.
pub(crate) struct Demo {
    story: Story,
    /// Not told to its end unless set.
    told: Told,
}

impl Demo {
    pub(crate) fn new(gateway: SocketAddr, terminal: Terminal) -> Self {
        Self {
            story: Story::new(gateway, terminal),
            told: Err(NotAsTold),
        }
    }

    /// Plays it, up to the first step that is not as told.
    pub(crate) async fn play(&mut self, shop: &Supervisor) {
        self.told = orders::tell(&mut self.story, shop).await;
    }

    /// Looks into the databases of a shop that has ended: nothing lost, nothing doubled, nothing in limbo.
    pub(crate) fn check_books(&mut self, data: &Path) {
        self.story
            .chapter("The shop has ended; its four databases are audited");
        let (good, found) = match audit(data) {
            Ok(report) => (report.is_clean(), report.to_string()),
            Err(error) => (false, error.to_string()),
        };
        let found = found.trim_end().replace('\n', "; ");
        let checked = self
            .story
            .check("they agree to the piece and the cent", good, &found);
        self.told = self.told.and(checked);
    }

    /// Says how it went, and whether everything was as told.
    pub(crate) fn end(self) -> bool {
        self.story.end(self.told)
    }
}
