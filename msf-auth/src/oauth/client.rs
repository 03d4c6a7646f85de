//! Who may ask for tokens, and for which.

use std::{fmt, str::FromStr, time::Duration};

use aws_lc_rs::{
    constant_time,
    digest::{SHA256, digest},
    rand,
};
use msf_core::config::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::{issue::is_scope, token::base64url};

/// What a client may ask with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantType {
    /// In its own name (RFC 6749 section 4.4).
    ClientCredentials,
    /// With a refresh token (RFC 6749 section 6).
    RefreshToken,
    /// With a token that was sent to it, to call on (RFC 8693).
    TokenExchange,
}

/// An OAuth client: what it proves itself with, and what it may have. Everything is empty by default, so it may have
/// nothing.
///
/// ```
/// use msf_auth::oauth::{Client, ClientSecret, GrantType};
///
/// let secret = ClientSecret::generate()?;
/// let client = Client::new("order")
///     .secret(secret.hash())
///     .grant(GrantType::ClientCredentials)
///     .scopes(["payments:write"])
///     .audience("payment");
/// assert!(client.check().is_ok());
/// assert!(Client::new("no spaces").check().is_err());
/// # Ok::<(), msf_auth::oauth::InvalidClient>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Client {
    id: Box<str>,
    #[serde(default, deserialize_with = "secrets")]
    secrets: Vec<SecretHash>,
    #[serde(default)]
    grants: Vec<GrantType>,
    #[serde(default)]
    scopes: Vec<Box<str>>,
    #[serde(default)]
    audiences: Vec<Box<str>>,
    #[serde(default)]
    serves: Vec<Box<str>>,
    token_ttl_s: u64,
}

/// A client that is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidClient {
    /// The id is one text in every encoding, so that no two are taken for one.
    #[error(
        "a client id has 1 to 128 of the characters A-Z a-z 0-9 - . _ ~ and does not begin as a secret does"
    )]
    Id,
    /// Anything but 256 random bits could be guessed from its hash.
    #[error("a client secret is `msfc_` and 256 random bits, as it is generated here")]
    Secret,
    /// More than two: the old one and the new one.
    #[error("a client has at most two secrets")]
    Secrets,
    /// A scope is not one.
    #[error("`{0}` is not a scope")]
    Scope(Box<str>),
    /// An audience is empty.
    #[error("an audience is empty")]
    Audience,
    /// The life of tokens is out of range.
    #[error("a token lives between 1 s and 24 h")]
    TokenTtl,
    /// Without a secret anybody could be it.
    #[error("a client without a secret may only refresh")]
    Public,
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Random,
}

/// Short: an access token is checked by those who take it, without asking.
const TOKEN_TTL_S: u64 = 600;
const TOKEN_TTL_MAX_S: u64 = 24 * 3_600;
const ID_LEN_MAX: usize = 128;
/// One to be replaced, and the one that replaces it.
const SECRETS_MAX: usize = 2;

impl Client {
    /// A client that may do nothing yet.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self {
            id: id.into(),
            secrets: Vec::new(),
            grants: Vec::new(),
            scopes: Vec::new(),
            audiences: Vec::new(),
            serves: Vec::new(),
            token_ttl_s: TOKEN_TTL_S,
        }
    }

    /// A secret that it proves itself with. Two at most, to change one without a gap. Without one it is a public
    /// client, such as an app on a phone, which may only refresh.
    pub fn secret(mut self, secret: SecretHash) -> Self {
        self.secrets.push(secret);
        self
    }

    /// A grant that it may use.
    pub fn grant(mut self, grant: GrantType) -> Self {
        self.grants.push(grant);
        self
    }

    /// The scopes that its tokens may have.
    pub fn scopes<S: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// An audience that its tokens may be for.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// An audience that it is: it may introspect and exchange tokens that were sent to this one.
    pub fn serves(mut self, audience: impl Into<Box<str>>) -> Self {
        self.serves.push(audience.into());
        self
    }

    /// How long its access tokens live, in whole seconds; default 10 min. Exchanged ones live 60 s at most.
    pub const fn token_ttl(mut self, token_ttl: Duration) -> Self {
        self.token_ttl_s = token_ttl.as_secs();
        self
    }

    /// Whether it is one; stores ask this before they keep it.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`] names what is wrong.
    pub fn check(&self) -> Result<(), InvalidClient> {
        if !is_client_id(&self.id) {
            return Err(InvalidClient::Id);
        }
        if self.secrets.len() > SECRETS_MAX {
            return Err(InvalidClient::Secrets);
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(InvalidClient::Scope(scope.clone()));
        }
        let mut audiences = self.audiences.iter().chain(&self.serves);
        if audiences.any(|audience| audience.is_empty()) {
            return Err(InvalidClient::Audience);
        }
        if !(1..=TOKEN_TTL_MAX_S).contains(&self.token_ttl_s) {
            return Err(InvalidClient::TokenTtl);
        }
        let only_refreshes = self
            .grants
            .iter()
            .all(|grant| *grant == GrantType::RefreshToken);
        if self.is_public() && !(only_refreshes && self.serves.is_empty()) {
            return Err(InvalidClient::Public);
        }
        Ok(())
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it has no secret.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.secrets.is_empty()
    }

    pub(super) fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    pub(super) fn may_have(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| **own == *scope)
    }

    pub(super) fn all_scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &**scope)
    }

    pub(super) fn is(&self, audience: &str) -> bool {
        self.serves.iter().any(|own| **own == *audience)
    }

    /// The audience that is asked for, or the only one that there is.
    pub(super) fn target(&self, asked: Option<&str>) -> Option<&str> {
        match (asked, self.audiences.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(asked), audiences) => {
                let mut audiences = audiences.iter().map(|audience| &**audience);
                audiences.find(|own| *own == asked)
            }
        }
    }

    pub(super) const fn ttl(&self) -> Duration {
        Duration::from_secs(self.token_ttl_s)
    }

    /// Looks at every secret, so that the time does not tell which one it was.
    pub(super) fn proves(&self, secret: &str) -> bool {
        let presented = SecretHash::of(secret);
        let mut matches = false;
        for own in &self.secrets {
            matches |= own.equals(&presented);
        }
        matches
    }
}

/// As long as for a client that is there.
pub(super) fn prove_nothing(secret: &str) {
    let nobody = SecretHash([0; 32]);
    let _ = std::hint::black_box(nobody.equals(&SecretHash::of(secret)));
}

pub(super) fn is_client_id(id: &str) -> bool {
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    // A secret that somebody sends as the id is not looked up and not logged.
    let is_secret = id.starts_with(PREFIX);
    (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(is_unreserved) && !is_secret
}

/// The secret of a client: 256 random bits, shown once to whoever sets the client up.
///
/// ```
/// use msf_auth::oauth::ClientSecret;
///
/// let secret = ClientSecret::generate()?;
/// assert!(secret.text().expose().starts_with("msfc_"));
/// assert_eq!(ClientSecret::parse(secret.text())?.hash(), secret.hash());
/// assert!(ClientSecret::parse(&"hunter2".to_owned().into()).is_err());
/// # Ok::<(), msf_auth::oauth::InvalidClient>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientSecret(Secret<String>);

/// Scanners for secrets find it by this.
const PREFIX: &str = "msfc_";

impl ClientSecret {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`InvalidClient::Random`] when the system has no randomness.
    pub fn generate() -> Result<Self, InvalidClient> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| InvalidClient::Random)?;
        let text = format!("{PREFIX}{}", base64url::encode(bytes));
        Ok(Self(Secret::new(text)))
    }

    /// One that was generated before, for instance by the configuration.
    ///
    /// # Errors
    ///
    /// [`InvalidClient::Secret`] for any other text: passwords of people can be guessed from their hash.
    pub fn parse(text: &Secret<String>) -> Result<Self, InvalidClient> {
        let random = text.expose().strip_prefix(PREFIX);
        random
            .and_then(base64url::decode_array::<32>)
            .map(|_| Self(text.clone()))
            .ok_or(InvalidClient::Secret)
    }

    /// The text that the client sends.
    #[must_use]
    pub const fn text(&self) -> &Secret<String> {
        &self.0
    }

    /// What is kept.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.expose())
    }
}

/// The SHA-256 of a [`ClientSecret`]: what a store keeps. It is written as base64url.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    fn of(secret: &str) -> Self {
        let hash = digest(&SHA256, secret.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }

    fn equals(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

impl Eq for SecretHash {}

impl FromStr for SecretHash {
    type Err = InvalidClient;

    fn from_str(text: &str) -> Result<Self, InvalidClient> {
        base64url::decode_array(text)
            .map(Self)
            .ok_or(InvalidClient::Secret)
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base64url::encode(self.0))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The list in `secrets`. What is none is not quoted: it is likely a secret in the place of its hash.
fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretHash>, D::Error> {
    struct Hashes;

    impl<'de> de::Visitor<'de> for Hashes {
        type Value = Vec<SecretHash>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of hashes of secrets")
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom("the secrets of a client are a list of hashes"))
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut hashes = Vec::new();
            while let Some(hash) = items.next_element()? {
                hashes.push(hash);
            }
            Ok(hashes)
        }
    }

    deserializer.deserialize_any(Hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash() -> SecretHash {
        ClientSecret::generate().unwrap().hash()
    }

    #[test]
    fn a_client_that_is_none_is_refused() {
        let good = || Client::new("a").secret(hash());
        let long = "a".repeat(129);
        let cases = [
            (Client::new("").secret(hash()), InvalidClient::Id),
            (Client::new("a:b").secret(hash()), InvalidClient::Id),
            (Client::new("msfc_a").secret(hash()), InvalidClient::Id),
            (Client::new(long).secret(hash()), InvalidClient::Id),
            (good().secret(hash()).secret(hash()), InvalidClient::Secrets),
            (good().scopes(["a b"]), InvalidClient::Scope("a b".into())),
            (good().audience(""), InvalidClient::Audience),
            (good().serves(""), InvalidClient::Audience),
            (good().token_ttl(Duration::ZERO), InvalidClient::TokenTtl),
            (
                Client::new("a").grant(GrantType::ClientCredentials),
                InvalidClient::Public,
            ),
            (Client::new("a").serves("x"), InvalidClient::Public),
        ];
        for (client, fault) in cases {
            assert_eq!(client.check(), Err(fault));
        }
        assert_eq!(
            Client::new("app").grant(GrantType::RefreshToken).check(),
            Ok(())
        );
    }

    #[test]
    fn either_of_two_secrets_proves_it_and_nothing_else() {
        let secrets = [(); 2].map(|()| ClientSecret::generate().unwrap());
        let client = secrets.iter().fold(Client::new("a"), |client, secret| {
            client.secret(secret.hash())
        });
        for secret in &secrets {
            assert!(client.proves(secret.text().expose()));
        }
        let first = secrets[0].text().expose();
        for wrong in [
            "",
            "msfc_",
            &first[..first.len() - 1],
            &secrets[0].hash().to_string(),
        ] {
            assert!(!client.proves(wrong), "{wrong}");
        }
        assert!(!Client::new("a").proves(""));
    }

    #[test]
    fn it_is_kept_without_its_secret_and_reads_back() {
        let secret = ClientSecret::generate().unwrap();
        let client = Client::new("a").secret(secret.hash()).audience("x");
        let text = serde_json::to_string(&client).unwrap();
        assert!(!text.contains(secret.text().expose().as_str()));
        assert_eq!(serde_json::from_str::<Client>(&text).unwrap(), client);
        let debug = format!("{client:?} {secret:?}");
        assert!(!debug.contains(&secret.hash().to_string()), "{debug}");
        assert!(!debug.contains("msfc_"), "{debug}");
    }

    #[test]
    fn an_audience_is_only_guessed_when_there_is_one() {
        let none = Client::new("a");
        let one = none.clone().audience("x");
        let two = one.clone().audience("y");
        assert_eq!(none.target(None), None);
        assert_eq!(one.target(None), Some("x"));
        assert_eq!(two.target(None), None);
        assert_eq!(two.target(Some("y")), Some("y"));
        assert_eq!(two.target(Some("z")), None);
    }
}
