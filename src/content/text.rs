//! Bytes as text, whatever they were written in.
//!
//! A byte-order mark decides; without one UTF-8 does where it is that, and UTF-16 where every other byte is nought. Deliberately absent:
//! guessing among legacy encodings. What is not Unicode is read as Windows-1252, the superset of Latin-1 that browsers read as well;
//! every byte sequence then has a reading.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Looks at the start only: whether these bytes are text rather than something only a program can read.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    if is_utf16(bytes) {
        return true;
    }
    let sample = &bytes[..bytes.len().min(8_192)];
    let odd = sample
        .iter()
        .filter(|&&b| b < 32 && !b"\t\n\r\x0c\x1b".contains(&b))
        .count();
    // One stray control character in a long file is a typo, many are a format.
    !sample.contains(&0) && odd * 200 <= sample.len()
}

/// The text, without its byte-order mark. UTF-8 is borrowed, not copied.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let encoding = unicode_encoding(bytes).unwrap_or_else(|| {
        if std::str::from_utf8(bytes).is_ok() {
            UTF_8
        } else {
            WINDOWS_1252
        }
    });
    encoding.decode_with_bom_removal(bytes).0
}

/// What must be Unicode, as UTF-8 without a byte-order mark: a task, a `.env` file. PowerShell writes them in UTF-16. That the bytes
/// are valid is for their reader to see.
#[must_use]
pub fn unicode(bytes: &[u8]) -> Cow<'_, [u8]> {
    match unicode_encoding(bytes) {
        Some(encoding) if encoding != UTF_8 => match encoding.decode_with_bom_removal(bytes).0 {
            Cow::Borrowed(text) => text.as_bytes().into(),
            Cow::Owned(text) => text.into_bytes().into(),
        },
        _ => unmarked(bytes).into(),
    }
}

/// Without the byte-order mark of UTF-8 that editors on Windows write: readers of JSON and CSV skip it.
#[must_use]
pub fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What the byte-order mark says, or where the noughts of UTF-16 are.
fn unicode_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some(encoding);
    }
    // ASCII in UTF-16 has a nought in every other place, and such characters are most of a table or a program in any language. The
    // samples of a sound or the rows of a picture have them too, but what they spell are control characters.
    let sample = &bytes[..bytes.len().min(1_024) & !1];
    let noughts = |from: usize| {
        let every_other = sample.iter().skip(from).step_by(2);
        every_other.filter(|b| **b == 0).count()
    };
    let (even, odd, pairs) = (noughts(0), noughts(1), sample.len() / 2);
    let encoding = match (even, odd) {
        (0, odd) if pairs > 1 && odd * 10 >= pairs * 7 => UTF_16LE,
        (even, 0) if pairs > 1 && even * 10 >= pairs * 7 => UTF_16BE,
        _ => return None,
    };
    let (text, _) = encoding.decode_without_bom_handling(sample);
    // The last character may be cut in half.
    let text = text.trim_end_matches('\u{fffd}');
    let readable =
        |c: char| (!c.is_control() || matches!(c, '\t' | '\n' | '\r')) && c != '\u{fffd}';
    text.chars().all(readable).then_some(encoding)
}

fn is_utf16(bytes: &[u8]) -> bool {
    unicode_encoding(bytes).is_some_and(|encoding| encoding != UTF_8)
}

/// At most about `limit` bytes of the text; the flag says whether there is more.
#[must_use]
pub fn decode_head(bytes: &[u8], limit: usize) -> (Cow<'_, str>, bool) {
    if bytes.len() <= limit {
        return (decode(bytes), false);
    }
    // A cut may split a character: step back so that UTF-8 stays UTF-8 and UTF-16 keeps its pairs.
    let mut end = limit & !1;
    if !is_utf16(bytes) {
        while end > limit.saturating_sub(4) && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
    }
    (decode(&bytes[..end]), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_encodings() {
        assert_eq!(decode(b"\xef\xbb\xbfa,b"), "a,b");
        assert_eq!(decode("é€".as_bytes()), "é€");
        assert_eq!(decode(b"caf\xe9 \x80"), "café €");
        assert_eq!(decode(b"\xff\xfea\0\xe9\0"), "aé");
        assert_eq!(decode(b"\xfe\xff\0a\0\xe9"), "aé");
        assert_eq!(decode(b"a\0,\0b\0\n\0\xe9\0"), "a,b\né");
        assert_eq!(decode(b"\0a\0,\0b\0\n\0\xe9"), "a,b\né");
        assert_eq!(decode(b""), "");
        assert_eq!(*unicode(b"\xff\xfe{\0}\0"), *b"{}");
        assert_eq!(*unicode(b"\xef\xbb\xbf{}"), *b"{}");
        assert_eq!(*unicode(b"caf\xe9"), *b"caf\xe9");
    }

    #[test]
    fn tells_text_from_binary() {
        for text in [
            &b"plain\r\n"[..],
            b"",
            b"caf\xe9",
            b"\xff\xfea\0",
            "日本".as_bytes(),
        ] {
            assert!(is_text(text));
        }
        for binary in [
            &b"PK\x03\x04\x14\0"[..],
            b"\x89PNG\r\n\x1a\n\0",
            b"\x01\x02\x03\x04",
            b"\x01\0\0\0\x02\0\0\0\0\0\0\x05",
            // Small numbers of two bytes each, in either order.
            b"a\0\x05\0c\0d\0",
            b"\0a\0\x90\0c\0d",
        ] {
            assert!(!is_text(binary));
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let text = "é".repeat(100);
        for limit in 1..50 {
            let (head, more) = decode_head(text.as_bytes(), limit);
            assert!(more && head.chars().all(|c| c == 'é'), "{limit}: {head}");
        }
        assert_eq!(decode_head(b"abc", 3), ("abc".into(), false));
    }
}
