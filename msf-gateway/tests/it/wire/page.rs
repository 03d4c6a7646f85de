//! The page of the guide says what the tests say.

use std::{collections::HashSet, fs, path::Path};

use super::rows;

const PAGE: &str = "docs/guide/gateway/correctness.md";

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join(PAGE)).unwrap();
    let mut tests = HashSet::new();
    for place in ["msf-gateway", "msf-client", "msf-core"] {
        for part in ["src", "tests"] {
            gather(&root.join(place).join(part), &mut tests);
        }
    }
    let ids: Vec<&str> = rows().iter().map(|row| row.id).collect();
    let mut topics = 0;
    let mut missing = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let Some(cell) = line.trim_end_matches([' ', '|']).rsplit(" | ").next() else {
            continue;
        };
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if line.starts_with("| topic |") {
            continue;
        }
        topics += 1;
        if names.is_empty() {
            missing.push(line);
        }
        missing.extend(names.into_iter().filter(|name| {
            let is_row = match name.strip_suffix('*') {
                Some(start) => ids.iter().any(|id| id.starts_with(start)),
                None => ids.contains(name),
            };
            !is_row && !tests.contains(*name)
        }));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(topics > 40, "{topics}");
}

/// The names of the functions that are tests.
fn gather(folder: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim_start) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                }
                let line = line.strip_prefix("async ").unwrap_or(line);
                let rest = line.strip_prefix("fn ");
                if let Some((name, _)) = rest.and_then(|rest| rest.split_once('(')) {
                    // Those of `proptest!` have their attribute in the macro's words as well.
                    if std::mem::take(&mut is_test) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
    }
}
