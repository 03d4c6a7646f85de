//! Exchanging a token for its successor.

use std::time::Duration;

use msf_core::config::Secret;
use tokio::task;

use super::{
    Family, Grant, Presented, RefreshError, RefreshTokens,
    judge::{Evidence, Verdict},
    seal,
    text::Token,
    tokens::CONFLICTS_MAX,
};
use crate::{audit::Kind, store::StoreError};

/// The successor of a token.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the token that it succeeds ends with the grace"]
pub struct Rotated {
    /// The token, for the client only.
    pub token: Secret<String>,
    /// What was granted at login.
    pub grant: Grant,
    /// The scopes of the next access token: those asked for, or all.
    pub scopes: Box<[Box<str>]>,
    /// How long the token is good for if it is not used.
    pub expires_in: Duration,
    /// Whether it was made for an earlier request with the same token.
    pub is_repeat: bool,
}

impl RefreshTokens {
    /// Exchanges a token for its successor. See the [table](super#rules) for what it is answered with.
    ///
    /// # Errors
    ///
    /// [`RefreshError`]; the client is told `invalid_grant` if it [is refused](RefreshError::is_refused).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the token is as valid as before, or gives the same successor within the grace.
    pub async fn rotate(&self, presented: &Presented<'_>) -> Result<Rotated, RefreshError> {
        let outcome = self.within(self.exchange(presented)).await;
        match &outcome {
            Ok(rotated) if rotated.is_repeat => self.metrics.repeated.inc(),
            Ok(_) => self.metrics.rotated.inc(),
            Err(error) => self.metrics.failed(error),
        }
        outcome
    }

    async fn exchange(&self, presented: &Presented<'_>) -> Result<Rotated, RefreshError> {
        let token = Token::parse(presented.token()).ok_or(RefreshError::Unknown)?;
        let mut exchange = Exchange {
            tokens: self,
            presented,
            hash: token.hash(),
            token,
            is_reported: false,
        };
        for _ in 0..CONFLICTS_MAX {
            if let Some(rotated) = exchange.attempt().await? {
                return Ok(rotated);
            }
            task::yield_now().await;
        }
        Err(StoreError::Busy.into())
    }
}

struct Exchange<'a> {
    tokens: &'a RefreshTokens,
    presented: &'a Presented<'a>,
    token: Token,
    hash: [u8; 32],
    /// Whether a reuse was told: once for each request, however often the row changes meanwhile.
    is_reported: bool,
}

impl Exchange<'_> {
    /// `None` when another request changed the family meanwhile; then its outcome decides.
    async fn attempt(&mut self) -> Result<Option<Rotated>, RefreshError> {
        let family = self.tokens.store.fetch(self.token.family()).await?;
        let family = family.ok_or(RefreshError::Unknown)?;
        let evidence = Evidence {
            is_genuine: self.token.is_genuine(&family.tag_key.0),
            generation: self.token.generation(),
            hash: &self.hash,
            client: self.presented.client_id(),
        };
        let now_ms = self.tokens.clock.now_ms();
        let refused = |error: RefreshError| {
            let (grant, reason) = (&family.grant, error.as_str());
            self.tokens.record(Kind::TokenRefused, grant, Some(reason));
            Err(error)
        };
        match family.judge(&evidence, &self.tokens.policy, now_ms) {
            Verdict::Rotate => self.advance(&family, now_ms).await,
            Verdict::Repeat => self.repeat(family, now_ms).map(Some),
            Verdict::Reused => self.end(&family, now_ms).await,
            Verdict::Expired => refused(RefreshError::Expired),
            Verdict::Revoked => refused(RefreshError::Revoked),
            Verdict::OtherClient => refused(RefreshError::OtherClient),
            // Not the token's fault: it is good again when the clock is.
            Verdict::ClockBehind => Err(StoreError::Io(CLOCK_BEHIND.into()).into()),
            // Nobody's token, so there is nobody to tell about.
            Verdict::Unknown => Err(RefreshError::Unknown),
        }
    }

    async fn advance(&self, family: &Family, now_ms: u64) -> Result<Option<Rotated>, RefreshError> {
        let scopes = self.scopes(&family.grant)?;
        let generation = family.generation.checked_add(1);
        let generation = generation.ok_or(RefreshError::Expired)?;
        let next = Token::generate(family.id, generation, &family.tag_key.0)?;
        let sealed = seal::seal(&next, &self.token)?;
        let rotated = family.rotated(next.hash(), sealed, &self.tokens.policy, now_ms);
        let rotated = rotated.ok_or(RefreshError::Expired)?;
        if !self.tokens.store.replace(rotated.clone()).await? {
            return Ok(None);
        }
        self.tokens
            .record(Kind::RefreshRotated, &rotated.grant, None);
        Ok(Some(Rotated {
            token: next.text(),
            expires_in: self.lifetime(&rotated, now_ms),
            grant: rotated.grant,
            scopes,
            is_repeat: false,
        }))
    }

    fn repeat(&self, family: Family, now_ms: u64) -> Result<Rotated, RefreshError> {
        let scopes = self.scopes(&family.grant)?;
        let previous = family.previous.as_ref();
        let sealed = previous.and_then(|previous| previous.successor.as_ref());
        let next = sealed.and_then(|sealed| seal::open(&sealed.0, &self.token));
        // It was sealed for this very token, so the row was damaged.
        let damaged = || StoreError::Corrupt("a successor cannot be opened".into());
        let next = next.ok_or_else(damaged)?;
        let reason = Some("repeated");
        self.tokens
            .record(Kind::RefreshRotated, &family.grant, reason);
        Ok(Rotated {
            token: next.text(),
            expires_in: self.lifetime(&family, now_ms),
            grant: family.grant,
            scopes,
            is_repeat: true,
        })
    }

    async fn end(&mut self, family: &Family, now_ms: u64) -> Result<Option<Rotated>, RefreshError> {
        // Told before it is acted upon: who breaks off now cannot keep it quiet.
        if !self.is_reported {
            self.is_reported = true;
            self.tokens.record(Kind::RefreshReused, &family.grant, None);
        }
        if !self.tokens.store.replace(family.revoked(now_ms)).await? {
            return Ok(None);
        }
        let reason = Some("reused");
        self.tokens
            .record(Kind::RefreshRevoked, &family.grant, reason);
        Err(RefreshError::Reused {
            subject: family.subject().into(),
            session: family.session().into(),
        })
    }

    /// Checked before anything changes: who asks for too much has as good a token as before.
    fn scopes(&self, grant: &Grant) -> Result<Box<[Box<str>]>, RefreshError> {
        self.presented.narrow(grant).ok_or(RefreshError::Scope)
    }

    fn lifetime(&self, family: &Family, now_ms: u64) -> Duration {
        let end_ms = family.end_ms(&self.tokens.policy);
        Duration::from_millis(end_ms.saturating_sub(now_ms))
    }
}

const CLOCK_BEHIND: &str = "the clock is more than five minutes behind what the store has seen";
