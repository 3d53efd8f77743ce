//! A Markdown document as HTML that is safe to stand inside the page.
//!
//! Raw HTML is shown as text, links lead only where a link may (see [`Place::target`]), and the headings are
//! fitted in below the section's own: the first level becomes the next one, and no level is left out on the way down.
//!
//! Deliberately absent: mathematics, front matter and syntax colouring.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use super::href;
use super::preview::Ids;
use crate::text::percent_decoded;

/// Where the document stands.
pub(super) struct Place<'a> {
    /// The document's path in the site.
    pub(super) path: &'a str,
    /// All paths that the document may link to.
    pub(super) paths: &'a [&'a str],
    /// What makes the document's ids its own.
    pub(super) key: &'a str,
    /// The level of the heading that it stands under.
    pub(super) under: usize,
    /// Whether each line stays a line, as in what people type into a form.
    pub(super) lines: bool,
}

/// The document as HTML.
pub(super) fn render(source: &str, place: &Place<'_>, ids: &mut Ids) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let events: Vec<Event<'_>> = Parser::new_ext(source, options).collect();
    let (heading_ids, anchors) = headings(&events, place.key, ids);
    let mut rewriter = Rewriter {
        place,
        anchors,
        heading_ids: heading_ids.into_iter(),
        levels: Vec::new(),
        opened: Vec::new(),
        links: 0,
        notes: HashMap::new(),
        out: Vec::with_capacity(events.len()),
    };
    for event in events {
        rewriter.event(event);
    }
    let mut out = String::with_capacity(source.len() * 2);
    html::push_html(&mut out, rewriter.out.into_iter());
    out
}

/// The text of the first heading of the first level, as far up as titles stand.
pub(super) fn title(source: &str) -> Option<String> {
    let mut title: Option<String> = None;
    for event in Parser::new(crate::text::head(source, 20_000)) {
        match (event, &mut title) {
            (
                Event::Start(Tag::Heading {
                    level: HeadingLevel::H1,
                    ..
                }),
                _,
            ) => title = Some(String::new()),
            (Event::Text(piece) | Event::Code(piece), Some(title)) => title.push_str(&piece),
            (Event::SoftBreak, Some(title)) => title.push(' '),
            (Event::End(TagEnd::Heading(HeadingLevel::H1)), Some(_)) => break,
            _ => {}
        }
    }
    title.filter(|title| title.contains(char::is_alphanumeric))
}

/// An id for every heading in order, and which one the document's own links (`#like-this`) mean.
fn headings(
    events: &[Event<'_>],
    key: &str,
    ids: &mut Ids,
) -> (Vec<String>, HashMap<String, String>) {
    let mut all = Vec::new();
    let mut anchors = HashMap::new();
    let mut text: Option<String> = None;
    for event in events {
        match (event, &mut text) {
            (Event::Start(Tag::Heading { .. }), _) => text = Some(String::new()),
            (Event::Text(piece) | Event::Code(piece), Some(text)) => text.push_str(piece),
            (Event::SoftBreak, Some(text)) => text.push(' '),
            (Event::End(TagEnd::Heading(_)), Some(done)) => {
                let anchor = anchor(done);
                let id = ids.unique(&format!("{key}-{anchor}"));
                anchors.entry(anchor).or_insert_with(|| id.clone());
                all.push(id);
                text = None;
            }
            _ => {}
        }
    }
    (all, anchors)
}

/// What GitHub would name a heading, since that is what documents link to.
fn anchor(heading: &str) -> String {
    let keep = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    };
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(keep)
        .collect()
}

/// Where a link leads.
enum Target {
    /// To a file of the site or a heading of the document.
    Inside(String),
    /// Away.
    Outside(String),
    /// Nowhere that a link may lead to.
    Nowhere,
}

impl Place<'_> {
    /// Lets through `http:`, `https:`, `mailto:`, `tel:`, headings of the document and files of the site.
    ///
    /// A relative URL is meant relative to the document, but the page may stand in another folder: it is looked for
    /// below the document's folder, the root and `assets/`. What is in none of them would be a dead link.
    fn target(&self, url: &str, anchors: &HashMap<String, String>) -> Target {
        if let Some(scheme) = href::scheme(url) {
            let allowed = ["http", "https", "mailto", "tel"].contains(&scheme.as_str());
            return if allowed {
                Target::Outside(url.to_owned())
            } else {
                Target::Nowhere
            };
        }
        if let Some(fragment) = url.strip_prefix('#') {
            let anchor = percent_decoded(fragment).to_lowercase();
            return anchors
                .get(&anchor)
                .map_or(Target::Nowhere, |id| Target::Inside(format!("#{id}")));
        }
        let (path, suffix) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
        let path = percent_decoded(path);
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let found = [folder, "", "assets"]
            .iter()
            .map(|folder| join(folder, &path))
            .find(|candidate| {
                self.paths.contains(&candidate.as_str())
                    || ["README.md", "LICENSE"].contains(&candidate.as_str())
            });
        found.map_or(Target::Nowhere, |path| {
            Target::Inside(href::href(&path) + suffix)
        })
    }
}

/// `path` seen from `folder`, without `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// What an opened link or image has become, so that its end becomes the same.
#[derive(PartialEq)]
enum Opened {
    /// The same as it was.
    Same,
    /// A picture from elsewhere, which the page must not load: a link. Holds how long the output was.
    Link(usize),
    /// Only its text.
    Text,
}

struct Rewriter<'p, 'e> {
    place: &'p Place<'p>,
    anchors: HashMap<String, String>,
    heading_ids: std::vec::IntoIter<String>,
    levels: Vec<HeadingLevel>,
    opened: Vec<Opened>,
    links: usize,
    notes: HashMap<String, usize>,
    out: Vec<Event<'e>>,
}

impl<'e> Rewriter<'_, 'e> {
    fn event(&mut self, event: Event<'e>) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => self.out.push(Event::Text(html)),
            Event::SoftBreak if self.place.lines => self.out.push(Event::HardBreak),
            Event::Start(Tag::HtmlBlock) => self.fixed("<div class=\"raw\">"),
            Event::End(TagEnd::HtmlBlock) => self.fixed("</div>\n"),
            Event::Start(Tag::Heading { level, .. }) => {
                let level = self.level(level);
                let id = self.heading_ids.next().map(CowStr::from);
                self.out.push(Event::Start(Tag::Heading {
                    level,
                    id,
                    classes: Vec::new(),
                    attrs: Vec::new(),
                }));
            }
            Event::End(TagEnd::Heading(_)) => {
                let level = self.shown_level();
                self.out.push(Event::End(TagEnd::Heading(level)));
            }
            Event::Start(Tag::Table(columns)) => {
                self.fixed(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">",
                );
                self.out.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                self.out.push(Event::End(TagEnd::Table));
                self.fixed("</div>\n");
            }
            Event::TaskListMarker(done) => self.fixed(if done {
                "<input type=\"checkbox\" aria-label=\"Done\" disabled checked> "
            } else {
                "<input type=\"checkbox\" aria-label=\"To do\" disabled> "
            }),
            Event::FootnoteReference(label) => {
                let label = self.note(&label);
                self.out.push(Event::FootnoteReference(label));
            }
            Event::Start(Tag::FootnoteDefinition(label)) => {
                let label = self.note(&label);
                self.out.push(Event::Start(Tag::FootnoteDefinition(label)));
            }
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => self.link(link_type, &dest_url, title, id),
            Event::Start(Tag::Image {
                link_type,
                dest_url,
                title,
                id,
            }) => self.image(link_type, &dest_url, title, id),
            Event::End(end @ (TagEnd::Link | TagEnd::Image)) => self.close(end),
            other => self.out.push(other),
        }
    }

    /// HTML of the template's own.
    fn fixed(&mut self, html: &'static str) {
        self.out.push(Event::Html(html.into()));
    }

    /// The level for a heading of the document: one below the nearest one above that outranks it.
    fn level(&mut self, level: HeadingLevel) -> HeadingLevel {
        while self.levels.last().is_some_and(|&above| above >= level) {
            self.levels.pop();
        }
        self.levels.push(level);
        self.shown_level()
    }

    fn shown_level(&self) -> HeadingLevel {
        HeadingLevel::try_from(self.place.under + self.levels.len()).unwrap_or(HeadingLevel::H6)
    }

    /// A footnote's label as an id that no other document on the page has.
    fn note(&mut self, label: &str) -> CowStr<'e> {
        let next = self.notes.len() + 1;
        let number = *self.notes.entry(label.to_lowercase()).or_insert(next);
        format!("{}-note-{number}", self.place.key).into()
    }

    fn link(&mut self, link_type: LinkType, url: &str, title: CowStr<'e>, id: CowStr<'e>) {
        let target = if link_type == LinkType::Email {
            // The writer puts `mailto:` in front of these itself.
            Target::Outside(url.to_owned())
        } else {
            self.place.target(url, &self.anchors)
        };
        match target {
            Target::Inside(url) | Target::Outside(url) => {
                self.links += 1;
                self.opened.push(Opened::Same);
                self.out.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url: url.into(),
                    title,
                    id,
                }));
            }
            Target::Nowhere => self.opened.push(Opened::Text),
        }
    }

    fn image(&mut self, link_type: LinkType, url: &str, title: CowStr<'e>, id: CowStr<'e>) {
        match self.place.target(url, &self.anchors) {
            Target::Inside(url) => {
                self.opened.push(Opened::Same);
                self.out.push(Event::Start(Tag::Image {
                    link_type,
                    dest_url: url.into(),
                    title,
                    id,
                }));
            }
            Target::Outside(url) if self.links == 0 => {
                self.links += 1;
                let link_type = LinkType::Inline;
                self.out.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url: url.into(),
                    title,
                    id,
                }));
                self.opened.push(Opened::Link(self.out.len()));
            }
            Target::Outside(_) | Target::Nowhere => self.opened.push(Opened::Text),
        }
    }

    fn close(&mut self, end: TagEnd) {
        match self.opened.pop() {
            Some(Opened::Link(start)) => {
                if self.out.len() == start {
                    self.out.push(Event::Text("Image".into()));
                }
                self.links -= 1;
                self.out.push(Event::End(TagEnd::Link));
            }
            Some(Opened::Same) => {
                self.links -= usize::from(end == TagEnd::Link);
                self.out.push(Event::End(end));
            }
            Some(Opened::Text) | None => {}
        }
    }
}

#[cfg(test)]
mod tests;
