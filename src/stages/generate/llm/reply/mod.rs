//! The reader of a model's answer: files out of a text, in whatever shape they come.
//!
//! Asked for are blocks, each closed by a mark with a word that nobody can foresee (`blocks`); where they are there, they count. Otherwise:
//!
//! ```text
//! text → what is no answer is taken off (strip)
//!      → stretches that may be files, the outermost container first (scan: tags json fences patch sections html)
//!      → one file per path, or why that cannot be told (resolve)
//! ```
//!
//! In every shape a file that has no end is no file: what is incomplete is named, never handed on. What can be read in two ways
//! (drafts, alternatives, changes to files that are not there) is not guessed: `unclear` says why, and nothing is handed on.
//!
//! Deliberately absent: whether a path may be written. It is a plain relative one; the rest is decided by those who know the
//! task.

mod blocks;
mod fences;
mod html;
mod json;
mod lenient;
mod patch;
mod pieces;
mod resolve;
mod sections;
mod strip;
mod tags;

use std::collections::BTreeMap;

use crate::content::file_type::{self, Class};
use crate::values::RelPath;

/// What an answer holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Complete files, one of a name.
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
    /// Why it cannot be told which files are meant; then there are none.
    pub unclear: Option<String>,
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
        self.is_empty()
            && self.incomplete.is_empty()
            && self.refused.is_empty()
            && self.unclear.is_none()
    }
}

/// Reads an answer. `words` close blocks: the word of this request and those of earlier ones in the conversation.
#[must_use]
pub fn read(text: &str, words: &[&str]) -> Reply {
    let text = text.replace("\r\n", "\n");
    let Some(text) = strip::strip(&text) else {
        return Reply {
            incomplete: vec!["the answer".to_owned()],
            ..Reply::default()
        };
    };
    let (blocks, outside) = blocks::read(text, words);
    if blocks.is_silent() {
        resolve::resolve(pieces::scan(text, 0))
    } else {
        resolve::checked(resolve::with_parts(blocks, &outside))
    }
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
mod shapes;
#[cfg(test)]
mod tests;
