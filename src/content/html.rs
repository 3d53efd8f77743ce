//! HTML as it stands in a file, as a program reads it that runs no scripts: elements with their attributes, the text in them, links.
//!
//! The tokens (tags, entities, comments, the contents of scripts) are those of the HTML standard, by `html5gum`. How elements stand in one
//! another is a shorter reading of the standard: tags that may be left out are supplied (`</li>`, `</p>`, `</td>`), an end tag
//! without its beginning counts for nothing, and one never closes what is outside of its table.
//!
//! Deliberately absent: elements for `<html>`, `<head>` and `<body>` where the file has no such tags, and the repair of formatting that
//! overlaps (`<b><p></b></p>`): there the outer element lasts as long as the one in it.
//!
//! Nothing here is recursive, and the time it takes grows with the length of the page.

mod build;
mod links;
mod select;

use std::ops::Range;

pub use links::resolve;

/// Elements whose content is not shown as text. Browsers run scripts, and so do not show `noscript`.
const HIDDEN: [&str; 4] = ["script", "style", "template", "noscript"];

/// Elements in the midst of a line: their edges part no words.
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

/// A page that was read.
pub struct Page<'a> {
    source: &'a str,
    /// In the order of the source, so that what is in an element follows it.
    nodes: Vec<Node>,
    /// Where the comments are; `<!doctype>` and `<?xml?>` are none.
    comments: Vec<Range<usize>>,
    /// Where each line begins but the first.
    lines: Vec<usize>,
}

enum Node {
    Element(Tag),
    /// With its entities undone.
    Text(String),
}

struct Tag {
    /// In lower case.
    name: String,
    attributes: Vec<(String, String)>,
    parent: Option<usize>,
    /// The first node that is not in it any more.
    end: usize,
    /// Where in the source the `<` is.
    at: usize,
    /// What in the source is between its tags.
    inside: Range<usize>,
}

impl<'a> Page<'a> {
    /// Every text has a reading.
    #[must_use]
    pub fn read(source: &'a str) -> Self {
        build::read(source)
    }

    /// All elements, those in templates too, in the order of the source.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        (0..self.nodes.len()).filter_map(|node| self.element(node))
    }

    /// The elements with one of these names.
    pub fn named(&self, names: &[&str]) -> impl Iterator<Item = Element<'_>> {
        self.elements()
            .filter(move |element| names.contains(&element.name()))
    }

    /// The first element with that id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Element<'_>> {
        self.elements()
            .find(|element| element.get("id") == Some(id))
    }

    /// The elements that a CSS selector means: names, `#id`, `.class`, `[attribute]` with all its comparisons, of elements in and
    /// right in others, several with commas. `None` where it says more than that.
    #[must_use]
    pub fn select(&self, selector: &str) -> Option<Vec<Element<'_>>> {
        select::select(self, selector)
    }

    /// What the window's title is, white space as single blanks. That of a drawing in the page is none.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        self.named(&["title"])
            .find(|title| !title.is_in("svg"))
            .map(Element::text)
    }

    /// The headings with their level, `h1` to `h6`.
    pub fn headings(&self) -> impl Iterator<Item = (u8, Element<'_>)> {
        self.elements().filter_map(|element| {
            let level = element.name().strip_prefix('h')?.parse().ok()?;
            (1..=6).contains(&level).then_some((level, element))
        })
    }

    /// The text as it is read, the title included, white space as single blanks.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_of(0..self.nodes.len())
    }

    /// The source without its comments.
    #[must_use]
    pub fn uncommented(&self) -> String {
        self.without(self.comments.iter().cloned())
    }

    /// The source without what makes nothing on the page: comments, templates, what a text field holds.
    #[must_use]
    pub fn live(&self) -> String {
        let inert = self.named(&["template", "textarea"]);
        let mut dead: Vec<Range<usize>> = inert
            .map(|element| element.tag.inside.clone())
            .chain(self.comments.iter().cloned())
            .collect();
        dead.sort_by_key(|range| range.start);
        self.without(dead.into_iter())
    }

    /// The values of all attributes, their entities undone.
    pub fn attribute_values(&self) -> impl Iterator<Item = &str> {
        self.nodes
            .iter()
            .flat_map(|node| match node {
                Node::Element(tag) => tag.attributes.as_slice(),
                Node::Text(_) => &[],
            })
            .map(|(_, value)| value.as_str())
    }

    fn without(&self, parts: impl Iterator<Item = Range<usize>>) -> String {
        let (mut out, mut at) = (String::with_capacity(self.source.len()), 0);
        for part in parts {
            // A comment in a template is gone already.
            out.push_str(self.source.get(at..part.start).unwrap_or_default());
            at = at.max(part.end);
        }
        out.push_str(self.source.get(at..).unwrap_or_default());
        out
    }

    fn element(&self, node: usize) -> Option<Element<'_>> {
        match self.nodes.get(node)? {
            Node::Element(tag) => Some(Element {
                page: self,
                node,
                tag,
            }),
            Node::Text(_) => None,
        }
    }

    fn text_of(&self, nodes: Range<usize>) -> String {
        let (mut out, mut ends) = (String::new(), Vec::new());
        let mut at = nodes.start;
        while let Some(node) = self.nodes[..nodes.end].get(at) {
            while ends.pop_if(|end| *end <= at).is_some() {
                out.push(' ');
            }
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element(tag) => {
                    if !INLINE.contains(&tag.name.as_str()) {
                        out.push(' ');
                        ends.push(tag.end);
                    }
                    if HIDDEN.contains(&tag.name.as_str()) {
                        at = tag.end;
                        continue;
                    }
                }
            }
            at += 1;
        }
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// An element of a page.
#[derive(Clone, Copy)]
pub struct Element<'p> {
    page: &'p Page<'p>,
    node: usize,
    tag: &'p Tag,
}

impl<'p> Element<'p> {
    /// In lower case.
    #[must_use]
    pub fn name(self) -> &'p str {
        &self.tag.name
    }

    /// An attribute's value, its entities undone; the name in lower case. One without a value is empty.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'p str> {
        self.attributes()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Names in lower case and values.
    pub fn attributes(self) -> impl Iterator<Item = (&'p str, &'p str)> {
        let all = self.tag.attributes.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Its text as it is read, that of the elements in it included, white space as single blanks. Scripts, styles, templates and
    /// comments in it are no text; asked for their own, a script has its code and a template its content.
    #[must_use]
    pub fn text(self) -> String {
        self.page.text_of(self.node + 1..self.tag.end)
    }

    /// What stands in the source between its tags, as written: the code of a script.
    #[must_use]
    pub fn source(self) -> &'p str {
        let inside = self.tag.inside.clone();
        self.page.source.get(inside).unwrap_or_default()
    }

    /// The line of the source that its tag begins in, from 1.
    #[must_use]
    pub fn line(self) -> usize {
        let at = self.tag.at;
        self.page.lines.partition_point(|begins| *begins <= at) + 1
    }

    /// The element that it stands in.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        self.page.element(self.tag.parent?)
    }

    /// Whether it stands in an element of that name, however deep.
    #[must_use]
    pub fn is_in(self, name: &str) -> bool {
        std::iter::successors(self.parent(), |element| element.parent())
            .any(|element| element.name() == name)
    }

    /// The elements in it, however deep.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        (self.node + 1..self.tag.end).filter_map(move |node| self.page.element(node))
    }
}

#[cfg(test)]
mod tests;
