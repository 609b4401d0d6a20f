//! (pure) Which record is asked for: the distributions. One chooser a driver thread.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::random::Random;
use crate::zipf::Zipf;

/// YCSB's constant.
const THETA: f64 = 0.99;

/// A distribution of keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Keys {
    /// Every record alike.
    Uniform,
    /// Record r with a probability proportional to 1/(r+1)^theta; names scatter neighbours.
    Zipfian(f64),
    /// The same, counted back from the newest insert.
    Latest(f64),
    /// This share of the records gets that share of the requests.
    Hot {
        /// Share of the records, above 0 up to 1.
        records: f64,
        /// Share of the requests, 0 to 1.
        requests: f64,
    },
    /// Every line of this file alike.
    Listed(PathBuf),
}

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let theta = || match rest {
            "" => Ok(THETA),
            _ => match rest.parse::<f64>() {
                Ok(theta) if theta > 0.0 && theta <= 10.0 => Ok(theta),
                _ => Err(format!("{rest:?} is no theta above 0 and up to 10")),
            },
        };
        match name {
            "uniform" if rest.is_empty() => Ok(Self::Uniform),
            "zipfian" => Ok(Self::Zipfian(theta()?)),
            "latest" => Ok(Self::Latest(theta()?)),
            "file" if !rest.is_empty() => Ok(Self::Listed(rest.into())),
            "hot" => {
                let shares = rest.split_once(':').and_then(|(records, requests)| {
                    Some((records.parse::<f64>().ok()?, requests.parse::<f64>().ok()?))
                });
                match shares {
                    Some((records, requests))
                        if records > 0.0 && records <= 1.0 && (0.0..=1.0).contains(&requests) =>
                    {
                        Ok(Self::Hot { records, requests })
                    }
                    _ => Err("hot takes two shares up to 1, as in hot:0.01:0.9".into()),
                }
            }
            _ => Err(format!(
                "{text:?} is no distribution; there are uniform, zipfian[:THETA], \
                 latest[:THETA], hot:RECORDS:REQUESTS, file:PATH"
            )),
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipfian(theta) => write!(f, "zipfian:{theta}"),
            Self::Latest(theta) => write!(f, "latest:{theta}"),
            Self::Hot { records, requests } => write!(f, "hot:{records}:{requests}"),
            Self::Listed(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Draws the numbers of records.
#[derive(Debug)]
pub struct Chooser {
    records: u64,
    how: How,
}

#[derive(Debug)]
enum How {
    Uniform,
    Zipfian(Zipf),
    Latest(Zipf),
    Hot { records: u64, requests: f64 },
}

impl Chooser {
    /// Draws from records 0 to `records - 1`, of which there is at least one.
    pub fn new(keys: &Keys, records: u64) -> Self {
        let how = match *keys {
            Keys::Uniform | Keys::Listed(_) => How::Uniform,
            Keys::Zipfian(theta) => How::Zipfian(Zipf::new(records, theta)),
            Keys::Latest(theta) => How::Latest(Zipf::new(records, theta)),
            Keys::Hot { records: share, requests } => {
                let hot = (records as f64 * share).round() as u64;
                How::Hot { records: hot.clamp(1, records), requests }
            }
        };
        Self { records, how }
    }

    /// One of the records, or of the `inserted` ones of this thread, which follow as numbers from
    /// `records` on and which only [`Keys::Latest`] asks for.
    #[inline]
    pub fn draw(&mut self, random: &mut Random) -> u64 {
        match &self.how {
            How::Uniform => random.below(self.records),
            How::Zipfian(zipf) => zipf.draw(random),
            How::Latest(zipf) => zipf.count() - 1 - zipf.draw(random),
            How::Hot { records, requests } => {
                if random.unit() < *requests || *records == self.records {
                    random.below(*records)
                } else {
                    records + random.below(self.records - records)
                }
            }
        }
    }

    /// This many records have been inserted.
    pub fn inserted(&mut self, count: u64) {
        if let How::Latest(zipf) = &mut self.how {
            zipf.resize(self.records + count);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn share(keys: &str, of: impl Fn(u64) -> bool) -> f64 {
        let mut chooser = Chooser::new(&keys.parse().unwrap(), 1_000);
        chooser.inserted(10);
        let mut random = Random::new(9);
        (0..100_000).filter(|_| of(chooser.draw(&mut random))).count() as f64 / 100_000.0
    }

    #[test]
    fn distributions_have_their_shape() {
        assert!((0.09..0.11).contains(&share("uniform", |id| id < 100)));
        assert!((0.60..0.75).contains(&share("zipfian", |id| id < 100)));
        assert!(share("zipfian", |id| id < 1_000) == 1.0);
        assert!((0.30..0.50).contains(&share("latest", |id| id >= 1_000)), "the newest ten");
        assert!((0.89..0.91).contains(&share("hot:0.01:0.9", |id| id < 10)));
        assert!(share("hot:1:0.5", |id| id < 1_000) == 1.0);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for text in ["", "uniform:1", "zipfian:0", "zipfian:x", "hot:0:1", "hot:0.5", "file:", "z"]
        {
            assert!(text.parse::<Keys>().is_err(), "{text}");
        }
        for text in ["uniform", "zipfian:1.2", "latest:0.99", "hot:0.1:0.9", "file:a"] {
            assert_eq!(text.parse::<Keys>().unwrap().to_string(), text);
        }
    }
}
