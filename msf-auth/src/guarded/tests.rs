//! Who gets what.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::{
    audit::{Audit, Kind, MemorySink},
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
fn one_subject_of_two_issuers_is_two_owners() {
    let seven = |issuer: &str| Principal::builder(issuer, "7", PrincipalKind::User);
    let alone = seven("https://user.shop").build().unwrap();
    let several = seven("https://user.shop").among_several_issuers();
    let several = several.build().unwrap();
    let other = seven("https://partner").among_several_issuers();
    let other = other.build().unwrap();
    let bare = Owner::user("7");
    assert!(bare.is(&alone) && !bare.is(&several) && !bare.is(&other));
    let of_user_shop = bare.clone().of_issuer("https://user.shop");
    assert!(of_user_shop.is(&alone) && of_user_shop.is(&several) && !of_user_shop.is(&other));
    let of_partner = bare.of_issuer("https://partner");
    assert!(of_partner.is(&other) && !of_partner.is(&several));
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
    let own: Vec<_> = Guarded::new(notes).list(&user("7"), Action::READ).collect();
    assert!(own.len() == 2 && own.iter().all(|note| note.owner == "7"));
}

#[test]
fn who_is_denied_is_told_and_who_asks_for_nothing_is_not() {
    let sink = MemorySink::new(10);
    let audit = Audit::new(sink.clone());
    let note = || Guarded::new(NOTE).audit(&audit);
    let mapped = note().map(|note| note);
    assert!(mapped.authorize(&user("8"), Action::DELETE).is_err());
    assert!(note().authorize_ref(&user("8"), Action::READ).is_err());
    assert!(note().authorize(&user("7"), Action::READ).is_ok());
    let absent = Guarded::<Note>::found(None).audit(&audit);
    assert!(absent.authorize(&user("8"), Action::READ).is_err());
    let foreign = ["7", "8", "9"].map(|owner| Note { owner, ..NOTE });
    let foreign = Guarded::new(foreign).audit(&audit);
    assert_eq!(foreign.list(&user("7"), Action::READ).count(), 1);

    let events = sink.events();
    let reasons: Vec<_> = events.iter().map(|event| event.field("reason")).collect();
    let note = "msf_auth::guarded::tests::Note";
    let (delete, read) = (
        format!("may not delete {note}"),
        format!("may not read {note}"),
    );
    assert_eq!(reasons, [Some(&*delete), Some(&*read), Some(&*read)]);
    assert_eq!(events[0].kind(), Kind::PolicyDenied);
    assert_eq!(events[0].field("subject"), Some("8"));
}

#[test]
fn the_empty_text_is_no_tenant() {
    let of_nobody = Note {
        tenant: Some(""),
        is_open: true,
        ..NOTE
    };
    let without = caller(PrincipalKind::User, "7", Some(""));
    assert!(!is_given(of_nobody, &without, Action::READ));
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
