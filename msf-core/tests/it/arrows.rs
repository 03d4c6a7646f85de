//! The arrows between the crates of the workspace, as docs/architecture.md draws them.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may use. `examples` and `benches` may use everything.
const ARROWS: [(&str, &[&str]); 7] = [
    ("msf-core", &[]),
    ("msf-resilience", &["msf-core"]),
    ("msf-registry", &["msf-core"]),
    ("msf-auth", &["msf-core"]),
    ("msf-events", &["msf-core"]),
    (
        "msf-client",
        &["msf-core", "msf-resilience", "msf-registry", "msf-auth"],
    ),
    (
        "msf-gateway",
        &[
            "msf-core",
            "msf-resilience",
            "msf-registry",
            "msf-auth",
            "msf-client",
        ],
    ),
];

const FREE: [&str; 2] = ["msf-examples", "msf-benches"];

#[test]
fn every_arrow_is_in_the_picture() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let allowed: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let mut seen = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if FREE.contains(&name) {
            continue;
        }
        let allowed = allowed.get(name).unwrap_or_else(|| {
            panic!("{name} is not in the picture; draw it in docs/architecture.md")
        });
        seen.insert(name.to_owned());
        for dependency in &package.dependencies {
            let is_ours = dependency.path.is_some();
            // A crate tests itself with its own features on.
            let is_own_test =
                dependency.kind == DependencyKind::Development && dependency.name == name;
            assert!(
                !is_ours || is_own_test || allowed.contains(dependency.name.as_str()),
                "{name} must not use {}",
                dependency.name
            );
        }
    }
    assert_eq!(
        seen.len(),
        ARROWS.len(),
        "a crate of the picture is missing: {seen:?}"
    );
}
