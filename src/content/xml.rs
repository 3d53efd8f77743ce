//! Whether a text is well-formed XML (1.0), as far as browsers stop at it: tags that match, attributes in quotes and only once,
//! known entities, one root and nothing beside it.
//!
//! A document may declare entities in its DOCTYPE, as Illustrator does for its namespaces. They are known by name and not expanded:
//! a few of them in one another come to gigabytes. Only a namespace that is one entity is looked up. External DTDs are not read.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};

const SVG: &str = "http://www.w3.org/2000/svg";

/// The root element of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// With its prefix, where it has one.
    pub name: String,
    /// Whether the name stands in the namespace of SVG.
    pub svg_namespace: bool,
}

impl Root {
    /// Whether it is `svg`, with any prefix.
    #[must_use]
    pub fn is_svg(&self) -> bool {
        self.name.rsplit(':').next() == Some("svg")
    }
}

/// Entities that the document declares, with their text where it stands there.
type Entities<'a> = HashMap<&'a str, &'a str>;

/// The root element of a well-formed document.
///
/// # Errors
/// What is wrong, with the line.
pub fn root(text: &str) -> Result<Root, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // XML 1.0, 2.2: no other control characters, not even as references.
    if let Some((at, c)) = text.char_indices().find(|(_, c)| {
        *c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')
    }) {
        return Err(located(
            text,
            at as u64,
            &format!("the character U+{:04X}", u32::from(c)),
        ));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document::default();
    loop {
        let at = reader.buffer_position();
        let read = reader.read_event();
        let wrong = match read {
            Ok(Event::Eof) => document.end(),
            Ok(event) => document.take(&event, at == 0),
            Err(e) => {
                let at = reader.error_position();
                return Err(located(text, at, &told(&e)));
            }
        };
        match wrong {
            Err(why) => return Err(located(text, at, &why)),
            Ok(Some(root)) => return Ok(root),
            Ok(None) => {}
        }
    }
}

fn located(text: &str, at: u64, why: &str) -> String {
    let before = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    format!(
        "{why} (line {})",
        text.bytes().take(before).filter(|b| *b == b'\n').count() + 1
    )
}

fn told(error: &Error) -> String {
    match error {
        Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            format!("</{found}> where </{expected}> is due")
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(name)) => {
            format!("</{name}> without a beginning")
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => {
            "an & that begins no entity".to_owned()
        }
        _ => error.to_string(),
    }
}

#[derive(Default)]
struct Document {
    root: Option<Root>,
    open: Vec<String>,
    doctype: bool,
    /// Names and texts of what the DOCTYPE declares.
    entities: HashMap<String, String>,
    /// Prefixes of namespaces, with how deep the element is that declares them, and how often each is declared there.
    prefixes: Vec<(usize, String)>,
    known_prefixes: HashMap<String, usize>,
    /// The DOCTYPE gives elements attributes, a namespace perhaps.
    has_defaults: bool,
}

impl Document {
    fn take(&mut self, event: &Event<'_>, first: bool) -> Result<Option<Root>, String> {
        match event {
            Event::Start(tag) => {
                let name = self.begin(tag)?;
                self.open.push(name);
            }
            Event::Empty(tag) => drop(self.begin(tag)?),
            // That the names match is the reader's to see.
            Event::End(_) => drop(self.open.pop()),
            Event::Decl(_) if !first => {
                return Err("an XML declaration that is not at the very beginning".to_owned());
            }
            Event::DocType(_) if self.doctype || self.root.is_some() => {
                return Err("a DOCTYPE that is not before the root element".to_owned());
            }
            Event::DocType(doctype) => {
                self.doctype = true;
                self.has_defaults = doctype.contains("<!ATTLIST");
                self.entities = declared(doctype)
                    .into_iter()
                    .map(|(name, text)| (name.to_owned(), text.to_owned()))
                    .collect();
            }
            Event::Text(text) if self.open.is_empty() && !text.trim().is_empty() => {
                return Err(self.outside());
            }
            Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => {
                return Err(self.outside());
            }
            Event::GeneralRef(entity) => self.known(entity)?,
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::Eof => {}
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<Option<Root>, String> {
        match self.open.pop() {
            Some(name) => Err(format!("<{name}> is not closed")),
            None => self
                .root
                .take()
                .map(Some)
                .ok_or_else(|| "there is no element".to_owned()),
        }
    }

    fn outside(&self) -> String {
        format!(
            "there is text {} the root element",
            if self.root.is_some() {
                "after"
            } else {
                "before"
            }
        )
    }

    /// A tag that opens an element: its name.
    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<String, String> {
        let name = tag.name().as_ref().to_owned();
        if !is_name(&name) {
            return Err("a < that begins no tag".to_owned());
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(format!("there is more than one root element: <{name}>"));
        }
        let wrong = |why: String| format!("<{name}>: {why}");
        if !are_apart(tag.attributes_raw()) {
            return Err(wrong("no space between attributes".to_owned()));
        }
        let binding = name.split_once(':').map_or_else(
            || "xmlns".to_owned(),
            |(prefix, _)| format!("xmlns:{prefix}"),
        );
        let mut svg_namespace = false;
        let depth = self.open.len();
        while let Some((_, gone)) = self.prefixes.pop_if(|(at, _)| *at >= depth) {
            if let Some(count) = self.known_prefixes.get_mut(&gone) {
                *count -= 1;
            }
        }
        let mut used: Vec<String> = name
            .split_once(':')
            .map(|(prefix, _)| prefix.to_owned())
            .into_iter()
            .collect();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| match e {
                AttrError::Duplicated(..) => wrong("an attribute is there twice".to_owned()),
                e => wrong(e.to_string()),
            })?;
            let (key, value) = (attribute.key.as_ref(), attribute.value.as_ref());
            if !is_name(key) {
                return Err(wrong(format!("{key:?} is no name of an attribute")));
            }
            match key.split_once(':') {
                Some(("xmlns", prefix)) => {
                    self.prefixes.push((depth, prefix.to_owned()));
                    *self.known_prefixes.entry(prefix.to_owned()).or_default() += 1;
                }
                Some((prefix, _)) => used.push(prefix.to_owned()),
                None => {}
            }
            if value.contains('<') {
                return Err(wrong(format!("the value of {key} has a bare <")));
            }
            for part in value.split('&').skip(1) {
                let (entity, _) = part
                    .split_once(';')
                    .ok_or_else(|| wrong(format!("the value of {key} has a bare &")))?;
                self.known(entity).map_err(wrong)?;
            }
            if self.root.is_none() && key == binding {
                let entity = value.strip_prefix('&').and_then(|v| v.strip_suffix(';'));
                svg_namespace = entity
                    .and_then(|e| self.entities.get(e))
                    .map_or(value, String::as_str)
                    == SVG;
            }
        }
        let unknown = |prefix: &&String| {
            *prefix != "xml"
                && !self.has_defaults
                && self
                    .known_prefixes
                    .get(*prefix)
                    .is_none_or(|count| *count == 0)
        };
        if let Some(prefix) = used.iter().find(unknown) {
            return Err(wrong(format!(
                "the prefix {prefix} is not declared (xmlns:{prefix})"
            )));
        }
        self.root.get_or_insert_with(|| Root {
            name: name.clone(),
            svg_namespace,
        });
        Ok(name)
    }

    fn known(&self, entity: &str) -> Result<(), String> {
        let number = |digits: &str, radix| {
            u32::from_str_radix(digits, radix)
                .ok()
                .and_then(char::from_u32)
                .is_some_and(|c| c != '\0')
        };
        let known = match entity.strip_prefix('#') {
            Some(n) => n
                .strip_prefix('x')
                .map_or_else(|| number(n, 10), |n| number(n, 16)),
            None => {
                matches!(entity, "amp" | "lt" | "gt" | "quot" | "apos")
                    || self.entities.contains_key(entity)
            }
        };
        if known {
            Ok(())
        } else {
            Err(format!("there is no entity &{entity};"))
        }
    }
}

/// Names of elements and attributes, as far as ASCII goes.
fn is_name(name: &str) -> bool {
    let begins = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    name.starts_with(begins)
        && name
            .chars()
            .all(|c| begins(c) || !c.is_ascii() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// Whether white space follows each value in quotes. The reader passes over it where it lacks.
fn are_apart(attributes: &str) -> bool {
    let (mut quote, mut closed) = (None, false);
    for c in attributes.chars() {
        if closed && !c.is_whitespace() {
            return false;
        }
        closed = quote == Some(c);
        quote = match quote {
            Some(_) if closed => None,
            None if matches!(c, '"' | '\'') => Some(c),
            open => open,
        };
    }
    true
}

/// The general entities of an internal DTD subset: `<!ENTITY name "text">`. One that is declared twice keeps its first text.
fn declared(doctype: &str) -> Entities<'_> {
    let mut found = Entities::new();
    let mut rest = doctype.split_once('[').map_or("", |(_, subset)| subset);
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (declaration, after) = rest.split_at(declaration_end(rest));
        rest = after;
        let Some(declaration) = declaration.strip_prefix("<!ENTITY") else {
            continue;
        };
        let Some((name, value)) = declaration.trim_start().split_once(char::is_whitespace) else {
            continue;
        };
        let value = value.trim();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let text = quote
            .and_then(|q| value.strip_prefix(q)?.split_once(q))
            .map_or("", |(text, _)| text);
        if name != "%" {
            found.entry(name).or_insert(text);
        }
    }
    found
}

/// Where the declaration at the beginning has its `>`; one in quotes is none.
fn declaration_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_or_not() {
        for text in [
            "<a/>",
            "\u{feff}<?xml version='1.0'?>\n<a />",
            "<?xml version='1.0'?>\n<!-- c --><!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg a='1 > 0' b=\"2\"><g>t &amp; &#65;</g><![CDATA[<&]]></svg>\n",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a></a>",
            "<!DOCTYPE a [<!-- <!ENTITY no '> --> <!ENTITY x '>'>\n<!ENTITY y SYSTEM \"u\">]><a b='&x;'>&x;&y;&#x1F600;</a>",
            "<é-1 _x='1' xmlns:x='u' x:y=''/>",
        ] {
            assert!(root(text).is_ok(), "{text}: {:?}", root(text));
        }
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a b></a>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='1'c='2'/>",
            "<a b='<'/>",
            "<a b='&'/>",
            "<a b='&nbsp;'/>",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "<a>x & y</a>",
            "<a/>tail",
            "<a/>&amp;",
            "<a/><!DOCTYPE a>",
            "<!DOCTYPE a [<!ENTITY % x 'y'><!-- <!ENTITY x 'y'> -->]><a>&x;</a>",
            "\n<?xml version='1.0'?><a/>",
            "<a",
            "</a>",
            "<a>< b</a>",
            "<a><1/></a>",
            "<a><!-- b -- c --></a>",
        ] {
            assert!(root(text).is_err(), "{text}");
        }
        assert_eq!(
            root("<svg>\n<g>\n</svg>").unwrap_err(),
            "</svg> where </g> is due (line 3)"
        );
        assert_eq!(
            root("<svg>\n&nbsp;\n</svg>").unwrap_err(),
            "there is no entity &nbsp; (line 2)"
        );
    }

    #[test]
    fn prefixes_are_declared() {
        let link = "http://www.w3.org/1999/xlink";
        assert!(
            root(&format!(
                "<svg xmlns:xlink='{link}'><g><use xlink:href='#a' xml:space='preserve'/></g></svg>"
            ))
            .is_ok()
        );
        assert!(root("<!DOCTYPE svg [<!ATTLIST svg xmlns:x CDATA 'u'>]><svg><x:a/></svg>").is_ok());
        let beside = format!("<svg>\n<g xmlns:xlink='{link}'/><use xlink:href='#a'/></svg>");
        assert_eq!(
            root(&beside).unwrap_err(),
            "<use>: the prefix xlink is not declared (xmlns:xlink) (line 2)"
        );
        assert_eq!(
            root("<a>\n\u{7}</a>").unwrap_err(),
            "the character U+0007 (line 2)"
        );
    }

    #[test]
    fn the_namespace_of_svg() {
        let space = |text: &str| root(text).map(|r| (r.is_svg(), r.svg_namespace)).unwrap();
        assert_eq!(
            space("<svg xmlns='http://www.w3.org/2000/svg'/>"),
            (true, true)
        );
        assert_eq!(
            space("<s:svg xmlns:s='http://www.w3.org/2000/svg'/>"),
            (true, true)
        );
        assert_eq!(
            space("<s:svg xmlns='http://www.w3.org/2000/svg' xmlns:s='x'/>"),
            (true, false)
        );
        assert_eq!(
            space("<svg><g xmlns='http://www.w3.org/2000/svg'/></svg>"),
            (true, false)
        );
        assert_eq!(
            space("<html xmlns='http://www.w3.org/2000/svg'/>"),
            (false, true)
        );
        // As Adobe Illustrator writes it.
        let text = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\" [\n\t<!ENTITY ns_svg \"http://www.w3.org/2000/svg\">\n]>\n\
                    <svg xmlns=\"&ns_svg;\" width=\"9\"/>";
        assert_eq!(space(text), (true, true));
    }

    #[test]
    fn many_attributes_take_no_square_of_time() {
        let many = |n: usize| -> String { (0..n).map(|n| format!(" a{n}='1'")).collect() };
        crate::growth::is_linear("attributes", 4_000, many, |many| {
            assert!(root(&format!("<a{many}/>")).is_ok());
            assert!(root(&format!("<a{many} a7='2'/>")).is_err());
        });
    }

    #[test]
    fn many_prefixes_and_depths_take_no_square_of_time() {
        let many = |n: usize| {
            let declared: String = (0..n).map(|n| format!(" xmlns:p{n}='u'")).collect();
            let used: String = (0..n).map(|n| format!("<p{n}:a/>")).collect();
            let deep = "<g xmlns:q='u'>".repeat(n) + "<q:a/>" + &"</g>".repeat(n);
            format!("<a{declared}>{used}{deep}</a>")
        };
        crate::growth::is_linear("prefixes", 1_000, many, |text| {
            assert!(root(text).is_ok());
        });
    }
}
