//! No secret may become public: the last look before a commit and before a preview, and a look at what a model has written,
//! which it can be told of.
//!
//! Our own secrets are searched for in every spelling that a program can undo, other people's by the shapes that their issuers
//! gave them. What only looks like one - placeholders, documented examples - is let through.
//!
//! ```text
//! bytes ─ needles and shapes ─ found
//!   └─ undone: escapes, entities, split literals; unpacked: base64, gzip, zip, PNG, wide text ─┐
//!   ↑                                                                                          │
//!   └───────────────────────────── at most DEPTH times ────────────────────────────────────────┘
//! ```

mod placeholder;
mod shapes;
mod undo;

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use anyhow::Context;

use crate::error::{Code, Error, OrCode, Result};
use crate::request::place;
use crate::secret::Secret;
use crate::values::{RelPath, sha256_hex};

/// How many spellings may lie around each other.
const DEPTH: u32 = 4;

/// What to look for, beside the known shapes.
#[derive(Clone, Default)]
pub struct Options {
    /// Our own: tokens, keys, the shared secret.
    pub own: Vec<(&'static str, Secret)>,
    /// SHA-256 (hex) of values that may be published (`--allow-secret`).
    pub allowed: Vec<String>,
}

/// A secret, as far as it may be told.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// A file, or what else becomes public.
    place: String,
    /// From 1; `None` where it is the name that tells.
    line: Option<usize>,
    what: String,
    /// Of the value, for `--allow-secret`; our own are never allowed.
    digest: Option<String>,
}

impl Found {
    fn text(&self) -> String {
        let line = self.line.map_or_else(String::new, |n| format!(":{n}"));
        format!("{}{line}: {}", self.place, self.what)
    }
}

/// Refuses files, and texts that become public beside them, that hold a secret. A text comes with what it is called.
///
/// # Errors
/// `secret_found`, with file, line and the masked value.
pub fn require_clean(
    files: &BTreeMap<RelPath, &[u8]>,
    texts: &[(&str, &str)],
    options: &Options,
) -> Result<()> {
    let scanner = Scanner::new(options)?;
    let names: String = files.keys().map(|p| format!("{p}\n")).collect();
    let texts = texts
        .iter()
        .copied()
        .chain([("a file's name", names.as_str())])
        .map(|(name, text)| (name, text.as_bytes()));
    let mut places = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .chain(texts);
    places.try_for_each(|(place, bytes)| refuse(scanner.file(place, bytes)))
}

/// Refuses what a task says of itself where it holds a secret of ours: it is sent and printed as it is.
///
/// # Errors
/// `secret_found`, with the field's name.
pub fn require_own_kept(fields: &[(&str, &str)], options: &Options) -> Result<()> {
    let own = Options {
        own: options.own.clone(),
        allowed: vec![],
    };
    let scanner = Scanner::new(&own)?;
    fields.iter().try_for_each(|(name, text)| {
        let found = scanner.search(text.as_bytes(), 0);
        refuse(
            found
                .filter(|f| f.own)
                .map(|hit| scanner.told(name, text.as_bytes(), &hit)),
        )
    })
}

/// What looks like a secret in files that somebody can write anew, one finding a file.
///
/// # Errors
/// `internal`.
pub fn findings<'a>(
    files: impl IntoIterator<Item = (&'a RelPath, &'a Vec<u8>)>,
    options: &Options,
) -> Result<Vec<String>> {
    let scanner = Scanner::new(options)?;
    Ok(files
        .into_iter()
        .filter_map(|(path, bytes)| scanner.file(path.as_str(), bytes))
        .map(|found| found.text())
        .collect())
}

fn refuse(found: Option<Found>) -> Result<()> {
    let Some(found) = found else { return Ok(()) };
    let hint = match &found.digest {
        None => "take it out of the task; nothing was pushed".to_owned(),
        Some(digest) => {
            format!("take it out; nothing was pushed. If it may be public: --allow-secret {digest}")
        }
    };
    Err(Error::new(Code::SecretFound, found.text()).hint(hint))
}

/// All needles in one automaton, so that it takes one pass over a file however many there are.
struct Scanner<'a> {
    automaton: AhoCorasick,
    /// What each pattern stands for: the name of one of our own, or a shape by its number.
    meanings: Vec<Meaning>,
    allowed: &'a [String],
}

#[derive(Clone, Copy)]
enum Meaning {
    Own(&'static str),
    Shape(usize),
    PrivateKey,
    Token,
}

/// Where in a text something was found.
struct Hit {
    at: usize,
    name: &'static str,
    own: bool,
    value: Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let mut patterns: Vec<(Vec<u8>, Meaning)> = vec![
            (b"-----BEGIN ".to_vec(), Meaning::PrivateKey),
            (b"eyJ".to_vec(), Meaning::Token),
        ];
        for (name, secret) in &options.own {
            let own = secret.spellings().into_iter();
            patterns.extend(own.map(|spelling| (spelling, Meaning::Own(name))));
        }
        let shapes = shapes::SHAPES.iter().enumerate();
        patterns.extend(shapes.map(|(n, s)| (s.prefix.as_bytes().to_vec(), Meaning::Shape(n))));
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(patterns.iter().map(|(pattern, _)| pattern))
            .context("preparing the search for secrets")
            .or_code(Code::Internal)?;
        Ok(Self {
            automaton,
            meanings: patterns.into_iter().map(|(_, meaning)| meaning).collect(),
            allowed: &options.allowed,
        })
    }

    fn allows(&self, value: &[u8]) -> bool {
        let is = |digest: &str| self.allowed.iter().any(|a| a.eq_ignore_ascii_case(digest));
        !self.allowed.is_empty() && is(&sha256_hex(value))
    }

    fn file(&self, place: &str, bytes: &[u8]) -> Option<Found> {
        let name = place.rsplit('/').next().unwrap_or(place);
        if place::is_for_secrets(name) && !self.allows(bytes) {
            return Some(Found {
                place: place.to_owned(),
                line: None,
                what: "files of this name are for secrets".to_owned(),
                digest: Some(sha256_hex(bytes)),
            });
        }
        let hit = self.search(bytes, 0)?;
        Some(self.told(place, bytes, &hit))
    }

    #[expect(clippy::unused_self, reason = "beside the function it belongs to")]
    fn told(&self, place: &str, bytes: &[u8], hit: &Hit) -> Found {
        Found {
            place: place.to_owned(),
            line: Some(line(bytes, hit.at)),
            what: if hit.own {
                format!("holds {} (redacted)", hit.name)
            } else {
                format!("looks like a {}: {}", hit.name, masked(&hit.value))
            },
            digest: (!hit.own).then(|| sha256_hex(&hit.value)),
        }
    }

    /// The first secret in the bytes or in what can be made of them.
    fn search(&self, bytes: &[u8], depth: u32) -> Option<Hit> {
        self.plain(bytes).or_else(|| {
            if depth >= DEPTH {
                return None;
            }
            let mut found = None;
            undo::each(bytes, &mut |undone| {
                found = self.search(&undone.bytes, depth + 1).map(|hit| Hit {
                    at: undone.origin(hit.at),
                    ..hit
                });
                found.is_some()
            });
            found
        })
    }

    fn plain(&self, bytes: &[u8]) -> Option<Hit> {
        for found in self.automaton.find_overlapping_iter(bytes) {
            let at = found.start();
            let hit = match self.meanings[found.pattern()] {
                Meaning::Own(name) => {
                    return Some(Hit {
                        at,
                        name,
                        own: true,
                        value: vec![],
                    });
                }
                Meaning::Shape(n) => shapes::SHAPES[n].at(bytes, at),
                Meaning::PrivateKey => shapes::private_key(bytes, at),
                Meaning::Token => shapes::json_web_token(bytes, at),
            };
            if let Some((name, value)) = hit
                && !self.allows(value)
            {
                return Some(Hit {
                    at,
                    name,
                    own: false,
                    value: value.to_vec(),
                });
            }
        }
        None
    }
}

fn line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', bytes.get(..at).unwrap_or_default()).count() + 1
}

/// Enough to recognise the kind, not enough to use it.
fn masked(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let shown: String = text.chars().take(4).collect();
    format!("{shown}… ({} characters)", text.chars().count())
}

#[cfg(test)]
mod tests;
