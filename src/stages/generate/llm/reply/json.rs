//! `{"files": [{"path", "content"}]}`, the same as a bare list, `{"files": {path: content}}`, or an object of path → content.

use serde_json::{Map, Value};

use super::pieces::Found;
use super::{Reply, lenient, looks_like_path};

/// JSON at the start of a line; what holds no files is passed over.
pub(super) fn read(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let start = lines[at].trim_start();
    if !start.starts_with(['{', '[']) || !found.may_try() {
        return None;
    }
    let text = lines[at..].concat();
    let text = text.trim_start();
    let Some(parsed) = lenient::parse(text) else {
        if text.contains("\"content\"") && text.contains("\"path\"") {
            found.unclear("its JSON does not parse");
        }
        return None;
    };
    let known = found.pieces.len();
    parts(found, &parsed.value);
    let reply = files(&parsed.value);
    for (path, content) in &reply.files {
        found.file(path.as_str(), content);
    }
    // Paths that cannot be are named to the model later.
    for (path, _) in &reply.refused {
        found.file(path, "");
    }
    if parsed.cut {
        let listed = text.contains("\"files\"")
            || text.contains("\"content\"")
            || found.pieces.len() > known
            || first_key(text).is_some_and(looks_like_path);
        if !listed {
            return None;
        }
        found.cut("the JSON");
        return Some(lines.len());
    }
    if found.pieces.len() == known {
        return None;
    }
    let mut left = text[..parsed.end].matches('\n').count();
    if text.as_bytes().get(parsed.end) == Some(&b'\n') || parsed.end == text.len() {
        left += 1;
    }
    Some(at + left.max(1))
}

/// `{"html": …, "css": …, "js": …}`.
fn parts(found: &mut Found, value: &Value) {
    let text = |names: &[&str]| names.iter().find_map(|n| value.get(*n)?.as_str());
    let Some(html) = text(&["html", "HTML"]).filter(|h| super::html::is_page(h)) else {
        return;
    };
    found.structured = true;
    found.part("html", html);
    for (language, names) in [
        ("css", &["css", "CSS"][..]),
        ("js", &["js", "javascript", "JS"]),
    ] {
        if let Some(content) = text(names).filter(|c| !c.trim().is_empty()) {
            found.part(language, content);
        }
    }
}

fn first_key(text: &str) -> Option<&str> {
    text.strip_prefix('{')?
        .trim_start()
        .strip_prefix('"')?
        .split('"')
        .next()
}

fn files(value: &Value) -> Reply {
    let mut reply = Reply::default();
    match value {
        Value::Array(list) => list.iter().for_each(|entry| file(&mut reply, entry)),
        Value::Object(map) => match map.get("files") {
            Some(Value::Array(list)) => list.iter().for_each(|entry| file(&mut reply, entry)),
            Some(Value::Object(files)) => table(&mut reply, files),
            _ if !map.is_empty() && map.keys().all(|key| looks_like_path(key)) => {
                table(&mut reply, map);
            }
            _ => file(&mut reply, value),
        },
        _ => {}
    }
    reply
}

fn table(reply: &mut Reply, files: &Map<String, Value>) {
    for (path, value) in files {
        // Some wrap the content once more.
        let value = ["content", "contents", "code"]
            .iter()
            .find_map(|key| value.get(key).filter(|v| v.is_string()))
            .unwrap_or(value);
        add(reply, path, value);
    }
}

fn file(reply: &mut Reply, entry: &Value) {
    let path = ["path", "name", "filename", "file"]
        .iter()
        .find_map(|key| entry[*key].as_str());
    let content = ["content", "contents", "text", "code"]
        .iter()
        .find_map(|key| entry.get(key));
    if let (Some(path), Some(content)) = (path, content) {
        add(reply, path, content);
    }
}

/// A JSON file may stand there as JSON rather than as text.
fn add(reply: &mut Reply, path: &str, content: &Value) {
    match content {
        Value::String(text) => reply.add(path, text),
        Value::Object(_) | Value::Array(_) if path.ends_with("json") => {
            reply.add(
                path,
                &serde_json::to_string_pretty(content).unwrap_or_default(),
            );
        }
        _ => {}
    }
}
