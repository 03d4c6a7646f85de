//! Every piece of TOML in the guide is one that the gateway takes.

use std::{fs, path::Path};

use msf_core::metrics::Metrics;
use msf_gateway::config::GatewayConfig;

/// What the pages expect of the environment.
const ENV: [(&str, &str); 2] = [
    ("REDIS_URL", "redis://127.0.0.1:1"),
    (
        "IDENTITY_KEY",
        "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----",
    ),
];

/// The blocks of TOML of a page, each with its line.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, text) in page.lines().enumerate() {
        match &mut open {
            None if text == "```toml" => open = Some((line + 1, String::new())),
            None => {}
            Some(_) if text == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(text);
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

#[tokio::test]
async fn every_file_of_the_guide_is_loaded_and_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = root.join("../docs/guide/gateway");
    if !guide.exists() {
        // A package of this crate alone has no guide.
        return;
    }
    let pages = fs::read_dir(guide)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for page in pages.chain([root.join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        let mut blocks = blocks(&text);
        // A first piece without routes is what the others of its page stand beside.
        let common = match blocks.first() {
            Some((_, first)) if !first.contains("[[routes]]") => blocks.remove(0).1,
            _ => String::new(),
        };
        for (line, block) in blocks {
            let place = format!("{}:{line}", page.display());
            let text = format!("{common}{block}");
            // A program without Redis says that it has none.
            if text.contains("[redis]") && cfg!(not(feature = "redis")) {
                continue;
            }
            let config = GatewayConfig::load_with("gateway.toml", &text, ENV);
            let config = config.unwrap_or_else(|errors| panic!("{place}: {errors}"));
            let built = config.build(&Metrics::new());
            built.unwrap_or_else(|errors| panic!("{place}: {errors}"));
            seen += 1;
        }
    }
    assert!(seen >= 12, "only {seen} pieces were found");
}
