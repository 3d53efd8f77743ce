//! Patches that add files: `*** Begin Patch`, unified diffs against `/dev/null`, search/replace blocks with nothing to search for.
//! A patch that changes a file cannot be used: it is no file.

use super::looks_like_path;
use super::pieces::Found;

pub(super) const CHANGES: &str = "it holds changes to files rather than the files themselves";

pub(super) fn read(lines: &[&str], at: usize, found: &mut Found, _: usize) -> Option<usize> {
    let line = lines[at].trim_end();
    if line == "*** Begin Patch" {
        return Some(begin_patch(lines, at + 1, found));
    }
    let next = lines.get(at + 1).map_or("", |l| l.trim_end());
    if line.starts_with("--- ") && next.starts_with("+++ ") {
        return Some(unified(lines, at, found));
    }
    if line.starts_with("<<<<<<<") {
        return Some(search_replace(lines, at, found, None));
    }
    None
}

fn begin_patch(lines: &[&str], mut at: usize, found: &mut Found) -> usize {
    let mut open: Option<(&str, String)> = None;
    while let Some(line) = lines.get(at) {
        at += 1;
        let bare = line.trim_end();
        let Some(rest) = bare.strip_prefix("*** ") else {
            if let (Some((_, content)), Some(line)) = (&mut open, line.strip_prefix('+')) {
                content.push_str(line);
            } else if open.is_some() && !bare.is_empty() {
                found.unclear(CHANGES);
            }
            continue;
        };
        if let Some((path, content)) = open.take() {
            found.file(path, &content);
        }
        if let Some(path) = rest.strip_prefix("Add File: ") {
            open = Some((path.trim(), String::new()));
        } else if let Some(path) = rest.strip_prefix("Delete File: ") {
            found.structured = true;
            found.deletes.push(path.trim().to_owned());
        } else if rest.starts_with("Update File: ") {
            found.unclear(CHANGES);
        } else if rest == "End Patch" {
            return at;
        }
    }
    // Cut off: the last one has no end.
    found.cut(open.map_or("the patch", |(path, _)| path));
    at
}

fn unified(lines: &[&str], at: usize, found: &mut Found) -> usize {
    let name = |line: &str| {
        let path = line[4..].split('\t').next().unwrap_or_default().trim();
        path.strip_prefix("b/").unwrap_or(path).to_owned()
    };
    let (old, path) = (name(lines[at]), name(lines[at + 1]));
    let mut next = at + 2;
    if old != "/dev/null" {
        while lines
            .get(next)
            .is_some_and(|l| l.starts_with(['@', '+', '-', ' ', '\\']))
        {
            next += 1;
        }
        if path == "/dev/null" {
            found.structured = true;
            found
                .deletes
                .push(old.strip_prefix("a/").unwrap_or(&old).to_owned());
        } else {
            found.unclear(CHANGES);
        }
        return next;
    }
    // `@@ -0,0 +1,N @@`: N lines follow.
    let count = lines.get(next).and_then(|l| {
        let plus = l.strip_prefix("@@ -0,0 +1")?;
        let digits: String = plus
            .strip_prefix(',')?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<usize>().ok()
    });
    if lines.get(next).is_some_and(|l| l.starts_with("@@")) {
        next += 1;
    }
    let mut content = String::new();
    let mut seen = 0;
    while let Some(line) = lines.get(next).and_then(|l| l.strip_prefix('+')) {
        if line.starts_with("++ ") && lines[next - 1].starts_with("--- ") {
            break;
        }
        content.push_str(line);
        seen += 1;
        next += 1;
    }
    let last = next == lines.len() && !content.ends_with('\n');
    if count.is_some_and(|count| seen < count) || count.is_none() && last {
        found.cut(&path);
    } else {
        found.file(&path, &content);
    }
    if lines.get(next).is_some_and(|l| l.starts_with('\\')) {
        next += 1;
    }
    next
}

/// `<<<<<<< SEARCH`, old lines, `=======`, new lines, `>>>>>>> REPLACE`. Without old lines it is a new file, named in the line above.
pub(super) fn search_replace(
    lines: &[&str],
    at: usize,
    found: &mut Found,
    path: Option<&str>,
) -> usize {
    let find = |from: usize, mark: &str| {
        lines[from..]
            .iter()
            .position(|l| l.trim_end().starts_with(mark))
            .map(|n| from + n)
    };
    let above = found
        .prose
        .lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .map(|l| l.trim().trim_matches(['`', '*', '#', ':', ' ']).to_owned())
        .filter(|w| looks_like_path(w));
    let path = path.map(str::to_owned).or(above);
    let name = path.clone().unwrap_or_else(|| "the patch".to_owned());
    let Some(middle) = find(at + 1, "=======") else {
        found.cut(&name);
        return lines.len();
    };
    let Some(end) = find(middle + 1, ">>>>>>>") else {
        found.cut(&name);
        return lines.len();
    };
    let search = lines[at].trim_end().ends_with("SEARCH") || lines[at].contains("ORIGINAL");
    let empty = lines[at + 1..middle].iter().all(|l| l.trim().is_empty());
    match path {
        Some(path) if search && empty => found.file(&path, &lines[middle + 1..end].concat()),
        _ => found.unclear(CHANGES),
    }
    end + 1
}
