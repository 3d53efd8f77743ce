//! Which checks a machine can judge, and how: by rule, the same for everybody.
//!
//! - `js`: said to be (`js: …`, `{"js": …}`), or an expression that names something of a page;
//! - `file`: plain language that files decide, see [`crate::request::words`];
//! - `manual`: the rest.

use super::{Kind, code};
use crate::request::required::Wanted;
use crate::request::task::{Check, Task};
use crate::request::words::{self, Claim};

/// A check with the way to judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The expression. `said`: the task says that it is one.
    Js {
        code: String,
        said: bool,
    },
    /// In the browser, with a parameter in the page's address: name and value.
    Shown {
        parameter: String,
        value: String,
    },
    /// All of these must hold.
    Files(Vec<Claim>),
    Person,
}

impl Way {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Js { .. } | Self::Shown { .. } => Kind::Js,
            Self::Files(_) => Kind::File,
            Self::Person => Kind::Manual,
        }
    }
}

/// `url`: the page's address, for a parameter that needs a value.
#[must_use]
pub fn way(check: &Check, wanted: &Wanted<'_>, url: &str) -> Way {
    match check {
        Check::Js(code) => Way::Js {
            code: code.clone(),
            said: true,
        },
        Check::Text(text) if is_expression(unfenced(text)) => Way::Js {
            code: unfenced(text).to_owned(),
            said: false,
        },
        Check::Text(text) => plain(text, wanted, url),
        Check::Other(_) => Way::Person,
    }
}

/// Without the backticks, one or three and a language, in which Markdown sets code.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inside = |mark: &str| {
        text.strip_prefix(mark)?
            .strip_suffix(mark)
            .filter(|inside| !inside.contains('`'))
    };
    let code = inside("```").map(|code| {
        ["javascript", "js"]
            .iter()
            .find_map(|l| code.strip_prefix(l))
            .unwrap_or(code)
    });
    code.or_else(|| inside("`")).unwrap_or(text).trim()
}

/// Plain language.
#[must_use]
pub fn plain(text: &str, wanted: &Wanted<'_>, url: &str) -> Way {
    if let Some(claims) = words::read(text, wanted) {
        return Way::Files(claims);
    }
    parameter(text, wanted.task, url).unwrap_or(Way::Person)
}

/// Words of the language that may stand beside another word.
const KEYWORDS: [&str; 22] = [
    "typeof",
    "new",
    "await",
    "return",
    "const",
    "let",
    "var",
    "in",
    "of",
    "instanceof",
    "function",
    "async",
    "void",
    "delete",
    "class",
    "if",
    "else",
    "throw",
    "yield",
    "case",
    "try",
    "for",
];

/// What shows that something of a page, or a comparison, is meant.
const SIGNS: [&str; 22] = [
    "document.",
    "window.",
    "window[",
    "typeof ",
    " in window",
    " in document",
    "location.",
    "localStorage",
    "sessionStorage",
    "navigator.",
    "getComputedStyle(",
    "globalThis",
    "===",
    "!==",
    "==",
    ">=",
    "<=",
    "=>",
    ".length",
    "$(",
    ".textContent",
    ".querySelector",
];

/// Whether a text is JavaScript. In English two words stand side by side, in JavaScript only where one is a keyword.
#[must_use]
pub fn is_expression(text: &str) -> bool {
    let bare = without_comments(&code::bare(text.trim()));
    let bare = bare.trim();
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let calls = bare.find('(').is_some_and(|at| {
        at > 0 && bare[..at].chars().all(|c| word(c) || c == '.') && bare.ends_with(')')
    });
    if !calls && !SIGNS.iter().any(|sign| bare.contains(sign)) {
        return false;
    }
    let mut last: Option<&str> = None;
    for part in bare.split_whitespace() {
        let (first, end) = (
            part.split(|c| !word(c)).next().unwrap_or_default(),
            part.rsplit(|c| !word(c)).next().unwrap_or_default(),
        );
        let beside = last.is_some_and(|l| !l.is_empty() && !KEYWORDS.contains(&l))
            && !first.is_empty()
            && !KEYWORDS.contains(&first);
        if beside {
            return false;
        }
        last = Some(end);
    }
    true
}

/// Code whose literals are empty already, without its comments.
fn without_comments(bare: &str) -> String {
    let mut out = String::new();
    let mut rest = bare;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    // Behind a colon or in a regular expression it is none, and a comment says nothing here anyway.
    out.lines()
        .map(|line| line.split(" //").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// "Page displays the captcha URL passed at ?url=…": the page is given the address of an attachment, and must show it.
fn parameter(text: &str, task: &Task, url: &str) -> Option<Way> {
    let lower = text.to_ascii_lowercase();
    let at = lower
        .find('?')
        .filter(|at| lower[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()))?;
    let name: String = text[at + 1..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let shows = ["displays", "shows", "renders"]
        .iter()
        .any(|verb| lower[..at].contains(verb));
    let whole = ["passed", "given", "from", "in the", "provided"]
        .iter()
        .any(|word| lower[..at].contains(word));
    let is_address =
        ["url", "image", "img", "src", "file"].contains(&name.to_ascii_lowercase().as_str());
    // What is derived from it (a solved text, a date) nobody here can tell.
    let derived = [
        "solved",
        "text of",
        "result",
        "solution",
        "decoded",
        "error",
        "spinner",
        "loading",
        "dimension",
        "size",
        "default",
        "unless",
        " no ",
        "without",
        "content",
        "not ",
        "only ",
    ]
    .iter()
    .any(|word| lower.contains(word));
    if !(shows && whole && is_address) || derived {
        return None;
    }
    let attachment = task.attachments.first()?;
    // Not quite its address, so that a page that shows it anyhow does not pass.
    let value = format!(
        "{url}{}{}?given",
        if task.names(&attachment.name) {
            ""
        } else {
            "assets/"
        },
        attachment.name
    );
    Some(Way::Shown {
        parameter: name,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_and_english() {
        for text in [
            "typeof add === 'function'",
            "document.title === 'A b c'",
            "document.querySelector('#a b') !== null",
            "add(2, 3) == 5",
            "!!window.app",
            "'add' in window",
            "(() => { const a = document.title; return a.length > 3; })()",
            "calculate('1 + 2') === 3",
            "await fetch('data.json').then(r => r.ok)",
            "document.querySelectorAll('li').length >= 1 && 'x' in window",
            "document.querySelector('h1') !== null // has a heading",
            "document.querySelector('h1') /* the heading of it */ !== null",
            unfenced("`document.title === 'a b'`"),
            unfenced("```js\ndocument.title === 'a b'\n```"),
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "Each required file exists on GitHub",
            "LICENSE",
            "document.title is set",
            "index.html <title> contains the entityName from data.json",
            "data.json max.fy and min.fy are both > '2020'",
            "data.json max.val is greater than or equal to min.val",
            "Page displays captcha URL passed at ?url=...",
            "window resizes properly",
            "index.html fetches data.json using fetch('https://data.sec.gov/api')",
            "index.html contains element with id='share-max-value' displaying max.val",
            "README.md is professional",
            "The chart is in window",
            "typeof add should be a function",
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[test]
    fn a_parameter_with_a_fixture() {
        let json = r#"{"email":"e","task":"t","brief":"b","attachments":[{"name":"sample.png","url":"data:,x"}]}"#;
        let task = Task::parse(json.as_bytes()).unwrap();
        let way = |text: &str| plain(text, &Wanted::new(&task), "https://o.github.io/r/");
        let value = "https://o.github.io/r/assets/sample.png?given".to_owned();
        assert_eq!(
            way("Page displays captcha URL passed at ?url=..."),
            Way::Shown {
                parameter: "url".to_owned(),
                value
            }
        );
        for text in [
            "Page displays solved captcha text from ?url=",
            "index.html supports ?CIK= query parameter",
            "Page shows the date given in ?d=",
        ] {
            assert_eq!(way(text), Way::Person, "{text}");
        }
    }
}
