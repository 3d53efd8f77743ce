//! Elements that carry a path: `<file path="…">` content `</file>`, whatever the element is called.

use super::looks_like_path;
use super::pieces::Found;

/// Elements of HTML that carry names and paths of their own.
const HTML: [&str; 16] = [
    "a", "script", "link", "img", "meta", "input", "form", "iframe", "source", "button", "select",
    "textarea", "object", "param", "svg", "use",
];

pub(super) fn begins(line: &str) -> bool {
    opening(line).is_some()
}

pub(super) fn read(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let (name, path, first) = opening(lines[at])?;
    let end = format!("</{name}>");
    let mut content = String::new();
    for (n, line) in lines[at..].iter().enumerate() {
        let line = if n == 0 { first } else { line };
        if n > 0 && opening(line).is_some_and(|(other, ..)| other == name) {
            // The one before was never closed.
            found.cut(&path);
            return Some(at + n);
        }
        let bare = line.trim_end();
        if bare.to_ascii_lowercase().ends_with(&end) {
            content.push_str(&bare[..bare.len() - end.len()]);
            let inner = content.trim();
            match inner
                .strip_prefix("<![CDATA[")
                .and_then(|c| c.strip_suffix("]]>"))
            {
                Some(inner) => found.file(&path, inner.trim_start_matches('\n')),
                None => found.file(&path, &content),
            }
            return Some(at + n + 1);
        }
        if n > 0 || !line.trim().is_empty() {
            content.push_str(line);
        }
    }
    found.cut(&path);
    Some(lines.len())
}

/// The element at the start of a line, its path, and what stands behind its tag.
fn opening(line: &str) -> Option<(String, String, &str)> {
    let rest = line.trim_start().strip_prefix('<')?;
    let (tag, rest) = rest.split_once('>')?;
    let (name, attributes) = tag.split_once(char::is_whitespace)?;
    let name = name.to_ascii_lowercase();
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_:".contains(c));
    if !plain || HTML.contains(&name.as_str()) {
        return None;
    }
    let lower = format!(" {}", attributes.to_ascii_lowercase());
    let attributes = format!(" {attributes}");
    for key in [
        " path=",
        " filepath=",
        " file_path=",
        " file-path=",
        " filename=",
        " file=",
        " name=",
        " src=",
    ] {
        let Some(at) = lower.find(key) else { continue };
        let value = &attributes[at + key.len()..];
        let path = match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split(quote).next()?,
            _ => value.split_whitespace().next()?,
        };
        // What a tag called `file` names is a path, good or bad.
        if name == "file" || looks_like_path(path) {
            return Some((name, path.to_owned(), rest));
        }
    }
    None
}
