//! What the command line asks for.

use msf_core::BoxError;

/// How large the crowd is, and how much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) idle: usize,
    pub(crate) slow: usize,
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
}

impl Plan {
    pub(crate) fn parse(args: &[String]) -> Result<Self, BoxError> {
        let mut plan = Self {
            idle: 10_000,
            slow: 500,
            rounds: 5,
            seconds: 3,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => {
                    plan = Self {
                        idle: 1_000,
                        slow: 60,
                        rounds: 1,
                        seconds: 1,
                    }
                }
                "--idle" => plan.idle = value()?.parse::<usize>()?.max(1),
                "--slow" => plan.slow = value()?.parse()?,
                "--rounds" => plan.rounds = value()?.parse::<usize>()?.max(1),
                "--seconds" => plan.seconds = value()?.parse::<u32>()?.max(1),
                _ => {
                    return Err(format!(
                        "{arg}: only --quick, --idle, --slow, --rounds and --seconds"
                    )
                    .into());
                }
            }
        }
        Ok(plan)
    }

    pub(crate) const fn connections(&self) -> usize {
        self.idle + self.slow
    }
}
