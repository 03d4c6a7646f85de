//! An explanation as a table for people.

use std::fmt;

use super::{Explained, Explanation, Reason};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self
            .group
            .map_or("nobody can be called", |group| group.as_str());
        writeln!(
            f,
            "{} at revision {}: {}, {group}",
            self.service, self.revision, self.balance
        )?;
        let rows: Vec<[String; COLUMNS]> = std::iter::once(HEAD.map(ToOwned::to_owned))
            .chain(self.candidates.iter().map(row))
            .collect();
        let mut widths = [0; COLUMNS];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn row(of: &Explained) -> [String; COLUMNS] {
    let mark = if of.why == Reason::Chosen { ">" } else { "" };
    let or_none =
        |number: Option<f32>| number.map_or_else(|| "-".to_owned(), |n| format!("{n:.3}"));
    [
        mark.to_owned(),
        of.id.to_string(),
        of.addr.to_string(),
        of.zone.clone().unwrap_or_else(|| "-".to_owned()),
        of.status.as_str().to_owned(),
        of.health.as_str().to_owned(),
        of.in_flight.to_string(),
        or_none(of.ewma_ms),
        format!("{:.2}", of.slow_start),
        or_none(of.score),
        of.why.as_str().to_owned(),
    ]
}

const HEAD: [&str; COLUMNS] = [
    "", "id", "addr", "zone", "status", "health", "calls", "ewma ms", "share", "score", "why",
];
const COLUMNS: usize = 11;

#[cfg(test)]
mod tests {
    use msf_core::name::{InstanceId, ServiceName};

    use crate::{
        explain::{Explained, Explanation, Reason},
        model::{Health, Status},
        routing::{GroupKind, Routable, Why},
    };

    fn explanation() -> Explanation {
        let candidate = |id: &str, why| Explained {
            id: InstanceId::new(id).unwrap(),
            addr: ([10, 0, 0, 1], 8080).into(),
            zone: None,
            status: Status::Up,
            health: Health::Healthy,
            routable: Routable::Yes,
            why,
            in_flight: 3,
            ewma_ms: Some(12.5),
            slow_start: 1.0,
            score: Some(0.05),
        };
        let ejected = Explained {
            zone: Some("a".to_owned()),
            routable: Routable::No(Why::Ejected),
            ewma_ms: None,
            score: None,
            ..candidate("payment-22", Reason::NotRoutable(Why::Ejected))
        };
        Explanation {
            service: ServiceName::new("payment").unwrap(),
            revision: 7,
            balance: "peak_ewma",
            group: Some(GroupKind::Only),
            chosen: Some(InstanceId::new("p-1").unwrap()),
            candidates: vec![candidate("p-1", Reason::Chosen), ejected],
        }
    }

    #[test]
    fn people_see_a_table() {
        let expected = "\
payment at revision 7: peak_ewma, only
   id          addr           zone  status  health   calls  ewma ms  share  score  why
>  p-1         10.0.0.1:8080  -     up      healthy  3      12.500   1.00   0.050  chosen
   payment-22  10.0.0.1:8080  a     up      healthy  3      -        1.00   -      ejected
";
        assert_eq!(explanation().to_string(), expected);
    }

    #[test]
    fn programs_see_flat_words() {
        let json = serde_json::to_value(explanation()).unwrap();
        assert_eq!(json["group"], "only");
        assert_eq!(json["candidates"][0]["why"], "chosen");
        assert_eq!(json["candidates"][1]["why"], "ejected");
        assert_eq!(json["candidates"][1]["routable"], "no");
        assert_eq!(json["candidates"][1].get("score"), None);
    }
}
