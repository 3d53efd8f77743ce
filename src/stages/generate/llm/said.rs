//! Counts of words and names of keys that the task states plainly of a file.

use std::cell::OnceCell;
use std::ops::RangeInclusive;

use super::findings::Finding;
use crate::request::required;
use crate::request::task::Task;
use crate::request::words::count;

/// What brief and checks say, taken apart once for all files.
pub struct Said<'a> {
    sources: Vec<(String, &'a str)>,
    sentences: Vec<Sentence<'a>>,
}

struct Sentence<'a> {
    /// The place of its source.
    source: usize,
    text: &'a str,
    /// Files that it names.
    names: Vec<&'a str>,
    counts: OnceCell<Vec<RangeInclusive<usize>>>,
}

impl<'a> Said<'a> {
    #[must_use]
    pub fn new(task: &'a Task) -> Self {
        let sources: Vec<_> = required::sources(task).collect();
        let mut sentences = Vec::new();
        for (source, (_, text)) in sources.iter().enumerate() {
            let all = required::sentences(text)
                .map(|text| (text, required::names(text).collect::<Vec<_>>()));
            let naming = all.filter(|(_, names)| !names.is_empty());
            sentences.extend(naming.map(|(text, names)| Sentence {
                source,
                text,
                names,
                counts: OnceCell::new(),
            }));
        }
        Self { sources, sentences }
    }

    /// Counts of words that brief or a check states plainly for this very file: "300-400 word", "exactly three words".
    pub fn words(&self, path: &str, text: &str, found: &mut Vec<Finding>) {
        if !matches!(path.rsplit('.').next(), Some("txt" | "md")) {
            return;
        }
        let there = count::words(text);
        for sentence in self.sentences.iter().filter(|s| s.names.contains(&path)) {
            let counts = sentence
                .counts
                .get_or_init(|| count::in_sentence(sentence.text));
            let by = self.sources.get(sentence.source).map_or("", |(by, _)| by);
            for range in counts.iter().filter(|range| !range.contains(&there)) {
                found.push(Finding::grave(format!(
                    "{path} has {there} words; {by} asks for {}.",
                    count::told(range)
                )));
            }
        }
    }

    /// Key names of a JSON file that brief or a check states plainly: `Fill in {city: "Delhi", lat: float}`, "has 'max' object".
    pub fn keys(&self, path: &str, text: &str, found: &mut Vec<Finding>) {
        let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
            return;
        };
        let mut wanted: Vec<(&str, String)> = Vec::new();
        // The brief is the first source.
        if let Some((by, brief)) = self.sources.first() {
            wanted.extend(
                shape_of(brief, path)
                    .into_iter()
                    .map(|key| (by.as_str(), key)),
            );
        }
        // The brief is passed over: its keys are those of the shape.
        let mut last = 0;
        for sentence in &self.sentences {
            // A check is about the file that it names first.
            let first = sentence.source != std::mem::replace(&mut last, sentence.source);
            let Some((by, check)) = self
                .sources
                .get(sentence.source)
                .filter(|_| first && sentence.names.first() == Some(&path))
            else {
                continue;
            };
            let key = check
                .split_once(" has ")
                .and_then(|(_, rest)| rest.split(['\'', '"', '`']).nth(1));
            let key =
                key.filter(|k| !k.is_empty() && k.chars().all(|c| c.is_alphanumeric() || c == '_'));
            wanted.extend(key.map(|key| (by.as_str(), key.to_owned())));
        }
        for (by, key) in wanted
            .into_iter()
            .filter(|(_, key)| !object.contains_key(key))
        {
            found.push(Finding::grave(format!(
                "{path} lacks the key {key:?}; {by} asks for it."
            )));
        }
    }
}

/// The top-level keys of the `{…}` that follows a file's name in the brief, before the next file is named.
fn shape_of(brief: &str, path: &str) -> Vec<String> {
    let Some(at) = brief.find(path) else {
        return vec![];
    };
    let rest = &brief[at + path.len()..];
    let Some(open) = rest.find('{') else {
        return vec![];
    };
    if required::names(&rest[..open]).next().is_some() {
        return vec![];
    }
    let (mut depth, mut keys, mut word, mut after_key, mut quote) =
        (0_usize, Vec::new(), String::new(), false, None);
    for c in rest[open..].chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) if depth == 1 && !after_key => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[' | '(') => depth += 1,
            (None, '}' | ']' | ')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return keys;
                }
            }
            (None, ':') if depth == 1 && !after_key => {
                let key = std::mem::take(&mut word).trim().to_owned();
                if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    return vec![];
                }
                keys.push(key);
                after_key = true;
            }
            (None, ',') if depth == 1 => {
                after_key = false;
                word.clear();
            }
            (None, c) if depth == 1 && !after_key => word.push(c),
            _ => {}
        }
    }
    // Never closed: not a shape.
    vec![]
}
