//! Bytes as text, whatever they were written in.
//!
//! Deliberately absent: guessing among legacy encodings. What is not Unicode is read as Windows-1252, the
//! superset of Latin-1 that browsers read as well; every byte sequence then has a reading.

use std::borrow::Cow;

/// Looks at the start only: whether these bytes are text rather than something only a program can read.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    if utf16(bytes).is_some() {
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
    if let Some((units, big)) = utf16(bytes) {
        let units = units.chunks_exact(2).map(|pair| {
            let pair = [pair[0], pair[1]];
            if big {
                u16::from_be_bytes(pair)
            } else {
                u16::from_le_bytes(pair)
            }
        });
        return char::decode_utf16(units)
            .map(|c| c.unwrap_or('\u{fffd}'))
            .collect::<String>()
            .into();
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes
            .iter()
            .map(|&b| windows_1252(b))
            .collect::<String>()
            .into(),
    }
}

/// At most about `limit` bytes of the text; the flag says whether there is more.
#[must_use]
pub fn decode_head(bytes: &[u8], limit: usize) -> (Cow<'_, str>, bool) {
    if bytes.len() <= limit {
        return (decode(bytes), false);
    }
    // A cut may split a character: step back so that UTF-8 stays UTF-8 and UTF-16 keeps its pairs.
    let mut end = limit & !1;
    if utf16(bytes).is_none() {
        while end > limit.saturating_sub(4) && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
    }
    (decode(&bytes[..end]), true)
}

/// What follows a UTF-16 byte-order mark, and whether it is big-endian.
fn utf16(bytes: &[u8]) -> Option<(&[u8], bool)> {
    let little = bytes.strip_prefix(b"\xff\xfe").map(|rest| (rest, false));
    little.or_else(|| bytes.strip_prefix(b"\xfe\xff").map(|rest| (rest, true)))
}

/// One byte of Windows-1252; where that has no character, Latin-1's stands in.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
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
        assert_eq!(decode(b""), "");
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
