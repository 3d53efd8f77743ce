//! The part of an attachment's section that shows its content.
//!
//! Deliberately absent: the section's frame (see `page`) and the renderers of the dense kinds, which have modules
//! of their own.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Asset;
use super::delimited;
use super::href;
use super::json;
use super::kind::Kind;
use super::language::Language;
use super::markdown::{self, Place};
use super::records;
use super::table;
use super::text;
use crate::content::csv::Hint;
use crate::content::{sheet, text as decode};

/// How much of a text is shown, in bytes.
const TEXT: usize = 200_000;
/// How many sheets of a workbook are shown.
const SHEETS: usize = 20;

/// The ids given out on one page.
#[derive(Default)]
pub(super) struct Ids {
    /// Every id, and the last number that was put behind it. A file may ask for one name thousands of times.
    taken: HashMap<String, usize>,
}

impl Ids {
    /// The wished id, with a number behind it if it is taken.
    pub(super) fn unique(&mut self, wish: &str) -> String {
        let Some(mut number) = self.taken.get(wish).copied() else {
            self.taken.insert(wish.to_owned(), 1);
            return wish.to_owned();
        };
        let id = loop {
            number += 1;
            let id = format!("{wish}-{number}");
            if !self.taken.contains_key(&id) {
                break id;
            }
        };
        self.taken.insert(wish.to_owned(), number);
        self.taken.insert(id.clone(), 1);
        id
    }
}

/// What the previews of a page share.
pub(super) struct Shared<'a> {
    /// The paths of all attachments.
    pub(super) paths: &'a [&'a str],
    /// The ids given out so far.
    pub(super) ids: Ids,
    /// In which the page is written.
    pub(super) language: Language,
}

/// The content of section `number`, in about `room` bytes.
pub(super) fn render(
    asset: &Asset<'_>,
    kind: Kind,
    number: usize,
    room: usize,
    shared: &mut Shared<'_>,
) -> String {
    let url = href::href(asset.path);
    let name = text::escape(asset.path);
    match kind {
        Kind::Table => {
            let tabs = asset
                .media_type
                .to_ascii_lowercase()
                .contains("tab-separated");
            let hint = if tabs {
                Hint::Tabs
            } else {
                Hint::of(asset.path)
            };
            let table = delimited::read(&decode::decode(&asset.bytes), hint);
            table::render(
                &table,
                asset.path,
                &number.to_string(),
                room,
                &mut shared.ids,
            )
        }
        Kind::Sheet => workbook(asset, number, room, &mut shared.ids),
        Kind::Markdown => document(asset, number, room, shared),
        Kind::Json => data(asset, number, room, &mut shared.ids),
        Kind::Image => {
            format!("<figure><img src=\"{url}\" alt=\"The attached image {name}\"></figure>\n")
        }
        Kind::Audio => format!(
            "<audio controls preload=\"metadata\" src=\"{url}\" aria-label=\"{name}\"></audio>\n"
        ),
        Kind::Video => format!(
            "<video controls preload=\"metadata\" src=\"{url}\" aria-label=\"{name}\"></video>\n"
        ),
        Kind::Pdf => format!(
            "<p class=\"note\"><a href=\"{url}\">Open the document</a> in the browser.</p>\n"
        ),
        Kind::Prose => plain(asset, "prose", room),
        Kind::Code => plain(asset, "code", room),
        Kind::Binary => {
            "<p class=\"note\">This kind of file has no preview. Download it to open it.</p>\n"
                .to_owned()
        }
    }
}

/// The sheets of a workbook, each as a table.
fn workbook(asset: &Asset<'_>, number: usize, room: usize, ids: &mut Ids) -> String {
    let book = match sheet::read(&asset.bytes) {
        Ok(book) => book,
        Err(why) => {
            return format!(
                "<p class=\"note\">This spreadsheet does not read: {}. Download it to open it.</p>\n",
                text::escape(&why)
            );
        }
    };
    let count = book.sheets.len();
    let largest = book.largest();
    // The largest comes first to its ids and to half of the room: it is the one that a brief speaks of.
    let mut order: Vec<usize> = (0..count.min(SHEETS)).collect();
    if let Some(largest) = largest {
        order.retain(|at| *at != largest);
        order.insert(0, largest);
    }
    let mut parts = std::collections::BTreeMap::new();
    let mut left = room;
    for at in order {
        let Some(sheet) = book.sheets.get(at) else {
            continue;
        };
        let share = if count == 1 || Some(at) != largest {
            left
        } else {
            left / 2
        };
        let mut part = String::new();
        if count > 1 {
            let _ = writeln!(part, "<h3><bdi>{}</bdi></h3>", text::escape(&sheet.name));
        }
        let key = if count > 1 {
            format!("{number}-{}", at + 1)
        } else {
            number.to_string()
        };
        let name = format!("{}, {}", asset.path, sheet.name);
        let table = delimited::read(&sheet.csv, Hint::Commas);
        part.push_str(&table::render(&table, &name, &key, share, ids));
        if sheet.unsaved > 0 {
            let _ = writeln!(
                part,
                "<p class=\"note\">{} without a saved value: the formula is shown in its place.</p>",
                sheet::formulas(sheet.unsaved)
            );
        }
        left = left.saturating_sub(part.len());
        parts.insert(at, part);
    }
    let more = count - parts.len() + book.left_out;
    let mut out: String = parts.into_values().collect();
    if out.is_empty() {
        out.push_str("<p class=\"note\">All its sheets are empty.</p>\n");
    }
    if more > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">{} not shown.</p>",
            text::count(more, "more sheet")
        );
    }
    out
}

/// A rendered document, and its source to look up. One that does not fit is shown as text.
fn document(asset: &Asset<'_>, number: usize, room: usize, shared: &mut Shared<'_>) -> String {
    let (source, more) = decode::decode_head(&asset.bytes, TEXT);
    let place = Place {
        path: asset.path,
        paths: shared.paths,
        key: &format!("file-{number}"),
        under: 2,
        lines: false,
    };
    let mut out = markdown::render(&source, &place, &mut shared.ids);
    if out.len() > room {
        return plain(asset, "prose", room);
    }
    // Briefs like to ask for the rendered text under this name; it is free on the first document only.
    let id = shared.ids.unique("markdown-output");
    let language = foreign(&source, shared.language);
    out = format!("<div class=\"prose-html\" id=\"{id}\"{language} dir=\"auto\">\n{out}</div>\n");
    if more {
        out.push_str(&note_cut());
    }
    if out.len() + source.len() * 2 < room {
        let source_id = shared.ids.unique("markdown-source");
        let source = text::escape(&source);
        let _ = write!(
            out,
            "<details class=\"source\"><summary>Markdown source</summary>\n\
             <pre class=\"prose\" tabindex=\"0\" role=\"group\" aria-label=\"Markdown source\"><code id=\"{source_id}\">{source}</code></pre></details>\n"
        );
    }
    out
}

/// Where a text is of another language than the page, the attribute that says so.
fn foreign(source: &str, page: Language) -> String {
    let other = Language::of(source).filter(|language| language.tag != page.tag);
    other.map_or_else(String::new, |language| {
        format!(" lang=\"{}\"", language.tag)
    })
}

/// JSON: elements that are alike as tables, anything else as a tree; what is no JSON as text, with what is wrong with it.
fn data(asset: &Asset<'_>, number: usize, room: usize, ids: &mut Ids) -> String {
    let source = decode::decode(&asset.bytes);
    if let Some(table) = records::table(&source) {
        return table::render(&table, asset.path, &number.to_string(), room, ids);
    }
    let mut out = String::new();
    let parts = records::parts(&source);
    for (at, (key, table)) in parts.iter().enumerate() {
        let share = (room - room / 4) / parts.len();
        let _ = writeln!(
            out,
            "<h3><bdi>{}</bdi></h3>",
            text::escape(&text::shorten(key, 100))
        );
        let name = format!("{}, {key}", asset.path);
        out.push_str(&table::render(
            table,
            &name,
            &format!("{number}-{}", at + 1),
            share,
            ids,
        ));
    }
    match json::render(&source, room.saturating_sub(out.len())) {
        Ok(tree) if out.is_empty() => tree,
        Ok(tree) => {
            let _ = write!(
                out,
                "<details class=\"source\"><summary>All of it as a tree</summary>\n{tree}</details>\n"
            );
            out
        }
        Err(error) => format!(
            "<p class=\"note\">Shown as text, for it cannot be read as JSON: {}.</p>\n{}",
            text::escape(&error),
            plain(asset, "code", room)
        ),
    }
}

/// Text as it is.
fn plain(asset: &Asset<'_>, class: &str, room: usize) -> String {
    let (source, more) = decode::decode_head(&asset.bytes, TEXT);
    let (html, cut) = text::escape_capped(&source, room);
    if html.is_empty() {
        return "<p class=\"note\">This file is empty.</p>\n".to_owned();
    }
    let note = if more || cut {
        note_cut()
    } else {
        String::new()
    };
    let name = text::escape(asset.path);
    format!(
        "<pre class=\"{class}\" dir=\"{}\" tabindex=\"0\" role=\"region\" aria-label=\"Content of {name}\"><code>{html}</code></pre>\n{note}",
        if class == "code" { "ltr" } else { "auto" }
    )
}

fn note_cut() -> String {
    "<p class=\"note\">Only the beginning is shown. Download the file to see all of it.</p>\n"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(path: &str, bytes: &[u8]) -> String {
        let asset = Asset {
            path,
            media_type: "",
            bytes: bytes.into(),
        };
        let mut shared = Shared {
            paths: &[path],
            ids: Ids::default(),
            language: Language::ENGLISH,
        };
        render(&asset, Kind::of(&asset), 1, 600_000, &mut shared)
    }

    #[test]
    fn names_cannot_leave_their_attribute() {
        let page = html("x\" onerror=\"alert(1).png", b"\x89PNG\r\n\x1a\n");
        assert!(!page.contains("\" onerror=\""), "{page}");
        assert!(page.contains("src=\"x%22%20onerror%3D%22alert%281%29.png\""));
    }

    #[test]
    fn svg_is_never_inlined() {
        let page = html("p.svg", b"<svg onload=\"alert(1)\"/>");
        assert!(page.contains("<img src=\"p.svg\"") && !page.contains("<svg"));
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let page = html("a.txt", "<".repeat(300_000).as_bytes());
        assert!(page.len() < 601_000 && page.contains("Only the beginning"));
        assert!(html("a.txt", b"").contains("empty"));
    }

    #[test]
    fn broken_json_is_shown_as_text() {
        let page = html("a.json", b"{\"a\": <b>}");
        assert!(
            page.contains("cannot be read as JSON") && page.contains("{&quot;a&quot;: &lt;b&gt;}"),
            "{page}"
        );
    }

    #[test]
    fn ids_are_given_out_once() {
        let mut ids = Ids::default();
        assert_eq!(
            (ids.unique("a"), ids.unique("a"), ids.unique("a-2")),
            ("a".into(), "a-2".into(), "a-2-2".into())
        );
    }

    #[test]
    fn uniform_arrays_are_tables() {
        let page = html(
            "a.json",
            br#"[{"product":"A","sales":1.50},{"product":"B","sales":2}]"#,
        );
        assert!(page.contains("<dd id=\"total-sales\">3.50</dd>"), "{page}");
        assert!(page.contains("<td>B</td>") && !page.contains("class=\"tree\""));
        let page = html(
            "a.json",
            br#"{"unit":"EUR","items":[{"n":1},{"n":2}],"ids":[1,2]}"#,
        );
        assert!(
            page.contains("<bdi>items</bdi>") && page.contains("id=\"total-n\">3<"),
            "{page}"
        );
        assert!(page.contains("class=\"tree\"") && page.contains("EUR"));
    }

    #[test]
    fn what_is_no_workbook_says_so() {
        assert!(html("a.xlsx", b"PK\x03\x04\0\0").contains("does not read"));
        assert!(html("a.xls", b"a;b\n1;2\n").contains("<table"));
    }
}
