//! From tokens to elements that stand in one another.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

use super::{INLINE, Node, Page, Tag};

/// Elements that never hold anything.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements whose beginning ends a paragraph.
const ENDS_PARAGRAPH: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

/// What is in a cell stays in it, whatever is left open or closed there.
const CELLS: [&str; 4] = ["td", "th", "caption", "template"];

/// What a beginning tag closes where it is still open, and what it does not reach beyond.
fn closed_by(name: &str) -> &'static [(&'static [&'static str], &'static [&'static str])] {
    match name {
        "li" => &[
            (&["p"], &["li", "button"]),
            (&["li"], &["ul", "ol", "menu"]),
        ],
        "dt" | "dd" => &[(&["p"], &["dt", "dd", "button"]), (&["dt", "dd"], &["dl"])],
        "option" => &[(&["option"], &["select", "datalist"])],
        "optgroup" => &[(&["optgroup", "option"], &["select"])],
        "td" | "th" => &[(&["td", "th", "caption"], &["table"])],
        "tr" => &[(&["tr", "caption", "colgroup"], &["table"])],
        "thead" | "tbody" | "tfoot" => &[(
            &["thead", "tbody", "tfoot", "caption", "colgroup"],
            &["table"],
        )],
        "body" => &[(&["head"], &[])],
        block if ENDS_PARAGRAPH.contains(&block) => &[(&["p"], &["button", "object"])],
        _ => &[],
    }
}

pub(super) fn read(source: &str) -> Page<'_> {
    let mut emitter = Tokens(CallbackEmitter::new(Builder::default()));
    emitter.0.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(source, &mut emitter).finish();
    let builder = emitter.0.callback_mut();
    builder.close_to(0, source.len());
    let comments = std::mem::take(&mut builder.comments);
    let real = |at: &Range<usize>| {
        source
            .get(at.clone())
            .is_some_and(|c| c.starts_with("<!--"))
    };
    Page {
        source,
        nodes: std::mem::take(&mut builder.nodes),
        comments: comments.into_iter().filter(real).collect(),
        lines: memchr::memchr_iter(b'\n', source.as_bytes())
            .map(|at| at + 1)
            .collect(),
    }
}

/// Says to the tokenizer what a script or a title ends at. `noscript` is read on: there are no scripts here.
struct Tokens(CallbackEmitter<Builder, Infallible, usize>);

impl ForwardingEmitter for &mut Tokens {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let next = self.0.emit_current_tag();
        next.filter(|_| self.0.callback_mut().name != "noscript")
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    comments: Vec<Range<usize>>,
    /// The elements that are open, from the outside in, as places in `nodes`.
    open: Vec<usize>,
    /// For each name, where in `open` its elements are: nothing is ever searched for through all that is open.
    places: HashMap<String, Vec<usize>>,
    /// Where in `open` those are that are not in the midst of a line.
    blocks: Vec<usize>,
    /// The tag that is being read.
    at: usize,
    name: String,
    attributes: Vec<(String, String)>,
}

impl Callback<Infallible, usize> for Builder {
    fn handle_event(&mut self, event: CallbackEvent<'_>, span: Span<usize>) -> Option<Infallible> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match event {
            CallbackEvent::OpenStartTag { name } => {
                (self.at, self.name) = (span.start, text(name));
                self.attributes.clear();
            }
            CallbackEvent::AttributeName { name } => {
                self.attributes.push((text(name), String::new()));
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, last)) = self.attributes.last_mut() {
                    *last = text(value);
                }
            }
            CallbackEvent::CloseStartTag { self_closing } => self.begin(self_closing, span.end),
            CallbackEvent::EndTag { name } => self.end(&text(name), span.start),
            CallbackEvent::String { value } => self.nodes.push(Node::Text(text(value))),
            CallbackEvent::Comment { .. } => self.comments.push(span.start..span.end),
            CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    }
}

impl Builder {
    /// Where in `open` the innermost element with one of the names is.
    fn place(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .filter_map(|name| self.places.get(*name)?.last().copied())
            .max()
    }

    fn begin(&mut self, self_closing: bool, end: usize) {
        let name = self.name.clone();
        // A second <body> adds nothing but attributes.
        if matches!(name.as_str(), "html" | "body") && self.place(&[&name]).is_some() {
            return;
        }
        for (names, bounds) in closed_by(&name) {
            let bound = self.place(bounds);
            let cell = self.place(&CELLS).filter(|_| !names.contains(&"td"));
            // A row of the table is around the cell that is open in it.
            let cell =
                cell.filter(|_| !matches!(name.as_str(), "tr" | "thead" | "tbody" | "tfoot"));
            if let Some(at) = self.place(names)
                && Some(at) > bound
                && Some(at) > cell
            {
                self.close_to(at, self.at);
            }
        }
        let node = self.nodes.len();
        self.nodes.push(Node::Element(Tag {
            name: name.clone(),
            attributes: std::mem::take(&mut self.attributes),
            parent: self.open.last().copied(),
            end: node + 1,
            at: self.at,
            inside: end..end,
        }));
        let drawn = self_closing && self.place(&["svg", "math"]).is_some();
        let whole = self_closing && matches!(name.as_str(), "svg" | "math");
        if VOID.contains(&name.as_str()) || drawn || whole {
            return;
        }
        if !INLINE.contains(&name.as_str()) {
            self.blocks.push(self.open.len());
        }
        self.places.entry(name).or_default().push(self.open.len());
        self.open.push(node);
    }

    fn end(&mut self, name: &str, start: usize) {
        // What follows </body> is in it nevertheless.
        if matches!(name, "html" | "body") {
            return;
        }
        let Some(at) = self.place(&[name]) else {
            return;
        };
        let of_tables = [
            "table", "tr", "td", "th", "caption", "thead", "tbody", "tfoot", "template",
        ];
        let outside = if of_tables.contains(&name) {
            self.place(&["table", "template"])
                .filter(|_| !matches!(name, "table" | "template"))
        } else {
            self.place(&CELLS)
        };
        let crosses = INLINE.contains(&name) && self.blocks.last().is_some_and(|last| *last > at);
        if Some(at) >= outside && !crosses {
            self.close_to(at, start);
        }
    }

    /// Closes what is open from a place on.
    fn close_to(&mut self, place: usize, source: usize) {
        let end = self.nodes.len();
        for node in self.open.drain(place.min(self.open.len())..) {
            if let Node::Element(tag) = &mut self.nodes[node] {
                tag.end = end;
                tag.inside.end = source;
                self.places.get_mut(&tag.name).map(Vec::pop);
            }
        }
        while self.blocks.pop_if(|block| *block >= place).is_some() {}
    }
}
