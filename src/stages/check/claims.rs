//! Plain language that files decide: read into claims, or not read at all.
//!
//! A text is a subject (one or more files) and one or more predicates joined by "and"; where any part of it is not understood,
//! nothing of it is: half a verdict would be a wrong one.

use crate::stages::task::Task;

/// What must hold of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Mit,
    Exists(String),
    Absent(String),
    /// Byte for byte the attachment of that name.
    Attachment {
        file: String,
        attachment: String,
    },
    Valid {
        file: String,
        format: Format,
    },
    /// A path of keys, with the type or value that is asked for.
    Key {
        file: String,
        path: Vec<String>,
        wants: Wants,
    },
    /// A page links to these.
    Links {
        file: String,
        to: Vec<String>,
    },
    Words {
        file: String,
        least: usize,
        most: usize,
    },
    Contains {
        file: String,
        text: String,
    },
    Lacks {
        file: String,
        text: String,
    },
    NotEmpty(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Svg,
    Xml,
    Csv,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    Anything,
    Kind(&'static str),
    Text(String),
}

/// The claims of a text, `None` where it is not one that files alone decide.
#[must_use]
pub fn read(text: &str, task: &Task) -> Option<Vec<Claim>> {
    let text = text.trim().trim_end_matches(['.', '!']).trim();
    let lower = text.to_lowercase();
    if is_licence(&lower) {
        return Some(vec![Claim::Mit]);
    }
    if is_required_files(&lower) {
        let files = required(task);
        return (!files.is_empty()).then(|| files.into_iter().map(Claim::Exists).collect());
    }
    let (subjects, rest) = subjects(text)?;
    let mut claims = Vec::new();
    for predicate in predicates(rest) {
        for file in &subjects {
            claims.extend(predicate_claims(file, predicate, task)?);
        }
    }
    (!claims.is_empty()).then_some(claims)
}

fn is_licence(lower: &str) -> bool {
    let licence = lower.contains("license") || lower.contains("licence");
    let words = |l: &str| l.split(|c: char| !c.is_alphanumeric()).any(|w| w == "mit");
    // "README names the MIT licence" is about another file.
    licence
        && words(lower)
        && !lower.contains("readme")
        && !lower.contains("footer")
        && !lower.contains("page ")
        && !lower.contains(".html")
}

fn is_required_files(lower: &str) -> bool {
    let all = ["each required file", "every required file", "all required files", "all the required files", "required files"];
    let there = [" exists", " exist", " are present", " is present", " are committed", " is committed"];
    all.iter().any(|a| lower.starts_with(a)) && there.iter().any(|t| lower.contains(t))
}

/// Known extensions: what ends otherwise is more likely a host or a field.
const EXTENSIONS: [&str; 46] = [
    "html",
    "htm",
    "css",
    "js",
    "mjs",
    "ts",
    "json",
    "csv",
    "tsv",
    "md",
    "txt",
    "svg",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "ico",
    "pdf",
    "xml",
    "yml",
    "yaml",
    "py",
    "ipynb",
    "xlsx",
    "xls",
    "toml",
    "sh",
    "rs",
    "go",
    "java",
    "rb",
    "php",
    "sql",
    "log",
    "zip",
    "wasm",
    "mp3",
    "mp4",
    "wav",
    "webm",
    "woff2",
    "parquet",
    "db",
    "lock",
    "webmanifest",
];

/// Whether a word is the path of a file.
#[must_use]
pub fn is_file(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    if matches!(name, "LICENSE" | "LICENCE" | "README" | "Dockerfile" | "Makefile" | ".nojekyll" | ".gitignore" | "CNAME") {
        return true;
    }
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) && !word.starts_with('/');
    plain && name.rsplit_once('.').is_some_and(|(stem, e)| !stem.is_empty() && EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// A word without what punctuation has put around it.
fn stripped(word: &str) -> &str {
    let word = word.trim_matches(|c: char| "`'\"()[]{}<>,;:*".contains(c)).trim_end_matches(['.', '?', '!']);
    word.strip_prefix("./").unwrap_or(word)
}

/// `a.txt, b.txt and c.txt` at the beginning, and what follows.
fn subjects(text: &str) -> Option<(Vec<String>, &str)> {
    let mut files = Vec::new();
    let mut rest = text;
    loop {
        let word = rest.split_whitespace().next()?;
        let after = rest.trim_start()[word.len()..].trim_start();
        let joins = word.ends_with(',') || matches!(after.split_whitespace().next(), Some("and" | "&" | "or"));
        match stripped(word) {
            name if is_file(name) => {
                files.push(name.to_owned());
                rest = after;
                if !joins {
                    return Some((files, rest));
                }
            }
            "and" | "&" if !files.is_empty() => {
                // "a.json exists and …": what follows "and" must be a file, too.
                if !after.split_whitespace().next().map(stripped).is_some_and(is_file) {
                    return None;
                }
                rest = after;
            }
            "The" | "the" | "File" | "file" | "Both" | "both" | "A" | "a" if files.is_empty() => rest = after,
            _ => return None,
        }
    }
}

/// "exists and is valid JSON" → "exists", "is valid JSON".
fn predicates(text: &str) -> Vec<&str> {
    let verbs =
        ["is ", "are ", "has ", "have ", "contains ", "contain ", "exists", "exist", "does ", "do ", "matches ", "links ", "equals "];
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, joint) in text.match_indices(" and ").chain(text.match_indices(", ")).collect::<std::collections::BTreeMap<_, _>>() {
        let next = &text[at + joint.len()..];
        if verbs.iter().any(|v| next.starts_with(v)) {
            parts.push(text[start..at].trim());
            start = at + joint.len();
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn predicate_claims(file: &str, predicate: &str, task: &Task) -> Option<Vec<Claim>> {
    let lower = predicate.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower == *w || lower.starts_with(&format!("{w} ")));
    let own = || file.to_owned();
    let one = |claim| Some(vec![claim]);
    // Said of more than the files: what a workflow did, what is on a page.
    if ["published", "by the workflow", "in ci", "actions", "page displays"].iter().any(|w| lower.contains(w)) {
        return None;
    }
    if has(&[
        "does not exist",
        "do not exist",
        "is not committed",
        "are not committed",
        "is not present",
        "must not exist",
        "is absent",
        "must not be committed",
        "should not be committed",
    ]) {
        return one(Claim::Absent(own()));
    }
    let there = ["exists", "exist", "is present", "are present", "is committed", "are committed", "all exist", "must exist", "is included"];
    let places = [
        "",
        "on github",
        "in the repository",
        "in the repo",
        "in repo",
        "at the root",
        "in root",
        "at root",
        "in the root",
        "in the repository root",
    ];
    if let Some(verb) = there.iter().find(|v| lower.starts_with(**v)) {
        if places.contains(&lower[verb.len()..].trim()) {
            return one(Claim::Exists(own()));
        }
        if lower[verb.len()..].trim() == "as-is" {
            return attachment(file, task).map(|claim| vec![claim]);
        }
    }
    if has(&["is not empty", "are not empty", "is non-empty"]) {
        return one(Claim::NotEmpty(own()));
    }
    if ["matches", "equals", "is identical to", "is the same as", "is the"].iter().any(|v| lower.starts_with(v)) && lower.contains("attach")
    {
        let other = predicate.split_whitespace().map(stripped).find(|w| is_file(w));
        return if other.is_none_or(|o| o == file) { attachment(file, task).map(|claim| vec![claim]) } else { None };
    }
    if let Some(format) = ["is valid ", "is well-formed ", "are valid ", "is a valid "].iter().find_map(|v| lower.strip_prefix(v)) {
        let format = match format.trim_end_matches(" file").trim_end_matches(" document") {
            "json" => Format::Json,
            "svg" => Format::Svg,
            "xml" => Format::Xml,
            "csv" => Format::Csv,
            _ => return None,
        };
        return one(Claim::Valid { file: own(), format });
    }
    if lower.starts_with("links to all") || lower.starts_with("link to all") {
        let to: Vec<String> = linked(file, task);
        return if to.is_empty() { None } else { one(Claim::Links { file: own(), to }) };
    }
    if lower.starts_with("links to ") {
        let to: Vec<String> =
            predicate[9..].split([' ', ',']).map(stripped).filter(|w| !w.is_empty() && *w != "and").map(str::to_owned).collect();
        return if !to.is_empty() && to.iter().all(|f| is_file(f)) { one(Claim::Links { file: own(), to }) } else { None };
    }
    words(&lower)
        .map(|(least, most)| vec![Claim::Words { file: own(), least, most }])
        .or_else(|| text_claim(file, predicate, &lower))
        .or_else(|| keys(file, predicate, &lower))
}

fn attachment(file: &str, task: &Task) -> Option<Claim> {
    let name = file.rsplit('/').next()?;
    let known = task.attachments.iter().find(|a| a.name.as_str() == file || a.name.as_str().rsplit('/').next() == Some(name))?;
    Some(Claim::Attachment { file: file.to_owned(), attachment: known.name.to_string() })
}

const NUMBERS: [&str; 13] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

fn number(word: &str) -> Option<usize> {
    NUMBERS.iter().position(|n| *n == word).or_else(|| word.replace(',', "").parse().ok())
}

/// "contains exactly three words", "is 300-400 words long", "has between 300 and 400 words", "has at least 50 words".
fn words(lower: &str) -> Option<(usize, usize)> {
    let text = lower.replace(['–', '—', '-'], " - ").replace(" - ", "-");
    let mut all: Vec<&str> = text.split_whitespace().collect();
    let verb = all.first().copied()?;
    if !["is", "has", "contains", "are", "have", "contain"].contains(&verb) {
        return None;
    }
    all.remove(0);
    while all.last().is_some_and(|w| matches!(*w, "long" | "story" | "of" | "text" | "total" | "in")) {
        all.pop();
    }
    match all.as_slice() {
        ["exactly" | "just" | "only", n, "words" | "word"] | [n, "words" | "word"] if !n.contains('-') => {
            let n = number(n)?;
            Some((n, n))
        }
        ["between", a, "and" | "to", b, "words"] | [a, "to", b, "words"] => Some((number(a)?, number(b)?)),
        ["at", "least", n, "words"] => Some((number(n)?, usize::MAX)),
        ["at", "most", n, "words"] | ["fewer" | "less", "than", n, "words"] => Some((0, number(n)?)),
        ["a" | "between", range, "words" | "word"] | [range, "words" | "word"] => {
            let (a, b) = range.split_once('-')?;
            Some((number(a)?, number(b)?))
        }
        [range] => {
            let (a, b) = range.strip_suffix("-word")?.split_once('-')?;
            Some((number(a)?, number(b)?))
        }
        _ => None,
    }
}

/// What stands in quotes, each with what comes before it.
fn quoted(text: &str) -> Vec<(&str, &str)> {
    super::code::Literals::of(text).map(|l| (l.before, l.text)).collect()
}

/// "contains "x"", "does not contain the typo "x"": nothing but a few words beside the quotation.
fn text_claim(file: &str, predicate: &str, lower: &str) -> Option<Vec<Claim>> {
    let (negative, rest) = match () {
        () if lower.starts_with("does not contain") => (true, 16),
        () if lower.starts_with("doesn't contain") => (true, 15),
        () if lower.starts_with("must not contain") => (true, 16),
        () if lower.starts_with("contains") => (false, 8),
        () if lower.starts_with("includes") => (false, 8),
        () if lower.starts_with("mentions") => (false, 8),
        () => return None,
    };
    let rest = predicate.get(rest..)?;
    let found = quoted(rest);
    let fillers = ["", "the", "typo", "string", "text", "word", "phrase", "a", "an", "and", "or", "literal", "line", "misspelling"];
    let plain = |before: &str| before.split([' ', ',']).all(|w| fillers.contains(&w));
    let last = rest.rfind(['"', '\'', '`']).map_or("", |at| &rest[at + 1..]);
    if found.is_empty() || !found.iter().all(|(before, text)| plain(before) && !text.is_empty()) || !last.trim().is_empty() {
        return None;
    }
    let claim = |text: &str| {
        let (file, text) = (file.to_owned(), text.to_owned());
        if negative { Claim::Lacks { file, text } } else { Claim::Contains { file, text } }
    };
    Some(found.into_iter().map(|(_, text)| claim(text)).collect())
}

/// "has 'entityName' field matching 'Biogen'", "has 'max' object with 'val' (number) and 'fy' (string) fields", "has keys a, b and c".
fn keys(file: &str, predicate: &str, lower: &str) -> Option<Vec<Claim>> {
    if !file.to_ascii_lowercase().ends_with(".json") || !["has ", "have ", "contains ", "contain "].iter().any(|v| lower.starts_with(v)) {
        return None;
    }
    let claim = |path: Vec<String>, wants| Claim::Key { file: file.to_owned(), path, wants };
    let named: Vec<(&str, &str)> = quoted(predicate);
    if named.is_empty() {
        let at = ["the keys ", "keys ", "key ", "the fields ", "fields ", "field "].iter().find_map(|w| Some(lower.find(w)? + w.len()))?;
        let words: Vec<&str> = predicate.get(at..)?.split([' ', ',', ':']).filter(|w| !w.is_empty() && *w != "and").collect();
        let plain = |w: &&str| w.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '.');
        return (!words.is_empty() && words.iter().all(plain))
            .then(|| words.iter().map(|n| claim(n.split('.').map(str::to_owned).collect(), Wants::Anything)).collect());
    }
    let tail = predicate.rfind(['"', '\'', '`']).map_or("", |at| &predicate[at + 1..]);
    let known = [
        "has",
        "have",
        "contains",
        "contain",
        "a",
        "an",
        "the",
        "and",
        "with",
        "field",
        "fields",
        "key",
        "keys",
        "object",
        "property",
        "properties",
        "number",
        "string",
        "boolean",
        "array",
        "matching",
        "equal",
        "to",
        "set",
        "of",
        "value",
        "top-level",
        "it",
    ];
    let understood =
        |text: &str| text.split(|c: char| " ,():".contains(c)).all(|w| w.is_empty() || known.contains(&w.to_lowercase().as_str()));
    if !named.iter().all(|(before, _)| understood(before)) || !understood(tail) {
        return None;
    }
    let mut claims: Vec<Claim> = Vec::new();
    let mut parent: Option<String> = None;
    for (n, (before, name)) in named.iter().enumerate() {
        let after = named.get(n + 1).map_or(tail, |(before, _)| *before);
        let says = |word: &str| after.split(|c: char| " ,():".contains(c)).any(|w| w.eq_ignore_ascii_case(word));
        let before_says = |word: &str| before.split(' ').any(|w| w.eq_ignore_ascii_case(word));
        if n > 0 && ["matching", "equal", "value"].iter().any(|w| before_says(w)) {
            match claims.last_mut() {
                Some(Claim::Key { wants, .. }) => *wants = Wants::Text((*name).to_owned()),
                _ => return None,
            }
            continue;
        }
        if before_says("with") && n > 0 {
            parent = named.get(n - 1).map(|(_, p)| (*p).to_owned());
        }
        let kinds = ["number", "string", "boolean", "array", "object"];
        let wants = kinds.into_iter().find(|k| says(k)).map_or(Wants::Anything, Wants::Kind);
        claims.push(claim(parent.iter().cloned().chain(name.split('.').map(str::to_owned)).collect(), wants));
    }
    Some(claims)
}

/// The files that the brief asks for: its bullets that begin with one, otherwise all that it names.
#[must_use]
pub fn required(task: &Task) -> Vec<String> {
    let bullets: Vec<String> = bullets(&task.brief);
    let mut files = if bullets.len() > 1 { bullets } else { named(&task.brief) };
    let unwanted: Vec<String> = task.brief.lines().filter(|l| l.to_lowercase().contains("not commit")).flat_map(named).collect();
    files.retain(|f| !unwanted.contains(f));
    files.dedup();
    files
}

/// Files at the beginning of a list item.
fn bullets(brief: &str) -> Vec<String> {
    let item = |line: &str| {
        let rest = line.trim_start().strip_prefix(['-', '*', '•'])?;
        let word = stripped(rest.split_whitespace().next()?);
        is_file(word).then(|| word.to_owned())
    };
    brief.lines().filter_map(item).collect()
}

fn named(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in text.split_whitespace().filter(|w| !w.contains("://")) {
        let word = stripped(word);
        let word = word.split('?').next().unwrap_or(word);
        if is_file(word) && !all.iter().any(|f| f == word) {
            all.push(word.to_owned());
        }
    }
    all
}

/// What a homepage links to: the files before it in the list, "all the above"; otherwise all others but the repository's own.
fn linked(page: &str, task: &Task) -> Vec<String> {
    let bullets = bullets(&task.brief);
    let above: Vec<String> = bullets.iter().take_while(|f| *f != page).cloned().collect();
    if bullets.iter().any(|f| f == page) && !above.is_empty() {
        return above;
    }
    required(task).into_iter().filter(|f| f != page && !f.starts_with("LICEN") && !f.starts_with("README") && !f.starts_with('.')).collect()
}
