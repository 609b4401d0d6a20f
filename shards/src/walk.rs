//! Searches for many keys of one tree, a step of each in turn, so that the memory one waits for
//! comes while the others go on. On the reading thread; what it does not find may be there all the
//! same, and must be asked of LMDB.

use std::cmp::Ordering;

use crate::pages::{Page, Tree, WORD};

/// Keys that are searched for side by side: enough to wait for none, and few enough that what has
/// come is still in the nearest cache when it is used.
pub(crate) const GROUP: usize = 32;

/// Pages from the root to a leaf, at most (`CURSOR_STACK`): a damaged file may lead in circles.
const DEPTH_MAX: usize = 32;

/// How far the search for one key has come: to the nodes from `low` to before `high`.
#[derive(Clone, Copy)]
struct Walk<'t, 'k> {
    key: &'k [u8],
    page: Page<'t>,
    low: u32,
    high: u32,
    /// Bytes that the key has in common with the last key known to lie at or below it, and above
    /// it. Whatever lies between has as many in common with it, and is not compared there.
    same_low: u32,
    same_high: u32,
}

/// The values of up to [`GROUP`] keys, where they lie in leaves of the tree.
pub(crate) fn find<'t>(tree: &Tree<'t>, keys: &[&[u8]]) -> [Option<&'t [u8]>; GROUP] {
    let start = Walk { key: &[], page: tree.root(), low: 0, high: 0, same_low: 0, same_high: 0 };
    let mut walks = [start; GROUP];
    let walks = &mut walks[..keys.len()];
    for (walk, key) in walks.iter_mut().zip(keys) {
        walk.key = key;
    }
    for _ in 0..DEPTH_MAX {
        walks.iter_mut().for_each(Walk::enter);
        while step(walks) {}
        // All leaves of a tree are equally deep.
        if !walks.iter().any(|walk| walk.page.is_branch()) {
            break;
        }
        walks.iter_mut().for_each(|walk| walk.descend(tree));
    }
    let mut found = [None; GROUP];
    for (found, walk) in found.iter_mut().zip(walks) {
        *found = walk.value();
    }
    found
}

/// Halves what every walk has left; false when none has anything left.
fn step(walks: &mut [Walk<'_, '_>]) -> bool {
    let mut goes_on = false;
    for walk in walks {
        if walk.low < walk.high {
            walk.halve();
            goes_on |= walk.low < walk.high;
        }
    }
    goes_on
}

impl<'t> Walk<'t, '_> {
    /// Begins with the nodes of a page.
    fn enter(&mut self) {
        // The first key of a branch stands for "less than all others".
        (self.low, self.high) = (u32::from(self.page.is_branch()), self.page.count());
        self.page.fetch_node(self.middle(), self.key.len());
    }

    #[inline]
    fn middle(&self) -> u32 {
        (self.low + self.high) / 2
    }

    /// Which half is left is written without a branch: nobody could predict it.
    #[inline]
    fn halve(&mut self) {
        let middle = self.middle();
        let mut same = self.same_low.min(self.same_high);
        let is_below = match (word(self.key, same as usize), self.page.key_word(middle, same)) {
            (Some(ours), Some(theirs)) if ours != theirs => ours < theirs,
            _ => {
                let Some(found) = self.page.key(middle) else { return self.give_up() };
                let (order, more) = compare(self.key, found, same as usize);
                same = more as u32;
                order == Ordering::Less
            }
        };
        self.high = if is_below { middle } else { self.high };
        self.same_high = if is_below { same } else { self.same_high };
        self.low = if is_below { self.low } else { middle + 1 };
        self.same_low = if is_below { self.same_low } else { same };
        self.page.fetch_node(self.middle(), self.key.len());
    }

    #[cold]
    fn give_up(&mut self) {
        (self.page, self.low, self.high) = (Page::NONE, 0, 0);
    }

    /// Goes to the child whose keys begin at or below ours.
    fn descend(&mut self, tree: &Tree<'t>) {
        let last = self.low.checked_sub(1).filter(|_| self.page.is_branch());
        let child = last.and_then(|number| tree.child(self.page, number));
        self.page = child.unwrap_or(Page::NONE);
    }

    /// The value under the last key at or below ours, if it is ours.
    fn value(&self) -> Option<&'t [u8]> {
        let last = self.low.checked_sub(1).filter(|_| self.page.is_leaf())?;
        let (order, _) = compare(self.key, self.page.key(last)?, 0);
        if order == Ordering::Equal { self.page.value(last) } else { None }
    }
}

/// How two keys compare that have their first `same` bytes in common, and how many they have, or a
/// few less. By words, of which the last may begin within the one before.
#[inline(never)]
fn compare(key: &[u8], found: &[u8], mut same: usize) -> (Ordering, usize) {
    let shorter = key.len().min(found.len());
    let Some(last) = shorter.checked_sub(WORD) else { return (key.cmp(found), 0) };
    loop {
        same = same.min(last);
        let [ours, theirs] = [key, found].map(|key| word(key, same));
        if ours != theirs {
            return (ours.cmp(&theirs), same);
        }
        if same == last {
            return (key.len().cmp(&found.len()), last);
        }
        same += WORD;
    }
}

#[inline]
fn word(key: &[u8], at: usize) -> Option<u64> {
    key.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs;

    use heed::types::Bytes;
    use heed::{CommitOrAbort, EnvOpenOptions};

    use super::*;
    use crate::pages::{PAGE_SIZE, Place};
    use crate::tables::Tables;

    const ROWS: u64 = 3_000;

    fn scattered(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    /// Keys with much and with little in common, some the beginning of others.
    fn key(number: u64) -> Vec<u8> {
        let mut key = vec![b'a'; (number % 50) as usize];
        key.extend_from_slice(&(number / 2).to_be_bytes());
        key.resize(key.len() + (number % 2) as usize, 0);
        key
    }

    fn value(number: u64) -> Vec<u8> {
        vec![number as u8; (scattered(number) % 400) as usize]
    }

    /// A tree of three levels, out of its map.
    fn tree() -> (Place, Vec<[u8; PAGE_SIZE]>) {
        let dir = tempfile::tempdir().unwrap();
        let mut options = EnvOpenOptions::new();
        options.map_size(1 << 26).max_dbs(1);
        #[expect(unsafe_code, reason = "a memory map is only as sound as its file")]
        // SAFETY: the file was made here, and nobody else has it.
        let env = unsafe { options.open(dir.path()) }.unwrap();
        let txn = env.write_txn().unwrap();
        let opened = env.create_databases_and_commit(txn, |opener, txn| {
            let rows = opener.create_database::<Bytes, Bytes>(txn, Some("rows"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((
                rows,
                opener.create_database(txn, None)?,
            )))
        });
        let (rows, main) = opened.unwrap().unwrap_commit();
        let mut txn = env.write_txn().unwrap();
        for number in 0..ROWS {
            let number = number * 1_111 % ROWS;
            rows.put(&mut txn, &key(number), &value(number)).unwrap();
        }
        txn.commit().unwrap();
        let tables = Tables::new(env, main, [rows; 7]);
        let txn = tables.env.read_txn().unwrap();
        let place = Place::of_rows(&tables, &txn).unwrap();
        let bytes = fs::read(dir.path().join("data.mdb")).unwrap();
        (place, bytes.as_chunks().0.to_vec())
    }

    /// How many of all keys are found, each with its own value.
    fn found(tree: &Tree<'_>, is_whole: bool) -> usize {
        let mut there = 0;
        let numbers: Vec<u64> = (0..ROWS).map(|number| number * 1_003 % ROWS).collect();
        for group in numbers.chunks(GROUP) {
            let keys: Vec<Vec<u8>> = group.iter().map(|&number| key(number)).collect();
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            for (number, found) in group.iter().zip(find(tree, &keys)) {
                assert!(!is_whole || found.is_none_or(|found| found == value(*number)));
                there += usize::from(found.is_some());
            }
        }
        there
    }

    #[test]
    fn every_key_of_a_tree_is_found_and_no_other() {
        let (place, map) = tree();
        let tree = Tree::copied(place, &map);
        assert_eq!(found(&tree, true), ROWS as usize);
        let none = [key(0)[..7].to_vec(), key(ROWS), vec![], vec![0xff; 90], b"aaaaaaaaa".to_vec()];
        let none: Vec<&[u8]> = none.iter().map(Vec::as_slice).collect();
        assert_eq!(find(&tree, &none), [None; GROUP]);
    }

    #[test]
    fn damaged_pages_are_not_followed_out_of_the_map() {
        let (place, good) = tree();
        let mut all = 0;
        for round in 0..400 {
            let mut map = good.clone();
            for flip in 0..200 {
                let random = scattered(round * 1_000 + flip) as usize;
                // Mostly where numbers stand: in a page's header and among its nodes' places.
                let at = if flip % 4 == 0 { random % PAGE_SIZE } else { random % 64 };
                map[random / 7_919 % good.len()][at] ^= 1 << (random % 8);
            }
            all += found(&Tree::copied(place, &map), false);
            map.truncate(good.len() / 2);
            found(&Tree::copied(place, &map), false);
        }
        // Some lead somewhere still, and some do not.
        assert!(0 < all && all < 400 * ROWS as usize, "{all}");
    }
}
