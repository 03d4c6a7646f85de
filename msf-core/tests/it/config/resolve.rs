//! What settings refuse by themselves, and two sections of one file.

use msf_core::config::{Config, Loader, Plain, Problems};
use serde::{Deserialize, Serialize};

use super::{Pool, Settings, file, problems};

#[test]
fn resolving_reports_several_problems_with_their_sources() {
    let loader = file("min = 9\nhosts = ['[::1]:1',\n'b']").args(["--nested.workers=0"]);
    assert_eq!(
        problems::<Pool>(&loader),
        [
            "default: max: must be at least min, which is 9",
            "flag --nested.workers: nested.workers: must be at least 1",
            "a.toml:3: hosts[1]: invalid socket address syntax",
        ]
    );
    let fine = file("hosts = ['[::1]:1']")
        .load::<Pool>()
        .unwrap()
        .into_loaded()
        .unwrap();
    assert_eq!(fine.settings, ["[::1]:1".parse().unwrap()]);
}

#[test]
fn what_could_not_be_read_is_not_also_refused() {
    let loader = Loader::new().args(["--hosts=b", "--max=none", "--min=9"]);
    assert_eq!(
        problems::<Pool>(&loader),
        [
            "flag --max: max: expected a whole number from 0 to 4294967295, found \"none\"",
            "flag --hosts: hosts[0]: invalid socket address syntax",
        ]
    );
}

#[test]
fn a_refusal_without_a_reason_is_still_a_problem() {
    #[derive(Default, Serialize, Deserialize)]
    struct Sulking {}
    impl Config for Sulking {
        type Resolved = ();
        fn resolve(self, _: &mut Problems<'_>) -> Option<()> {
            None
        }
    }
    assert_eq!(
        problems::<Sulking>(&Loader::new()),
        ["the settings were refused, and no reason was given"]
    );
}

#[test]
fn two_sections_share_a_file_and_claim_their_keys() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct App {
        greeting: String,
    }
    let loader = file("greeting = 'hello'\n[server]\nworkers = 3");
    let loaded = loader
        .load_pair::<Plain<Settings>, Plain<App>>()
        .unwrap()
        .into_loaded()
        .unwrap();
    assert_eq!(loaded.settings.0.server.workers, 3);
    assert_eq!(loaded.settings.1.greeting, "hello");
    assert!(loaded.explanation.to_string().contains("# a.toml:1"));

    loader.load_pair::<(), Plain<App>>().unwrap_err();
    file("greeting = 'x'")
        .load_pair::<Plain<App>, ()>()
        .unwrap()
        .into_loaded()
        .unwrap();

    let error = loader
        .load_pair::<Plain<Settings>, Plain<Settings>>()
        .unwrap_err();
    assert_eq!(error.problems().len(), 10);
    let first = error.problems()[0].to_string();
    assert!(
        first.starts_with(
            "label: is claimed by both it::config::Settings and it::config::Settings; "
        ),
        "{first}"
    );
    assert!(
        first.ends_with("; rename the key in one of the two types"),
        "{first}"
    );
}
