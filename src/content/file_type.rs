//! What the ending of a file's name says, and what its first bytes do.
//!
//! Three lists of one table, since those who ask mean different things: `items.map` and `a.go` in a sentence are no files, in a
//! model's answer they may be.

/// What is known of an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A sentence that names such a file asks for it.
    Asked,
    /// Text that a model may send, though a word that ends so need not be a file.
    Text,
    /// A file in a list of files; nothing that a model is expected to send.
    Other,
}

/// What ends otherwise is more likely a host or a field.
const ENDINGS: [(Class, &str); 3] = [
    (
        Class::Asked,
        "html htm css js mjs json geojson webmanifest csv tsv txt md svg xml yml yaml toml py ipynb sh sql",
    ),
    (
        Class::Text,
        "cjs ts jsx tsx jsonl markdown ini cfg r go rs java c h cpp rb php tex bib ics vtt glsl map",
    ),
    (
        Class::Other,
        "rst png jpg jpeg gif webp avif ico pdf xlsx xls ods docx pptx bat ps1 kt cs swift log zip gz tar wasm mp3 mp4 wav webm woff \
         woff2 ttf otf parquet db sqlite lock env example rss atom",
    ),
];

/// By the ending of a path's last part, in any case; `None` where there is none that is known.
#[must_use]
pub fn class(path: &str) -> Option<Class> {
    let (stem, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    let known = |list: &str| {
        list.split_ascii_whitespace()
            .any(|one| one.eq_ignore_ascii_case(ending))
    };
    ENDINGS
        .iter()
        .find(|(_, list)| !stem.is_empty() && known(list))
        .map(|(class, _)| *class)
}

/// Whether it is the name of a spreadsheet.
#[must_use]
pub fn is_sheet(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["xlsx", "xlsm", "xlsb", "xls", "ods"]
        .iter()
        .any(|sheet| sheet.eq_ignore_ascii_case(ending))
}

/// The media type of a picture that browsers show, by its signature.
#[must_use]
pub fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'a',
            b'v',
            b'i',
            b'f',
            ..,
        ] => Some("image/avif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        assert_eq!(
            (class("a/b.HTML"), class("a.b/c")),
            (Some(Class::Asked), None)
        );
        assert_eq!(
            (class("items.map"), class("a.go"), class("x.log")),
            (Some(Class::Text), Some(Class::Text), Some(Class::Other))
        );
        assert_eq!(
            (class(".env"), class("example.com"), class("a."), class("")),
            (None, None, None, None)
        );
        let mut all: Vec<&str> = ENDINGS
            .iter()
            .flat_map(|(_, list)| list.split_ascii_whitespace())
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "one is in two lists");
    }

    #[test]
    fn sheets_and_pictures() {
        assert!(
            is_sheet("a/B.XLSX") && is_sheet("x.ods") && !is_sheet("xlsx") && !is_sheet("a.csv")
        );
        assert_eq!(image_type(b"GIF89a..."), Some("image/gif"));
        assert_eq!(
            (
                image_type(b"\0\0\0\x1cftypavif"),
                image_type(b"GIF8 is a format")
            ),
            (Some("image/avif"), None)
        );
    }
}
