//! A lone HTML document, and the fences that models put around a file's content.

use super::Reply;

pub(super) fn read(text: &str) -> Reply {
    let mut reply = Reply::default();
    let lower = text.to_ascii_lowercase();
    let Some(start) = lower.find("<!doctype html").or_else(|| lower.find("<html")) else {
        return reply;
    };
    // One inside a script is followed by more script on its line.
    let ends = |end: &usize| {
        *end > start
            && lower[*end + "</html>".len()..]
                .trim_start_matches([' ', '\t'])
                .chars()
                .next()
                .is_none_or(|c| c == '\n')
    };
    match lower.rfind("</html>").filter(ends) {
        Some(end) => reply.add(
            "index.html",
            &format!("{}\n", &text[start..end + "</html>".len()]),
        ),
        None => reply.incomplete.push("index.html".to_owned()),
    }
    reply
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
