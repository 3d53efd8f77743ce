//! Text on its way into HTML: escaping, shortening, sizes.
//!
//! Deliberately absent: an escaper for script or style contexts. Nothing of the user's is ever written there.

/// Text as HTML character data; good for element content and for quoted attribute values alike.
///
/// Line ends become `\n`, and control characters that HTML forbids become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    escape_capped(text, usize::MAX).0
}

/// Like [`escape`], but stops before the result outgrows `limit` bytes. The flag says whether text was left out.
pub(super) fn escape_capped(text: &str, limit: usize) -> (String, bool) {
    let mut out = String::with_capacity(text.len().min(limit));
    let mut buffer = [0; 4];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            '\r' if chars.peek() == Some(&'\n') => continue,
            '\r' => "\n",
            '\t' | '\n' => c.encode_utf8(&mut buffer),
            _ if c.is_control() => "\u{fffd}",
            _ => c.encode_utf8(&mut buffer),
        };
        if out.len() + piece.len() > limit {
            return (out, true);
        }
        out.push_str(piece);
    }
    (out, false)
}

/// Undoes [`escape`] for text that contained neither carriage returns nor forbidden control characters.
pub(super) fn unescape(html: &str) -> String {
    // The ampersand goes last, so that an escaped "&lt;" does not become "<".
    html.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
}

/// At most `limit` characters, cut at a word boundary where there is one and then ended by an ellipsis.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let room: String = text.chars().take(limit.saturating_sub(1)).collect();
    // A cut that falls right behind a word needs no step back.
    let whole = text[room.len()..].starts_with(char::is_whitespace);
    let cut = if whole {
        room.len()
    } else {
        room.rfind(char::is_whitespace).unwrap_or(room.len())
    };
    let kept =
        room[..cut].trim_end_matches(|c: char| !c.is_alphanumeric() && !")]}'\"”’%".contains(c));
    let kept = if kept.is_empty() { room.as_str() } else { kept };
    format!("{kept}…")
}

/// One line: white space runs become one space, control and direction-override characters go.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .filter(|&c| c.is_whitespace() || !(c.is_control() || is_invisible(c)))
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that change how the text around them reads without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A size for people: `107 B`, `2.5 KB`, `48.0 MB` (powers of 1000).
pub(super) fn size(bytes: usize) -> String {
    // Integer arithmetic in tenths: no float cast, and the same text on every machine.
    let tenths =
        |unit: usize| (bytes / (unit / 10) + usize::from(bytes % (unit / 10) >= unit / 20)).max(1);
    let (value, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..999_950 => (tenths(1_000), "KB"),
        999_950..999_950_000 => (tenths(1_000_000), "MB"),
        _ => (tenths(1_000_000_000), "GB"),
    };
    format!("{}.{} {name}", value / 10, value % 10)
}

/// `1 row`, `2 rows`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Lower-case letters and digits with single hyphens between them; `item` where nothing is left.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(80) {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_matches('-');
    if out.is_empty() {
        "item".to_owned()
    } else {
        out.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_everything_that_could_leave_its_place() {
        assert_eq!(
            escape("</title><script>alert('1')&\"x\""),
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;x&quot;"
        );
        assert_eq!(escape("a\r\nb\rc\0d\te"), "a\nb\nc\u{fffd}d\te");
    }

    #[test]
    fn unescape_is_the_inverse() {
        for text in ["&lt;", "a & b < c > \"d\" 'e'", "&amp;amp;", "", "é\t\n"] {
            assert_eq!(unescape(&escape(text)), text);
        }
    }

    #[test]
    fn the_cap_counts_escaped_bytes_and_never_cuts_an_entity() {
        assert_eq!(escape_capped("a<b", 4), ("a".to_owned(), true));
        assert_eq!(escape_capped("a<b", 6), ("a&lt;b".to_owned(), false));
    }

    #[test]
    fn shortens_at_words() {
        assert_eq!(shorten("one two three", 13), "one two three");
        assert_eq!(shorten("one two three", 12), "one two…");
        assert_eq!(shorten("one two, three", 9), "one two…");
        assert_eq!(shorten("abcdefghij", 5), "abcd…");
        assert_eq!(shorten("......................", 5), "....…");
    }

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (1_049, "1.0 KB"),
            (1_050, "1.1 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (48_000_000, "48.0 MB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("Unit Price (€)"), "unit-price");
        assert_eq!(slug("—"), "item");
        assert_eq!(slug("a\"><b"), "a-b");
    }
}
