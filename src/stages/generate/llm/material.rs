//! What the model is shown of files: attachments, and what is deployed already. Heads rather than wholes where they are long,
//! and what was cut says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::content::csv::{self, Hint, Total};
use crate::content::json::{self, Shape};
use crate::content::sheet::{self, Workbook};
use crate::content::{self, file_type};
use crate::ports::llm::Image;
use crate::text::{cut, head};
use crate::values::RelPath;

/// Bytes of one attachment, of one that is to be changed, of all together.
const HEAD: usize = 4_000;
const WHOLE: usize = 60_000;
const ATTACHMENTS: usize = 120_000;
/// Bytes of one deployed file, and of all together.
const DEPLOYED_ONE: usize = 40_000;
const DEPLOYED: usize = 120_000;
/// Keys of an object in JSON that are named.
const KEYS: usize = 50;
/// Sheets of a workbook that are described, and how much of a name.
const SHEETS: usize = 12;
const NAME: usize = 100;
/// Images that go with the prompt, and the most bytes of one.
const IMAGES: usize = 4;
const IMAGE: usize = 4 << 20;

/// An attachment in its place.
pub struct Shown<'a> {
    pub path: &'a RelPath,
    pub media_type: &'a str,
    pub bytes: &'a [u8],
    /// The model is to send its own version.
    pub to_change: bool,
}

/// The attachments, one after the other, each between lines that name it.
#[must_use]
pub fn attachments(all: &[Shown<'_>]) -> String {
    let (mut out, mut left) = (String::new(), ATTACHMENTS);
    for shown in all {
        let about = about(shown);
        let _ = writeln!(
            out,
            "### {}{}\n{}",
            shown.path,
            if shown.to_change {
                " (send your corrected version)"
            } else {
                ""
            },
            about.facts
        );
        let limit = if shown.to_change { WHOLE } else { HEAD }.min(left);
        if let Some(text) = about.text.filter(|t| !t.is_empty()) {
            left -= quote(&mut out, shown.path.as_str(), &text, limit);
        }
        out.push('\n');
    }
    out
}

struct About {
    facts: String,
    text: Option<String>,
}

fn about(shown: &Shown<'_>) -> About {
    let media_type = if shown.media_type.is_empty() {
        "unknown media type"
    } else {
        shown.media_type
    };
    let mut facts = format!("{media_type}, {} bytes", shown.bytes.len());
    let path = shown.path.as_str().to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|e| path.ends_with(e));
    if file_type::is_sheet(&path) && !content::text::is_text(shown.bytes) {
        let text = match sheet::read(shown.bytes) {
            Ok(book) => {
                facts.push_str(&book_facts(&book));
                Some(book_text(&book))
            }
            Err(why) => {
                let _ = write!(facts, "; it does not read: {why}");
                None
            }
        };
        return About { facts, text };
    }
    if seen_type(shown.bytes).is_some() {
        facts.push_str(", an image");
        return About { facts, text: None };
    }
    let Some(text) = text(shown.bytes) else {
        facts.push_str(", not text");
        return About { facts, text: None };
    };
    if ends(&[".csv", ".tsv", ".tab"]) || file_type::is_sheet(&path) {
        facts.push_str(", ");
        facts.push_str(&table_facts(&text, Hint::of(&path)));
    } else if ends(&[".json"])
        && let Ok(shape) = json::shape(&text, KEYS)
    {
        let list = |keys: Vec<String>| {
            keys.iter()
                .map(|k| format!("{k:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match shape {
            Shape::Object(keys) => drop(write!(facts, ", an object with the keys {}", list(keys))),
            Shape::Array(length, first) => {
                let _ = write!(facts, ", a list of {length}");
                if let Some(keys) = first {
                    let _ = write!(facts, " objects with the keys {}", list(keys));
                }
            }
            Shape::Scalar => {}
        }
    }
    About {
        facts,
        text: Some(text),
    }
}

/// The images for the request, with the media type that their bytes have.
#[must_use]
pub fn images(all: &[Shown<'_>]) -> Vec<Image> {
    let image = |s: &Shown<'_>| {
        Some(Image {
            media_type: seen_type(s.bytes)?.to_owned(),
            bytes: s.bytes.to_vec(),
        })
    };
    all.iter()
        .filter(|s| s.bytes.len() <= IMAGE)
        .filter_map(image)
        .take(IMAGES)
        .collect()
}

/// The media type of a picture that models look at.
fn seen_type(bytes: &[u8]) -> Option<&'static str> {
    file_type::image_type(bytes).filter(|media_type| *media_type != "image/avif")
}

/// What is said of a table: how it is written where that is not the plain way, and what it holds.
fn table_facts(text: &str, hint: Hint) -> String {
    let layout = csv::layout(text, hint);
    let (mut columns, mut rows, mut last) = (Vec::new(), 0, Vec::<String>::new());
    csv::for_each_row(text, layout, |row| {
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return true;
        }
        if columns.is_empty() {
            columns = row
                .iter()
                .take(KEYS)
                .map(|cell| format!("{:?}", cut(cell, NAME)))
                .collect();
            if row.len() > KEYS {
                columns.push(format!("and {} more", row.len() - KEYS));
            }
        } else {
            rows += 1;
            last.clear();
            last.extend(row.iter().take(KEYS).map(str::to_owned));
        }
        true
    });
    let mut facts = String::new();
    if layout.separator != if hint == Hint::Tabs { b'\t' } else { b',' } {
        let separator = char::from(layout.separator);
        let _ = write!(facts, "cells separated by {separator:?}, ");
    }
    if layout.start > 0 {
        let lines = text[..layout.start].lines().count();
        let _ = write!(facts, "{} above the heading, ", plural(lines, "line"));
    }
    let _ = write!(
        facts,
        "columns: {}; {} below the heading",
        columns.join(", "),
        plural(rows, "row")
    );
    if csv::is_total(last.iter().map(String::as_str)) == Total::Named {
        facts.push_str(", of which the last is a total of the others");
    }
    facts
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What is said of a workbook and of each of its first sheets.
fn book_facts(book: &Workbook) -> String {
    let mut facts = String::new();
    let largest = book.largest().filter(|_| book.sheets.len() > 1);
    for (at, sheet) in book.sheets.iter().enumerate().take(SHEETS) {
        let most = if Some(at) == largest {
            ", the largest"
        } else {
            ""
        };
        let table = table_facts(&sheet.csv, Hint::Commas);
        let _ = write!(facts, "\nsheet {:?}{most}: {table}", cut(&sheet.name, NAME));
        if sheet.unsaved > 0 {
            let _ = write!(
                facts,
                "; {} without a saved value, shown as the formula: compute it yourself",
                sheet::formulas(sheet.unsaved)
            );
        }
    }
    let more = book.sheets.len().saturating_sub(SHEETS) + book.left_out;
    if more > 0 {
        let _ = write!(facts, "\nand {}", plural(more, "more sheet"));
    }
    facts.push_str("\nAs CSV:");
    facts
}

/// The sheets, the largest first and with the most room: a cover or notes tell little of the data.
fn book_text(book: &Workbook) -> String {
    let largest = book.largest();
    let first = book
        .sheets
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) == largest);
    let others = book
        .sheets
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) != largest);
    let share = HEAD / 4 / book.sheets.len().saturating_sub(1).clamp(1, SHEETS);
    let mut text = String::new();
    for (at, sheet) in first.chain(others).take(SHEETS) {
        let room = if Some(at) != largest {
            share
        } else if book.sheets.len() == 1 {
            usize::MAX
        } else {
            HEAD / 2
        };
        let shown = head(&sheet.csv, room);
        let more = shown.len() < sheet.csv.len();
        // Whole rows only.
        let shown = shown
            .rfind('\n')
            .filter(|_| more)
            .map_or(shown, |end| &shown[..=end]);
        let _ = write!(text, "[sheet {}]\n{shown}", cut(&sheet.name, NAME));
        if more {
            text.push_str("[more rows]\n");
        }
    }
    text
}

/// The bytes as text, if they are.
#[must_use]
pub fn text(bytes: &[u8]) -> Option<String> {
    content::text::is_text(bytes).then(|| content::text::decode(bytes).into_owned())
}

/// The deployed text files within the budget: the page first, then the small ones; the others by name.
#[must_use]
pub fn deployed(files: &[(String, Vec<u8>)], skip: &BTreeSet<&str>) -> String {
    let mut order: Vec<&(String, Vec<u8>)> = files
        .iter()
        .filter(|(path, _)| !skip.contains(path.as_str()))
        .collect();
    order.sort_by_key(|(path, bytes)| (path != "index.html", bytes.len(), path.clone()));
    let (mut out, mut left) = (String::new(), DEPLOYED);
    for (path, bytes) in order {
        match text(bytes).filter(|_| left > 0) {
            Some(text) => left -= quote(&mut out, path, &text, DEPLOYED_ONE.min(left)),
            None => drop(writeln!(out, "({path}, {} bytes, not shown)", bytes.len())),
        }
    }
    out
}

/// A text between lines that name it; gives back how much of it there is.
fn quote(out: &mut String, path: &str, text: &str, limit: usize) -> usize {
    let head = head(text, limit);
    let cut = if head.len() < text.len() {
        format!("\n[cut: {} of {} bytes are shown]", head.len(), text.len())
    } else {
        String::new()
    };
    let newline = if head.ends_with('\n') || head.is_empty() {
        ""
    } else {
        "\n"
    };
    let _ = writeln!(
        out,
        "----- begin {path} -----\n{head}{newline}----- end {path} -----{cut}"
    );
    head.len()
}

/// A fetched document within `limit`.
#[must_use]
pub fn fetched(url: &str, text: &str, limit: usize) -> String {
    // Without its white space more of a JSON document fits.
    let dense = serde_json::from_str::<serde_json::Value>(text).map(|v| v.to_string());
    let mut out = String::new();
    quote(&mut out, url, dense.as_deref().unwrap_or(text), limit);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::sheet::Sheet;

    #[test]
    fn what_is_said_of_an_attachment() {
        let path = |p| RelPath::parse(p).unwrap();
        let (csv, json, png) = (path("data.csv"), path("a.json"), path("x.png"));
        let shown = |path, bytes| Shown {
            path,
            media_type: "text/csv",
            bytes,
            to_change: false,
        };
        let text = attachments(&[
            shown(&csv, b"a,b\n1,2\n3,4\n"),
            shown(&json, b"[{\"k\":1}]"),
            shown(&png, b"\x89PNG\r\n"),
        ]);
        assert!(
            text.contains("columns: \"a\", \"b\"; 2 rows")
                && text.contains("a list of 1 objects with the keys \"k\"")
                && text.contains("an image")
        );
    }

    #[test]
    fn a_table_is_told_of_as_the_page_reads_it() {
        for (text, facts) in [
            (
                "a;b\n1,5;2\n",
                "cells separated by ';', columns: \"a\", \"b\"; 1 row below the heading",
            ),
            (
                "T\n\na,b\n1,2\nTotal,2\n",
                "2 lines above the heading, columns: \"a\", \"b\"; 2 rows below the heading, of which the last is a total of the others",
            ),
        ] {
            assert_eq!(table_facts(text, Hint::Table), facts);
        }
        assert_eq!(text(b"\xff\xfea\0,\0").as_deref(), Some("a,"));
        assert_eq!(text(b"caf\xe9").as_deref(), Some("café"));
    }

    #[test]
    fn of_several_sheets_the_largest_has_the_room() {
        let sheet = |name: &str, rows: usize, unsaved| Sheet {
            name: name.to_owned(),
            csv: "h,n\n".to_owned() + &"x,1\n".repeat(rows),
            unsaved,
        };
        let book = Workbook {
            sheets: vec![sheet("Notes", 400, 0), sheet("Data", 5_000, 2)],
            left_out: 1,
        };
        let (facts, text) = (book_facts(&book), book_text(&book));
        assert!(
            facts.contains("sheet \"Notes\": columns: \"h\", \"n\"; 400 rows"),
            "{facts}"
        );
        assert!(
            facts.contains("sheet \"Data\", the largest: ") && facts.contains("and 1 more sheet")
        );
        assert!(
            facts.contains("; 2 formulas without a saved value"),
            "{facts}"
        );
        assert!(
            text.starts_with("[sheet Data]\nh,n\nx,1\n") && text.len() < HEAD,
            "{}",
            text.len()
        );
        assert!(
            text.contains("x,1\n[more rows]\n[sheet Notes]\nh,n\n"),
            "{text}"
        );
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let files = vec![
            ("big.js".to_owned(), vec![b'x'; 500_000]),
            ("index.html".to_owned(), b"<html>".to_vec()),
            ("b.bin".to_owned(), vec![0; 9]),
        ];
        let text = deployed(&files, &BTreeSet::new());
        assert!(
            text.starts_with("----- begin index.html")
                && text.contains("[cut: 40000 of 500000 bytes are shown]")
                && text.contains("(b.bin, 9 bytes, not shown)")
        );
    }
}
