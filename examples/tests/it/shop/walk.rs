//! The lines to paste: what the terminal prints and what the README shows.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::Shop;

/// The lines that a newcomer is told to paste.
fn lines(shop: &Shop) -> Vec<String> {
    let lines = shop.welcome.iter().map(|line| line.trim());
    let lines = lines.filter(|line| line.starts_with("curl ") || line.starts_with("TOKEN="));
    lines.map(str::to_owned).collect()
}

#[test]
#[ignore = "needs curl on PATH"]
fn every_line_works_as_pasted() {
    let shop = Shop::start(&[]);
    let lines = lines(&shop);
    assert_eq!(lines.len(), 4, "{:#?}", shop.welcome);
    // A line that prints nothing else prints a marker, so that each has an answer of its own.
    let script = lines.join("\necho ---\n");
    let output = Command::new("sh")
        .args(["-euc", &script])
        .output()
        .expect("sh is there");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let answers: Vec<_> = said.split("---\n").collect();
    let json = |index: usize| -> Value {
        serde_json::from_str(answers[index]).unwrap_or_else(|_| panic!("{said}"))
    };
    let [products, order, orders] = [json(1), json(2), json(3)];
    assert!(products.to_string().contains("unit_price"), "{products}");
    assert_eq!(order["status"], "confirmed", "{order}");
    assert!(orders.to_string().contains("confirmed"), "{orders}");
}

#[test]
fn every_test_that_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let code = sources(root);
    let rows = readme.lines().filter(|line| line.starts_with("| "));
    let names: Vec<_> = rows
        .filter_map(|row| row.strip_suffix("` |")?.rsplit('`').next())
        .filter(|name| name.contains('_') && !name.contains(' '))
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}()")), "{name}");
    }
}

/// All code below a directory.
fn sources(dir: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            code += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code += &fs::read_to_string(&path).unwrap();
        }
    }
    code
}

#[test]
fn the_readmes_show_the_lines_of_the_terminal() {
    let shop = Shop::start(&[]);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for readme in ["README.md", "examples/README.md"] {
        let text = fs::read_to_string(format!("{root}/{readme}")).unwrap();
        for line in lines(&shop) {
            let line = line.replace(shop.url(), "http://127.0.0.1:8080");
            assert!(text.contains(&line), "{readme} lacks {line}");
        }
    }
}
