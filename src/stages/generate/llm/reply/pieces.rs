//! Goes through an answer once and takes out the stretches that may be files. The outermost container counts: what stands inside a
//! file is the file's, whatever it looks like.

use super::{fences, html, json, patch, sections, tags};

/// Containers in containers are looked into so far.
pub(super) const DEPTH: usize = 3;
/// So many places are tried that may begin JSON; beyond, a text of braces would be read again from each.
const TRIES: u32 = 64;

/// A stretch that may be a file.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub path: Option<String>,
    /// As a fence names it; empty where nothing does.
    pub language: String,
    pub content: String,
    /// What was said since the piece before, in lower case.
    pub before: String,
    /// It has no end.
    pub cut: bool,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub pieces: Vec<Piece>,
    pub deletes: Vec<String>,
    /// Why the answer cannot be used as it stands.
    pub unclear: Option<String>,
    /// Something said itself what its files are called, or of which kind.
    pub structured: bool,
    /// What was said since the piece before.
    pub prose: String,
    pub tries: u32,
}

impl Found {
    pub fn file(&mut self, path: &str, content: &str) {
        self.structured = true;
        self.pieces.push(Piece {
            path: Some(path.to_owned()),
            content: content.to_owned(),
            ..Piece::default()
        });
    }

    pub fn part(&mut self, language: &str, content: &str) {
        self.pieces.push(Piece {
            language: language.to_owned(),
            content: content.to_owned(),
            ..Piece::default()
        });
    }

    pub fn cut(&mut self, path: &str) {
        self.pieces.push(Piece {
            path: Some(path.to_owned()),
            cut: true,
            ..Piece::default()
        });
    }

    pub fn unclear(&mut self, why: &str) {
        self.unclear.get_or_insert_with(|| why.to_owned());
    }

    /// Whether one more place may be tried.
    pub fn may_try(&mut self) -> bool {
        self.tries += 1;
        self.tries <= TRIES
    }

    pub fn absorb(&mut self, inner: Found) {
        self.pieces.extend(inner.pieces);
        self.deletes.extend(inner.deletes);
        self.structured |= inner.structured;
        self.unclear = self.unclear.take().or(inner.unclear);
    }
}

/// A shape reads what begins in a line and gives the line behind it; `None`: nothing of its kind begins there.
type Shape = fn(&[&str], usize, &mut Found, usize) -> Option<usize>;

const SHAPES: [Shape; 7] = [
    patch::read,
    sections::heredoc,
    fences::read,
    tags::read,
    sections::header,
    json::read,
    html::read,
];

pub(super) fn scan(text: &str, depth: usize) -> Found {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut found, mut at) = (Found::default(), 0);
    while at < lines.len() {
        let known = found.pieces.len();
        let next = SHAPES
            .iter()
            .find_map(|shape| shape(&lines, at, &mut found, depth));
        if let Some(next) = next {
            at = next.max(at + 1);
            if found.pieces.len() > known {
                let before = std::mem::take(&mut found.prose).to_lowercase();
                for piece in &mut found.pieces[known..] {
                    before.clone_into(&mut piece.before);
                }
            }
        } else {
            found.prose.push_str(lines[at]);
            at += 1;
        }
    }
    found
}
