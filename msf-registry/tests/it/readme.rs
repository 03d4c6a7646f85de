//! The tables of the README, held against the code.

use msf_registry::catalogue;

const README: &str = include_str!("../../README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// The first cells of the table under a heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = README
        .split_once(&format!("# {heading}\n"))
        .expect("it has this heading");
    let rows = below.lines().skip_while(|line| !line.starts_with('|'));
    rows.take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| {
            let cells = row.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn the_readme_lists_every_metric_with_its_labels() {
    let told: Vec<_> = table("Metrics")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let exported: Vec<_> = catalogue()
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.labels.join(", ")))
        .collect();
    assert_eq!(told, exported);
}

#[test]
fn the_readme_lists_every_feature() {
    let told: Vec<_> = table("Features")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let (_, features) = MANIFEST
        .split_once("[features]\n")
        .expect("it has features");
    let mut declared: Vec<_> = features
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned()))
        .collect();
    declared.sort();
    assert_eq!(told, declared);
}
