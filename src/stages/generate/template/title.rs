//! A title for the page: the one that the brief asks for, else that of the document that it shows, else the task's name.
//!
//! Deliberately absent: any understanding of the brief. A quoted text close behind a word like "title" is one;
//! where the task has no name with words in it, the brief's beginning is the best there is.

use super::text;

/// How long a title from the brief's beginning gets, in characters.
const LONGEST: usize = 70;
/// How long a quoted title may be, in characters.
const LONGEST_QUOTED: usize = 150;
/// How far back the words that make a quote a title are looked for, in bytes.
const LEAD: usize = 400;
/// What stands where a brief has no words.
const UNTITLED: &str = "Untitled page";

/// Words that may stand between "title" and the quoted text.
const BETWEEN: [&str; 34] = [
    "to", "is", "as", "of", "be", "reads", "reading", "read", "saying", "says", "must", "should",
    "will", "exactly", "equal", "equals", "set", "the", "a", "an", "text", "page", "value",
    "element", "tag", "site", "website", "s", "document", "includes", "include", "contains",
    "simply", "it",
];
/// Things on a page that get called something without being the page.
const PARTS: [&str; 34] = [
    "file",
    "column",
    "field",
    "button",
    "function",
    "class",
    "id",
    "element",
    "attribute",
    "variable",
    "div",
    "section",
    "key",
    "branch",
    "repo",
    "repository",
    "folder",
    "directory",
    "method",
    "endpoint",
    "table",
    "script",
    "input",
    "form",
    "tab",
    "label",
    "sheet",
    "parameter",
    "property",
    "object",
    "tag",
    "link",
    "row",
    "files",
];

/// The title that a brief asks for: a quoted one where it names one, else its first sentence or line, cut to 70
/// characters at a word boundary. Never empty, always one line.
#[must_use]
pub fn title(brief: &str) -> String {
    named(brief).unwrap_or_else(|| opening(brief))
}

/// A task's id as a name: `sum-of-sales-766cc` is "Sum of sales". `None` where there is no word in it.
pub(super) fn of_task(task: &str) -> Option<String> {
    let mut words: Vec<&str> = task
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'))
        .filter(|word| !word.is_empty())
        .collect();
    // What makes an id unique at its end: hex digits, or letters and digits in a jumble.
    let is_mark = |word: &str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        digits > 0 && word.len() > 3 && word.len() > digits && word.is_ascii()
            || word.len() > 4 && word.len() == digits
    };
    while words.len() > 1 && words.last().is_some_and(|word| is_mark(word)) {
        words.pop();
    }
    let is_name = words
        .iter()
        .any(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 2 || !word.is_ascii());
    let name = text::one_line(&words.join(" "));
    let mut letters = name.chars();
    let first = letters
        .next()
        .filter(|_| is_name && name.contains(char::is_alphabetic))?;
    let name: String = first.to_uppercase().chain(letters).collect();
    Some(text::shorten(&name, LONGEST))
}

/// The quoted text that the brief calls a title; a heading or a name is the second choice.
pub(super) fn named(brief: &str) -> Option<String> {
    let mut best: Option<(u8, String)> = None;
    let mut from = 0;
    let mut closes = Closes::default();
    while let Some(quote) = next_quote(brief, from, &mut closes) {
        from = quote.end;
        let content = text::one_line(&brief[quote.inner.clone()]);
        let Some(rank) = rank(tail(&brief[..quote.start]), &content, quote.code) else {
            continue;
        };
        if best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, content));
        }
    }
    best.map(|(_, title)| title)
}

struct Quote {
    start: usize,
    inner: std::ops::Range<usize>,
    end: usize,
    code: bool,
}

/// Opening marks, with those that close them.
const MARKS: [(char, &[char]); 7] = [
    ('"', &['"']),
    ('\'', &['\'']),
    ('`', &['`']),
    ('“', &['”']),
    ('„', &['“', '”']),
    ('‘', &['’']),
    ('«', &['»']),
];

/// For each of [`MARKS`], the closing mark that was found last, and where; at `usize::MAX` where there is none any more. Without it
/// each mark that nothing closes would be looked for to the end again.
#[derive(Default)]
struct Closes([(usize, usize); MARKS.len()]);

impl Closes {
    /// Where the mark that closes what opened before `inner` stands, and its length.
    fn find(&mut self, kind: usize, brief: &str, inner: usize) -> Option<(usize, usize)> {
        let (last, (_, close)) = (self.0.get_mut(kind)?, MARKS.get(kind)?);
        if last.0 < inner || last.1 == 0 {
            let found = brief[inner..].char_indices().find_map(|(at, c)| {
                let after = brief[inner + at + c.len_utf8()..].chars().next();
                let inside_word =
                    matches!(c, '\'' | '’') && after.is_some_and(char::is_alphanumeric);
                (close.contains(&c) && !inside_word).then_some((inner + at, c.len_utf8()))
            });
            *last = found.unwrap_or((usize::MAX, 1));
        }
        (last.0 != usize::MAX).then_some(*last)
    }
}

/// The next text in quotation marks that opens at `from` or later.
fn next_quote(brief: &str, from: usize, closes: &mut Closes) -> Option<Quote> {
    brief[from..].char_indices().find_map(|(at, mark)| {
        let kind = MARKS.iter().position(|(open, _)| *open == mark)?;
        let start = from + at;
        let inner = start + mark.len_utf8();
        // An apostrophe or an inch sign follows a letter or a digit; an opening mark does not.
        let before = brief[..start].chars().next_back();
        if before.is_some_and(char::is_alphanumeric)
            || brief[inner..].starts_with(char::is_whitespace)
        {
            return None;
        }
        let (close, length) = closes.find(kind, brief, inner)?;
        Some(Quote {
            start,
            inner: inner..close,
            end: close + length,
            code: mark == '`',
        })
    })
}

/// As much of what leads up to a quote as can matter: a brief without line breaks would be read back to its start for each.
fn tail(before: &str) -> &str {
    let from = before.len().saturating_sub(LEAD);
    let from = (from..=before.len())
        .find(|at| before.is_char_boundary(*at))
        .unwrap_or(from);
    &before[from..]
}

/// How good a title the quoted `content` is, judged by what leads up to it; `None` if it is none.
fn rank(before: &str, content: &str, code: bool) -> Option<u8> {
    let fits = (1..=LONGEST_QUOTED).contains(&content.chars().count())
        && content.contains(char::is_alphanumeric)
        && !content.contains(['<', '>'])
        && !content.starts_with(['#', '.']);
    // `"title": "…"` is data, not an instruction.
    let data = before.trim_end().ends_with("\":");
    if !fits || data {
        return None;
    }
    let sentence = before
        .rsplit(['\n', ';', '!', '?'])
        .find(|part| !part.trim().is_empty())?;
    let sentence = sentence.rsplit(". ").next()?;
    let mut words = sentence
        .rsplit(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    let keyword = words
        .by_ref()
        .take(8)
        .find(|word| !BETWEEN.contains(&word.as_str()))?;
    let part = words
        .find(|word| PARTS.contains(&word.as_str()) || !BETWEEN.contains(&word.as_str()))
        .is_some_and(|word| PARTS.contains(&word.as_str()));
    // What is called `add` or 'data.csv' is part of the program or a file.
    let name = !content.contains(' ') && (code || content.contains('.'));
    match keyword.as_str() {
        "title" => Some(0),
        "titled" | "entitled" if !part => Some(0),
        "heading" | "headline" | "h1" | "header" => Some(1),
        "called" | "named" if !part && !name => Some(2),
        _ => None,
    }
}

/// The first sentence of the first line that has words.
fn opening(brief: &str) -> String {
    let line = brief
        .lines()
        .map(plain)
        .find(|line| line.contains(char::is_alphanumeric));
    let Some(line) = line else {
        return UNTITLED.to_owned();
    };
    let sentence = sentence(&line).trim_end_matches(['.', ',', ':', ';', ' ']);
    text::shorten(sentence, LONGEST)
}

/// A line without the marks of Markdown.
fn plain(line: &str) -> String {
    let line = text::one_line(line);
    line.trim_start_matches(['#', '>', '*', '-', '•', '=', ' '])
        .replace("**", "")
        .replace('`', "")
}

/// Up to the first full stop, exclamation or question mark that a new sentence follows.
fn sentence(line: &str) -> &str {
    let ends = line
        .match_indices(". ")
        .chain(line.match_indices("! "))
        .chain(line.match_indices("? "));
    let mut ends: Vec<usize> = ends.map(|(at, _)| at).collect();
    ends.sort_unstable();
    let end = ends.into_iter().find(|&at| {
        let abbreviation = line[..at].ends_with("e.g") || line[..at].ends_with("i.e") || at < 4;
        !abbreviation
            && line[at + 2..].starts_with(|c: char| c.is_uppercase() || !c.is_alphanumeric())
    });
    end.map_or(line, |at| {
        if line[at..].starts_with('.') {
            &line[..at]
        } else {
            &line[..=at]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_that_are_named() {
        for (brief, expected) in [
            (
                "sums sales, sets the title to \"Sales Summary 374959384\", displays",
                "Sales Summary 374959384",
            ),
            ("Make a page titled 'Bob's page' now", "Bob's page"),
            ("The page title should be “Über uns”.", "Über uns"),
            ("Title: `My App`", "My App"),
            ("set document.title to \"X 1\"", "X 1"),
            ("with the title of the page set to 'Quiz'", "Quiz"),
            (
                "Build a to-do app called “Doer” with a button called \"Add\"",
                "Doer",
            ),
            ("with heading 'Hello' and title 'World'", "World"),
            ("an <h1> reading \"Hello\"", "Hello"),
            ("Titled \"A\n  B\"", "A B"),
        ] {
            assert_eq!(title(brief), expected, "{brief}");
        }
    }

    #[test]
    fn quoted_text_that_is_no_title() {
        for brief in [
            "Read the file named 'data.csv' and show it",
            "Add a column called \"sales\" to it",
            "Use a function named `add` for this",
            "Write {\"title\": \"str\"} to a file",
            "It has a title. Show \"x\" below",
            "Don't title it; that's what 'x' is for",
            "`<title>` and `<h1>` must include the live `entityName`",
            "Set the title to \"\" at first",
            "Put the heading into `#main` and go",
        ] {
            assert_eq!(named(brief), None, "{brief}");
        }
    }

    #[test]
    fn many_marks_take_no_longer_than_their_number() {
        for many in ["'a' ", "“a ", "“a” ", "`", "„a ", "the 'a' "] {
            let text = |n: usize| many.repeat(n / many.len());
            crate::growth::is_linear(many, 5_000, text, |text| assert_eq!(named(text), None));
        }
    }

    #[test]
    fn a_mark_that_closes_early_is_looked_for_again() {
        assert_eq!(
            named("'x' and \"y\" and the title 'Bob's 1' and the title \"Z\"").as_deref(),
            Some("Bob's 1")
        );
        assert_eq!(named("“a “b ” title “C” „d” “e").as_deref(), Some("C"));
    }

    #[test]
    fn otherwise_the_beginning() {
        for (brief, expected) in [
            (
                "\nCreate and publish these files as a public GitHub Pages site:\n\n- a",
                "Create and publish these files as a public GitHub Pages site",
            ),
            ("Make a clock. It ticks.", "Make a clock"),
            ("# **Big** plan\ntext", "Big plan"),
            ("Use e.g. This or that", "Use e.g. This or that"),
            ("Fast? Yes!", "Fast?"),
            ("", UNTITLED),
            ("---\n***\n", UNTITLED),
            ("---\nText", "Text"),
            ("a\u{202e}b\u{0}c", "abc"),
        ] {
            assert_eq!(title(brief), expected, "{brief:?}");
        }
        let long = title(&"word ".repeat(100));
        assert!(
            long.chars().count() <= LONGEST && long.ends_with("word…"),
            "{long}"
        );
        assert_eq!(title(&"x".repeat(500)).chars().count(), LONGEST);
    }

    #[test]
    fn hostile_briefs_stay_text() {
        assert_eq!(
            title("</title><script>alert(1)</script>"),
            "</title><script>alert(1)</script>"
        );
        for odd in [
            "\"",
            "title \"",
            "'",
            "title '",
            "title “x",
            "é\"é",
            "title: \"é",
            "``",
        ] {
            assert!(!title(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn names_of_tasks() {
        for (task, name) in [
            ("sum-of-sales-766cc", Some("Sum of sales")),
            ("markdown-to-html-a1b2c", Some("Markdown to html")),
            ("LLMPages", Some("LLMPages")),
            ("github_user_created", Some("Github user created")),
            ("budget-2024", Some("Budget 2024")),
            ("größe", Some("Größe")),
            ("日本", Some("日本")),
            ("demo-<1>", Some("Demo 1")),
            ("captcha-solver-00123456", Some("Captcha solver")),
            ("a1-b2", None),
            ("123456", None),
            ("---", None),
        ] {
            assert_eq!(of_task(task).as_deref(), name, "{task}");
        }
    }
}
