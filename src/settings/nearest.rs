//! (pure) The known name that a misspelled one most likely meant. It must never guess far: a wrong
//! guess is worse than none.

/// The nearest of `names` within two edits, or within one for names of up to four bytes.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (edits(word.as_bytes(), name.as_bytes()), name))
        .filter(|&(edits, name)| edits <= if name.len() <= 4 { 1 } else { 2 })
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, name)| name)
}

/// Levenshtein distance over bytes, one row at a time.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "b", 1)]
        {
            assert_eq!(edits(a.as_bytes(), b.as_bytes()), count);
            assert_eq!(edits(b.as_bytes(), a.as_bytes()), count);
        }
    }

    #[test]
    fn short_names_must_be_nearer() {
        let names = ["pin", "partitions", "data-dir"];
        assert_eq!(nearest("datadir", names.into_iter()), Some("data-dir"));
        assert_eq!(nearest("partition", names.into_iter()), Some("partitions"));
        assert_eq!(nearest("pim", names.into_iter()), Some("pin"));
        assert_eq!(nearest("log", names.into_iter()), None);
    }
}
