//! The page's own mark, by which a later round knows whether the page is still as the template made it.
//!
//! The mark is a digest over the whole page, taken with the digest's own place filled with zeros. It tells an
//! edited page from an untouched one; it is no signature, for anyone can compute it.
//!
//! Deliberately absent: reading anything else back from a page.

use super::Round;
use super::text;
use crate::values::sha256_hex;

const GENERATOR: &str = "<meta name=\"generator\" content=\"llmdeploy template; sha256:";
const ROUNDS: &str = "<meta name=\"llmdeploy-rounds\" content=\"";
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The two meta elements, still unsealed. They come before anything of the user's in the page.
pub(super) fn metas(rounds: &[Round]) -> String {
    // Numbers and strings always have a JSON form; an empty list would merely make the page nobody's.
    let json = serde_json::to_string(rounds).unwrap_or_else(|_| "[]".to_owned());
    format!(
        "{GENERATOR}{BLANK}\">\n{ROUNDS}{}\">\n",
        text::escape(&json)
    )
}

/// Puts the digest into a finished page that has [`metas`].
pub(super) fn seal(page: &str) -> String {
    page.replacen(BLANK, &sha256_hex(page.as_bytes()), 1)
}

/// The rounds that a page was made of, if these bytes are a page made by [`super::page`] and not edited since.
///
/// `None` for anything else: a foreign page, a page with a changed byte, a page of another version's making that
/// is sealed differently.
#[must_use]
pub fn made_here(page: &[u8]) -> Option<Vec<Round>> {
    let page = std::str::from_utf8(page).ok()?;
    let at = page.find(GENERATOR)? + GENERATOR.len();
    let sealed = page.get(at..at + BLANK.len())?;
    let blanked = format!("{}{BLANK}{}", &page[..at], &page[at + BLANK.len()..]);
    if sha256_hex(blanked.as_bytes()) != sealed {
        return None;
    }
    let (_, rest) = blanked.split_once(ROUNDS)?;
    let (json, _) = rest.split_once('"')?;
    serde_json::from_str(&text::unescape(json)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds() -> Vec<Round> {
        let brief = "</title>\"'&lt;\u{0}\r\n\u{2028}é".to_owned() + GENERATOR + BLANK + ROUNDS;
        vec![
            Round { round: 1, brief },
            Round {
                round: u64::MAX,
                brief: String::new(),
            },
        ]
    }

    #[test]
    fn what_goes_in_comes_out() {
        let page = seal(&format!("<head>{}<body>{BLANK}", metas(&rounds())));
        assert_eq!(made_here(page.as_bytes()), Some(rounds()));
    }

    #[test]
    fn one_changed_byte_is_noticed() {
        let page = seal(&format!("<head>{}<body>", metas(&rounds()))).into_bytes();
        for at in 0..page.len() {
            let mut edited = page.clone();
            edited[at] ^= 1;
            assert_eq!(made_here(&edited), None, "byte {at}");
        }
        assert_eq!(made_here(&page[..page.len() - 1]), None);
    }

    #[test]
    fn foreign_pages_are_foreign() {
        for page in [
            &b""[..],
            b"<html>",
            b"\xff\xfe",
            GENERATOR.as_bytes(),
            format!("{GENERATOR}{BLANK}").as_bytes(),
        ] {
            assert_eq!(made_here(page), None);
        }
    }
}
