//! What has the shape of a secret and is none: it stands in documents to be replaced.

/// Words by which people mark such a value, and values that issuers use in their documents.
const WORDS: [&str; 17] = [
    "example",
    "your",
    "placeholder",
    "redacted",
    "changeme",
    "replace",
    "dummy",
    "sample",
    "insert",
    "tokenhere",
    "keyhere",
    "secrethere",
    "xxxx",
    "mykey",
    "mytoken",
    "fakekey",
    "notreal",
];

/// Bits a character below which nobody's generator has made it: two or three characters in turns.
const LEAST_ENTROPY: f64 = 1.4;

/// Whether the part of a value behind its prefix is made up.
pub(super) fn is_placeholder(tail: &[u8]) -> bool {
    let plain: Vec<u8> = tail
        .iter()
        .filter(|b| b.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let text = String::from_utf8_lossy(&plain);
    WORDS.iter().any(|word| text.contains(word))
        || entropy(&plain) < LEAST_ENTROPY
        || is_sequence(&plain)
}

/// Shannon's, in bits a character.
#[expect(clippy::cast_precision_loss, reason = "lengths of tokens")]
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for b in bytes {
        counts[usize::from(*b)] += 1;
    }
    let all = bytes.len().max(1) as f64;
    counts
        .iter()
        .filter(|n| **n > 0)
        .map(|n| *n as f64 / all)
        .map(|share| -share * share.log2())
        .sum()
}

/// `abcdef…`, `0123456789…` and back: mostly one step from each character to the next.
fn is_sequence(bytes: &[u8]) -> bool {
    let steps = bytes.windows(2).filter(|two| two[0].abs_diff(two[1]) <= 1);
    bytes.len() >= 8 && steps.count() * 10 >= bytes.len() * 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_and_real() {
        for made_up in [
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "IOSFODNN7EXAMPLE",
            "your-token-here-your-token-here-1234",
            "000000000000000000000000000000000000",
            "abababababababababababababababababab",
            "1234567890abcdefghijklmnopqrstuvwxyz",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            "REPLACE_ME_WITH_THE_REAL_ONE_PLEASE_",
        ] {
            assert!(is_placeholder(made_up.as_bytes()), "{made_up}");
        }
        for real in [
            "4fJ0qZ9wXl2RtY7uIo3PaSd5FgHj6KlZxCvB",
            "Zx9Zx9Zx9Zx9Zx9Zx9Zx9Zx9Zx9Zx9Zx9Zx9",
            "b6589fc6ab0dc82cf12099d1c2d40ab994e8410c",
            "Q2X7MB4LKZ0VT9WA",
        ] {
            assert!(!is_placeholder(real.as_bytes()), "{real}");
        }
    }
}
