//! Which snapshots may go, and removing them. Deciding is a function of a listing and the time;
//! removing runs on the objects' side thread. The newest good snapshot of a partition never goes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;

use super::catalog::{Found, Listed, State};
use super::upload::remove;
use crate::objects::{Objects, ObjectsFault};

/// How long what is no good snapshot stays: an upload under way is younger.
const LITTER_MS: i64 = 24 * 3_600 * 1_000;

/// Snapshots removed at a time: each is two requests that wait for the store, or for its disk.
const AT_ONCE: usize = 8;

/// What stays.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// The newest good ones of a partition, whatever their age; at least one.
    pub count: u32,
    /// Those taken since.
    pub time: Duration,
}

/// What of a listing may go at `now`: good snapshots beyond what is kept; damaged ones with a
/// good one at least as new, and rows without a manifest, a day after they were written.
pub fn plan<'l>(listed: &'l [Listed], keep: &Keep, now: Millis) -> Vec<&'l Found> {
    let kept = keep.count.max(1);
    let kept_since = now.saturating_sub(i64::try_from(keep.time.as_millis()).unwrap_or(i64::MAX));
    let litter_since = now - LITTER_MS;
    let mut good = BTreeMap::<Partition, Vec<(Offset, Millis)>>::new();
    for (partition, age) in listed.iter().filter_map(age) {
        good.entry(partition).or_default().push(age);
    }
    good.values_mut().for_each(|ages| ages.sort_by(|a, b| b.cmp(a)));
    let goes = |one: &&Listed| {
        let place = &one.found.place;
        let ages = good.get(&place.partition).map_or(&[][..], Vec::as_slice);
        let litter = one.found.modified < litter_since;
        match &one.state {
            State::Good(summary) => {
                let age = (place.next, summary.about.taken_at);
                // The newest by offset and the newest by time: without a log the offsets of an
                // older life of the data may be higher than those of today's.
                let newer = ages.iter().filter(|other| **other > age).count();
                let later = ages.iter().filter(|other| other.1 > age.1).count();
                newer.min(later) >= kept as usize && summary.about.taken_at < kept_since
            }
            State::Damaged(_) => {
                litter && ages.first().is_some_and(|(next, _)| *next >= place.next)
            }
            State::Orphan => litter,
            State::Foreign(_) | State::Unread(_) => false,
        }
    };
    listed.iter().filter(goes).map(|one| &one.found).collect()
}

fn age(one: &Listed) -> Option<(Partition, (Offset, Millis))> {
    let State::Good(summary) = &one.state else { return None };
    Some((one.found.place.partition, (one.found.place.next, summary.about.taken_at)))
}

/// Removes what a plan names, a few at a time; stops at the first fault.
pub async fn prune(
    objects: &Objects,
    plan: &[&Found],
    removed: impl Fn(&Found),
) -> Result<(), ObjectsFault> {
    let going = stream::iter(plan.iter().map(Ok));
    let gone = going.try_for_each_concurrent(AT_ONCE, async |found| {
        remove(objects, &found.place).await?;
        removed(found);
        Ok(())
    });
    gone.await
}

#[cfg(test)]
mod tests {
    use pumice_model::hash::Hash;
    use pumice_model::manifest::About;
    use pumice_model::statehash::StateHash;

    use super::super::catalog::Summary;
    use super::super::place::Place;
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Snapshot `next` of partition 0, so many hours old.
    fn one(next: u64, hours: i64, state: fn(&Place, Millis) -> State) -> Listed {
        let namespace = "n".to_owned();
        let place = Place { namespace, partition: Partition(0), next: Offset(next), tag: 0 };
        let modified = -hours * HOUR;
        let state = state(&place, modified);
        Listed { found: Found { place, rows: Some(1), manifest: true, modified }, state }
    }

    fn good(place: &Place, taken_at: Millis) -> State {
        let about = About {
            namespace: place.namespace.clone(),
            hash: Hash::Murmur2,
            partitions: 1,
            partition: place.partition,
            next: place.next,
            log_time: 0,
            last: 0,
            state: StateHash(0),
            rows: 0,
            producers: 0,
            writes: 0,
            taken_at,
        };
        State::Good(Box::new(Summary { about, packed: 1, plain: 1 }))
    }

    fn damaged(_: &Place, _: Millis) -> State {
        State::Damaged("cut".to_owned())
    }

    fn going(listed: &[Listed], count: u32, hours: u64) -> Vec<u64> {
        let keep = Keep { count, time: Duration::from_secs(hours * 3_600) };
        plan(listed, &keep, 0).iter().map(|found| found.place.next.0).collect()
    }

    #[test]
    fn the_newest_stay_by_count_and_by_age() {
        let all = [one(40, 1, good), one(30, 2, good), one(20, 3, good), one(10, 4, good)];
        assert_eq!(going(&all, 2, 0), [20, 10]);
        assert_eq!(going(&all, 1, 0), [30, 20, 10]);
        assert_eq!(going(&all, 0, 0), [30, 20, 10], "one always stays");
        // Three and a half hours would keep 20; three keep what is younger.
        assert_eq!(going(&all, 1, 3), [10]);
        assert!(going(&all, 9, 0).is_empty());
    }

    #[test]
    fn what_is_damaged_keeps_nothing_and_goes_when_a_good_one_is_as_new() {
        let all =
            [one(50, 30, damaged), one(40, 29, good), one(30, 40, damaged), one(20, 41, good)];
        assert_eq!(going(&all, 1, 0), [30, 20]);
        let young = [one(40, 1, good), one(30, 2, damaged)];
        assert!(going(&young, 1, 0).is_empty());
        assert!(going(&[one(30, 99, damaged)], 1, 0).is_empty(), "it is all there is");
    }

    #[test]
    fn litter_goes_after_a_day_and_strangers_never() {
        let orphan = |_: &Place, _| State::Orphan;
        let foreign = |_: &Place, _| State::Foreign("format 2".to_owned());
        let unread = |_: &Place, _| State::Unread("503".to_owned());
        let all = [
            one(9, 1, good),
            one(8, 23, orphan),
            one(7, 25, orphan),
            one(6, 99, foreign),
            one(5, 99, unread),
        ];
        assert_eq!(going(&all, 1, 0), [7]);
    }
}
