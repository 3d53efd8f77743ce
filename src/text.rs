//! Small work on texts that many places do: cutting, making harmless, percent coding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::values::boundary;

/// All but letters, digits and slashes, and what a URL never reserves (RFC 3986, 2.3): for paths.
pub const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// As [`PATH`], but for colons: for paths that have a drive, behind a scheme.
pub const FILE_PATH: &AsciiSet = &PATH.remove(b':');

/// All but letters and digits: for a value in a query.
pub const VALUE: &AsciiSet = NON_ALPHANUMERIC;

/// The beginning of a text, at most so many bytes of it.
#[must_use]
pub fn head(text: &str, bytes: usize) -> &str {
    &text[..boundary(text, bytes)]
}

/// The beginning of a text, with a mark on top of `chars` where something is missing.
#[must_use]
pub fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What a task, a page or a server says may hold control characters; a terminal or a line must not act on them.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The bytes of these, such as [`PATH`], as `%C3%BC`.
#[must_use]
pub fn percent_encoded(text: &str, these: &'static AsciiSet) -> String {
    utf8_percent_encode(text, these).to_string()
}

/// `%41b` → `Ab`; what is no UTF-8 then becomes U+FFFD, and a stray `%` stays.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting() {
        assert_eq!((head("aé", 2), head("aé", 3), head("", 5)), ("a", "aé", ""));
        assert_eq!(
            (cut("äöü", 2).as_str(), cut("äöü", 3).as_str()),
            ("äö…", "äöü")
        );
        assert_eq!(plain("a\u{1b}[2J\nb"), "a [2J b");
    }

    #[test]
    fn percent_coding() {
        assert_eq!(percent_encoded("a b/ü~._-:", PATH), "a%20b/%C3%BC~._-%3A");
        assert_eq!(percent_encoded("C:/x?", FILE_PATH), "C:/x%3F");
        assert_eq!(percent_encoded("a/b-c", VALUE), "a%2Fb%2Dc");
        assert_eq!(percent_decoded("a%20b%C3%BC%zz%4"), "a bü%zz%4");
        // No digit has a sign.
        assert_eq!(percent_decoded("%+4%-1% 1%ff"), "%+4%-1% 1\u{fffd}");
    }
}
