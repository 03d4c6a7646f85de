//! Which numbers are limits of concurrency.

use crate::policies::{Control, ControlError};

/// Gives a number back that is no limit of concurrency.
pub(crate) const fn check_limit(limit: u32) -> Result<(), u32> {
    if limit == 0 || limit > LIMIT_MAX {
        return Err(limit);
    }
    Ok(())
}

/// The limit that an operator asks for, which is the only order that permits take.
pub(crate) fn ordered_limit(control: Control) -> Result<u32, ControlError> {
    let Control::SetLimit(limit) = control else {
        return Err(ControlError::Unsupported(control));
    };
    match check_limit(limit) {
        Ok(()) => Ok(limit),
        Err(limit) => {
            let text = format!("a limit must be from 1 to {LIMIT_MAX}, not {limit}");
            Err(ControlError::Invalid(text.into()))
        }
    }
}

const LIMIT_MAX: u32 = 1_000_000;
