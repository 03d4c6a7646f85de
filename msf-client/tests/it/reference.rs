//! The page of `docs/reference` says what the code says; `BLESS=1` writes it.

use std::{env, fmt::Write, fs, path::PathBuf};

#[test]
fn the_page_lists_every_metric() {
    let mut page = format!(
        "<!-- Written by msf-client/tests/it/reference.rs. Do not edit: {WAY_OUT} -->\n\n\
         # Metrics of msf-client\n\n\
         What a client exports that was built with `metrics`. The outcomes are explained in the crate's\n\
         documentation; the breakers' metrics are those of msf-resilience.\n\n\
         | metric | type | labels | help |\n|---|---|---|---|\n"
    );
    for row in msf_client::catalogue() {
        let labels: Vec<_> = row
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, kind, labels, help) = (row.name, row.kind, labels.join(", "), row.help);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics-client.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/metrics-client.md does not say what the code says; {WAY_OUT}"
    );
}

const WAY_OUT: &str = "run `BLESS=1 cargo test -p msf-client reference`";
