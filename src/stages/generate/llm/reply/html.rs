//! A lone HTML document, and the fences that models put around a file's content.

use super::pieces::Found;

/// Whether a text is a whole page rather than a fragment of one.
pub(super) fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(2000).collect();
    let start = start.to_ascii_lowercase();
    start.contains("<!doctype html") || start.contains("<html")
}

/// A document outside of any container.
pub(super) fn read(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let lower = lines[at].to_ascii_lowercase();
    let start = lower
        .find("<!doctype html")
        .or_else(|| lower.find("<html").filter(|_| !lower.contains("`<html")))?;
    // A name in a sentence: "`<!DOCTYPE html>` comes first".
    if lower[..start].ends_with('`') {
        return None;
    }
    let mut text = String::new();
    let (mut scripts, mut next) = (0_i64, at);
    for line in &lines[at..] {
        let line = if next == at { &line[start..] } else { line };
        next += 1;
        let lower = line.to_ascii_lowercase();
        // One inside a script is the script's.
        let end = lower.rfind("</html>").map(|end| end + "</html>".len());
        let count = |text: &str| {
            i64::try_from(text.matches("<script").count()).unwrap_or(0)
                - i64::try_from(text.matches("</script").count()).unwrap_or(0)
        };
        if let Some(end) = end
            && scripts + count(&lower[..end]) <= 0
            && line[end..].trim().trim_matches('`').is_empty()
        {
            text.push_str(&line[..end]);
            text.push('\n');
            found.part("html", &text);
            return Some(next);
        }
        scripts += count(&lower);
        text.push_str(line);
    }
    found.cut("index.html");
    Some(next)
}

/// The content without a fence around all of it. In Markdown a fence at the start may be the file's own.
pub(super) fn without_fence(path: &str, content: &str) -> String {
    let trimmed = content.trim();
    let inner = trimmed.strip_prefix("```").and_then(|rest| {
        let (info, body) = rest.split_once('\n')?;
        let body = body
            .strip_suffix("```")
            .filter(|b| b.is_empty() || b.ends_with('\n'))?;
        let info = info.trim().to_ascii_lowercase();
        let markdown = path.to_ascii_lowercase().ends_with(".md");
        (!markdown || matches!(info.as_str(), "md" | "markdown")).then_some(body)
    });
    let text = inner.unwrap_or(content);
    // A line break before the first line is the block's, not the file's.
    let text = text.strip_prefix('\n').unwrap_or(text);
    if text.is_empty() || text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}
