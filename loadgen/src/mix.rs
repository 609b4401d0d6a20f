//! (pure) What is asked, and how often: the operations, mixes of them, and YCSB's six (Cooper et
//! al., "Benchmarking cloud serving systems with YCSB", 2010).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// One record: `GET /v1/records/{pk}/{sk}`.
    #[default]
    Read,
    /// Many records: `POST /v1/records:get`.
    Get,
    /// A listing of one pk: `GET /v1/records/{pk}?limit=N`.
    Scan,
    /// A new value for a record that is there: `PUT /v1/records/{pk}/{sk}`.
    Put,
    /// A record that was not there.
    Insert,
    /// A read, then a put of the same record: one operation, timed as a whole.
    Rmw,
    /// Many puts in one request: `POST /records/put?wait=applied`. Only `loadgen load` sends it.
    Load,
}

impl Op {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Get, Self::Scan, Self::Put, Self::Insert, Self::Rmw, Self::Load];

    /// As mixes and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Get => "get",
            Self::Scan => "scan",
            Self::Put => "put",
            Self::Insert => "insert",
            Self::Rmw => "rmw",
            Self::Load => "load",
        }
    }
}

/// Operations with their shares.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// Each operation and the sum of the shares up to and with it; the last sum is 1.
    steps: Vec<(Op, f64)>,
    /// The distribution that YCSB asks for with it; `None` when the mix is no preset.
    keys: Option<&'static str>,
}

/// YCSB's workloads: name, mix, keys.
const PRESETS: [(&str, &str, &str); 6] = [
    ("a", "read=50,put=50", "zipfian"),
    ("b", "read=95,put=5", "zipfian"),
    ("c", "read=100", "zipfian"),
    ("d", "read=95,insert=5", "latest"),
    ("e", "scan=95,insert=5", "zipfian"),
    ("f", "read=50,rmw=50", "zipfian"),
];

impl Mix {
    /// Only this operation.
    pub fn only(op: Op) -> Self {
        Self { steps: vec![(op, 1.0)], keys: None }
    }

    /// The keys that go with a preset.
    pub fn keys(&self) -> Option<&'static str> {
        self.keys
    }

    /// Whether the operation occurs in it.
    pub fn has(&self, op: Op) -> bool {
        self.steps.iter().any(|(has, _)| *has == op)
    }

    /// One operation.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> Op {
        if let [(op, _)] = self.steps[..] {
            return op;
        }
        let at = random.unit();
        let step = self.steps.iter().find(|(_, up_to)| at < *up_to);
        step.or(self.steps.last()).map_or(Op::Read, |(op, _)| *op)
    }
}

impl FromStr for Mix {
    type Err = String;

    /// `read=95,put=5`, a single name, or `a` to `f` for YCSB's.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let name = name.strip_prefix("ycsb-").unwrap_or(&name);
        if let Some((_, mix, keys)) = PRESETS.iter().find(|(preset, ..)| *preset == name) {
            return Ok(Self { keys: Some(keys), ..mix.parse()? });
        }
        let mut steps: Vec<(Op, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, "1"));
            let op = Op::ALL[..Op::ALL.len() - 1].iter().find(|op| op.name() == name.trim());
            let op = op.ok_or(format!(
                "{name:?} is no operation; there are read, get, scan, put, insert, rmw, \
                 and YCSB's a to f"
            ))?;
            let share: f64 = share.trim().parse().map_err(|_| format!("{share:?} is no number"))?;
            if !(share > 0.0 && share.is_finite()) {
                return Err(format!("the share of {name} must be above 0"));
            }
            let before = steps.last().map_or(0.0, |(_, sum)| *sum);
            steps.push((*op, before + share));
        }
        let all = steps.last().map_or(1.0, |(_, sum)| *sum);
        steps.iter_mut().for_each(|(_, sum)| *sum /= all);
        Ok(Self { steps, keys: None })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = 0.0;
        for (i, (op, up_to)) in self.steps.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let share = ((up_to - before) * 1e6).round() / 1e4;
            write!(f, "{comma}{}={share}", op.name())?;
            before = *up_to;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn shares_are_drawn_as_given() {
        let mix: Mix = "read=3,put=1".parse().unwrap();
        assert_eq!(mix.to_string(), "read=75,put=25");
        let mut random = Random::new(5);
        let reads = (0..40_000).filter(|_| mix.draw(&mut random) == Op::Read).count();
        assert!((29_400..30_600).contains(&reads), "{reads}");
        assert_eq!("get".parse::<Mix>().unwrap(), Mix::only(Op::Get));
    }

    #[test]
    fn presets_are_those_of_ycsb() {
        let wanted = ["read=50,put=50", "read=95,put=5", "read=100", "read=95,insert=5"];
        for (name, wanted) in ["a", "B", "ycsb-c", "d"].iter().zip(wanted) {
            assert_eq!(name.parse::<Mix>().unwrap().to_string(), wanted);
        }
        assert_eq!("d".parse::<Mix>().unwrap().keys(), Some("latest"));
        assert!("f".parse::<Mix>().unwrap().has(Op::Rmw));
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in ["", "reed=1", "read=0", "read=x", "read=inf", "load=1", "read=1,,"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
