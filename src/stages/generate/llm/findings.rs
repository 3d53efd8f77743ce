//! What can be seen to be wrong with an app without opening it, said in such a way that a model can put it right.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::said::Said;
use crate::content::html::{self, Page};
use crate::content::xml;
use crate::request::required::Required;
use crate::request::task::{Check, Task};
use crate::values::RelPath;

/// Something that is wrong with an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Whether the app falls short of the task, rather than of good form.
    pub grave: bool,
    /// What is wrong, in a sentence or two that name the file.
    pub text: String,
}

impl Finding {
    #[must_use]
    pub fn grave(text: impl Into<String>) -> Self {
        Self {
            grave: true,
            text: text.into(),
        }
    }

    #[must_use]
    pub fn minor(text: impl Into<String>) -> Self {
        Self {
            grave: false,
            text: text.into(),
        }
    }
}

/// An app as it would stand.
pub struct View<'a> {
    pub task: &'a Task,
    pub required: &'a Required,
    /// What the model wrote.
    pub written: &'a BTreeMap<RelPath, Vec<u8>>,
    /// Every path of the site, attachments and what stays included.
    pub paths: &'a BTreeSet<String>,
}

/// All findings, in a stable order.
#[must_use]
pub fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, by) in &view.required.files {
        if !view.paths.contains(path.as_str()) {
            found.push(Finding::grave(format!(
                "{path} is missing; {by} asks for it."
            )));
        }
    }
    for path in view
        .required
        .forbidden
        .iter()
        .filter(|p| view.written.contains_key(p))
    {
        found.push(Finding::grave(format!(
            "{path} must not be committed; leave it out."
        )));
    }
    let said = Said::new(view.task);
    for (path, bytes) in view.written {
        match std::str::from_utf8(bytes) {
            Ok(text) => file(view, &said, path.as_str(), text, &mut found),
            Err(_) => found.push(Finding::grave(format!("{path} is not UTF-8."))),
        }
    }
    found.sort();
    found.dedup();
    found
}

fn file(view: &View<'_>, said: &Said<'_>, path: &str, text: &str, found: &mut Vec<Finding>) {
    let ending = path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if text.trim().is_empty() && !path.ends_with(".gitkeep") && !path.ends_with("__init__.py") {
        found.push(Finding::grave(format!("{path} is empty.")));
        return;
    }
    match ending.as_str() {
        "json" | "geojson" | "webmanifest" => {
            if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
                found.push(Finding::grave(format!(
                    "{path} is not valid JSON: {e}. It must hold JSON alone."
                )));
            } else {
                said.keys(path, text, found);
            }
        }
        "svg" | "xml" => {
            if let Err(why) = drawing(text, ending == "svg") {
                found.push(Finding::grave(format!(
                    "{path} is not valid {}: {why}.",
                    ending.to_ascii_uppercase()
                )));
            }
        }
        "html" | "htm" => html(view, path, text, found),
        _ => {}
    }
    if ending != "md" {
        let mut lines = text.lines().filter(|l| !l.trim().is_empty());
        let fence = |l: Option<&str>| l.is_some_and(|l| l.trim_start().starts_with("```"));
        if fence(lines.next()) || fence(lines.next_back()) {
            found.push(Finding::grave(format!(
                "{path} begins or ends with a ``` fence; send the content alone."
            )));
        }
    }
    if matches!(
        ending.as_str(),
        "html" | "htm" | "css" | "js" | "mjs" | "py" | "json" | "yml" | "yaml"
    ) && let Some(line) = elision(text)
    {
        found.push(Finding::grave(format!(
            "{path} leaves something out ({line:?}); send the whole file."
        )));
    }
    said.words(path, text, found);
}

/// What keeps a text from being XML, and from being shown as SVG. It may still not be a good drawing.
fn drawing(text: &str, svg: bool) -> Result<(), String> {
    let root = xml::root(text)?;
    match root {
        _ if !svg => Ok(()),
        _ if !root.is_svg() => Err(format!("the root element is <{}>, not <svg>", root.name)),
        _ if !root.svg_namespace => {
            Err("<svg> lacks xmlns=\"http://www.w3.org/2000/svg\"".to_owned())
        }
        _ => Ok(()),
    }
}

/// A line by which a model says that it did not write everything.
fn elision(text: &str) -> Option<&str> {
    const MARKS: [&str; 5] = ["//", "/*", "<!--", "#", "..."];
    const SAYINGS: [&str; 14] = [
        "rest of the",
        "remaining code",
        "existing code",
        "code unchanged",
        "remains unchanged",
        "remains the same",
        "same as before",
        "unchanged ...",
        "your code here",
        "code goes here",
        "omitted for brevity",
        "for brevity",
        "previous code",
        "implement the rest",
    ];
    text.lines().map(str::trim).find(|line| {
        let low = line.to_ascii_lowercase();
        let comment =
            MARKS.iter().any(|m| low.starts_with(m)) || low.contains("/*") || low.contains("<!--");
        let dots = low.contains("...") || low.contains('…');
        // "rest of the" alone stands in ordinary comments too.
        let strong = SAYINGS.iter().any(|s| {
            low.contains(s)
                && (*s != "rest of the" && *s != "existing code"
                    || dots
                    || low.contains("unchanged")
                    || low.contains("same"))
        });
        line.len() < 160 && comment && strong
    })
}

fn html(view: &View<'_>, path: &str, text: &str, found: &mut Vec<Finding>) {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("</html>") {
        found.push(Finding::grave(format!(
            "{path} does not end with </html>: it was cut off, or is no whole page."
        )));
    }
    let mut dead = BTreeSet::new();
    let page = Page::read(text);
    for link in page.local_links() {
        if link.starts_with('/') {
            found.push(Finding::grave(format!(
                "{path} refers to {link:?}: the site stands under a folder, so write it relative, without the leading slash."
            )));
            continue;
        }
        let target = html::resolve(path, link);
        if !target.as_ref().is_some_and(|t| view.paths.contains(t)) {
            dead.insert(link);
        }
    }
    for link in dead {
        found.push(Finding::grave(format!(
            "{path} refers to {link:?}, and there is no such file."
        )));
    }
    let scripts: Vec<_> = page.named(&["script"]).collect();
    for source in scripts
        .iter()
        .filter_map(|s| s.get("src"))
        .chain(page.named(&["link"]).filter_map(|l| l.get("href")))
    {
        if is_unpinned(source) {
            found.push(Finding::minor(format!(
                "{path} loads {source} without a version; pin one that exists, such as name@1.2.3."
            )));
        }
    }
    let first_matters = view.task.checks.iter().any(|c| {
        let quoted = |q| c.text().contains(&format!("querySelector({q}script{q})"));
        quoted('"') || quoted('\'') || quoted('`')
    });
    let external = scripts.first().is_some_and(|s| s.get("src").is_some());
    if first_matters
        && external
        && scripts
            .iter()
            .any(|s| s.get("src").is_none() && !s.source().trim().is_empty())
    {
        found.push(Finding::grave(format!(
            "{path}: a check looks at the first <script>; put the inline code of the app before all script tags with src."
        )));
    }
}

/// A package of a known CDN without its version.
fn is_unpinned(url: &str) -> bool {
    let package = ["cdn.jsdelivr.net/npm/", "unpkg.com/"]
        .iter()
        .find_map(|host| url.split_once(host))
        .map(|(_, p)| p);
    package.is_some_and(|p| {
        let name = p.strip_prefix('@').unwrap_or(p);
        // `@scope/name@1`, `name@1`, `combine/…`
        !name.contains('@') && !p.starts_with("combine/")
    })
}

/// Whether a check can be judged by a program at all. One with an unresolved placeholder cannot.
#[must_use]
pub fn how_judged(check: &Check) -> &'static str {
    match check {
        Check::Js(js) if js.contains("${") && !js.contains('`') => {
            "JavaScript with a placeholder that was not filled in; do what it means where you can"
        }
        Check::Js(_) => "JavaScript, evaluated in the loaded page; must come out truthy",
        Check::Text(_) | Check::Other(_) => {
            "judged by a person or a program that reads the repository and opens the page"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(brief: &str, checks: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        let json = serde_json::json!({"email": "e", "task": "t", "brief": brief, "checks": checks});
        let task = Task::parse(json.to_string().as_bytes()).unwrap();
        let written: BTreeMap<RelPath, Vec<u8>> = files
            .iter()
            .map(|(p, t)| (RelPath::parse(p).unwrap(), t.as_bytes().to_vec()))
            .collect();
        let paths = written.keys().map(ToString::to_string).collect();
        let required = crate::request::required::required(&task);
        findings(&View {
            task: &task,
            required: &required,
            written: &written,
            paths: &paths,
        })
        .into_iter()
        .map(|f| f.text)
        .collect()
    }

    const PAGE: (&str, &str) = ("index.html", "<!doctype html><html></html>");

    #[test]
    fn each_finding_names_file_and_fault() {
        for (brief, file, said) in [
            ("Make a.json", ("a.json", "{\"a\": 1,}"), "not valid JSON"),
            (
                "Make a.svg",
                (
                    "a.svg",
                    "<svg xmlns=\"http://www.w3.org/2000/svg\"><g></svg>",
                ),
                "not valid SVG",
            ),
            ("Make a.svg", ("a.svg", "<svg/>"), "lacks xmlns"),
            ("Make a.svg", ("a.svg", "a pelican"), "not valid SVG"),
            ("Make b.html", ("b.html", "<html><body>"), "</html>"),
            (
                "x",
                ("b.html", "<html><a href=no.txt></html>"),
                "\"no.txt\", and there is no such file",
            ),
            (
                "x",
                ("b.html", "<html><a href=/index.html></html>"),
                "without the leading slash",
            ),
            (
                "x",
                (
                    "b.html",
                    "<html><script src=https://cdn.jsdelivr.net/npm/marked/marked.min.js></script></html>",
                ),
                "without a version",
            ),
            ("x", ("a.js", "```js\nlet a;\n```"), "fence"),
            (
                "x",
                ("a.js", "let a;\n// ... rest of the code unchanged"),
                "leaves something out",
            ),
            ("x", ("a.css", "  \n"), "is empty"),
            (
                "- a.md: Describe yourself in three words.",
                ("a.md", "one two"),
                "has 2 words; the brief asks for exactly 3",
            ),
            (
                "- a.txt: Write a 3-4 word story",
                ("a.txt", "a b"),
                "asks for 3 to 4",
            ),
            (
                "- r.json: Fill in `{city: \"Delhi\", lat: float, x: {y: str}}`",
                ("r.json", "{\"city\": \"Delhi\", \"x\": 1}"),
                "lacks the key \"lat\"",
            ),
            (
                "Do not commit r.json",
                ("r.json", "{}"),
                "must not be committed",
            ),
            ("Also make c.txt", PAGE, "c.txt is missing; the brief"),
        ] {
            let found = texts(brief, &[], &[PAGE, file]);
            assert!(
                found.len() == 1 && found[0].contains(said),
                "{said}: {found:?}"
            );
        }
    }

    #[test]
    fn good_work_has_no_findings() {
        let files = [
            (
                "index.html",
                "<!doctype html><html><script>a()</script><script src=\"https://cdn.jsdelivr.net/npm/marked@12.0.0/marked.min.js\"></script><a href=a.txt>a</a></html>",
            ),
            ("a.txt", "one two three\n"),
            (
                "p.svg",
                "<?xml version=\"1.0\"?><!-- x --><svg xmlns=\"http://www.w3.org/2000/svg\"><path d='M0 0'/>&amp;</svg>\n",
            ),
            (
                "data.json",
                "{\"entityName\": \"B\", \"max\": {\"val\": 1}}",
            ),
            ("README.md", "```sh\nls\n```\n"),
            (
                "a.js",
                "// the rest of the list is sorted\nlet [a, ...rest] = b;\n",
            ),
        ];
        let checks = [
            "data.json has 'entityName' field matching 'B'",
            "data.json has 'max' object with 'val'",
            "js: document.querySelector(\"script\").textContent",
        ];
        assert_eq!(
            texts(
                "- a.txt: three words\n- data.json: `{\"entityName\": \"B\", \"max\": {...}}`",
                &checks,
                &files
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_first_script_is_looked_at_where_a_check_does() {
        let page = (
            "index.html",
            "<html><script src=https://x.example/a@1.js></script><script>b()</script></html>",
        );
        assert_eq!(
            texts(
                "x",
                &["js: document.querySelector('script').textContent"],
                &[page]
            )
            .len(),
            1
        );
        assert_eq!(texts("x", &[], &[page]).len(), 0);
    }
}
