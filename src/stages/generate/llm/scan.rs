//! Just enough HTML to find tags with their attributes. Comments and the insides of scripts and styles are skipped.
//!
//! Deliberately absent: a tree, entities, error recovery. What is asked for is whether files that a page names are there.

use crate::text::percent_decoded;

/// A start tag.
pub(super) struct Tag<'a> {
    /// In lower case.
    pub name: String,
    pub attributes: Vec<(String, &'a str)>,
    /// What stands between `<script>` and `</script>`, for those two.
    pub inside: &'a str,
}

impl Tag<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| *v)
    }
}

pub(super) fn tags(html: &str) -> Vec<Tag<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(open) = html[at..].find('<').map(|o| at + o) {
        let rest = &html[open + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            at = comment
                .find("-->")
                .map_or(html.len(), |end| open + 4 + end + 3);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            at = open + 1;
            continue;
        }
        let (mut tag, used) = tag(rest);
        at = open + 1 + used;
        if matches!(tag.name.as_str(), "script" | "style" | "textarea" | "title") {
            let closes = |end: usize| {
                html.get(end + 2..end + 2 + tag.name.len())
                    .is_some_and(|name| name.eq_ignore_ascii_case(&tag.name))
            };
            let end = html[at..]
                .match_indices("</")
                .map(|(end, _)| at + end)
                .find(|end| closes(*end))
                .unwrap_or(html.len());
            tag.inside = &html[at..end];
            at = end;
        }
        found.push(tag);
    }
    found
}

/// A tag from its name on, and how many bytes it takes.
fn tag(text: &str) -> (Tag<'_>, usize) {
    let stop = |c: char| c.is_whitespace() || matches!(c, '>' | '/' | '=');
    let name_end = text.find(stop).unwrap_or(text.len());
    let mut tag = Tag {
        name: text[..name_end].to_ascii_lowercase(),
        attributes: vec![],
        inside: "",
    };
    let mut at = name_end;
    loop {
        at += text[at..]
            .find(|c: char| !c.is_whitespace() && c != '/')
            .unwrap_or(text.len() - at);
        if at >= text.len() {
            return (tag, text.len());
        }
        if text[at..].starts_with('>') {
            return (tag, at + 1);
        }
        let name_end = text[at..].find(stop).map_or(text.len(), |e| at + e);
        // A stray `=` is skipped, or this would never end.
        let name_end = if name_end == at { at + 1 } else { name_end };
        let name = text[at..name_end].to_ascii_lowercase();
        let gap = text[name_end..]
            .find(|c: char| !c.is_whitespace())
            .map_or(text.len(), |e| name_end + e);
        if !text[gap..].starts_with('=') {
            tag.attributes.push((name, ""));
            at = name_end;
            continue;
        }
        let start = text[gap + 1..]
            .find(|c: char| !c.is_whitespace())
            .map_or(text.len(), |e| gap + 1 + e);
        let (value, end) = match text[start..].chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = text[start + 1..]
                    .find(quote)
                    .map_or(text.len(), |e| start + 1 + e);
                (&text[start + 1..end], (end + 1).min(text.len()))
            }
            _ => {
                let end = text[start..]
                    .find(|c: char| c.is_whitespace() || c == '>')
                    .map_or(text.len(), |e| start + e);
                (&text[start..end], end)
            }
        };
        tag.attributes.push((name, value));
        at = end;
    }
}

/// The files of this site that a page names in `href`, `src` and the like, as written.
pub(super) fn local_links(html: &str) -> Vec<String> {
    let mut links = Vec::new();
    for tag in tags(html) {
        for name in ["href", "src", "poster", "data"] {
            if name == "data" && tag.name != "object" {
                continue;
            }
            if let Some(value) = tag.get(name).map(str::trim)
                && is_local(value)
            {
                links.push(
                    value
                        .split(['?', '#'])
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                );
            }
        }
    }
    links.retain(|l| !l.is_empty());
    links
}

/// Not a URL with a scheme or host, nor a place on the page, nor what a script fills in.
fn is_local(link: &str) -> bool {
    let scheme = link
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .contains(':');
    !link.is_empty()
        && !scheme
        && !link.starts_with("//")
        && !link.starts_with('#')
        && !link.contains(['{', '}', '<', '$'])
}

/// The path that a link on the page `from` leads to; `None`: outside the site.
pub(super) fn resolve(from: &str, link: &str) -> Option<String> {
    let link = percent_decoded(link);
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    Some(if path.is_empty() || path.ends_with('/') {
        format!("{path}index.html")
    } else {
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_scripts_take_no_longer_than_their_number() {
        let start = std::time::Instant::now();
        assert_eq!(tags(&"<script></SCRIPT>".repeat(40_000)).len(), 40_000);
        assert!(
            start.elapsed() < std::time::Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn links_of_this_site() {
        let html = "<!-- <a href=old.html> --><a href='a.txt#x'>a</a><img src=b.png><script src=\"https://x/y.js\"></script>\
                    <script>'<a href=\"no.html\">'</script><a href=\"#top\"><a href=mailto:x@y><a href=\"${url}\"><link rel=x href=\" c.css?v=1 \"><a href=\"./\"/>";
        assert_eq!(local_links(html), ["a.txt", "b.png", "c.css", "./"]);
        assert_eq!(resolve("index.html", "./"), Some("index.html".to_owned()));
        assert_eq!(
            resolve("a/b.html", "../c%20d.txt"),
            Some("c d.txt".to_owned())
        );
        assert_eq!(resolve("index.html", "../x"), None);
    }

    #[test]
    fn odd_tags_end() {
        for html in [
            "<",
            "<a",
            "<a href",
            "<a href=",
            "<a href='",
            "<a =x>",
            "<script>",
            "<a/",
            "<ü>",
            "<!--",
            "<a b=ü c",
            "<script></scr",
        ] {
            let _ = tags(html);
        }
        assert_eq!(tags("<SCRIPT>let a;</Script><b>").len(), 2);
    }
}
