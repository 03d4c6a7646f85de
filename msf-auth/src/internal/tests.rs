//! What a service inside learns, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use msf_core::{clock::WallClock, metrics::Metrics, testing::advance};
use serde_json::json;

use super::*;
use crate::{
    guarded::Owner,
    issue::{IssueError, TokenIssuer},
    keys::SigningKey,
    principal::{Principal, PrincipalKind},
    verify::{Reason, TrustedIssuer, Verifier},
};

const GATEWAY: &str = "https://gateway.shop";
const NOW_S: u64 = 1_800_000_000;

struct Setup {
    clock: WallClock,
    gateway: TokenIssuer,
}

impl Setup {
    fn new() -> Self {
        let now: SystemTime = UNIX_EPOCH + Duration::from_secs(NOW_S);
        let clock = WallClock::pinned(now);
        let key = SigningKey::generate_ed25519().unwrap();
        Self {
            clock,
            gateway: TokenIssuer::new(GATEWAY, key).with_clock(clock),
        }
    }

    fn tokens(&self) -> InternalTokens {
        InternalTokens::new(self.gateway.clone())
    }

    async fn read(&self, header: &HeaderValue) -> Result<Principal, Reason> {
        let trusted = TrustedIssuer::internal(GATEWAY, self.gateway.jwks()).audience("order");
        let builder = Verifier::builder().issuer(trusted).clock(self.clock);
        let verifier = builder.leeway(Duration::ZERO).build().unwrap();
        let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let caller = verifier.verify(token).await;
        caller
            .map(|caller| Principal::clone(&caller))
            .map_err(|error| error.reason())
    }
}

fn user(ends_in_s: u64, further: &[(&str, serde_json::Value)]) -> Principal {
    let known = Principal::builder("https://user.shop", "7", PrincipalKind::User)
        .claim("exp", NOW_S + ends_in_s)
        .claim("scope", "orders:read orders:write users:self");
    let all = further.iter().fold(known, |caller, (name, value)| {
        caller.claim(name, value.clone())
    });
    all.build().unwrap()
}

fn call() -> InternalCall<'static> {
    InternalCall::to("order").scopes(&["orders:read", "orders:admin"])
}

#[tokio::test(start_paused = true)]
async fn the_service_learns_who_calls_and_no_more_than_it_needs() {
    let setup = Setup::new();
    let builder = InternalTokens::builder(setup.gateway.clone()).carry("roles");
    let tokens = builder.build().unwrap();
    let caller = user(
        600,
        &[
            ("sid", "s1".into()),
            ("tenant", "acme".into()),
            ("acr", "2".into()),
            ("amr", json!(["pwd", "otp"])),
            ("auth_time", (NOW_S - 60).into()),
            ("client_id", "web".into()),
            ("roles", json!(["buyer"])),
            ("email", "a@example".into()),
        ],
    );
    let header = tokens.bearer(&caller, &call()).unwrap();
    assert!(header.is_sensitive());
    let seen = setup.read(&header).await.unwrap();
    assert_eq!((seen.issuer(), seen.subject()), (GATEWAY, "7"));
    assert_eq!(seen.scopes().collect::<Vec<_>>(), ["orders:read"]);
    assert_eq!(seen.tenant(), Some("acme"));
    assert_eq!((seen.session_id(), seen.acr()), (Some("s1"), Some("2")));
    assert_eq!(seen.amr().collect::<Vec<_>>(), ["pwd", "otp"]);
    assert_eq!(seen.authenticated_at(), caller.authenticated_at());
    assert_eq!(seen.client_id(), Some("web"));
    assert_eq!(seen.claim("roles"), Some(&json!(["buyer"])));
    assert_eq!(seen.claim("email"), None);
    assert_eq!(seen.claim("txn"), None);
    assert_eq!(seen.claim("act"), Some(&json!({ "sub": GATEWAY })));
    assert_eq!(
        seen.expires_at(),
        UNIX_EPOCH + Duration::from_secs(NOW_S + 30)
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_given_again_for_ten_seconds_to_those_who_are_the_same() {
    let setup = Setup::new();
    let metrics = Metrics::new();
    let builder = InternalTokens::builder(setup.gateway.clone()).metrics(&metrics);
    let tokens = builder.build().unwrap();
    let caller = user(600, &[]);
    let first = tokens.bearer(&caller, &call()).unwrap();
    assert_eq!(tokens.clone().bearer(&caller, &call()).unwrap(), first);
    advance(Duration::from_secs(9)).await;
    assert_eq!(tokens.bearer(&caller, &call()).unwrap(), first);
    advance(Duration::from_secs(1)).await;
    let second = tokens.bearer(&caller, &call()).unwrap();
    assert_ne!(second, first);

    let others = [
        (user(601, &[]), call()),
        (user(600, &[("sid", "s".into())]), call()),
        (user(600, &[("tenant", "t".into())]), call()),
        (user(600, &[("client_id", "c".into())]), call()),
        (user(600, &[("act", json!({ "sub": "a" }))]), call()),
        (caller.clone(), InternalCall::to("payment")),
        (caller.clone(), InternalCall::to("order")),
        (caller.clone(), InternalCall::to("order").scopes(&[])),
    ];
    let mut seen = vec![second];
    for (caller, call) in &others {
        let header = tokens.bearer(caller, call).unwrap();
        assert!(!seen.contains(&header), "{call:?}");
        seen.push(header);
    }
    let text = metrics.render();
    for line in [
        r#"msf_auth_internal_tokens_total{result="kept"} 2"#,
        r#"msf_auth_internal_tokens_total{result="minted"} 10"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_named_has_a_token_of_its_own() {
    let setup = Setup::new();
    let tokens = setup.tokens();
    let caller = user(600, &[]);
    let shared = tokens.bearer(&caller, &call()).unwrap();
    let own = tokens.bearer(&caller, &call().request("r1")).unwrap();
    assert_ne!(own, shared);
    assert_ne!(tokens.bearer(&caller, &call().request("r1")).unwrap(), own);
    let seen = setup.read(&own).await.unwrap();
    assert_eq!(seen.claim("txn"), Some(&json!("r1")));
    assert_eq!(tokens.bearer(&caller, &call()).unwrap(), shared);
}

#[tokio::test(start_paused = true)]
async fn no_token_outlives_the_one_that_it_stands_for() {
    let setup = Setup::new();
    let tokens = setup.tokens();
    let caller = user(8, &[]);
    let first = tokens.bearer(&caller, &call()).unwrap();
    assert_eq!(
        setup.read(&first).await.unwrap().expires_at(),
        caller.expires_at()
    );
    // Half of what was left, not ten seconds.
    advance(Duration::from_secs(3)).await;
    assert_eq!(tokens.bearer(&caller, &call()).unwrap(), first);
    advance(Duration::from_secs(1)).await;
    let second = tokens.bearer(&caller, &call()).unwrap();
    assert_ne!(second, first);
    advance(Duration::from_secs(4)).await;
    assert_eq!(setup.read(&second).await.unwrap_err(), Reason::Expired);
    assert!(matches!(
        tokens.bearer(&caller, &call()),
        Err(InternalTokenError::Expired)
    ));
}

#[tokio::test(start_paused = true)]
async fn actors_are_kept_in_order_and_are_bounded() {
    let setup = Setup::new();
    let tokens = setup.tokens();
    let acted = |depth: usize| {
        let act = (1..depth).fold(
            json!({ "sub": "a0" }),
            |act, n| json!({ "sub": format!("a{n}"), "act": act }),
        );
        user(600, &[("act", act)])
    };
    let header = tokens.bearer(&acted(2), &call()).unwrap();
    let seen = setup.read(&header).await.unwrap();
    let chain = seen.actor().unwrap().chain();
    let chain: Vec<_> = chain.filter_map(|actor| actor.subject()).collect();
    assert_eq!(chain, [GATEWAY, "a1", "a0"]);
    assert!(tokens.bearer(&acted(3), &call()).is_ok());
    assert!(matches!(
        tokens.bearer(&acted(4), &call()),
        Err(InternalTokenError::Actors { max: 4 })
    ));
}

#[tokio::test(start_paused = true)]
async fn who_has_one_name_at_two_issuers_is_two_callers() {
    let setup = Setup::new();
    let tokens = setup.tokens();
    let named_by = |issuer: &str| {
        let caller = Principal::builder(issuer, "7", PrincipalKind::User);
        caller.claim("exp", NOW_S + 600).build().unwrap()
    };
    let (one, other) = (named_by("https://user.shop"), named_by("https://partner"));
    let headers = [&one, &other].map(|caller| tokens.bearer(caller, &call()).unwrap());
    assert_ne!(headers[0], headers[1]);
    let seen_one = setup.read(&headers[0]).await.unwrap();
    let seen_other = setup.read(&headers[1]).await.unwrap();
    assert_eq!(seen_one.subject(), seen_other.subject());
    assert_eq!(seen_one.subject_issuer(), "https://user.shop");
    assert_eq!(seen_other.subject_issuer(), "https://partner");
    // An edge behind an edge hands it on.
    let again = tokens.bearer(&seen_other, &call()).unwrap();
    let seen = setup.read(&again).await.unwrap();
    assert_eq!(seen.subject_issuer(), "https://partner");
}

#[tokio::test(start_paused = true)]
async fn whose_users_an_edge_speaks_for_can_be_said() {
    let setup = Setup::new();
    let tokens = setup.tokens();
    let minted = |issuer: &str, kind| {
        let caller = Principal::builder(issuer, "7", kind).claim("exp", NOW_S + 600);
        let header = tokens.bearer(&caller.build().unwrap(), &call()).unwrap();
        let token = header.to_str().unwrap().trim_start_matches("Bearer ");
        token.to_owned()
    };
    let ours = minted("https://user.shop", PrincipalKind::User);
    let theirs = minted("https://partner", PrincipalKind::User);
    let service = minted("https://partner", PrincipalKind::Service);
    let edge = || TrustedIssuer::internal(GATEWAY, setup.gateway.jwks()).audience("order");
    let verifier = |trusted: TrustedIssuer| {
        let builder = Verifier::builder().issuer(trusted).clock(setup.clock);
        builder.build().unwrap()
    };
    let is_seven = |caller: &Principal| Owner::user("7").is(caller);
    let is_our_seven = |caller: &Principal| {
        let owner = Owner::user("7").of_issuer("https://user.shop");
        owner.is(caller)
    };

    // Whose 7 it is has to be asked for, unless it was said whose users there are.
    let any = verifier(edge());
    let (one, other) = (any.verify(&ours).await, any.verify(&theirs).await);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(!is_seven(&one) && !is_seven(&other));
    assert!(is_our_seven(&one) && !is_our_seven(&other));

    let only = verifier(edge().users_of("https://user.shop"));
    let caller = only.verify(&ours).await.unwrap();
    assert!(is_seven(&caller) && is_our_seven(&caller));
    let refused = only.verify(&theirs).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Subject);
    assert!(only.verify(&service).await.is_ok());

    let both = verifier(
        edge()
            .users_of("https://user.shop")
            .users_of("https://partner"),
    );
    let (one, other) = (both.verify(&ours).await, both.verify(&theirs).await);
    assert!(!is_seven(&one.unwrap()) && !is_seven(&other.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn only_an_edge_says_who_named_a_caller() {
    let setup = Setup::new();
    let issuer = &setup.gateway;
    let forged = issuer.token("7").audience("order");
    let forged = forged.claim("sub_iss", "https://partner").sign().unwrap();
    let trusted = TrustedIssuer::new(GATEWAY, issuer.jwks()).audience("order");
    let verifier = Verifier::builder().issuer(trusted).clock(setup.clock);
    let caller = verifier.build().unwrap().verify(&forged).await.unwrap();
    assert_eq!(caller.subject_issuer(), GATEWAY);
    // And an edge has to say it.
    for (name, value, reason) in [
        ("other", json!("x"), Reason::Type),
        ("sub_iss", json!(7), Reason::Claims),
        ("sub_iss", json!(""), Reason::Claims),
    ] {
        let token = issuer.token("7").audience("order").token_type(TOKEN_TYPE);
        let token = token.claim(name, value).sign().unwrap();
        let header = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        assert_eq!(setup.read(&header).await.unwrap_err(), reason, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_token_is_not_kept() {
    let setup = Setup::new();
    let builder = InternalTokens::builder(setup.gateway).carry("roles");
    let tokens = builder.build().unwrap();
    let caller = user(600, &[("roles", "r".repeat(4_000).into())]);
    let first = tokens.bearer(&caller, &call()).unwrap();
    assert_ne!(tokens.bearer(&caller, &call()).unwrap(), first);
    assert_eq!(tokens.kept(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_stays_a_service() {
    let setup = Setup::new();
    let caller = Principal::builder("https://order.shop", "order", PrincipalKind::Service);
    let caller = caller.claim("exp", NOW_S + 60).build().unwrap();
    let header = setup.tokens().bearer(&caller, &call()).unwrap();
    assert!(setup.read(&header).await.unwrap().is_service());
}

#[tokio::test(start_paused = true)]
async fn outside_an_internal_token_is_worth_nothing() {
    let setup = Setup::new();
    let header = setup.tokens().bearer(&user(600, &[]), &call()).unwrap();
    let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    // Even where the gateway is an issuer of access tokens, too.
    let trusted = TrustedIssuer::new(GATEWAY, setup.gateway.jwks()).audience("order");
    let edge = Verifier::builder().issuer(trusted).clock(setup.clock);
    let refused = edge.build().unwrap().verify(token).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Type);
    // And the other way round.
    let access = setup.gateway.token("7").audience("order").sign().unwrap();
    let access = HeaderValue::try_from(format!("Bearer {access}")).unwrap();
    assert_eq!(setup.read(&access).await.unwrap_err(), Reason::Type);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let setup = Setup::new();
    let builder = InternalTokens::builder(setup.gateway).kept_max(16);
    let tokens = builder.build().unwrap();
    for n in 0..200 {
        let caller = Principal::builder("i", &n.to_string(), PrincipalKind::User);
        let caller = caller.claim("exp", NOW_S + 60).build().unwrap();
        assert!(tokens.bearer(&caller, &call()).is_ok());
    }
    assert!(tokens.kept() <= 16, "{}", tokens.kept());
}

#[test]
fn settings_out_of_range_are_refused() {
    let key = SigningKey::generate_ed25519().unwrap();
    let issuer = TokenIssuer::new(GATEWAY, key);
    let builder = || InternalTokens::builder(issuer.clone());
    let s = Duration::from_secs;
    assert!(matches!(
        builder().ttl(s(4)).build(),
        Err(InvalidInternalTokens::Ttl)
    ));
    assert!(matches!(
        builder().ttl(s(301)).build(),
        Err(InvalidInternalTokens::Ttl)
    ));
    assert!(matches!(
        builder().keep(s(16)).build(),
        Err(InvalidInternalTokens::Keep)
    ));
    for claim in ["sub", "sub_iss", "act", "tenant", "sid"] {
        assert!(
            matches!(builder().carry(claim).build(), Err(InvalidInternalTokens::Claim(name)) if *name == *claim)
        );
    }
    assert!(builder().keep(s(0)).build().is_ok());
}

#[test]
fn without_an_audience_there_is_no_token() {
    let setup = Setup::new();
    let outcome = setup
        .tokens()
        .bearer(&user(u64::from(u32::MAX), &[]), &InternalCall::to(""));
    assert!(matches!(
        outcome,
        Err(InternalTokenError::Issue(IssueError::Invalid(_)))
    ));
}
