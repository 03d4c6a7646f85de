//! The page `docs/guide/auth/conformance.md`: what a test has run it also writes down, in a section of its own.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Sections are written by tests that run at one time.
static PAGE: Mutex<()> = Mutex::new(());

const WAY_OUT: &str = "run `BLESS=1 cargo test -p msf-auth --all-features --test it -- --include-ignored` \
                       with WYCHEPROOF_DIR set";

/// # Panics
///
/// When the section of the page does not say this, unless `BLESS` asks to write it.
#[track_caller]
pub(crate) fn section(name: &str, text: &str) {
    let _guard = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/auth/conformance.md");
    let page = fs::read_to_string(&path).unwrap();
    let (start, end) = (
        format!("<!-- {name}: written by a test -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let (before, rest) = page.split_once(&start).expect("the page has the section");
    let (written, after) = rest.split_once(&end).expect("the section has an end");
    let text = format!("\n{}\n\n", text.trim());
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{before}{start}{text}{end}{after}")).unwrap();
        return;
    }
    let differs = written.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        written == text,
        "the section `{name}` of docs/guide/auth/conformance.md does not say what the code does ({differs:?}); \
         {WAY_OUT}"
    );
}

/// A table of Markdown.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = String::new();
    writeln!(text, "| {} |", head.join(" | ")).unwrap();
    writeln!(text, "|{}", "---|".repeat(N)).unwrap();
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    text
}
