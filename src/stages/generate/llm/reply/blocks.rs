//! `<<<FILE path WORD>>>`, content, `<<<END WORD>>>`; `<<<DELETE path WORD>>>`, `<<<CONVERT from to WORD>>>`,
//! `<<<FETCH https://… WORD>>>`.
//!
//! The word keeps what a file or an attachment says from closing a block. Models that leave it out everywhere are read
//! too; one block without a word among others with it is content, not a block.

use super::{Reply, parse_path};

enum Mark<'a> {
    File(&'a str),
    End,
    Delete(&'a str),
    Convert(&'a str, &'a str),
    Fetch(&'a str),
}

/// What the blocks hold, and the text outside of them.
pub(super) fn read(text: &str, words: &[&str]) -> (Reply, String) {
    // An answer keeps to one word; the newest that is there counts.
    words
        .iter()
        .filter(|w| !w.is_empty())
        .chain([&""])
        .map(|word| scan(text, word))
        .find(|(reply, _)| !reply.is_silent())
        .unwrap_or_default()
}

fn scan(text: &str, word: &str) -> (Reply, String) {
    let (mut reply, mut outside) = (Reply::default(), String::new());
    let mut open: Option<(&str, String)> = None;
    for line in text.split_inclusive('\n') {
        let (before, found) = match mark(line, word) {
            Some(found) => ("", Some(found)),
            // The end may stand behind the last line of the content.
            None if open.is_some() => match line
                .trim_end()
                .strip_suffix(format!("<<<END {word}>>>").as_str())
            {
                Some(before) if !word.is_empty() => (before, Some(Mark::End)),
                _ => (line, None),
            },
            None => (line, None),
        };
        match found {
            None => {
                if let Some((_, content)) = &mut open {
                    content.push_str(before);
                } else {
                    outside.push_str(line);
                }
            }
            Some(Mark::End) => {
                if let Some((path, mut content)) = open.take() {
                    content.push_str(before);
                    reply.add(path, &content);
                }
            }
            Some(other) => {
                // A block that runs into the next one was never closed.
                if let Some((path, _)) = open.take() {
                    reply.incomplete.push(path.to_owned());
                }
                match other {
                    Mark::File(path) => open = Some((path, String::new())),
                    Mark::Delete(path) => match parse_path(path) {
                        Ok(path) => reply.deletes.push(path),
                        Err(why) => reply.refused.push((path.to_owned(), why)),
                    },
                    Mark::Convert(from, to) => match (parse_path(from), parse_path(to)) {
                        (Ok(from), Ok(to)) => reply.converts.push((from, to)),
                        (Err(why), _) | (_, Err(why)) => {
                            reply.refused.push((format!("{from} {to}"), why));
                        }
                    },
                    Mark::Fetch(url) => reply.fetches.push(url.to_owned()),
                    Mark::End => {}
                }
            }
        }
    }
    if let Some((path, _)) = open {
        reply.incomplete.push(path.to_owned());
    }
    let complete: Vec<String> = reply.files.keys().map(ToString::to_string).collect();
    reply.incomplete.retain(|path| !complete.contains(path));
    (reply, outside)
}

/// The mark that a line is. Some models dress it up as code or bold.
fn mark<'a>(line: &'a str, word: &str) -> Option<Mark<'a>> {
    let inner = line
        .trim()
        .trim_matches(['`', '*'])
        .strip_prefix("<<<")?
        .strip_suffix(">>>")?;
    let inner = if word.is_empty() {
        inner
    } else {
        inner.strip_suffix(word)?
    };
    // `ENDX` is no end, and neither is a mark with another word where there is to be none.
    if !word.is_empty() && !inner.ends_with(char::is_whitespace) {
        return None;
    }
    let inner = inner.trim();
    let (name, rest) = inner
        .split_once(char::is_whitespace)
        .map_or((inner, ""), |(name, rest)| (name, rest.trim()));
    match (name, rest) {
        ("END", "") => Some(Mark::End),
        ("FILE", path) if !path.is_empty() => Some(Mark::File(path)),
        ("DELETE", path) if !path.is_empty() => Some(Mark::Delete(path)),
        ("CONVERT", paths) => paths
            .split_once(char::is_whitespace)
            .map(|(from, to)| Mark::Convert(from, to.trim())),
        ("FETCH", url) if !url.is_empty() && !url.contains(char::is_whitespace) => {
            Some(Mark::Fetch(url))
        }
        _ => None,
    }
}
