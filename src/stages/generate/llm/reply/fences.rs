//! Fenced blocks with their path: on a line above, in the info string, or in a comment on the first line.

use super::{Reply, looks_like_path};

pub(super) fn read(text: &str) -> Reply {
    let mut reply = Reply::default();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut at, mut above) = (0, None);
    while at < lines.len() {
        let line = lines[at];
        let Some((fence, info)) = opening(line) else {
            if !line.trim().is_empty() {
                above = named(line);
            }
            at += 1;
            continue;
        };
        let start = at + 1;
        let path = in_info(info)
            .or(above.take())
            .or_else(|| lines.get(start).and_then(|l| in_comment(l)));
        let nests = path.is_some_and(|p| {
            p.to_ascii_lowercase().ends_with(".md") || p.to_ascii_lowercase().ends_with(".markdown")
        });
        let end = closing(&lines, start, fence, nests);
        match (path, end) {
            (Some(path), Some(end)) => reply.add(path, &lines[start..end].concat()),
            (Some(path), None) => reply.incomplete.push(path.to_owned()),
            (None, _) => {}
        }
        at = end.map_or(lines.len(), |end| end + 1);
    }
    reply
}

/// The fence and its info string.
fn opening(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let length = line.bytes().take_while(|b| *b == b'`').count();
    let (fence, info) = line.split_at(length);
    (length >= 3 && !info.contains('`')).then_some((fence, info.trim()))
}

/// The line that closes the block. A Markdown file has fences of its own, which open with a language and close bare.
fn closing(lines: &[&str], start: usize, fence: &str, nests: bool) -> Option<usize> {
    let mut depth = 0;
    for (at, line) in lines.iter().enumerate().skip(start) {
        // Cut off in the middle of a line, it is not known how the line goes on.
        if at + 1 == lines.len() && !line.ends_with('\n') && line.trim_end().len() < fence.len() {
            return None;
        }
        match opening(line) {
            Some((other, info)) if other.len() >= fence.len() && info.is_empty() => {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
            }
            Some((_, info)) if nests && !info.is_empty() => depth += 1,
            _ => {}
        }
    }
    None
}

/// The path in a line that is little else: `**index.html**`, `### File: css/a.css`, `2. index.html:`.
fn named(line: &str) -> Option<&str> {
    let words: Vec<&str> = line
        .split_whitespace()
        .map(bare)
        .filter(|w| !w.is_empty())
        .collect();
    let mut paths = words.iter().filter(|w| looks_like_path(w));
    let path = paths.next()?;
    // In a sentence a name is only mentioned.
    (paths.next().is_none() && words.len() <= 4).then_some(path)
}

fn in_info(info: &str) -> Option<&str> {
    info.split([' ', ':', '=', '{', '}', ','])
        .map(bare)
        .find(|w| looks_like_path(w))
}

fn in_comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let inner = ["<!--", "//", "/*", "#"]
        .iter()
        .find_map(|open| line.strip_prefix(open))?;
    let inner = inner.trim_end_matches("-->").trim_end_matches("*/").trim();
    let inner = inner
        .strip_prefix("File:")
        .or_else(|| inner.strip_prefix("file:"))
        .or_else(|| inner.strip_prefix("filename:"))
        .unwrap_or(inner);
    Some(bare(inner.trim())).filter(|w| looks_like_path(w))
}

fn bare(word: &str) -> &str {
    let word = word.trim_matches(['`', '*', '"', '\'', '(', ')', '[', ']', '#', ':', ',']);
    // `2.` and `1)` number a list.
    if word
        .trim_end_matches(['.', ')'])
        .bytes()
        .all(|b| b.is_ascii_digit())
    {
        ""
    } else {
        word
    }
}
