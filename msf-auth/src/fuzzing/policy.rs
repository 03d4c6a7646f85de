//! The text of a policy.

use crate::policy::Policy;

/// A policy that is read is written as a text that is read as the same policy.
///
/// # Panics
///
/// When that is not so.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    match text.parse::<Policy>() {
        Ok(policy) => {
            let written = policy.to_string();
            let again: Policy = written.parse().expect("a policy that was written is read");
            assert_eq!(again, policy);
            assert_eq!(again.to_string(), written);
        }
        Err(error) => {
            assert!(
                error.to_string().len() < 1_024,
                "an error is short, whatever the text"
            );
        }
    }
}
