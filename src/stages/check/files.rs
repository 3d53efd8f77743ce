//! Decides claims from the files alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::evidence::has_word;
use super::table::{columns, same_rows, stray_quote};
use crate::content::html::{self, Page};
use crate::content::json::{self, Seen};
use crate::content::sheet;
use crate::content::text::unmarked;
use crate::content::xml;
use crate::request::task::{Source, Task};
use crate::request::words::count;
use crate::request::words::{Claim, Format, Wants};
use crate::stages::generate::is_mit;
use crate::text::cut;
use crate::text::percent_decoded;
use crate::values::RelPath;

type Files<'a> = BTreeMap<RelPath, &'a [u8]>;

/// What is wrong, for each claim that does not hold. `None` where none is known to be wrong and not all can be decided here.
#[must_use]
pub fn decide(claims: &[Claim], files: &Files<'_>, task: &Task) -> Option<Vec<String>> {
    let mut wrong = Vec::new();
    let mut undecided = false;
    for claim in claims {
        match one(claim, files, task) {
            Ok(()) => {}
            Err(Some(why)) => wrong.push(why),
            Err(None) => undecided = true,
        }
    }
    (!wrong.is_empty() || !undecided).then_some(wrong)
}

fn one(claim: &Claim, files: &Files<'_>, task: &Task) -> Result<(), Option<String>> {
    let failed = |why: String| Err(Some(why));
    match claim {
        Claim::Mit => {
            // In the root, under any of the names that GitHub knows.
            let names = [
                "license",
                "license.md",
                "license.txt",
                "licence",
                "licence.md",
                "licence.txt",
            ];
            let licence = files
                .iter()
                .find(|(path, _)| names.iter().any(|n| path.as_str().eq_ignore_ascii_case(n)));
            match licence {
                None => failed("there is no LICENSE".to_owned()),
                Some((_, bytes)) if is_mit(bytes) => Ok(()),
                Some(_) => failed("LICENSE is not the MIT licence (\"Permission is hereby granted, free of charge\" …)".to_owned()),
            }
        }
        Claim::Exists(file) => get(files, file).map(drop),
        Claim::Absent(file) => {
            if get(files, file).is_ok() {
                failed(format!("{file} is there"))
            } else {
                Ok(())
            }
        }
        Claim::NotEmpty(file) => {
            if get(files, file)?.trim_ascii().is_empty() {
                failed(format!("{file} is empty"))
            } else {
                Ok(())
            }
        }
        Claim::Attachment { file, attachment } => {
            let there = get(files, file)?;
            match task
                .attachments
                .iter()
                .find(|a| a.name.as_str() == attachment)
                .map(|a| &a.source)
            {
                Some(Source::Bytes(bytes)) if bytes == there => Ok(()),
                Some(Source::Bytes(bytes)) => failed(format!(
                    "{file} ({} bytes) differs from the attachment {attachment} ({} bytes)",
                    there.len(),
                    bytes.len()
                )),
                _ => Err(None),
            }
        }
        Claim::Sheet { file, attachment } => {
            let there = get(files, file)?;
            match task
                .attachments
                .iter()
                .find(|a| a.name.as_str() == attachment)
                .map(|a| &a.source)
            {
                Some(Source::Bytes(bytes)) => {
                    same_rows(file, there, &sheet::first(bytes).map_err(|_| None)?).map_err(Some)
                }
                _ => Err(None),
            }
        }
        Claim::Valid { file, format } => valid(file, get(files, file)?, *format).map_err(Some),
        Claim::Key { file, path, wants } => key(file, get(files, file)?, path, wants),
        Claim::OnlyKeys { file, names } => only_keys(file, get(files, file)?, names),
        Claim::Links { file, to } => {
            let page = Page::read(&String::from_utf8_lossy(get(files, file)?)).live();
            let mut missing: Vec<&str> = to
                .iter()
                .map(String::as_str)
                .filter(|name| !links(&page, name))
                .collect();
            if !missing.is_empty() {
                let coded: BTreeSet<String> = Page::read(&page)
                    .attribute_values()
                    .filter(|v| v.contains('%'))
                    .map(percent_decoded)
                    .collect();
                missing.retain(|name| !coded.iter().any(|v| v.trim_start_matches("./") == *name));
            }
            // The end of a longer address, or of one that a script puts together, may be a link to the file; "README" is README.md.
            let unknown = |name: &&str| {
                is_in(&page, name)
                    && ["/", "}"]
                        .iter()
                        .any(|before| page.contains(&format!("{before}{name}")))
                    || !name.contains('.') && is_in(&page, name)
            };
            match missing.iter().find(|name| !unknown(name)) {
                None if missing.is_empty() => Ok(()),
                None => Err(None),
                Some(_) => failed(format!("{file} has no link to {}", missing.join(", "))),
            }
        }
        Claim::Columns { file, names, how } => columns(file, get(files, file)?, names, *how),
        Claim::Words { file, range } => {
            let count = count::words(&String::from_utf8_lossy(get(files, file)?));
            if range.contains(&count) {
                Ok(())
            } else {
                failed(format!(
                    "{file} has {count} words, not {}",
                    count::told(range)
                ))
            }
        }
        Claim::Contains { file, text, word } => {
            let content = String::from_utf8_lossy(get(files, file)?);
            let held = if html::is_page(file) {
                page_holds(&content, text, *word, files)
            } else {
                holds(&content, text, *word)
            };
            match held {
                Some(true) => Ok(()),
                Some(false) => failed(format!("{file} does not contain {text:?}")),
                None => Err(None),
            }
        }
        Claim::Lacks { file, text, word } => {
            let content = String::from_utf8_lossy(get(files, file)?);
            let held = if html::is_page(file) {
                page_shows(&content, text, *word)
            } else {
                holds(&content, text, *word)
            };
            match held {
                Some(true) => {
                    let line = content
                        .lines()
                        .position(|line| line.contains(text.as_str()));
                    let place = line
                        .map(|n| format!(" in line {}", n + 1))
                        .unwrap_or_default();
                    failed(format!("{file} contains {text:?}{place}"))
                }
                Some(false) => Ok(()),
                None => Err(None),
            }
        }
        Claim::Section { file, text } => {
            section(file, &String::from_utf8_lossy(get(files, file)?), text)
        }
    }
}

/// Whether a text is there, over the end of a line too. `None` where only its case differs, or where it is part of a compound and a
/// word was asked for: people differ on that.
fn holds(content: &str, text: &str, word: bool) -> Option<bool> {
    let inside = |content: &str, text: &str| {
        if word {
            has_word(content, text)
        } else {
            content.contains(text)
        }
    };
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if inside(content, text) || text.contains(' ') && inside(&joined(content), &joined(text)) {
        return Some(true);
    }
    let (content, text) = (
        joined(&content.to_lowercase()),
        joined(&text.to_lowercase()),
    );
    let bounded = |(at, found): (usize, &str)| {
        let end = at + found.len();
        !word
            || !content[..at].ends_with(char::is_alphanumeric)
                && !content[end..].starts_with(char::is_alphanumeric)
    };
    if content.match_indices(text.as_str()).any(bounded) {
        None
    } else {
        Some(false)
    }
}

/// Whether a page has a text: in its source, or as it is read. `None` too where a script may put it there.
fn page_holds(content: &str, text: &str, word: bool, files: &Files<'_>) -> Option<bool> {
    let page = Page::read(content);
    let sides = [page.uncommented(), page.text()].map(|side| holds(&side, text, word));
    if sides.contains(&Some(true)) {
        return Some(true);
    }
    let by_script = || {
        let is_script = |path: &RelPath| {
            [".js", ".mjs", ".json"]
                .iter()
                .any(|end| path.as_str().ends_with(end))
        };
        files.iter().any(|(path, bytes)| {
            is_script(path) && memchr::memmem::find(bytes, text.as_bytes()).is_some()
        })
    };
    if sides.contains(&None) || by_script() {
        None
    } else {
        Some(false)
    }
}

/// As [`page_holds`], where the text is not wanted: plain words that only a script has may never be shown.
fn page_shows(content: &str, text: &str, word: bool) -> Option<bool> {
    let page = Page::read(content);
    let (source, seen) = (
        holds(&page.uncommented(), text, word),
        holds(&page.text(), text, word),
    );
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == ' ');
    match (source, seen) {
        (_, Some(true)) => Some(true),
        (Some(true), _) if plain && !page.attribute_values().any(|value| value.contains(text)) => {
            None
        }
        (Some(true), _) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// A line of Markdown with marks of a heading, or one that says nothing else. Undecided where the text is only in a sentence.
fn section(file: &str, content: &str, text: &str) -> Result<(), Option<String>> {
    let (content, text) = (content.to_lowercase(), text.to_lowercase());
    let bare = |line: &str| line.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    // "- Setup" is an item of a list.
    let item = |line: &str| ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark));
    let heads = |line: &str| {
        line.starts_with('#') && has_word(line, &text) || !item(line) && bare(line) == bare(&text)
    };
    if content.lines().any(|line| heads(line.trim())) {
        return Ok(());
    }
    Err((!content.contains(&text)).then(|| format!("{file} has no section {text:?}")))
}

/// The file; what is missing is said with the nearest name there is.
fn get<'a>(files: &Files<'a>, name: &str) -> Result<&'a [u8], Option<String>> {
    // A folder is there when something is in it.
    let folder = |path: &RelPath| {
        let below = path
            .as_str()
            .strip_prefix(name.trim_end_matches('/'))
            .and_then(|rest| rest.strip_prefix('/'));
        below.is_some() && (name.ends_with('/') || !name.contains('.') || name.starts_with('.'))
    };
    let exact = files
        .iter()
        .find(|(path, _)| path.as_str() == name || folder(path));
    // "README" means README.md.
    let found = exact.or_else(|| {
        let stem = |path: &str| {
            path.rsplit_once('.')
                .map_or("", |(stem, _)| stem)
                .to_owned()
        };
        files
            .iter()
            .find(|(path, _)| !name.contains('.') && stem(path.as_str()) == name)
    });
    found.map(|(_, bytes)| *bytes).ok_or_else(|| {
        let like = |path: &&RelPath| {
            path.as_str().eq_ignore_ascii_case(name)
                || path.as_str().rsplit('/').next() == name.rsplit('/').next()
        };
        let hint = files
            .keys()
            .find(like)
            .map(|p| format!(" (there is {p})"))
            .unwrap_or_default();
        Some(format!("there is no {name}{hint}"))
    })
}

fn utf8<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(unmarked(bytes)).map_err(|_| format!("{file} is not UTF-8"))
}

fn valid(file: &str, bytes: &[u8], format: Format) -> Result<(), String> {
    let bytes = unmarked(bytes);
    let text = utf8(file, bytes);
    match format {
        Format::Json => json::valid(text?).map_err(|e| format!("{file} is not valid JSON: {e}")),
        Format::Xml => xml::root(text?)
            .map(drop)
            .map_err(|e| format!("{file} is not well-formed: {e}")),
        Format::Svg => match xml::root(text?) {
            Ok(root) if root.is_svg() && root.svg_namespace => Ok(()),
            Ok(root) if root.is_svg() => Err(format!(
                "{file} is not in the namespace of SVG: xmlns=\"http://www.w3.org/2000/svg\" is missing"
            )),
            Ok(root) => Err(format!("{file} is no SVG: its root is <{}>", root.name)),
            Err(e) => Err(format!("{file} is not a valid SVG: {e}")),
        },
        Format::Csv => {
            if let Some(line) = stray_quote(text?) {
                return Err(format!(
                    "{file} is not valid CSV: text beside a quotation in line {line}"
                ));
            }
            let mut rows = 0;
            for record in csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(bytes)
                .records()
            {
                record.map_err(|e| format!("{file} is not valid CSV: {e}"))?;
                rows += 1;
            }
            if rows == 0 {
                Err(format!("{file} is empty"))
            } else {
                Ok(())
            }
        }
    }
}

/// A name with dots is a key, or where there is none a path.
fn key(file: &str, bytes: &[u8], path: &[String], wants: &Wants) -> Result<(), Option<String>> {
    let text = utf8(file, bytes)?;
    let shown = if path.is_empty() {
        "the whole".to_owned()
    } else {
        path.join(".")
    };
    let literal: Vec<&str> = path.iter().map(String::as_str).collect();
    let split: Vec<&str> = path.iter().flat_map(|p| p.split('.')).collect();
    let mut ways = vec![literal];
    if !ways.contains(&split) {
        ways.push(split);
    }
    let (mut there, mut twice, mut wrong) = (false, false, Ok(()));
    for way in ways
        .iter()
        .filter(|way| way.iter().all(|key| !key.is_empty()))
    {
        wrong = Ok(());
        let mut number = 0_usize;
        json::walk(text, way, &mut |seen| {
            number += 1;
            there |= seen != Seen::Missing;
            twice |= seen == Seen::Twice;
            // What is certainly wrong of one element outweighs what is not known of another.
            if !matches!(wrong, Err(Some(_)))
                && let Err(why) = wanted(&seen, wants)
            {
                wrong = Err(why.map(|why| match seen {
                    Seen::Missing if number == 1 => format!("{file} has no {shown}"),
                    Seen::Missing => format!("{file} has no {shown} in element {number}"),
                    _ => format!("{shown} in {file} {why}"),
                }));
            }
        })
        .map_err(|e| Some(format!("{file} is not valid JSON: {e}")))?;
        if there {
            break;
        }
    }
    // "'a' with 'b' and 'c'": where c is not in a but beside it, that may have been meant.
    let beside = || {
        let mut found = false;
        let last = path.get(1..).and_then(<[String]>::last).map(String::as_str);
        let walked = last.is_some_and(|last| {
            json::walk(text, &[last], &mut |seen| found |= seen != Seen::Missing).is_ok()
        });
        walked && found
    };
    if twice || !there && wrong.is_err() && beside() {
        Err(None)
    } else {
        wrong
    }
}

/// What is wrong with one value.
fn wanted(seen: &Seen, wants: &Wants) -> Result<(), Option<String>> {
    let (kind, shown) = match seen {
        Seen::Missing => return Err((*wants != Wants::Perhaps).then(|| "is missing".to_owned())),
        Seen::EmptyArray => {
            return Err(Some(
                "cannot be: there is an empty array on the way".to_owned(),
            ));
        }
        Seen::Twice => return Err(None),
        Seen::Array => ("array", "an array".to_owned()),
        Seen::Object(_) => ("object", "an object".to_owned()),
        Seen::Scalar(value) => (scalar(value), cut(&value.to_string(), 60)),
    };
    let text = match seen {
        Seen::Scalar(Value::String(text)) => Some(text.clone()),
        Seen::Scalar(value) => Some(value.to_string()),
        _ => None,
    };
    match (wants, text) {
        (Wants::Anything | Wants::Perhaps, _) => Ok(()),
        (Wants::Kind(wanted), _) if kind == *wanted || kind == "integer" && *wanted == "number" => {
            Ok(())
        }
        (Wants::Kind(wanted), _) => Err(Some(format!("is no {wanted} but: {shown}"))),
        (Wants::Like(wanted), Some(text))
            if text.to_lowercase().contains(&wanted.to_lowercase()) =>
        {
            Ok(())
        }
        (Wants::Equal(wanted), Some(text)) if text == *wanted || same_number(seen, wanted) => {
            Ok(())
        }
        (Wants::Like(wanted) | Wants::Equal(wanted), Some(_)) => {
            Err(Some(format!("is {shown}, not {wanted:?}")))
        }
        // How a list or an object is written as a text is not said.
        (Wants::Like(_) | Wants::Equal(_), None) => Err(None),
    }
}

fn scalar(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        // JSON knows no integers: 1.0 is one.
        Value::Number(n) if n.as_f64().is_some_and(|n| n.fract() == 0.0) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        _ => "null",
    }
}

#[allow(clippy::float_cmp)]
fn same_number(seen: &Seen, wanted: &str) -> bool {
    let Seen::Scalar(Value::Number(n)) = seen else {
        return false;
    };
    n.as_f64()
        .zip(wanted.trim().parse().ok())
        .is_some_and(|(a, b): (f64, f64)| a == b)
}

fn only_keys(file: &str, bytes: &[u8], names: &[String]) -> Result<(), Option<String>> {
    let mut found = Err(None);
    json::walk(utf8(file, bytes)?, &[], &mut |seen| {
        found = match seen {
            Seen::Object(keys) => match keys.iter().find(|key| !names.contains(key)) {
                Some(other) => Err(Some(format!("{file} has another key, {other:?}"))),
                None => Ok(()),
            },
            // Whether each element is meant is not said.
            Seen::Array => Err(None),
            _ => Err(Some(format!("{file} is no object"))),
        };
    })
    .map_err(|e| Some(format!("{file} is not valid JSON: {e}")))?;
    found
}

/// Hundreds of names may be looked for in megabytes.
fn is_in(page: &str, name: &str) -> bool {
    memchr::memmem::find(page.as_bytes(), name.as_bytes()).is_some()
}

/// Whether the source of a page has the path in quotes, as an attribute or a string has it.
fn links(page: &str, name: &str) -> bool {
    if !is_in(page, name) {
        return false;
    }
    // `data-href` is for scripts to make what they like of.
    let is_data = |before: &str| {
        let name = before
            .trim_end_matches(['"', '\''])
            .strip_suffix('=')
            .map(|b| b.rsplit(char::is_whitespace).next().unwrap_or_default());
        name.is_some_and(|name| name.starts_with("data-"))
    };
    let unquoted = [format!("href={name}>"), format!("href={name} ")];
    page.match_indices(name).any(|(at, _)| {
        let (before, after) = (&page[..at], &page[at + name.len()..]);
        let before = before
            .strip_suffix("./")
            .or_else(|| before.strip_suffix('/'))
            .unwrap_or(before);
        if is_data(before) {
            return false;
        }
        // Markdown: "[text](a.txt)", "<a.txt>".
        let markdown = before.ends_with("](") && after.starts_with([')', '#', '?', ' ']);
        markdown
            || before.ends_with(['"', '\'', '`']) && after.starts_with(['"', '\'', '`', '#', '?'])
    }) || unquoted.iter().any(|u| page.contains(u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_is_near() {
        let path = RelPath::parse("docs/uid.txt").unwrap();
        let files: Files<'_> = [(path, b"x".as_slice())].into();
        assert_eq!(
            get(&files, "uid.txt").unwrap_err().unwrap(),
            "there is no uid.txt (there is docs/uid.txt)"
        );
    }
}
