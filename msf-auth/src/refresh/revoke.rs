//! Taking back.

use tokio::task;

use super::{
    Family, Grant, Owner, Presented, RefreshError, RefreshTokens,
    text::Token,
    tokens::{BATCH, CONFLICTS_MAX},
};
use crate::{audit::Kind, store::StoreError};

impl RefreshTokens {
    /// Ends the family of a token (RFC 7009), whichever of its tokens it is. `None` when there was nothing to end.
    ///
    /// # Errors
    ///
    /// [`RefreshError::OtherClient`] when it was issued to another client, [`RefreshError::Store`] when the store did
    /// not do it.
    pub async fn revoke(&self, presented: &Presented<'_>) -> Result<Option<Grant>, RefreshError> {
        self.within(async {
            let Some(token) = Token::parse(presented.token()) else {
                return Ok(None);
            };
            for _ in 0..CONFLICTS_MAX {
                let Some(family) = self.store.fetch(token.family()).await? else {
                    return Ok(None);
                };
                if family.is_revoked || !token.is_genuine(&family.tag_key.0) {
                    return Ok(None);
                }
                if family.grant.client_id() != presented.client_id() {
                    return Err(RefreshError::OtherClient);
                }
                if self.end(&family, "token").await? {
                    return Ok(Some(family.grant));
                }
                task::yield_now().await;
            }
            Err(StoreError::Busy.into())
        })
        .await
    }

    /// Ends every family of a session: a logout. Gives how many there were.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not do it; some families may have ended, so try again.
    pub async fn revoke_session(&self, session: &str) -> Result<usize, RefreshError> {
        self.revoke_all(Owner::Session(session), "session").await
    }

    /// Ends every session of a subject: a logout everywhere, a changed password. Gives how many there were.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not do it; some sessions may have ended, so try again.
    pub async fn revoke_subject(&self, subject: &str) -> Result<usize, RefreshError> {
        self.revoke_all(Owner::Subject(subject), "subject").await
    }

    async fn revoke_all(&self, owner: Owner<'_>, why: &str) -> Result<usize, RefreshError> {
        let mut ended = 0;
        for _ in 0..ROUNDS_MAX {
            let found = async { Ok(self.store.find(owner, BATCH).await?) };
            let mut live = self.within(found).await?;
            live.retain(|family| !family.is_revoked);
            if live.is_empty() {
                return Ok(ended);
            }
            for family in &live {
                // One that was rotated meanwhile is found again.
                let end = async { Ok(self.end(family, why).await?) };
                ended += usize::from(self.within(end).await?);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Ends a family; `false` when it was changed meanwhile.
    pub(super) async fn end(&self, family: &Family, why: &str) -> Result<bool, StoreError> {
        let revoked = family.revoked(self.clock.now_ms());
        let is_ended = self.store.replace(revoked).await?;
        if is_ended {
            self.record(Kind::RefreshRevoked, &family.grant, Some(why));
        }
        Ok(is_ended)
    }
}

/// Of so many batches each: more sessions than a subject can have.
const ROUNDS_MAX: usize = 64;
