//! Which files a task asks for, drawn from its brief and checks.
//!
//! A name counts where it stands as a word of its own with the ending of a text file; what is part of a URL does not, nor the name of
//! a library (`highlight.js`). A sentence that says not to commit a file forbids it. JavaScript checks name selectors rather
//! than files and are left out. It is better to miss a name than to make one up: what is missed is still in the brief.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::content::file_type::{self, Class};
use crate::request::task::{Check, Task};
use crate::text::head;
use crate::values::RelPath;

/// The bytes of a brief that are read, for what it asks for here and by a model: about 100,000 tokens.
pub const READ: usize = 400_000;

/// Words by which a sentence that names a `.js` file means a file rather than a library.
const MAKING: [&str; 11] = [
    "exist", "create", "write", "add ", "commit", "named", "called", "file", "separate", "put ",
    "save",
];
const LIBRARIES: [&str; 32] = [
    "highlight",
    "marked",
    "chart",
    "three",
    "d3",
    "node",
    "vue",
    "react",
    "next",
    "nuxt",
    "p5",
    "alpine",
    "express",
    "moment",
    "day",
    "jquery",
    "leaflet",
    "plotly",
    "bootstrap",
    "tesseract",
    "pdf",
    "papaparse",
    "tensorflow",
    "tf",
    "ml5",
    "brain",
    "anime",
    "phaser",
    "mermaid",
    "math",
    "sql",
    "showdown",
];
const FORBIDDING: [&str; 18] = [
    "repo must not contain",
    "repository must not contain",
    "repo should not contain",
    "repository should not contain",
    "repo does not contain",
    "repository does not contain",
    "not be in the repo",
    "not in the repo",
    "not commit",
    "n't commit",
    "not be commit",
    "never commit",
    "without committing",
    "must not exist",
    "should not exist",
    "does not exist",
    "not present in the repo",
    "not included in the repo",
];

/// Bytes of the longest sentence that is looked at closely.
const SENTENCE: usize = 1_000;

/// What the task says about files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// Path, and who asks for it: `brief`, `check 3`.
    pub files: BTreeMap<RelPath, String>,
    /// Paths that must not be committed.
    pub forbidden: BTreeSet<RelPath>,
    /// Spreadsheet and CSV, where the brief asks to convert the one to the other.
    pub conversions: Vec<(RelPath, RelPath)>,
    /// Whether GitHub Actions workflows are asked for.
    pub workflows: bool,
}

/// Reads brief and checks. `index.html` is always asked for: it is the page.
#[must_use]
pub fn required(task: &Task) -> Required {
    let mut found = Required::default();
    for (source, text) in sources(task) {
        let lower = text.to_ascii_lowercase();
        found.workflows |= lower.contains(".github/workflows") || lower.contains("github action");
        for sentence in sentences(text) {
            let low = sentence.to_ascii_lowercase();
            let paths: Vec<RelPath> = names(sentence)
                .filter_map(|n| RelPath::parse(n).ok())
                .collect();
            if FORBIDDING.iter().any(|f| low.contains(f)) {
                found.forbidden.extend(paths);
                continue;
            }
            // "There is no result.json." A long sentence is a list of something else.
            let may_deny = sentence.len() < SENTENCE && low.contains("no ");
            let is_denied = |p: &RelPath| {
                may_deny && low.contains(&format!("no {}", p.as_str().to_ascii_lowercase()))
            };
            let (denied, paths): (Vec<RelPath>, Vec<RelPath>) =
                paths.into_iter().partition(is_denied);
            found.forbidden.extend(denied);
            if low.contains("convert") {
                let sheet = words(sentence)
                    .filter(|w| file_type::is_sheet(w))
                    .find_map(|w| RelPath::parse(w).ok());
                let csv = paths
                    .iter()
                    .find(|p| p.as_str().to_ascii_lowercase().ends_with(".csv"));
                found.conversions.extend(sheet.zip(csv.cloned()));
            }
            let (making, minified) = (
                MAKING.iter().any(|m| low.contains(m)),
                low.contains(".min.js"),
            );
            for path in paths
                .into_iter()
                .filter(|p| is_wanted(p.as_str(), sentence, making, minified))
            {
                found.files.entry(path).or_insert_with(|| source.clone());
            }
        }
    }
    if let Ok(index) = RelPath::parse("index.html") {
        found
            .files
            .entry(index)
            .or_insert_with(|| "the page".to_owned());
    }
    found
        .files
        .retain(|path, _| !found.forbidden.contains(path));
    found
}

/// A task and what it says about files, drawn from it when it is first asked for: each of hundreds of checks may want to know.
pub struct Wanted<'a> {
    pub task: &'a Task,
    files: OnceCell<Vec<String>>,
    listed: OnceCell<Vec<&'a str>>,
}

impl<'a> Wanted<'a> {
    #[must_use]
    pub fn new(task: &'a Task) -> Self {
        Self {
            task,
            files: OnceCell::new(),
            listed: OnceCell::new(),
        }
    }

    /// The files that "each required file" speaks of, whatever can be told of them: list items of the brief that begin with one, or
    /// what its text asks for, and the licence and README that every task wants where it names them.
    #[must_use]
    pub fn files(&self) -> &[String] {
        self.files.get_or_init(|| {
            let (listed, found) = (self.listed(), required(self.task));
            let named: HashSet<&str> = words(head(&self.task.brief, READ)).collect();
            // What a check names it may just as well forbid.
            let in_brief = found
                .files
                .iter()
                .filter(|(path, by)| *by == "the brief" || path.as_str() == "index.html");
            let asked: Vec<&str> = if listed.len() > 1 {
                listed.to_vec()
            } else {
                in_brief.map(|(path, _)| path.as_str()).collect()
            };
            let attached = self
                .task
                .attachments
                .iter()
                .map(|a| a.name.as_str())
                .filter(|name| named.contains(name));
            // The forbidden ones are taken for seen.
            let mut seen: HashSet<&str> = found.forbidden.iter().map(RelPath::as_str).collect();
            asked
                .into_iter()
                .chain(attached)
                .filter(|f| seen.insert(f))
                .map(str::to_owned)
                .collect()
        })
    }

    /// What a homepage links to: the files before it in the list, "all the above"; otherwise all others but the repository's own.
    #[must_use]
    pub fn linked(&self, page: &str) -> Vec<String> {
        let listed = self.listed();
        match listed.iter().position(|f| *f == page) {
            Some(at) if at > 0 => listed.iter().take(at).map(|f| (*f).to_owned()).collect(),
            _ => {
                let own = |f: &String| {
                    f.starts_with("LICEN") || f.starts_with("README") || f.starts_with('.')
                };
                self.files()
                    .iter()
                    .filter(|f| *f != page && !own(f))
                    .cloned()
                    .collect()
            }
        }
    }

    fn listed(&self) -> &[&'a str] {
        self.listed
            .get_or_init(|| listed(head(&self.task.brief, READ)))
    }
}

/// Files at the beginning of a list item.
fn listed(brief: &str) -> Vec<&str> {
    let item = |line| {
        let rest = str::trim_start(line)
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .strip_prefix(['-', '*', '•', '.', ')'])?;
        let first = rest.trim_start_matches(['*', '`', ' ']);
        let word = words(first).next().filter(|w| first.starts_with(w))?;
        is_file(word).then_some(word)
    };
    brief.lines().filter_map(item).collect()
}

/// Brief and checks with what they are called, as far as they are read; JavaScript left out.
pub fn sources(task: &Task) -> impl Iterator<Item = (String, &str)> {
    let checks = task
        .checks
        .iter()
        .enumerate()
        .filter(|(_, c)| !matches!(c, Check::Js(_)));
    let checks = checks.map(|(n, c)| (format!("check {}", n + 1), head(c.text(), READ)));
    std::iter::once(("the brief".to_owned(), head(&task.brief, READ))).chain(checks)
}

/// Those of `names` that the brief asks to be changed: "fix execute.py", "commit execute.py after fixing …". It must be
/// said of the file itself; that a page which uses it is to be changed does not count.
#[must_use]
pub fn to_change<'a>(
    task: &Task,
    names: impl Iterator<Item = &'a RelPath>,
) -> HashSet<&'a RelPath> {
    let names: Vec<(String, &RelPath)> = names
        .map(|n| (n.as_str().to_ascii_lowercase(), n))
        .collect();
    let known: HashSet<&str> = names.iter().map(|(low, _)| low.as_str()).collect();
    let mut changed: HashSet<String> = HashSet::new();
    for sentence in sentences(head(&task.brief, READ)) {
        let low = sentence.to_ascii_lowercase();
        if [
            "as-is",
            "as is",
            "unchanged",
            "unmodified",
            "do not change",
            "don't change",
        ]
        .iter()
        .any(|w| low.contains(w))
        {
            continue;
        }
        let all: Vec<&str> = words(&low).collect();
        let said = all
            .iter()
            .enumerate()
            .filter(|(at, w)| known.contains(**w) && said_of(&all, *at));
        changed.extend(said.map(|(_, w)| (*w).to_owned()));
    }
    names
        .iter()
        .filter(|(low, _)| changed.contains(low))
        .map(|(_, name)| *name)
        .collect()
}

/// Whether a verb of changing governs the word at `at`.
fn said_of(words: &[&str], at: usize) -> bool {
    let changes = |w: &str, endings: &[&str]| {
        [
            "fix", "correct", "repair", "debug", "edit", "modif", "rewrit", "refactor",
        ]
        .iter()
        .any(|stem| {
            w.strip_prefix(stem)
                .is_some_and(|rest| endings.contains(&rest))
        })
    };
    let plain = ["", "y", "e", "es", "s"];
    let leads = |w: &str| {
        matches!(
            w,
            "in" | "within"
                | "of"
                | "the"
                | "file"
                | "attached"
                | "attachment"
                | "script"
                | "provided"
        )
    };
    let before = &words[at.saturating_sub(7)..at];
    let verb = before.iter().rposition(|w| changes(w, &plain));
    let governed =
        verb.is_some_and(|v| v + 1 == before.len() || before.last().is_some_and(|w| leads(w)));
    let after = words.get(at + 1..).unwrap_or_default();
    let then = after.first().is_some_and(|w| *w == "after")
        && after
            .get(1)
            .is_some_and(|w| changes(w, &["ing", "ying", "ting"]));
    governed || then
}

/// Whether a name is that of a library on the web rather than of a file of the site: `Chart.js`, `bootstrap.min.css`.
#[must_use]
pub fn is_library(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(".min.js")
        || lower.ends_with(".min.css")
        || lower
            .strip_suffix(".js")
            .is_some_and(|stem| LIBRARIES.contains(&stem))
}

/// `making`, `minified`: what the sentence says besides, looked up once for all the names in it.
fn is_wanted(path: &str, sentence: &str, making: bool, minified: bool) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some(stem) = name.strip_suffix(".js") else {
        return true;
    };
    let listed = || {
        sentence
            .trim_start_matches([' ', '-', '*', '`'])
            .starts_with(path)
    };
    !LIBRARIES.contains(&stem.to_ascii_lowercase().as_str()) && !minified && (making || listed())
}

/// The names of text files in a sentence.
pub fn names(sentence: &str) -> impl Iterator<Item = &str> {
    words(sentence).filter(|word| {
        let stem = word
            .rsplit('/')
            .next()
            .and_then(|name| name.rsplit_once('.'))
            .map_or("", |(stem, _)| stem);
        stem.contains(|c: char| c.is_ascii_alphanumeric())
            && file_type::class(word) == Some(Class::Asked)
    })
}

/// The words of a sentence as paths have them, without URLs.
pub fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || "._-/@+".contains(c);
    // In `index.html?url=https://…/image.png` the name in front is one; what follows the address is part of it.
    let outside_urls = sentence.split_whitespace().map(|word| {
        let scheme = word.find("://");
        scheme.map_or(word, |at| {
            &word[..word[..at]
                .rfind(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(0)]
        })
    });
    outside_urls
        .flat_map(move |word| word.split(move |c| !inside(c)))
        .map(|word| {
            let word = word.trim_end_matches(['.', '/', '-']);
            word.strip_prefix("./")
                .or_else(|| word.strip_prefix('/'))
                .unwrap_or(word)
        })
        .filter(|word| !word.is_empty())
}

/// Lines, cut where a sentence ends. A dot inside a name is no end.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split("; "))
        .flat_map(|line| line.split_inclusive(". "))
        .map(str::trim)
        .filter(|s| !s.is_empty())
}

/// Whether a word is the path of a file, or with a slash at its end of a folder.
#[must_use]
pub fn is_file(word: &str) -> bool {
    let name = word
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let known = [
        "LICENSE",
        "LICENCE",
        "README",
        "Dockerfile",
        "Makefile",
        "CNAME",
        "Procfile",
        ".nojekyll",
        ".gitignore",
        ".gitattributes",
        ".env",
        "node_modules",
        "__pycache__",
        ".venv",
    ];
    if known.contains(&name) {
        return true;
    }
    let plain = !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/@+".contains(c))
        && !word.starts_with('/');
    plain
        && (word.ends_with('/') && name.chars().any(char::is_alphanumeric)
            || file_type::class(name).is_some())
}

#[cfg(test)]
mod tests;
