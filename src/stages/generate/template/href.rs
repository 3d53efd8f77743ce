//! Paths as relative URLs.
//!
//! Deliberately absent: absolute URLs. The site is served below `/<repo>/`, which only relative ones survive.

use crate::text::{PATH, percent_encoded};

/// The relative URL of a path in the site.
///
/// Everything but unreserved characters is percent-encoded, part by part. A path that a browser could take for
/// something else (`a:b.txt` for a scheme) gets `./` in front.
pub(super) fn href(path: &str) -> String {
    let encoded = percent_encoded(path, PATH);
    let first = path.split('/').next().unwrap_or_default();
    let plain_start = path.starts_with(|c: char| c.is_ascii_alphanumeric());
    if plain_start && !first.contains(':') {
        encoded
    } else {
        format!("./{encoded}")
    }
}

/// The scheme of a URL as a browser would find it (lower case), or `None` for a relative one.
///
/// Browsers drop white space and control characters before they look, so `java\nscript:` has a scheme too.
pub(super) fn scheme(url: &str) -> Option<String> {
    let seen: String = url
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect();
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
            assert_eq!(
                crate::text::percent_decoded(url.trim_start_matches("./")),
                path.trim_start_matches("./")
            );
        }
    }

    #[test]
    fn schemes_are_found_as_browsers_find_them() {
        assert_eq!(
            scheme(" Java\tscript:alert(1)").as_deref(),
            Some("javascript")
        );
        assert_eq!(scheme("https://a.example/").as_deref(), Some("https"));
        for relative in ["a/b:c", "?x=a:b", "#a:b", "data.csv", "//host/x"] {
            assert_eq!(scheme(relative), None, "{relative}");
        }
    }
}
