//! What the command line asks for.

use msf_core::BoxError;

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
    /// Names of proxies; all if there are none.
    only: Vec<String>,
}

impl Plan {
    pub(crate) fn parse(args: &[String]) -> Result<Self, BoxError> {
        let mut plan = Self {
            rounds: 7,
            seconds: 3,
            only: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => (plan.rounds, plan.seconds) = (3, 1),
                "--rounds" => plan.rounds = value()?.parse()?,
                "--seconds" => plan.seconds = value()?.parse()?,
                "--only" => plan.only = value()?.split(',').map(str::to_owned).collect(),
                _ => {
                    return Err(
                        format!("{arg}: only --quick, --rounds, --seconds and --only").into(),
                    );
                }
            }
        }
        Ok(plan)
    }

    pub(crate) fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}
