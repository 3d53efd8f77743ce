//! What of a page's source is text, and what is not even source: no parser, as much as plain claims on files need.

use std::borrow::Cow;

/// Elements whose content is not shown as text.
const HIDDEN: [&str; 4] = ["script", "style", "template", "noscript"];
/// Elements in the midst of a line.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "em", "font", "i", "ins", "kbd",
    "label", "mark", "q", "s", "small", "span", "strong", "sub", "u",
];

/// Whether a file is a page, by its name.
#[must_use]
pub fn is_page(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    [".html", ".htm", ".xhtml"]
        .iter()
        .any(|end| lower.ends_with(end))
}

enum Part<'a> {
    Text(&'a str),
    /// From `<` to `>`, with its name in lower case.
    Tag(&'a str, String),
    /// What stands in an element that does not show it: the element's name, and the content.
    Raw(String, &'a str),
    Comment,
}

fn parts(page: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = page;
    let mut inside: Option<String> = None;
    std::iter::from_fn(move || {
        if let Some(name) = inside.take() {
            let end = end_of(rest, &name);
            let (content, after) = rest.split_at(end);
            rest = after;
            return Some(Part::Raw(name, content));
        }
        if rest.is_empty() {
            return None;
        }
        let begins = rest.starts_with('<')
            && rest[1..]
                .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !begins {
            let end = rest
                .match_indices('<')
                .map(|(at, _)| at)
                .find(|at| *at > 0)
                .unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            rest = after;
            return Some(Part::Text(text));
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            return Some(Part::Comment);
        }
        let (tag, after) = rest.split_at(tag_end(rest));
        rest = after;
        let name: String = tag[1..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '/' | '-'))
            .collect();
        let name = name.to_ascii_lowercase();
        if HIDDEN.contains(&name.as_str()) || name == "textarea" {
            inside = Some(name.clone());
        }
        Some(Part::Tag(tag, name))
    })
}

/// Where a tag ends, a `>` in quotes being none.
fn tag_end(rest: &str) -> usize {
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Where `</name` begins.
fn end_of(rest: &str, name: &str) -> usize {
    let is_end = |at: &usize| {
        rest[at + 2..]
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    rest.match_indices("</")
        .map(|(at, _)| at)
        .find(is_end)
        .unwrap_or(rest.len())
}

/// The source without its comments.
#[must_use]
pub fn uncommented(page: &str) -> String {
    let part = |part| match part {
        Part::Text(text) | Part::Tag(text, _) | Part::Raw(_, text) => text,
        Part::Comment => "",
    };
    parts(page).map(part).collect()
}

/// The source without what makes nothing on the page: comments, templates, what a text field holds.
#[must_use]
pub fn live(page: &str) -> String {
    let part = |part| match part {
        Part::Raw(name, _) if matches!(name.as_str(), "template" | "textarea") => "",
        Part::Text(text) | Part::Tag(text, _) | Part::Raw(_, text) => text,
        Part::Comment => "",
    };
    parts(page).map(part).collect()
}

/// The text as it is read, the title included, white space as single blanks.
#[must_use]
pub fn visible(page: &str) -> String {
    let mut out = String::new();
    for part in parts(page) {
        match part {
            Part::Text(text) => out.push_str(&unescaped(text)),
            Part::Raw(name, text) if name == "textarea" => out.push_str(&unescaped(text)),
            Part::Tag(_, name) if !INLINE.contains(&name.trim_start_matches('/')) => out.push(' '),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The values of attributes, those in quotes.
pub fn attributes(page: &str) -> impl Iterator<Item = &str> {
    let tags = parts(page).filter_map(|part| {
        if let Part::Tag(tag, _) = part {
            Some(tag)
        } else {
            None
        }
    });
    tags.flat_map(|tag| {
        let mut rest = tag;
        std::iter::from_fn(move || {
            let (_, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let Some(quote) = quote else {
                rest = after;
                return Some("");
            };
            let (value, after) = after[1..].split_once(quote)?;
            rest = after;
            Some(value)
        })
    })
}

/// The entities that pages are written with, and references by number.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8)
            .and_then(|(name, after)| Some((character(name)?, after)));
        match entity {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    let number = name
        .strip_prefix('#')
        .and_then(|n| match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => n.parse().ok(),
        });
    if let Some(number) = number {
        return char::from_u32(number);
    }
    let named = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("copy", '©'),
        ("mdash", '—'),
        ("ndash", '–'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("euro", '€'),
        ("times", '×'),
    ];
    named
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, c)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_it_is_read() {
        let page = "<!doctype html><title>T</title><!-- no --><style>p > a {}</style><p title='a > b'><b>Hel</b>lo&nbsp;W&#111;rld<p>Tom &amp; \
                    Jerry &x; 1 < 2<script>'</p>' + \"gone\"</script><textarea>typed</textarea>";
        assert_eq!(visible(page), "T Hello World Tom & Jerry &x; 1 < 2 typed");
        assert!(uncommented(page).contains("gone") && !uncommented(page).contains("no --"));
        assert!(!live(page).contains("typed") && live(page).contains("gone"));
        assert_eq!(
            attributes("<a href='x' data-b=\"y\" c=z>").collect::<Vec<_>>(),
            ["x", "y", ""]
        );
        for broken in [
            "<",
            "<p",
            "<!--",
            "<script>",
            "</",
            "<a href='",
            "&",
            "&#xffffffff;",
        ] {
            let _ = (visible(broken), live(broken), attributes(broken).count());
        }
    }
}
