//! Who gets what.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::{
    policy::testing,
    principal::{Principal, PrincipalKind},
    refusal::Refusal,
};

struct Note {
    owner: &'static str,
    tenant: Option<&'static str>,
    is_open: bool,
}

impl Resource for Note {
    fn owner(&self) -> Owner<'_> {
        Owner::user(self.owner).of_issuer("https://user.shop")
    }

    fn tenant(&self) -> Option<&str> {
        self.tenant
    }

    fn allows(&self, caller: &Principal, action: Action) -> bool {
        self.owner().is(caller) || (self.is_open && action == Action::READ)
    }
}

const NOTE: Note = Note {
    owner: "7",
    tenant: None,
    is_open: false,
};

fn caller(kind: PrincipalKind, subject: &str, tenant: Option<&str>) -> Principal {
    let claims = tenant.map_or_else(|| json!({}), |tenant| json!({ "tenant": tenant }));
    testing::caller("https://user.shop", kind, subject, "", claims)
}

fn user(subject: &str) -> Principal {
    caller(PrincipalKind::User, subject, None)
}

fn is_given(note: Note, caller: &Principal, action: Action) -> bool {
    Guarded::new(note).authorize(caller, action).is_ok()
}

#[test]
fn the_owner_is_a_user_of_the_issuer_with_the_whole_subject() {
    assert!(is_given(NOTE, &user("7"), Action::DELETE));
    for other in ["8", "77", "07", " 7"] {
        assert!(!is_given(NOTE, &user(other), Action::READ), "{other}");
    }
    assert!(!is_given(
        NOTE,
        &caller(PrincipalKind::Service, "7", None),
        Action::READ
    ));
    let of_other_issuer = testing::caller("https://other", PrincipalKind::User, "7", "", json!({}));
    assert!(!is_given(NOTE, &of_other_issuer, Action::READ));
}

#[test]
fn what_is_open_for_one_action_is_not_for_another() {
    let open = || Note {
        is_open: true,
        ..NOTE
    };
    assert!(is_given(open(), &user("8"), Action::READ));
    assert!(!is_given(open(), &user("8"), Action::UPDATE));
    assert!(!is_given(open(), &user("8"), Action::new("READ")));
}

#[test]
fn nothing_crosses_the_border_of_a_tenant() {
    let of_blue = || Note {
        tenant: Some("blue"),
        is_open: true,
        ..NOTE
    };
    let of = |tenant| caller(PrincipalKind::User, "7", tenant);
    assert!(is_given(of_blue(), &of(Some("blue")), Action::READ));
    for other in [Some("red"), Some(""), Some("BLUE"), None] {
        assert!(!is_given(of_blue(), &of(other), Action::READ), "{other:?}");
    }
}

#[test]
fn what_is_not_there_is_as_what_is_not_ours() {
    let absent = Guarded::<Note>::found(None)
        .authorize(&user("7"), Action::READ)
        .err();
    let foreign = Guarded::found(Some(NOTE))
        .authorize(&user("8"), Action::READ)
        .err();
    assert_eq!(absent, foreign);
    let response = Refusal::from(absent.unwrap()).into_response::<Bytes>();
    assert_eq!(response.status(), 404);
}

#[test]
fn a_value_that_stays_guarded_is_asked_each_time() {
    let note = Guarded::new(NOTE);
    assert!(note.authorize_ref(&user("8"), Action::READ).is_err());
    assert_eq!(
        note.authorize_ref(&user("7"), Action::READ).unwrap().owner,
        "7"
    );
    assert!(note.authorize_ref(&user("8"), Action::READ).is_err());
}

#[test]
fn a_list_is_without_what_is_not_ours() {
    let notes = ["7", "8", "7", ""].map(|owner| Note { owner, ..NOTE });
    let own: Vec<_> = Guarded::list(notes, &user("7"), Action::READ).collect();
    assert!(own.len() == 2 && own.iter().all(|note| note.owner == "7"));
}

#[test]
fn a_function_is_not_asked_about_what_is_not_there() {
    let asked = Cell::new(false);
    let outcome = Guarded::<u8>::found(None).authorize_if(|_| {
        asked.set(true);
        true
    });
    assert!(outcome.is_err() && !asked.get());
    assert_eq!(
        Guarded::new(7).map(|n| n + 1).authorize_if(|n| *n == 8),
        Ok(8)
    );
}

#[test]
fn nothing_of_the_data_is_printed() {
    assert_eq!(format!("{:?}", Guarded::new("secret-text")), "Guarded(..)");
    assert_eq!(format!("{:?}", Guarded::<u8>::found(None)), "Guarded(..)");
    assert!(!format!("{:?}", Owner::user("secret-text")).contains("secret"));
}
