//! A value that must not be seen. Its `Debug` and `Display` say `(redacted)`, it cannot be serialised, and the only way to
//! the text is [`Secret::reveal`], so that every use can be found by searching for that word.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::values::hex;

/// A shorter one stands in ordinary text by chance.
const SHORTEST: usize = 8;

#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// `None` for an empty value: an empty variable means "not set", as it does for gh.
    #[must_use]
    pub fn new(value: &str) -> Option<Self> {
        (!value.is_empty()).then(|| Self(value.to_owned()))
    }

    /// The text itself. Only for an `Authorization` header, the askpass answer and the scan of a commit.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// As it may stand in a file: plain, reversed, hexadecimal, base64 in its three alignments, percent-encoded, as a JSON or HTML
    /// string, in UTF-16. None of one that is too short to be told from ordinary text.
    #[must_use]
    pub fn spellings(&self) -> Vec<Vec<u8>> {
        let secret = self.0.as_str();
        let bytes = secret.as_bytes();
        if bytes.len() < SHORTEST {
            return Vec::new();
        }
        let lower = hex(bytes);
        let unreserved = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
        let percent = |code: fn(&u8) -> String| -> String {
            bytes
                .iter()
                .map(|b| {
                    if unreserved(b) {
                        char::from(*b).to_string()
                    } else {
                        code(b)
                    }
                })
                .collect()
        };
        let all_percent: String = bytes.iter().map(|b| format!("%{b:02X}")).collect();
        let json = serde_json::to_string(secret).unwrap_or_default();
        let html = secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let mut all: Vec<Vec<u8>> = vec![
            bytes.to_vec(),
            bytes.iter().rev().copied().collect(),
            lower.to_ascii_uppercase().into_bytes(),
            lower.into_bytes(),
            percent(|b| format!("%{b:02x}")).into_bytes(),
            percent(|b| format!("%{b:02X}")).into_bytes(),
            all_percent.to_ascii_lowercase().into_bytes(),
            all_percent.into_bytes(),
            json.trim_matches('"').as_bytes().to_vec(),
            html.replace('\'', "&#39;").into_bytes(),
            html.replace('\'', "&#x27;").into_bytes(),
            html.into_bytes(),
            secret.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            secret.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ];
        all.extend((0..3).flat_map(|offset| base64_inside(bytes, offset)));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Equality in a time that tells neither where the two differ nor, thanks to the digests, how long the secret is.
    #[must_use]
    pub fn equals(&self, other: &str) -> bool {
        Sha256::digest(self.0.as_bytes())
            .ct_eq(&Sha256::digest(other.as_bytes()))
            .into()
    }
}

/// The text without any of the secrets' spellings.
#[must_use]
pub fn redacted(text: &str, secrets: &[Secret]) -> String {
    let spellings = secrets
        .iter()
        .flat_map(Secret::spellings)
        .filter_map(|s| String::from_utf8(s).ok());
    spellings.fold(text.to_owned(), |text, s| {
        if text.contains(&s) {
            text.replace(&s, "(redacted)")
        } else {
            text
        }
    })
}

/// The characters of a base64 text that depend on the secret alone when it begins at this offset of a group of three bytes.
fn base64_inside(bytes: &[u8], offset: usize) -> [Vec<u8>; 2] {
    let padded: Vec<u8> = std::iter::repeat_n(0, offset)
        .chain(bytes.iter().copied())
        .collect();
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [
        STANDARD_NO_PAD.encode(&padded),
        URL_SAFE_NO_PAD.encode(&padded),
    ]
    .map(|text| {
        text.as_bytes()
            .get(first..last)
            .unwrap_or_default()
            .to_vec()
    })
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let secret = Secret::new("hush").unwrap();
        assert_eq!(format!("{secret} {secret:?}"), "(redacted) (redacted)");
    }

    #[test]
    fn is_taken_out_in_every_spelling() {
        let secrets = [
            Secret::new("aB/cD+12-x").unwrap(),
            Secret::new("short").unwrap(),
        ];
        for text in [
            "aB/cD+12-x",
            "aB%2fcD%2b12-x",
            "YUIvY0QrMTIteA",
            "61422f63442b31322d78",
        ] {
            let clean = redacted(&format!("one {text} two short"), &secrets);
            assert!(
                clean.starts_with("one (redacted)") && clean.ends_with(" two short"),
                "{clean}"
            );
        }
    }

    #[test]
    fn equality() {
        let secret = Secret::new("hush").unwrap();
        assert!(secret.equals("hush"));
        assert!(!secret.equals("hus") && !secret.equals("hush ") && !secret.equals(""));
    }
}
