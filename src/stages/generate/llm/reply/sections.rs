//! Files that a line announces: `cat > index.html <<'EOF'`, and `=== index.html ===`.

use super::pieces::Found;
use super::{looks_like_path, parse_path};

/// A shell's here-document that writes a file.
pub(super) fn heredoc(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let line = lines[at].trim().trim_start_matches("$ ");
    let (command, rest) = line.split_once("<<")?;
    if !command.starts_with("cat")
        && !command.contains("tee ")
        && !command.trim_end().ends_with("cat")
    {
        return None;
    }
    let rest = rest.trim_start_matches('-').trim_start();
    let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let word = word.trim_matches(['\'', '"', '\\']);
    let target = command
        .rsplit(['>', ' '])
        .chain(behind.rsplit(['>', ' ']))
        .map(|w| w.trim_matches(['"', '\'']))
        .find(|w| looks_like_path(w))?;
    if word.is_empty() || command.contains(">>") || behind.contains(">>") {
        return None;
    }
    let end = lines[at + 1..]
        .iter()
        .position(|l| l.trim_end_matches('\n').trim_start_matches('\t').trim_end() == word);
    match end {
        Some(end) => {
            found.file(target, &lines[at + 1..at + 1 + end].concat());
            Some(at + end + 2)
        }
        None => {
            found.cut(target);
            Some(lines.len())
        }
    }
}

/// The path in a line of rules: `=== index.html ===`, `--- FILE: a.css ---`, `// ===== app.js =====`.
fn ruled(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line
        .strip_prefix("//")
        .or_else(|| line.strip_prefix("<!--").map(|l| l.trim_end_matches("-->")))
        .or_else(|| line.strip_prefix("/*").map(|l| l.trim_end_matches("*/")))
        .unwrap_or(line)
        .trim();
    let rule = |c: char| matches!(c, '=' | '-' | '*' | '#' | '~' | '_' | '>' | '<' | '+');
    let inner = line.trim_start_matches(rule);
    let (left, length) = (&line[..line.len() - inner.len()], inner.len());
    let inner = inner.trim_end_matches(rule);
    let both = left.len() >= 3 && length - inner.len() >= 3;
    // Without rules at the end, `###` is a heading and `---` the head of a diff.
    let equals = left.len() >= 3 && left.bytes().all(|b| b == b'=');
    if !both && !equals {
        return None;
    }
    Some(inner.trim()).filter(|inner| !inner.is_empty())
}

/// What a line of rules names; the name of an end counts as the end.
#[expect(
    clippy::option_option,
    reason = "no such line and the line of an end are two things"
)]
fn named(line: &str) -> Option<Option<&str>> {
    let inner = ruled(line)?;
    let lower = inner.to_ascii_lowercase();
    if lower.starts_with("end") {
        return Some(None);
    }
    let word = inner
        .rsplit([' ', ':'])
        .next()
        .map(|w| w.trim_matches(['`', '"', '\'', '*']))?;
    let few = inner.split_whitespace().count() <= 3;
    (few && looks_like_path(word)).then_some(Some(word))
}

/// A file under a line of rules, up to the next one.
pub(super) fn header(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let path = named(lines[at])??;
    let first = lines[at + 1..].iter().find(|l| !l.trim().is_empty());
    // Then the line is a heading, and the fence is read.
    if first.is_some_and(|l| l.trim_start().starts_with("```") || l.trim_start().starts_with("~~~"))
    {
        found.prose.push_str(path);
        found.prose.push('\n');
        return Some(at + 1);
    }
    let end = lines[at + 1..].iter().position(|l| named(l).is_some());
    let stop = end.map_or(lines.len(), |end| at + 1 + end);
    let content = lines[at + 1..stop].concat();
    // The last one has nothing behind it that would show whether it is whole.
    let content = content.trim_end().to_owned() + "\n";
    if end.is_none()
        && !closes(
            path,
            &content,
            lines.last().is_some_and(|l| l.ends_with('\n')),
        )
    {
        found.cut(path);
    } else {
        found.file(path, content.trim_start_matches('\n'));
    }
    let skip = usize::from(end.is_some_and(|_| named(lines[stop]) == Some(None)));
    Some(stop + skip)
}

/// Whether a text that ends with the answer ends where a file of its kind may.
fn closes(path: &str, content: &str, line_ends: bool) -> bool {
    let path = parse_path(path)
        .map(|p| p.as_str().to_ascii_lowercase())
        .unwrap_or_default();
    let ends = |ending: &str| path.ends_with(ending);
    if ends(".html") || ends(".htm") || ends(".svg") {
        return content.trim_end().ends_with('>')
            && (!super::html::is_page(content)
                || content.to_ascii_lowercase().contains("</html>"));
    }
    if ends(".json") {
        return serde_json::from_str::<serde_json::Value>(content).is_ok();
    }
    if ends(".css") || ends(".js") || ends(".mjs") {
        let count = |c| content.matches(c).count();
        return count('{') <= count('}')
            && count('(') <= count(')')
            && content.trim_end().ends_with(['}', ';', ')', '/']);
    }
    line_ends
}
