//! What an attachment is, so that it can be shown accordingly.
//!
//! Deliberately absent: trust in a single source. Media types in tasks are odd (`@file/zip`), extensions are missing,
//! and neither makes bytes readable: what claims to be text but is not is binary.

use super::Asset;
use crate::content::file_type;
use crate::content::text as decode;

/// The ways to show an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows of cells, in whatever way they are separated.
    Table,
    /// A workbook of a spreadsheet program.
    Sheet,
    /// A Markdown document.
    Markdown,
    /// A JSON document.
    Json,
    /// A picture that browsers show.
    Image,
    /// Sound that browsers play.
    Audio,
    /// Moving pictures that browsers play.
    Video,
    /// A PDF document.
    Pdf,
    /// Text for people: long lines are wrapped.
    Prose,
    /// Text for programs: lines stay as they are.
    Code,
    /// Everything else.
    Binary,
}

impl Kind {
    /// Media type first, then the path's extension, then the bytes.
    pub(super) fn of(asset: &Asset<'_>) -> Self {
        let media = asset
            .media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let extension = extension(asset.path);
        let named = from_media(&media, &extension).or_else(|| from_extension(&extension));
        let readable = decode::is_text(&asset.bytes);
        match named {
            // Bytes that open like a picture are one, whatever a text type says.
            Some(kind) if kind.is_text() && !readable => {
                from_bytes(&asset.bytes).unwrap_or(Self::Binary)
            }
            // Programs export tables of text under the name of a spreadsheet.
            Some(Self::Sheet) if readable => Self::Table,
            Some(kind) => kind,
            None => match from_bytes(&asset.bytes) {
                Some(kind) => kind,
                None if !readable => Self::Binary,
                None if media == "text/plain" || extension.is_empty() => Self::Prose,
                None => Self::Code,
            },
        }
    }

    /// What the kind is called on the page.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Table => "Table",
            Self::Sheet => "Spreadsheet",
            Self::Markdown => "Markdown",
            Self::Json => "JSON",
            Self::Image => "Image",
            Self::Audio => "Audio",
            Self::Video => "Video",
            Self::Pdf => "PDF",
            Self::Prose => "Text",
            Self::Code => "Source",
            Self::Binary => "Binary file",
        }
    }

    fn is_text(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Markdown | Self::Json | Self::Prose | Self::Code
        )
    }
}

/// The lower-case extension of a path's last part; empty where there is none.
pub(super) fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Only types that say something. `text/plain` and `application/octet-stream` are what senders write for anything.
fn from_media(media: &str, extension: &str) -> Option<Kind> {
    match media {
        "text/csv"
        | "application/csv"
        | "text/x-csv"
        | "text/tab-separated-values"
        | "text/comma-separated-values" => Some(Kind::Table),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        | "application/vnd.ms-excel.sheet.macroenabled.12"
        | "application/vnd.oasis.opendocument.spreadsheet" => Some(Kind::Sheet),
        "text/markdown" | "text/x-markdown" => Some(Kind::Markdown),
        "application/json" | "text/json" => Some(Kind::Json),
        "application/pdf" => Some(Kind::Pdf),
        // The server names the type by extension, and an <img> accepts SVG only under its own type.
        "image/svg+xml" if extension != "svg" => Some(Kind::Code),
        "image/png" | "image/jpeg" | "image/jpg" | "image/gif" | "image/webp" | "image/avif"
        | "image/svg+xml" => Some(Kind::Image),
        _ if media.ends_with("+json") => Some(Kind::Json),
        _ if media.starts_with("audio/") => Some(Kind::Audio),
        _ if media.starts_with("video/") => Some(Kind::Video),
        _ => None,
    }
}

fn from_extension(extension: &str) -> Option<Kind> {
    Some(match extension {
        "csv" | "tsv" | "tab" => Kind::Table,
        "md" | "markdown" => Kind::Markdown,
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => Kind::Sheet,
        "json" | "geojson" | "webmanifest" | "ipynb" => Kind::Json,
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" => Kind::Image,
        "mp3" | "ogg" | "oga" | "wav" | "m4a" | "flac" | "opus" => Kind::Audio,
        "mp4" | "webm" | "ogv" | "mov" => Kind::Video,
        "pdf" => Kind::Pdf,
        "txt" | "text" | "log" | "rst" | "adoc" => Kind::Prose,
        _ => return None,
    })
}

/// The opening bytes of formats that have a signature, and JSON, which is recognised by parsing.
fn from_bytes(bytes: &[u8]) -> Option<Kind> {
    if file_type::image_type(bytes).is_some() {
        return Some(Kind::Image);
    }
    if bytes.starts_with(b"%PDF-") {
        return Some(Kind::Pdf);
    }
    let opening = bytes.iter().find(|b| !b.is_ascii_whitespace());
    let json = matches!(opening, Some(b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    json.then_some(Kind::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &str, media_type: &str, bytes: &[u8]) -> Kind {
        Kind::of(&Asset {
            path,
            media_type,
            bytes: bytes.into(),
        })
    }

    #[test]
    fn the_media_type_decides_where_it_says_something() {
        assert_eq!(kind("x", "text/csv; charset=utf-8", b"a,b"), Kind::Table);
        assert_eq!(kind("x.txt", "TEXT/CSV", b"a,b"), Kind::Table);
        assert_eq!(kind("x", "application/geo+json", b"{}"), Kind::Json);
        assert_eq!(kind("x", "audio/mpeg", b"\0"), Kind::Audio);
    }

    #[test]
    fn then_the_extension() {
        assert_eq!(kind("data.CSV", "@file/zip", b"a,b"), Kind::Table);
        assert_eq!(kind("data.csv", "text/plain", b"a,b"), Kind::Table);
        assert_eq!(
            kind("data.csv", "application/vnd.ms-excel", b"a,b"),
            Kind::Table
        );
        assert_eq!(kind("a/b.md", "", b"# x"), Kind::Markdown);
        assert_eq!(
            kind("p.svg", "application/octet-stream", b"<svg/>"),
            Kind::Image
        );
        assert_eq!(
            kind("execute.py", "@file/x-python", b"import json"),
            Kind::Code
        );
        assert_eq!(kind("page.html", "text/html", b"<p>"), Kind::Code);
        assert_eq!(kind("uid.txt", "text/plain", b"123"), Kind::Prose);
    }

    #[test]
    fn then_the_bytes() {
        assert_eq!(kind("x", "", b"\x89PNG\r\n\x1a\n\0\0"), Kind::Image);
        assert_eq!(kind("x", "", b"%PDF-1.7\n\0"), Kind::Pdf);
        assert_eq!(kind("x", "", b" {\"a\": 1}"), Kind::Json);
        assert_eq!(kind("x", "", b"{ not json"), Kind::Prose);
        assert_eq!(
            kind("data.xlsx", "@file/zip", b"PK\x03\x04\0\0"),
            Kind::Sheet
        );
        assert_eq!(kind("export.xls", "", b"a\tb\n1\t2\n"), Kind::Table);
        assert_eq!(kind("Makefile", "", b"all:\n"), Kind::Prose);
    }

    #[test]
    fn a_wrong_claim_is_seen_through() {
        assert_eq!(
            kind("data.csv", "text/csv", b"PK\x03\x04\0\0"),
            Kind::Binary
        );
        assert_eq!(
            kind("note.txt", "text/plain", b"\x89PNG\r\n\x1a\n\0"),
            Kind::Image
        );
        assert_eq!(kind("picture", "image/svg+xml", b"<svg/>"), Kind::Code);
    }
}
