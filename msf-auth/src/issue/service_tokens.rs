//! The token that a service calls another one with.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use super::TokenIssuer;
use crate::bearer::{BearerError, BearerSource};

/// Tokens of a service for one audience: kept, and renewed after four fifths of their life. Cloning shares
/// them. Made by [`TokenIssuer::service_tokens`].
///
/// Most calls take a reference count. The one that renews signs a token, which takes tens of microseconds;
/// several that come at that moment may each sign one.
#[derive(Clone, Debug)]
pub struct ServiceTokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuer: TokenIssuer,
    service: Box<str>,
    audience: Box<str>,
    kept: ArcSwapOption<Kept>,
}

#[derive(Debug)]
struct Kept {
    header: HeaderValue,
    issued_s: u64,
    renew_s: u64,
    /// Of the keys: a token by one that was revoked is refused soon.
    generation: u64,
}

/// Short, since a token of a service cannot be taken back.
const TTL: Duration = Duration::from_secs(300);

impl ServiceTokens {
    pub(super) fn new(issuer: TokenIssuer, service: Box<str>, audience: Box<str>) -> Self {
        Self(Arc::new(Shared {
            issuer,
            service,
            audience,
            kept: ArcSwapOption::empty(),
        }))
    }
}

impl BearerSource for ServiceTokens {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        let Shared {
            issuer,
            service,
            audience,
            kept,
        } = &*self.0;
        let now_s = issuer.clock().unix_seconds();
        // Before the token is signed: one that is signed while the keys change is renewed once more.
        let generation = issuer.snapshot().generation();
        if let Some(kept) = &*kept.load() {
            // A clock that was set back would make the token one of the future.
            let is_alive = (kept.issued_s..kept.renew_s).contains(&now_s);
            if is_alive && kept.generation == generation {
                return Ok(kept.header.clone());
            }
        }
        let ttl = TTL.min(issuer.ttl_max());
        let token = issuer
            .token(service)
            .audience(audience)
            .service(true)
            .ttl(ttl);
        let token = token.sign().map_err(BearerError::new)?;
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(BearerError::new)?;
        header.set_sensitive(true);
        // Four fifths of it: what is left covers calls under way and clocks that differ.
        let renew_s = now_s.saturating_add(ttl.as_secs() * 4 / 5);
        kept.store(Some(Arc::new(Kept {
            header: header.clone(),
            issued_s: now_s,
            renew_s,
            generation,
        })));
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use msf_core::clock::WallClock;
    use tokio::time;

    use super::*;
    use crate::keys::SigningKey;

    const RENEW_AFTER: Duration = Duration::from_secs(240);

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_and_renewed_in_time() {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        let key = SigningKey::generate_ed25519().unwrap();
        let issuer = TokenIssuer::new("https://order.shop", key).with_clock(clock);
        let tokens = issuer.service_tokens("order", "payment");
        let first = tokens.bearer().unwrap();
        assert!(first.is_sensitive());
        time::advance(RENEW_AFTER - Duration::from_secs(1)).await;
        assert_eq!(tokens.clone().bearer().unwrap(), first);
        time::advance(Duration::from_secs(1)).await;
        let second = tokens.bearer().unwrap();
        assert_ne!(second, first);
        assert_eq!(tokens.bearer().unwrap(), second);
    }

    #[test]
    fn without_a_name_there_is_no_token() {
        let issuer = TokenIssuer::new("i", SigningKey::generate_ed25519().unwrap());
        assert!(issuer.service_tokens("", "payment").bearer().is_err());
        assert!(issuer.service_tokens("order", "").bearer().is_err());
    }
}
