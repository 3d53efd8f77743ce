//! Which files a task asks for, drawn from its brief and checks.
//!
//! A name counts where it stands as a word of its own with the ending of a text file; what is part of a URL does not, nor the name of
//! a library (`highlight.js`). A sentence that says not to commit a file forbids it. JavaScript checks name selectors rather
//! than files and are left out. It is better to miss a name than to make one up: what is missed is still in the brief.

use std::collections::{BTreeMap, BTreeSet};

use crate::stages::task::{Check, Task};
use crate::values::RelPath;

/// Endings of files that a model can write.
const ENDINGS: [&str; 21] = [
    "html",
    "htm",
    "css",
    "js",
    "mjs",
    "json",
    "geojson",
    "webmanifest",
    "csv",
    "tsv",
    "txt",
    "md",
    "svg",
    "xml",
    "yml",
    "yaml",
    "toml",
    "py",
    "ipynb",
    "sh",
    "sql",
];

/// Words by which a sentence that names a `.js` file means a file rather than a library.
const MAKING: [&str; 11] = ["exist", "create", "write", "add ", "commit", "named", "called", "file", "separate", "put ", "save"];
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
            let paths: Vec<RelPath> = names(sentence).filter_map(|n| RelPath::parse(n).ok()).collect();
            if FORBIDDING.iter().any(|f| low.contains(f)) {
                found.forbidden.extend(paths);
                continue;
            }
            // "There is no result.json."
            let (denied, paths): (Vec<RelPath>, Vec<RelPath>) =
                paths.into_iter().partition(|p| low.contains(&format!("no {}", p.as_str().to_ascii_lowercase())));
            found.forbidden.extend(denied);
            if low.contains("convert") {
                let sheet = words(sentence).filter(|w| is_sheet(w)).find_map(|w| RelPath::parse(w).ok());
                let csv = paths.iter().find(|p| p.as_str().to_ascii_lowercase().ends_with(".csv"));
                found.conversions.extend(sheet.zip(csv.cloned()));
            }
            for path in paths.into_iter().filter(|p| is_wanted(p.as_str(), sentence)) {
                found.files.entry(path).or_insert_with(|| source.clone());
            }
        }
    }
    if let Ok(index) = RelPath::parse("index.html") {
        found.files.entry(index).or_insert_with(|| "the page".to_owned());
    }
    found.files.retain(|path, _| !found.forbidden.contains(path));
    found
}

/// The files that "each required file" speaks of, whatever can be told of them: list items of the brief that begin with one, or what
/// its text asks for, and the licence and README that every task wants where it names them.
#[must_use]
pub fn files(task: &Task) -> Vec<String> {
    let listed = listed(&task.brief);
    let found = required(task);
    // What a check names it may just as well forbid.
    let in_brief =
        found.files.iter().filter(|(path, by)| *by == "the brief" || path.as_str() == "index.html").map(|(path, _)| path.to_string());
    let mut files: Vec<String> = if listed.len() > 1 { listed } else { in_brief.collect() };
    files.extend(task.attachments.iter().map(|a| a.name.to_string()).filter(|name| words(&task.brief).any(|w| w == name)));
    files.retain(|f| !found.forbidden.iter().any(|no| no.as_str() == f));
    let mut seen = BTreeSet::new();
    files.retain(|f| seen.insert(f.clone()));
    files
}

/// What a homepage links to: the files before it in the list, "all the above"; otherwise all others but the repository's own.
#[must_use]
pub fn linked(page: &str, task: &Task) -> Vec<String> {
    let listed = listed(&task.brief);
    let above: Vec<String> = listed.iter().take_while(|f| *f != page).cloned().collect();
    if listed.iter().any(|f| f == page) && !above.is_empty() {
        return above;
    }
    files(task).into_iter().filter(|f| f != page && !f.starts_with("LICEN") && !f.starts_with("README") && !f.starts_with('.')).collect()
}

/// Files at the beginning of a list item.
fn listed(brief: &str) -> Vec<String> {
    let item = |line: &str| {
        let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(['-', '*', '•', '.', ')'])?;
        let first = rest.trim_start_matches(['*', '`', ' ']);
        let word = words(first).next().filter(|w| first.starts_with(w))?;
        is_file(word).then(|| word.to_owned())
    };
    brief.lines().filter_map(item).collect()
}

/// Brief and checks with what they are called, JavaScript left out.
pub fn sources(task: &Task) -> impl Iterator<Item = (String, &str)> {
    let checks = task.checks.iter().enumerate().filter(|(_, c)| !matches!(c, Check::Js(_)));
    std::iter::once(("the brief".to_owned(), task.brief.as_str())).chain(checks.map(|(n, c)| (format!("check {}", n + 1), c.text())))
}

/// Whether the brief asks for an attachment to be changed: "fix execute.py", "commit execute.py after fixing …". It must be
/// said of the file itself; that a page which uses it is to be changed does not count.
#[must_use]
pub fn to_change(task: &Task, name: &RelPath) -> bool {
    sentences(&task.brief).any(|sentence| {
        let low = sentence.to_ascii_lowercase();
        let stays = ["as-is", "as is", "unchanged", "unmodified", "do not change", "don't change"].iter().any(|w| low.contains(w));
        let all: Vec<String> = words(&low).map(str::to_owned).collect();
        let name = name.as_str().to_ascii_lowercase();
        !stays && all.iter().enumerate().filter(|(_, w)| **w == name).any(|(at, _)| said_of(&all, at))
    })
}

/// Whether a verb of changing governs the word at `at`.
fn said_of(words: &[String], at: usize) -> bool {
    let changes = |w: &String, endings: &[&str]| {
        ["fix", "correct", "repair", "debug", "edit", "modif", "rewrit", "refactor"]
            .iter()
            .any(|stem| w.strip_prefix(stem).is_some_and(|rest| endings.contains(&rest)))
    };
    let plain = ["", "y", "e", "es", "s"];
    let leads = |w: &str| matches!(w, "in" | "within" | "of" | "the" | "file" | "attached" | "attachment" | "script" | "provided");
    let before = &words[at.saturating_sub(7)..at];
    let verb = before.iter().rposition(|w| changes(w, &plain));
    let governed = verb.is_some_and(|v| v + 1 == before.len() || before.last().is_some_and(|w| leads(w)));
    let after = words.get(at + 1..).unwrap_or_default();
    let then = after.first().is_some_and(|w| w == "after") && after.get(1).is_some_and(|w| changes(w, &["ing", "ying", "ting"]));
    governed || then
}

/// Whether a name is that of a library on the web rather than of a file of the site: `Chart.js`, `bootstrap.min.css`.
#[must_use]
pub fn is_library(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(".min.js") || lower.ends_with(".min.css") || lower.strip_suffix(".js").is_some_and(|stem| LIBRARIES.contains(&stem))
}

fn is_wanted(path: &str, sentence: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some(stem) = name.strip_suffix(".js") else { return true };
    let low = sentence.to_ascii_lowercase();
    let listed = sentence.trim_start().trim_start_matches(['-', '*', ' ', '`']).starts_with(path);
    !LIBRARIES.contains(&stem.to_ascii_lowercase().as_str())
        && !low.contains(".min.js")
        && (listed || MAKING.iter().any(|m| low.contains(m)))
}

/// Whether a word is the name of a spreadsheet.
#[must_use]
pub fn is_sheet(word: &str) -> bool {
    [".xlsx", ".xlsm", ".xls", ".ods"].iter().any(|e| word.to_ascii_lowercase().ends_with(e))
}

/// The names of text files in a sentence.
pub fn names(sentence: &str) -> impl Iterator<Item = &str> {
    words(sentence).filter(|word| {
        let name = word.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        name.rsplit_once('.').is_some_and(|(stem, ending)| stem.contains(|c: char| c.is_ascii_alphanumeric()) && ENDINGS.contains(&ending))
    })
}

/// The words of a sentence as paths have them, without URLs.
pub fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || "._-/@+".contains(c);
    // In `index.html?url=https://…/image.png` the name in front is one; what follows the address is part of it.
    let outside_urls = sentence.split_whitespace().map(|word| {
        let scheme = word.find("://");
        scheme.map_or(word, |at| &word[..word[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(0)])
    });
    outside_urls
        .flat_map(move |word| word.split(move |c| !inside(c)))
        .map(|word| {
            let word = word.trim_end_matches(['.', '/', '-']);
            word.strip_prefix("./").or_else(|| word.strip_prefix('/')).unwrap_or(word)
        })
        .filter(|word| !word.is_empty())
}

/// Lines, cut where a sentence ends. A dot inside a name is no end.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split("; ")).flat_map(|line| line.split_inclusive(". ")).map(str::trim).filter(|s| !s.is_empty())
}

/// Known extensions: what ends otherwise is more likely a host or a field.
const EXTENSIONS: &str = " html htm css js mjs cjs ts jsx tsx json geojson jsonl csv tsv md txt rst svg png jpg jpeg gif webp avif ico pdf xml yml yaml \
    py ipynb xlsx xls ods docx pptx toml ini cfg sh bat ps1 rs go java kt rb php c h cpp cs swift r sql log zip gz tar wasm mp3 mp4 wav webm woff woff2 \
    ttf otf parquet db sqlite lock webmanifest map env example tex bib rss atom ";

/// Whether a word is the path of a file, or with a slash at its end of a folder.
#[must_use]
pub fn is_file(word: &str) -> bool {
    let name = word.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
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
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/@+".contains(c)) && !word.starts_with('/');
    let ending = |(stem, ending): (&str, &str)| !stem.is_empty() && EXTENSIONS.contains(&format!(" {} ", ending.to_ascii_lowercase()));
    plain && (word.ends_with('/') && name.chars().any(char::is_alphanumeric) || name.rsplit_once('.').is_some_and(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(brief: &str, checks: &[&str]) -> Task {
        let json = serde_json::json!({"email": "e", "task": "t", "brief": brief, "checks": checks});
        Task::parse(json.to_string().as_bytes()).unwrap()
    }

    fn asked(brief: &str, checks: &[&str]) -> Vec<String> {
        required(&task(brief, checks)).files.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn nine_files() {
        let brief = "Create:\n- ashravan.txt: a story.\n- dilemma.json: Fill in {x}\n- about.md: three words\n- index.html: links\n- LICENSE: MIT\n- uid.txt: as-is\n";
        assert_eq!(
            asked(brief, &["pelican.svg is valid SVG"]),
            ["about.md", "ashravan.txt", "dilemma.json", "index.html", "pelican.svg", "uid.txt"]
        );
    }

    #[test]
    fn what_is_no_file_of_the_site() {
        let brief = "Use marked and highlight.js from https://cdn.example/x.js, ?url=https://x.example/a.json, and fetch('https://y.example/b.json'). Node.js too. e.g. this.";
        assert_eq!(asked(brief, &["js: fetch('c.json')"]), ["index.html"]);
        assert_eq!(asked("Write the functions to app.js. Open index.html?CIK=1", &[]), ["app.js", "index.html"]);
    }

    #[test]
    fn forbidden_wins() {
        let brief = "- Convert data.xlsx to data.csv and commit it.\n- Runs: python execute.py > result.json\n- Add .github/workflows/ci.yml\n- Do not commit result.json; it is made in CI.";
        let found = required(&task(brief, &["result.json is NOT committed"]));
        assert_eq!(found.forbidden.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["result.json"]);
        assert_eq!(
            found.files.keys().map(RelPath::as_str).collect::<Vec<_>>(),
            [".github/workflows/ci.yml", "data.csv", "execute.py", "index.html"]
        );
        assert!(found.workflows && found.conversions.len() == 1);
        assert!(!required(&task("Make a page", &[])).workflows);
        for check in ["There is no result.json", "Repo must not contain result.json", "No result.json in the repository"] {
            let task = task("Publish index.html and a.txt", &[check, "Each required file exists"]);
            assert_eq!(
                (required(&task).forbidden.len(), super::files(&task)),
                (1, vec!["a.txt".to_owned(), "index.html".to_owned()]),
                "{check}"
            );
        }
    }

    #[test]
    fn attachments_that_are_to_be_changed() {
        let path = RelPath::parse("execute.py").unwrap();
        for brief in [
            "Commit execute.py after fixing the non-trivial error in it.",
            "Fix execute.py",
            "Correct the error in execute.py.",
            "Please fix the bug in the attached `execute.py`",
            "Modify execute.py so that it runs",
        ] {
            assert!(to_change(&task(brief, &[]), &path), "{brief}");
        }
        for brief in [
            "Commit execute.py as-is",
            "Fix the page so that execute.py is shown",
            "Update the page with execute.py",
            "Show execute.py",
            "Fix main.py and show execute.py",
            "Fix the error but keep execute.py unchanged",
        ] {
            assert!(!to_change(&task(brief, &[]), &path), "{brief}");
        }
    }

    #[test]
    fn what_is_a_file() {
        for file in ["a.txt", "docs/a.md", ".github/workflows/ci.yml", "LICENSE", "docs/", ".env", ".env.example", "node_modules"] {
            assert!(is_file(file), "{file}");
        }
        for other in ["max.val", "e.g", "example.com", "/", "a.b.", "", "300-400", "document.title", "and/or"] {
            assert!(!is_file(other), "{other}");
        }
    }
}
