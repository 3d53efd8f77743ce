//! A value that must not be seen. Its `Debug` and `Display` say `(redacted)`, it cannot be serialised, and the only way to
//! the text is [`Secret::reveal`], so that every use can be found by searching for that word.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

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

    /// Equality in a time that tells neither where the two differ nor, thanks to the digests, how long the secret is.
    #[must_use]
    pub fn equals(&self, other: &str) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(other.as_bytes())).into()
    }
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
    fn equality() {
        let secret = Secret::new("hush").unwrap();
        assert!(secret.equals("hush"));
        assert!(!secret.equals("hus") && !secret.equals("hush ") && !secret.equals(""));
    }
}
