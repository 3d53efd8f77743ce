//! The reader of a model's answer: files out of a text, in whatever shape they come.
//!
//! Asked for are blocks, each closed by a mark with a word that nobody can foresee (`blocks`). Read just as well: `<file>` tags,
//! JSON, fenced blocks under a path, a lone HTML document. The first shape that is there counts. In every shape a file that
//! has no end is no file: what is incomplete is named, never handed on.
//!
//! Deliberately absent: whether a path may be written. It is a plain relative one; the rest is decided by those who know the
//! task.

mod blocks;
mod fences;
mod html;
mod json;
mod tags;

use std::collections::BTreeMap;

use crate::content::file_type::{self, Class};
use crate::values::RelPath;

/// What an answer holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Complete files, the last one of a name.
    pub files: BTreeMap<RelPath, String>,
    pub deletes: Vec<RelPath>,
    /// Attachment and the file to make of it.
    pub converts: Vec<(RelPath, RelPath)>,
    /// Addresses to fetch before the model can go on.
    pub fetches: Vec<String>,
    /// What began and has no end: a path, or what else it is.
    pub incomplete: Vec<String>,
    /// Paths that were refused, with the reason.
    pub refused: Vec<(String, String)>,
}

impl Reply {
    /// Whether it says anything that can be acted upon.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.deletes.is_empty()
            && self.converts.is_empty()
            && self.fetches.is_empty()
    }

    fn add(&mut self, path: &str, content: &str) {
        match parse_path(path) {
            Ok(path) => {
                let content = html::without_fence(path.as_str(), content);
                self.incomplete.retain(|p| p != path.as_str());
                self.files.insert(path, content);
            }
            Err(why) => self.refused.push((path.to_owned(), why)),
        }
    }

    fn is_silent(&self) -> bool {
        self.is_empty() && self.incomplete.is_empty() && self.refused.is_empty()
    }
}

/// Reads an answer. `words` close blocks: the word of this request and those of earlier ones in the conversation.
#[must_use]
pub fn read(text: &str, words: &[&str]) -> Reply {
    let text = text.replace("\r\n", "\n");
    let Some(text) = without_thoughts(&text) else {
        return Reply {
            incomplete: vec!["the answer".to_owned()],
            ..Reply::default()
        };
    };
    let blocks = blocks::read(text, words);
    if !blocks.is_silent() {
        return blocks;
    }
    let shapes: [fn(&str) -> Reply; 4] = [tags::read, json::read, fences::read, html::read];
    shapes
        .iter()
        .map(|shape| shape(text))
        .find(|reply| !reply.is_silent())
        .unwrap_or_default()
}

/// Some models think aloud before they answer. `None`: they never stopped.
fn without_thoughts(text: &str) -> Option<&str> {
    let start = text.trim_start();
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        if let Some(thought) = start.strip_prefix(open) {
            return thought.find(close).map(|at| &thought[at + close.len()..]);
        }
    }
    Some(text)
}

/// A path as models write it: with quotes, backticks, a leading `./`.
fn parse_path(text: &str) -> Result<RelPath, String> {
    let bare = text.trim().trim_matches(['`', '"', '\'', '*']).trim();
    RelPath::parse(bare.strip_prefix("./").unwrap_or(bare))
}

/// Files without an ending.
const BARE: [&str; 8] = [
    "license",
    "readme",
    "dockerfile",
    "makefile",
    "cname",
    ".nojekyll",
    ".gitignore",
    "requirements",
];

/// Whether a word looks like the path of a text file.
pub(super) fn looks_like_path(text: &str) -> bool {
    let name = text
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let plain = !text.is_empty()
        && text.len() < 200
        && !text.contains("://")
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "._-/@+".contains(c));
    let known = BARE.contains(&name.as_str())
        || matches!(file_type::class(&name), Some(Class::Asked | Class::Text));
    plain && known
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
