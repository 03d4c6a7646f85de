//! `shop --demo`.

use crate::process::command;

#[test]
fn the_demo_goes_as_told() {
    let output = command("shop")
        .args(["--demo", "--port", "0"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("all as told"), "{said}");
    assert!(!said.contains('✗'), "{said}");
}
