//! Fenced blocks with their path: on a line above, in the info string, or in a comment on the first line.

use super::pieces::{DEPTH, Found, scan};
use super::{looks_like_path, patch, tags};

pub(super) fn read(lines: &[&str], at: usize, found: &mut Found, depth: usize) -> Option<usize> {
    let (fence, info) = opening(lines[at])?;
    let language: String = info
        .chars()
        .take_while(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_ascii_lowercase();
    let start = at + 1;
    let path = in_info(info)
        .or_else(|| above(&found.prose))
        .or_else(|| lines.get(start).and_then(|l| in_comment(l)))
        .filter(|path| fits(&language, path))
        .map(str::to_owned);
    let nests = path.as_deref().is_some_and(is_markdown);
    let end = closing(lines, start, fence, nests);
    let content = lines[start..end.unwrap_or(lines.len())].concat();
    let next = end.map_or(lines.len(), |end| end + 1);
    if content.contains("<<<<<<< ") {
        let inner: Vec<&str> = content.split_inclusive('\n').collect();
        if let Some(first) = inner.iter().position(|l| l.starts_with("<<<<<<<")) {
            patch::search_replace(&inner, first, found, path.as_deref());
            return Some(next);
        }
    }
    let wraps = [
        "", "json", "jsonc", "json5", "xml", "diff", "patch", "bash", "sh", "shell", "text",
        "markdown", "md",
    ]
    .contains(&language.as_str())
        || content.lines().next().is_some_and(tags::begins);
    if path.is_none() && wraps && depth < DEPTH {
        let inner = scan(&content, depth + 1);
        if inner.structured
            || inner.unclear.is_some()
            || inner.pieces.iter().any(|p| p.cut && language == "json")
        {
            found.absorb(inner);
            return Some(next);
        }
    }
    match (path, end) {
        (Some(path), Some(_)) => found.file(&path, &content),
        (Some(path), None) => found.cut(&path),
        (None, _) if language == "diff" || language == "patch" => found.unclear(patch::CHANGES),
        (None, Some(_)) => found.part(&language, &content),
        // The page's own end stands for the fence's.
        (None, None) if content.trim_end().ends_with("</html>") => found.part("html", &content),
        (None, None)
            if ["html", "css", "js", "javascript"].contains(&language.as_str())
                || super::html::is_page(&content) =>
        {
            found.cut(if language == "html" {
                "index.html"
            } else {
                "the last block"
            });
        }
        (None, None) => {}
    }
    Some(next)
}

fn is_markdown(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".md", ".markdown"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// The path named last before a fence: in the line above, or in the heading that the text above stands under.
fn above(prose: &str) -> Option<&str> {
    let mut lines = prose
        .lines()
        .rev()
        .filter(|l| !l.trim().is_empty())
        .take(12);
    named(lines.next()?).or_else(|| {
        named(
            prose
                .lines()
                .rev()
                .filter(|l| !l.trim().is_empty())
                .take(12)
                .find(|l| l.trim_start().starts_with('#') || l.trim_start().starts_with("**"))?,
        )
    })
}

/// Whether a file of this name may hold this language: below the heading of a page stand commands as well.
fn fits(language: &str, path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let endings: &[&str] = match language {
        "html" => &[".html", ".htm", ".svg", ".xml"],
        "css" => &[".css"],
        "js" | "javascript" => &[".js", ".mjs", ".cjs"],
        "json" => &[".json", ".geojson", ".webmanifest"],
        "bash" | "sh" | "shell" | "console" => &[".sh"],
        "diff" | "patch" => return false,
        _ => return true,
    };
    endings.iter().any(|ending| path.ends_with(ending))
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
    if nests {
        // Fences that open bare look like ends: with an odd number of them up to the next fence that names a language, the last ends the file.
        let bare: Vec<usize> = lines[start..]
            .iter()
            .enumerate()
            .map_while(|(n, line)| match opening(line) {
                Some((other, info)) if other.len() >= fence.len() => {
                    info.is_empty().then_some((start + n, true))
                }
                _ => Some((start + n, false)),
            })
            .filter_map(|(n, is)| is.then_some(n))
            .collect();
        if bare.len() > 1 {
            let named = lines[start..]
                .iter()
                .any(|l| opening(l).is_some_and(|(_, info)| !info.is_empty()));
            if !named {
                return (bare.len() % 2 == 1).then(|| bare[bare.len() - 1]);
            }
        }
    }
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
