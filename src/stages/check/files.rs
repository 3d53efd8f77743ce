//! Decides claims from the files alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::claims::{Claim, Format, Wants};
use crate::stages::count;
use crate::stages::sheet;
use crate::stages::task::{Source, Task};
use crate::stages::xml;
use crate::values::RelPath;

type Files<'a> = BTreeMap<RelPath, &'a [u8]>;

/// What is wrong, for each claim that does not hold. `None` in the place of a claim that cannot be decided here.
#[must_use]
pub fn decide(claims: &[Claim], files: &Files<'_>, task: &Task) -> Option<Vec<String>> {
    let mut wrong = Vec::new();
    for claim in claims {
        match one(claim, files, task) {
            Ok(()) => {}
            Err(Some(why)) => wrong.push(why),
            Err(None) => return None,
        }
    }
    Some(wrong)
}

fn one(claim: &Claim, files: &Files<'_>, task: &Task) -> Result<(), Option<String>> {
    let failed = |why: String| Err(Some(why));
    match claim {
        Claim::Mit => {
            let licence = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE"].iter().find_map(|n| get(files, n).ok());
            match licence.map(squeezed) {
                None => failed("there is no LICENSE".to_owned()),
                Some(text) if text.contains("is hereby granted, free of charge") && text.contains("the software is provided \"as is\"") => {
                    Ok(())
                }
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
            match task.attachments.iter().find(|a| a.name.as_str() == attachment).map(|a| &a.source) {
                Some(Source::Bytes(bytes)) if bytes == there => Ok(()),
                Some(Source::Bytes(bytes)) => {
                    failed(format!("{file} ({} bytes) differs from the attachment {attachment} ({} bytes)", there.len(), bytes.len()))
                }
                _ => Err(None),
            }
        }
        Claim::Sheet { file, attachment } => {
            let there = get(files, file)?;
            match task.attachments.iter().find(|a| a.name.as_str() == attachment).map(|a| &a.source) {
                Some(Source::Bytes(bytes)) => same_rows(file, there, &sheet::first(bytes).map_err(|_| None)?).map_err(Some),
                _ => Err(None),
            }
        }
        Claim::Valid { file, format } => valid(file, get(files, file)?, *format).map_err(Some),
        Claim::Key { file, path, wants } => key(file, get(files, file)?, path, wants).map_err(Some),
        Claim::Links { file, to } => {
            let page = String::from_utf8_lossy(get(files, file)?).into_owned();
            let missing: Vec<&str> = to.iter().map(String::as_str).filter(|name| !links(&page, name)).collect();
            if missing.is_empty() { Ok(()) } else { failed(format!("{file} has no link to {}", missing.join(", "))) }
        }
        Claim::Columns { file, names } => {
            let bytes = get(files, file)?;
            let delimiter = if file.to_ascii_lowercase().ends_with(".tsv") { b'\t' } else { b',' };
            let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(bytes);
            let there = reader.headers().map_err(|e| Some(format!("{file} is not valid CSV: {e}")))?;
            let missing: Vec<&str> = names.iter().map(String::as_str).filter(|n| !there.iter().any(|h| h.trim() == *n)).collect();
            if missing.is_empty() { Ok(()) } else { failed(format!("{file} has no column {}", missing.join(", "))) }
        }
        Claim::Words { file, range } => {
            let count = count::words(&String::from_utf8_lossy(get(files, file)?));
            if range.contains(&count) { Ok(()) } else { failed(format!("{file} has {count} words, not {}", count::told(range))) }
        }
        Claim::Contains { file, text } => {
            let there = String::from_utf8_lossy(get(files, file)?).contains(text.as_str());
            if there { Ok(()) } else { failed(format!("{file} does not contain {text:?}")) }
        }
        Claim::Lacks { file, text } => {
            let content = String::from_utf8_lossy(get(files, file)?).into_owned();
            match content.lines().position(|line| line.contains(text.as_str())) {
                Some(line) => failed(format!("{file} contains {text:?} in line {}", line + 1)),
                None => Ok(()),
            }
        }
    }
}

/// The file; what is missing is said with the nearest name there is.
fn get<'a>(files: &Files<'a>, name: &str) -> Result<&'a [u8], Option<String>> {
    // A folder is there when something is in it.
    let folder = |path: &RelPath| {
        let below = path.as_str().strip_prefix(name.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        below.is_some() && (name.ends_with('/') || !name.contains('.') || name.starts_with('.'))
    };
    let exact = files.iter().find(|(path, _)| path.as_str() == name || folder(path));
    // "README" means README.md.
    let found = exact.or_else(|| {
        let stem = |path: &str| path.rsplit_once('.').map_or("", |(stem, _)| stem).to_owned();
        files.iter().find(|(path, _)| !name.contains('.') && stem(path.as_str()) == name)
    });
    found.map(|(_, bytes)| *bytes).ok_or_else(|| {
        let like =
            |path: &&RelPath| path.as_str().eq_ignore_ascii_case(name) || path.as_str().rsplit('/').next() == name.rsplit('/').next();
        let hint = files.keys().find(like).map(|p| format!(" (there is {p})")).unwrap_or_default();
        Some(format!("there is no {name}{hint}"))
    })
}

fn squeezed(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).to_lowercase().replace(['“', '”'], "\"");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn valid(file: &str, bytes: &[u8], format: Format) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{file} is not UTF-8"));
    match format {
        Format::Json => serde_json::from_slice::<Value>(bytes).map(drop).map_err(|e| format!("{file} is not valid JSON: {e}")),
        Format::Xml => xml::root(text?).map(drop).map_err(|e| format!("{file} is not well-formed: {e}")),
        Format::Svg => match xml::root(text?) {
            Ok(root) if root.is_svg() => Ok(()),
            Ok(root) => Err(format!("{file} is no SVG: its root is <{}>", root.name)),
            Err(e) => Err(format!("{file} is not a valid SVG: {e}")),
        },
        Format::Csv => {
            let mut rows = 0;
            for record in csv::ReaderBuilder::new().has_headers(false).from_reader(bytes).records() {
                record.map_err(|e| format!("{file} is not valid CSV: {e}"))?;
                rows += 1;
            }
            if rows == 0 { Err(format!("{file} is empty")) } else { Ok(()) }
        }
    }
}

/// Whether two tables have the same cells; numbers count by value, and a date with or without its midnight is the same.
fn same_rows(file: &str, bytes: &[u8], wanted: &str) -> Result<(), String> {
    let rows = |bytes: &[u8]| -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes).into_records().flatten().collect()
    };
    let (here, there) = (rows(bytes), rows(wanted.as_bytes()));
    let number = |cell: &str| cell.trim().parse::<f64>().ok();
    let same = |a: &str, b: &str| match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => a.trim().trim_end_matches(" 00:00:00").eq_ignore_ascii_case(b.trim().trim_end_matches(" 00:00:00")),
    };
    for (n, (a, b)) in here.iter().zip(&there).enumerate() {
        if a.len() != b.len() || !a.iter().zip(b).all(|(a, b)| same(a, b)) {
            let line = |r: &csv::StringRecord| crate::ports::browser::record::cut(&r.iter().collect::<Vec<_>>().join(","), 60);
            return Err(format!("{file} differs in row {}: {:?}, and the sheet has {:?}", n + 1, line(a), line(b)));
        }
    }
    if here.len() == there.len() { Ok(()) } else { Err(format!("{file} has {} rows, the sheet {}", here.len(), there.len())) }
}

fn key(file: &str, bytes: &[u8], path: &[String], wants: &Wants) -> Result<(), String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|e| format!("{file} is not valid JSON: {e}"))?;
    let shown = path.join(".");
    let value = path.iter().try_fold(&json, |value, key| value.get(key)).ok_or_else(|| format!("{file} has no {shown}"))?;
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match wants {
        Wants::Kind(wanted) if kind != *wanted => Err(format!("{shown} in {file} is no {wanted} but: {}", short(value))),
        // "matching 'Biogen'" is met by "Biogen Inc.".
        Wants::Text(wanted) if !text(value).to_lowercase().contains(&wanted.to_lowercase()) => {
            Err(format!("{shown} in {file} is {}, not {wanted:?}", short(value)))
        }
        _ => Ok(()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short(value: &Value) -> String {
    crate::ports::browser::record::cut(&value.to_string(), 60)
}

/// Whether the source of a page has the path in quotes, as an attribute or a string has it.
fn links(page: &str, name: &str) -> bool {
    let unquoted = [format!("href={name}>"), format!("href={name} ")];
    page.match_indices(name).any(|(at, _)| {
        let (before, after) = (&page[..at], &page[at + name.len()..]);
        let before = before.strip_suffix("./").or_else(|| before.strip_suffix('/')).unwrap_or(before);
        before.ends_with(['"', '\'', '`']) && after.starts_with(['"', '\'', '`', '#', '?'])
    }) || unquoted.iter().any(|u| page.contains(u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_is_near() {
        let path = RelPath::parse("docs/uid.txt").unwrap();
        let files: Files<'_> = [(path, b"x".as_slice())].into();
        assert_eq!(get(&files, "uid.txt").unwrap_err().unwrap(), "there is no uid.txt (there is docs/uid.txt)");
    }
}
