//! Devices that have logged in before.

use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use msf_core::{clock::WallClock, config::Secret};

use crate::token::base64url;

/// Makes and knows what a device is given: a number and an end, with a MAC over both and the account.
///
/// The owner of an account keeps a way in that way while somebody guesses at it from elsewhere. Nothing is kept here, so
/// that a flood of them costs nothing.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    key: hmac::Key,
    clock: WallClock,
    life: Duration,
}

/// The number of a device.
pub(super) type DeviceId = [u8; ID_BYTES];

const ID_BYTES: usize = 16;
const END_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
const BYTES: usize = ID_BYTES + END_BYTES + MAC_BYTES;
/// Of `BYTES` in base64url.
const CHARS: usize = 75;

impl Devices {
    pub(super) fn new(key: &[u8; 32], clock: WallClock, life: Duration) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            clock,
            life,
        }
    }

    /// Absent when there is no randomness.
    pub(super) fn issue(&self, account: &str) -> Option<Secret<String>> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes[..ID_BYTES]).ok()?;
        let end_s = self
            .clock
            .unix_seconds()
            .saturating_add(self.life.as_secs());
        bytes[ID_BYTES..][..END_BYTES].copy_from_slice(&end_s.to_be_bytes());
        let (said, tag) = bytes.split_at_mut(ID_BYTES + END_BYTES);
        tag.copy_from_slice(self.mac(account, said).sign().as_ref());
        Some(Secret::new(base64url::encode(bytes)))
    }

    /// The device that was given this for this account.
    pub(super) fn known(&self, account: &str, device: &str) -> Option<DeviceId> {
        if device.len() != CHARS {
            return None;
        }
        let bytes: [u8; BYTES] = base64url::decode_array(device)?;
        let (said, tag) = bytes.split_at(ID_BYTES + END_BYTES);
        let (id, end) = said.split_first_chunk::<ID_BYTES>()?;
        let expected = self.mac(account, said).sign();
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), tag).ok()?;
        let end_s = u64::from_be_bytes(end.try_into().ok()?);
        (self.clock.unix_seconds() < end_s).then_some(*id)
    }

    /// The first part has one length, so that no account can run into it.
    fn mac(&self, account: &str, said: &[u8]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"msf device\0");
        context.update(said);
        context.update(account.as_bytes());
        context
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_device_is_known_for_its_account_and_its_time() {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        let devices = Devices::new(&[7; 32], clock, Duration::from_secs(60));
        let given = devices.issue("ada").unwrap();
        let given = given.expose();
        assert_eq!(given.len(), CHARS);
        assert!(devices.known("ada", given).is_some());
        assert_eq!(devices.known("eve", given), None);
        for device in [
            "",
            "x",
            &given[1..],
            &"A".repeat(CHARS),
            &given.replace(&given[..1], "-"),
        ] {
            assert_eq!(devices.known("ada", device), None, "{device}");
        }
        let others = Devices::new(&[8; 32], clock, Duration::from_secs(60));
        assert_eq!(others.known("ada", given), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(devices.known("ada", given), None);
    }
}
