//! Types that cannot hold a wrong value: parsed once at the door, trusted inside.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A plain relative path with `/` between its parts, safe to write on any system and to commit.
///
/// Refused: empty, absolute, `.` and `..` parts, a leading or trailing or doubled slash, a backslash, control characters,
/// a part over 255 bytes, more than 1,024 bytes or 32 parts in all (below `assets/`), `.git` in any case and in the spellings that file systems fold into it, and the device names
/// that Windows reserves, with or without an extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Device names that Windows answers to in every directory, whatever follows the first dot.
/// Source: "Naming Files, Paths, and Namespaces", Microsoft Learn.
const WINDOWS_DEVICES: [&str; 24] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com2", "com3", "com4", "com5",
    "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8",
    "lpt9",
];

/// The bytes of one part of a path that common file systems can hold.
const MAX_PART: usize = 255;
/// The bytes and the parts of a name that somebody gives a file. Folders by the thousand cost memory for each of them, in git as well.
const MAX_NAME: usize = 1_024;
const MAX_PARTS: usize = 32;
/// A file of that name may still be put into this folder.
const FOLDER: &str = "assets/";

impl RelPath {
    /// A name as it is given to a file that has no place yet.
    ///
    /// # Errors
    /// As [`RelPath::parse`], and where it is too long to be put anywhere.
    pub fn name(name: &str) -> Result<Self, String> {
        check_size(name, MAX_NAME, MAX_PARTS)?;
        Self::parse(name)
    }

    /// # Errors
    /// Says in a few words what is wrong with the path.
    pub fn parse(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("is empty".to_owned());
        }
        if path.chars().any(char::is_control) {
            return Err("has a control character".to_owned());
        }
        if path.contains('\\') {
            return Err("has a backslash".to_owned());
        }
        if path.starts_with('/') || path.ends_with('/') {
            return Err("begins or ends with a slash".to_owned());
        }
        check_size(path, MAX_NAME + FOLDER.len(), MAX_PARTS + 1)?;
        path.split('/').try_for_each(check_part)?;
        Ok(Self(path.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_size(path: &str, bytes: usize, parts: usize) -> Result<(), String> {
    if path.len() > bytes {
        return Err(format!("has more than {bytes} bytes"));
    }
    if path.split('/').count() > parts {
        return Err(format!("has more than {parts} parts"));
    }
    Ok(())
}

fn check_part(part: &str) -> Result<(), String> {
    let lower = part.to_ascii_lowercase();
    let stem = lower.split('.').next().unwrap_or_default().trim_end();
    match part {
        "" => Err("has an empty part".to_owned()),
        "." | ".." => Err(format!("has a {part:?} part")),
        _ if part.len() > MAX_PART => Err(format!("has a part of over {MAX_PART} bytes")),
        _ if is_dot_git(&lower) => Err("names a .git folder".to_owned()),
        _ if WINDOWS_DEVICES.contains(&stem) || is_superscript_port(stem) => {
            Err(format!("has a part that Windows reserves: {part:?}"))
        }
        _ => Ok(()),
    }
}

/// What git refuses as "hasDotgit" (fsck), because NTFS drops dots and spaces at the end and knows `.git` as `GIT~1`, and
/// HFS+ ignores some invisible characters.
fn is_dot_git(lower: &str) -> bool {
    let seen: String = lower
        .chars()
        .filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
        .collect();
    seen.trim_end_matches(['.', ' ']) == ".git" || seen == "git~1"
}

/// `COM¹`, `LPT²` and the like are device names too.
fn is_superscript_port(stem: &str) -> bool {
    ["com", "lpt"].iter().any(|p| {
        stem.strip_prefix(p)
            .is_some_and(|n| matches!(n, "\u{b9}" | "\u{b2}" | "\u{b3}"))
    })
}

impl TryFrom<String> for RelPath {
    type Error = String;
    fn try_from(path: String) -> Result<Self, String> {
        Self::parse(&path)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Places that are taken, to find out whether two paths are in each other's way, in a time that does not grow with their
/// number.
#[derive(Default)]
pub struct Places {
    files: HashMap<String, usize>,
    folders: HashMap<String, usize>,
}

/// Why a path has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The number of the path that is in the way.
    pub with: usize,
    /// They are the same; otherwise one is a folder of the other.
    pub same: bool,
}

impl Places {
    /// Takes a place for the path with this number.
    ///
    /// # Errors
    /// The path that is there already.
    pub fn take(&mut self, path: &RelPath, number: usize) -> Result<(), Clash> {
        let text = path.as_str();
        let folders = || text.match_indices('/').filter_map(|(at, _)| text.get(..at));
        if let Some(other) = self.files.get(text) {
            return Err(Clash {
                with: *other,
                same: true,
            });
        }
        if let Some(other) = self
            .folders
            .get(text)
            .or_else(|| folders().find_map(|f| self.files.get(f)))
        {
            return Err(Clash {
                with: *other,
                same: false,
            });
        }
        self.files.insert(text.to_owned(), number);
        for folder in folders() {
            self.folders.entry(folder.to_owned()).or_insert(number);
        }
        Ok(())
    }
}

/// Files by path, no path below another.
pub type FileSet = BTreeMap<RelPath, Vec<u8>>;

/// The id of a git object: 40 (SHA-1) or 64 (SHA-256) hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

impl Sha {
    /// # Errors
    /// Shows what is not an object id.
    pub fn parse(text: &str) -> Result<Self, String> {
        if matches!(text.len(), 40 | 64)
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("not a git object id: {text:?}"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people name a commit.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Sha {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a run is known by: 16 hex digits of SHA-256 over email, task, round and nonce, each followed by a NUL byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    #[must_use]
    pub fn of(email: &str, task: &str, round: u64, nonce: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [email, task, &round.to_string(), nonce] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        let mut id = hex(&digest.finalize());
        id.truncate(16);
        Self(id)
    }

    /// # Errors
    /// Shows what is not a run id.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("not a run id: {text:?}"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The largest place at or before `at` where the text can be cut. (`str::floor_char_boundary` is younger than our Rust.)
#[must_use]
pub fn boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at)
        .rev()
        .find(|n| text.is_char_boundary(*n))
        .unwrap_or(0)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
            for nibble in [b >> 4, b & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            out
        })
}

/// SHA-256 as 64 hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        let long = "x".repeat(256);
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            "a\\b",
            "a\nb",
            "a\0b",
            "a\u{85}b",
            ".git",
            ".GIT/config",
            "a/.Git",
            ".git.",
            ".git ",
            "git~1",
            ".g\u{200c}it",
            "con",
            "CON",
            "aux.txt",
            "a/NUL.tar.gz",
            "com1",
            "LPT9.log",
            "com\u{b9}",
            "CONIN$",
            long.as_str(),
            &"a/".repeat(50_000),
            &("a/".repeat(33) + "b"),
            &format!("{}b", "x".repeat(200) + "/").repeat(6),
        ] {
            assert!(RelPath::parse(path).is_err(), "{path:.80?} must be refused");
        }
    }

    #[test]
    fn ordinary_paths_are_accepted() {
        let long = "x".repeat(255);
        for path in [
            "a",
            "data.csv",
            "assets/sample.png",
            ".nojekyll",
            ".github/workflows/ci.yml",
            ".gitignore",
            "консоль.txt",
            "a b.txt",
            "-",
            "console.log",
            "...a",
            "com10",
            "nulls",
            "a'b&c;d",
            "a:b?",
            "a.",
            long.as_str(),
        ] {
            assert_eq!(
                RelPath::parse(path).map(|p| p.to_string()),
                Ok(path.to_owned())
            );
        }
    }

    #[test]
    fn names_have_room_below_a_folder() {
        let parts = |count| vec!["a"; count].join("/");
        // 1,024 bytes in parts that are short enough.
        let longest = vec!["x".repeat(204); 5].join("/");
        assert_eq!(longest.len(), 1_024);
        for name in [parts(32), longest.clone()] {
            assert!(RelPath::name(&name).is_ok());
            assert!(RelPath::parse(&format!("{FOLDER}{name}")).is_ok());
        }
        for name in [parts(33), longest + "x"] {
            assert!(RelPath::name(&name).is_err(), "{name}");
        }
    }

    #[test]
    fn places() {
        let path = |p| RelPath::parse(p).unwrap();
        let mut places = Places::default();
        for (n, p) in ["a/b", "ab", "c", "a/d"].into_iter().enumerate() {
            assert_eq!(places.take(&path(p), n), Ok(()), "{p}");
        }
        assert_eq!(
            places.take(&path("c"), 9),
            Err(Clash {
                with: 2,
                same: true
            })
        );
        assert_eq!(
            places.take(&path("a"), 9),
            Err(Clash {
                with: 0,
                same: false
            })
        );
        assert_eq!(
            places.take(&path("c/x/y"), 9),
            Err(Clash {
                with: 2,
                same: false
            })
        );
    }

    #[test]
    fn run_id_is_the_contracts_digest() {
        // printf 'me@example.com\0demo\0001\0n1\0' | sha256sum
        assert_eq!(
            RunId::of("me@example.com", "demo", 1, "n1").as_str(),
            &sha256_hex(b"me@example.com\0demo\x001\0n1\0")[..16]
        );
        assert_ne!(RunId::of("a", "b", 1, "c"), RunId::of("ab", "", 1, "c"));
    }

    #[test]
    fn object_ids() {
        assert!(Sha::parse(&"a".repeat(40)).is_ok() && Sha::parse(&"0".repeat(64)).is_ok());
        assert!(Sha::parse(&"A".repeat(40)).is_err() && Sha::parse("main").is_err());
    }
}
