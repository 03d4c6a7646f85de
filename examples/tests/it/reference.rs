//! The page of `docs/reference` on the metrics of the crates around msf-core; `BLESS=1` writes it.

use std::{env, fmt::Write, fs, path::PathBuf};

use msf_core::metrics::MetricInfo;

#[test]
fn the_metrics_page_lists_what_each_crate_exports() {
    let mut page = format!(
        "<!-- Written by examples/tests/it/reference.rs. Do not edit: {WAY_OUT} -->\n\n\
         # Metrics of the crates\n\n\
         What the crates around msf-core export when they are built with `metrics`. What an outcome means is\n\
         in the documentation of its crate. The metrics of every service are in [metrics](metrics.md); a gateway\n\
         exports those as well, and those of its client, its limits and its breakers.\n"
    );
    section(&mut page, "msf-resilience", msf_resilience::catalogue());
    section(&mut page, "msf-registry", msf_registry::catalogue());
    section(&mut page, "msf-auth", msf_auth::catalogue());
    section(&mut page, "msf-client", msf_client::catalogue());

    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics-crates.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/metrics-crates.md does not say what the code says; {WAY_OUT}"
    );
}

fn section(
    page: &mut String,
    name: &str,
    catalogue: impl IntoIterator<Item = &'static MetricInfo>,
) {
    write!(
        page,
        "\n## {name}\n\n| metric | type | labels | help |\n|---|---|---|---|\n"
    )
    .unwrap();
    for row in catalogue {
        let labels: Vec<_> = row
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, kind, labels, help) = (row.name, row.kind, labels.join(", "), row.help);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
}

const WAY_OUT: &str = "run `BLESS=1 cargo test -p msf-examples --test it reference`";
