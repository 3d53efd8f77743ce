//! `<file path="…">` content `</file>`.

use super::{Reply, parse_path};

pub(super) fn read(text: &str) -> Reply {
    let mut reply = Reply::default();
    let mut open: Option<(String, String)> = None;
    for line in text.split_inclusive('\n') {
        if let Some((_, content)) = &mut open {
            if let Some(before) = line.trim_end().strip_suffix("</file>") {
                content.push_str(before);
                close(&mut reply, open.take());
            } else if let Some((path, first)) = opening(line) {
                // The one before was never closed.
                reply.incomplete.extend(open.take().map(|(path, _)| path));
                open = Some((path, first.to_owned()));
            } else {
                content.push_str(line);
            }
        } else if let Some((path, first)) = opening(line) {
            open = Some((path, String::new()));
            if let Some(content) = first.trim_end().strip_suffix("</file>") {
                open = open.map(|(path, _)| (path, content.to_owned()));
                close(&mut reply, open.take());
            } else if !first.trim().is_empty() {
                open = open.map(|(path, _)| (path, first.to_owned()));
            }
        }
    }
    reply.incomplete.extend(open.map(|(path, _)| path));
    reply
        .incomplete
        .retain(|path| parse_path(path).map_or(true, |p| !reply.files.contains_key(&p)));
    reply
}

fn close(reply: &mut Reply, file: Option<(String, String)>) {
    let Some((path, content)) = file else { return };
    let inner = content.trim();
    match inner
        .strip_prefix("<![CDATA[")
        .and_then(|c| c.strip_suffix("]]>"))
    {
        Some(inner) => reply.add(&path, inner.trim_start_matches('\n')),
        None => reply.add(&path, &content),
    }
}

/// The path of a tag at the start of a line, and what stands behind the tag.
fn opening(line: &str) -> Option<(String, &str)> {
    let rest = line.trim_start().strip_prefix("<file")?;
    let (attributes, rest) = rest.split_once('>')?;
    for name in [" path=", " name=", " src="] {
        let Some(at) = attributes.find(name) else {
            continue;
        };
        let value = &attributes[at + name.len()..];
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (path, _) = value[1..].split_once(quote)?;
        return Some((path.to_owned(), rest));
    }
    None
}
