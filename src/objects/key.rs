//! (pure) What a key looks like, the same for every store: what one store takes, all take. It must
//! never let a key lead out of a directory.

use super::ObjectsFault;

/// S3 takes 1,024 bytes; a prefix stands before ours.
const KEY_BYTES_MAX: usize = 512;

/// Parts between slashes of ASCII letters, digits and `._-=+@`, none of which begins with a dot.
pub fn check(key: &str) -> Result<(), ObjectsFault> {
    if key.len() <= KEY_BYTES_MAX && key.split('/').all(is_part) {
        return Ok(());
    }
    let what = format!(
        "is no key: at most {KEY_BYTES_MAX} bytes of letters, digits and ._-=+@ in parts between \
         slashes that begin with no dot"
    );
    Err(ObjectsFault::wrong(key, what))
}

fn is_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=+@".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn keys_stay_inside() {
        for key in ["a", "a/b", "n/0007/00000000000000000012.manifest", "a-b_c=d+e@f..g"] {
            assert!(check(key).is_ok(), "{key}");
        }
        let long = "a".repeat(513);
        for key in ["", "/a", "a/", "a//b", "..", "a/../b", "a/.b", ".", "a b", "a\\b", "ä", "a\0"]
        {
            assert!(check(key).is_err(), "{key}");
        }
        assert!(check(&long).is_err());
    }
}
