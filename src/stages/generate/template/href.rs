//! Paths as relative URLs.
//!
//! Deliberately absent: absolute URLs. The site is served below `/<repo>/`, which only relative ones survive.

/// The relative URL of a path in the site.
///
/// Everything but unreserved characters is percent-encoded, part by part. A path that a browser could take for
/// something else (`a:b.txt` for a scheme) gets `./` in front.
pub(super) fn href(path: &str) -> String {
    let encoded = encode(path);
    let first = path.split('/').next().unwrap_or_default();
    let plain_start = path.starts_with(|c: char| c.is_ascii_alphanumeric());
    if plain_start && !first.contains(':') { encoded } else { format!("./{encoded}") }
}

/// Percent-encodes all bytes but unreserved ones and the slash.
fn encode(path: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// Undoes percent-encoding; a stray `%` stays, bytes that are not UTF-8 become U+FFFD.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The scheme of a URL as a browser would find it (lower case), or `None` for a relative one.
///
/// Browsers drop white space and control characters before they look, so `java\nscript:` has a scheme too.
pub(super) fn scheme(url: &str) -> Option<String> {
    let seen: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let (before, _) = seen.split_once(':')?;
    (!before.contains(['/', '?', '#'])).then(|| before.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_what_urls_reserve() {
        for (path, url) in [
            ("data.csv", "data.csv"),
            ("assets/my file.png", "assets/my%20file.png"),
            ("a:b.txt", "./a%3Ab.txt"),
            ("#1?.txt", "./%231%3F.txt"),
            ("50%.txt", "50%25.txt"),
            ("é.txt", "./%C3%A9.txt"),
            (".hidden", "./.hidden"),
            ("x\"onerror='y'.png", "x%22onerror%3D%27y%27.png"),
        ] {
            assert_eq!(href(path), url);
            assert_eq!(decode(url.trim_start_matches("./")), path.trim_start_matches("./"));
        }
    }

    #[test]
    fn schemes_are_found_as_browsers_find_them() {
        assert_eq!(scheme(" Java\tscript:alert(1)").as_deref(), Some("javascript"));
        assert_eq!(scheme("https://a.example/").as_deref(), Some("https"));
        for relative in ["a/b:c", "?x=a:b", "#a:b", "data.csv", "//host/x"] {
            assert_eq!(scheme(relative), None, "{relative}");
        }
    }

    #[test]
    fn stray_percent_signs_survive() {
        assert_eq!(decode("50%"), "50%");
        assert_eq!(decode("%zz%4"), "%zz%4");
    }
}
