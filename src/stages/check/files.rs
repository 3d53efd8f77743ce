//! Decides claims from the files alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::claims::{Claim, Format, Wants};
use super::xml;
use crate::stages::task::{Source, Task};
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
        Claim::Valid { file, format } => valid(file, get(files, file)?, *format).map_err(Some),
        Claim::Key { file, path, wants } => key(file, get(files, file)?, path, wants).map_err(Some),
        Claim::Links { file, to } => {
            let page = String::from_utf8_lossy(get(files, file)?).into_owned();
            let missing: Vec<&str> = to.iter().map(String::as_str).filter(|name| !links(&page, name)).collect();
            if missing.is_empty() { Ok(()) } else { failed(format!("{file} has no link to {}", missing.join(", "))) }
        }
        Claim::Words { file, least, most } => {
            let count = words(&String::from_utf8_lossy(get(files, file)?));
            if (*least..=*most).contains(&count) { Ok(()) } else { failed(format!("{file} has {count} words")) }
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
    let exact = files.iter().find(|(path, _)| path.as_str() == name);
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
            Ok(root) if root.rsplit(':').next() == Some("svg") => Ok(()),
            Ok(root) => Err(format!("{file} is no SVG: its root is <{root}>")),
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

/// Words as a person counts them: markup and lone punctuation are none.
fn words(text: &str) -> usize {
    text.split_whitespace().filter(|w| w.chars().any(char::is_alphanumeric)).count()
}

#[cfg(test)]
mod tests {
    use super::super::claims::read;
    use super::*;

    const MIT: &str = "MIT License\n\nPermission is hereby granted, free\nof charge, to …\nTHE SOFTWARE IS PROVIDED \"AS IS\"";

    /// Verdict on a text: `Ok(true)` passed, `Ok(false)` failed, `Err` not for files.
    fn verdict(text: &str, brief: &str, files: &[(&str, &str)]) -> Result<bool, ()> {
        let json =
            serde_json::json!({"email": "e", "task": "t", "brief": brief, "attachments": [{"name": "uid.txt", "url": "data:,4711"}]});
        let task = Task::parse(json.to_string().as_bytes()).unwrap();
        let files: Files<'_> = files.iter().map(|(p, t)| (RelPath::parse(p).unwrap(), t.as_bytes())).collect();
        let claims = read(text, &task).ok_or(())?;
        decide(&claims, &files, &task).map(|wrong| wrong.is_empty()).ok_or(())
    }

    #[test]
    fn what_files_decide() {
        let brief = "Publish:\n- a.txt: x\n- b.json: y\n- index.html: links to all the above\n- LICENSE: MIT\n- uid.txt: as-is\nDo not commit result.json";
        let files = [
            ("a.txt", "one two — three."),
            ("b.json", r#"{"entityName":"Biogen Inc.","max":{"val":3,"fy":"2021"},"lat":1.5}"#),
            ("index.html", "<a href='a.txt'>a</a> <a href=\"./b.json\">b</a> <p id=x>revenew</p>"),
            ("LICENSE", MIT),
            ("uid.txt", "4711"),
            ("pelican.svg", "<?xml version=\"1.0\"?><svg xmlns='http://www.w3.org/2000/svg'><g/></svg>"),
            ("bad.svg", "<svg><g></svg>"),
            ("t.csv", "a,b\n1,2\n"),
            ("bad.csv", "a,b\n1\n"),
            ("README.md", "# x"),
            ("empty.txt", " \n"),
            (".github/workflows/ci.yml", "on: push"),
        ];
        for (text, passes) in [
            ("Repo has MIT license", true),
            ("LICENSE contains the MIT License text", true),
            ("MIT LICENSE file present in repo root", true),
            ("Each required file exists on GitHub", true),
            ("uid.txt matches the attached uid.txt", true),
            ("a.txt matches the attached uid.txt", false),
            ("index.html links to all required assets", true),
            ("index.html links to a.txt and b.json", true),
            ("index.html links to a.txt and nope.txt", false),
            ("a.txt contains exactly three words", true),
            ("a.txt contains exactly 4 words", false),
            ("a.txt is 2-4 words", true),
            ("a.txt is a 300–400 word story", false),
            ("a.txt has between 300 and 400 words", false),
            ("a.txt has at least 3 words", true),
            ("pelican.svg is valid SVG", true),
            ("bad.svg is valid SVG", false),
            ("b.json is valid SVG", false),
            ("t.csv is valid CSV", true),
            ("bad.csv is valid CSV", false),
            ("b.json exists and is valid JSON", true),
            ("a.txt is valid JSON", false),
            ("b.json has 'entityName' field matching 'Biogen'", true),
            ("b.json has 'entityName' field matching 'Pfizer'", false),
            ("b.json has 'max' object with 'val' (number) and 'fy' (string) fields", true),
            ("b.json has 'max' object with 'val' (string) and 'fy' (string) fields", false),
            ("b.json has keys entityName, max and lat", true),
            ("b.json has keys entityName and name", false),
            ("result.json is NOT committed", true),
            ("a.txt is not committed", false),
            ("index.html does not contain the typo \"revenew\"", false),
            ("a.txt does not contain the typo \"revenew\"", true),
            ("a.txt contains \"two\"", true),
            ("README.md exists", true),
            ("index.html exists", true),
            ("Index.html exists", false),
            ("a.txt, b.json, and .github/workflows/ci.yml exist", true),
            ("a.txt, b.json, and c.txt exist", false),
            ("empty.txt is not empty", false),
            ("README.md is not empty", true),
        ] {
            let expected = if text.starts_with("a.txt matches the attached uid.txt") { Err(()) } else { Ok(passes) };
            assert_eq!(verdict(text, brief, &files), expected, "{text}");
        }
    }

    #[test]
    fn what_only_a_person_can_tell() {
        for text in [
            "README.md is professional",
            "ashravan.txt meets content requirements",
            "dilemma.json matches the assigned scenario",
            "restaurant.json data is consistent",
            "pelican.svg is rated by an LLM",
            "prediction.json contains a reasonable forecast",
            "data.csv content equals data.xlsx (attachment)",
            "CI YAML has steps for ruff, executing execute.py, and Pages deploy",
            "GitHub Actions ran for this commit and logs show ruff + execute.py",
            "result.json is published on GitHub Pages",
            "index.html <title> contains the entityName from data.json",
            "index.html contains element with id='share-max-value' displaying max.val",
            "index.html supports ?CIK= query parameter to fetch alternate company data",
            "data.json max.fy and min.fy are both > '2020'",
            "README.md mentions the MIT license",
            "LICENSE",
            "",
            "index.html exists and looks nice",
        ] {
            assert_eq!(verdict(text, "b", &[]), Err(()), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_near() {
        let path = RelPath::parse("docs/uid.txt").unwrap();
        let files: Files<'_> = [(path, b"x".as_slice())].into();
        assert_eq!(get(&files, "uid.txt").unwrap_err().unwrap(), "there is no uid.txt (there is docs/uid.txt)");
    }
}
