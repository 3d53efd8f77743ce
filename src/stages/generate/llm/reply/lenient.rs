//! JSON as models write it: comments, trailing commas, raw newlines in strings. An answer that was cut off gives what was complete.

use serde_json::{Map, Value};

const DEPTH: usize = 32;

pub(super) struct Parsed {
    pub value: Value,
    /// The text ended in the middle; what was not complete is `null`.
    pub cut: bool,
    /// Bytes read.
    pub end: usize,
}

/// `None`: it is no JSON.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    let mut parser = Parser {
        text,
        at: 0,
        cut: false,
    };
    let value = parser.value(0)?;
    Some(Parsed {
        value,
        cut: parser.cut,
        end: parser.at,
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    cut: bool,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let bare = rest.trim_start();
            let skip = if bare.starts_with("//") {
                bare.find('\n').unwrap_or(bare.len())
            } else if bare.starts_with("/*") {
                bare.find("*/").map_or(bare.len(), |n| n + 2)
            } else {
                0
            };
            let step = rest.len() - bare.len() + skip;
            self.at += step;
            if skip == 0 {
                return;
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blank();
        match self.rest().bytes().next() {
            None => {
                self.cut = true;
                Some(Value::Null)
            }
            Some(b'{' | b'[') if depth > DEPTH => None,
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Some(self.string()?.map_or(Value::Null, Value::String)),
            Some(_) => {
                let end = self
                    .rest()
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                    .unwrap_or(self.rest().len());
                let value = serde_json::from_str(&self.rest()[..end]);
                self.cut |= self.at + end == self.text.len();
                self.at += end;
                value.ok().or(self.cut.then_some(Value::Null))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut all = vec![];
        while !self.closed(b']', all.is_empty())? {
            all.push(self.value(depth + 1)?);
        }
        Some(Value::Array(all))
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut all = Map::new();
        while !self.closed(b'}', all.is_empty())? {
            if !self.rest().starts_with('"') {
                return None;
            }
            let Some(key) = self.string()? else { break };
            self.blank();
            if self.rest().is_empty() {
                self.cut = true;
                break;
            }
            if !self.rest().starts_with(':') {
                return None;
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            all.insert(key, value);
        }
        Some(Value::Object(all))
    }

    /// Whether the container ends here; else a comma is passed over, which may be the last.
    fn closed(&mut self, close: u8, first: bool) -> Option<bool> {
        self.blank();
        if !first && self.rest().starts_with(',') {
            self.at += 1;
            self.blank();
        } else if !first && !self.rest().is_empty() && self.rest().as_bytes()[0] != close {
            return None;
        }
        match self.rest().bytes().next() {
            None => {
                self.cut = true;
                Some(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Some(true)
            }
            Some(_) => Some(false),
        }
    }

    /// `Some(None)`: it was cut off.
    #[expect(
        clippy::option_option,
        reason = "no string and half a string are two things"
    )]
    fn string(&mut self) -> Option<Option<String>> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                None => {
                    self.cut = true;
                    self.at = bytes.len();
                    return Some(None);
                }
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        let raw = &self.text[self.at..=end];
        self.at = end + 1;
        let tame: String = raw
            .chars()
            .map(|c| match c {
                '\n' => "\\n".to_owned(),
                '\t' => "\\t".to_owned(),
                '\r' => "\\r".to_owned(),
                c => c.to_string(),
            })
            .collect();
        serde_json::from_str(&tame).ok().map(Some)
    }
}
