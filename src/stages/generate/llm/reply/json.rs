//! `{"files": [{"path", "content"}]}`, the same as a bare list, `{"files": {path: content}}`, or an object of path → content.

use serde_json::{Map, Value};

use super::{Reply, looks_like_path};

pub(super) fn read(text: &str) -> Reply {
    let bare = unfenced(text.trim());
    if !bare.starts_with(['{', '[']) {
        return Reply::default();
    }
    match serde_json::from_str(bare) {
        Ok(value) => files(&value),
        // An answer that was cut off in the middle of a file list; one that is no file list is none of ours.
        Err(e)
            if e.is_eof()
                && (bare.contains("\"files\"")
                    || bare.contains("\"content\"")
                    || first_key(bare).is_some_and(looks_like_path)) =>
        {
            Reply {
                incomplete: vec!["the JSON".to_owned()],
                ..Reply::default()
            }
        }
        Err(_) => Reply::default(),
    }
}

/// What stands between the fences, where the whole text is one fenced block.
fn unfenced(text: &str) -> &str {
    let Some(rest) = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
    else {
        return text;
    };
    let Some((info, body)) = rest.split_once('\n') else {
        return text;
    };
    if info.trim().is_empty() {
        body.trim_end().strip_suffix("```").unwrap_or(body).trim()
    } else {
        text
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
