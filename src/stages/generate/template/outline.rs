//! The lines of somebody's Markdown, as far as one must know them to put a section in the right place.
//!
//! Deliberately absent: a full parser. Headings, code fences and the tool's own marks are all that matters here, and
//! lines, unlike a parser's events, can be put back byte for byte.

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// Inside a code fence, or one of its ends.
    Fenced,
    /// Anything else.
    Plain,
}

/// A document taken apart at its line ends.
pub(super) struct Outline<'a> {
    /// The lines, without their ends.
    pub(super) lines: Vec<&'a str>,
    kinds: Vec<Line>,
    /// The fence that is still open at the end, to be closed before anything is added there.
    pub(super) open_fence: Option<String>,
}

impl<'a> Outline<'a> {
    /// Takes a document apart.
    pub(super) fn of(document: &'a str) -> Self {
        let lines: Vec<&str> = document.lines().collect();
        let mut fence: Option<(char, usize)> = None;
        let mut kinds = Vec::with_capacity(lines.len());
        for line in &lines {
            let here = fence_of(line);
            kinds.push(if fence.is_some() || here.is_some() {
                Line::Fenced
            } else {
                Line::Plain
            });
            fence = match (fence, here) {
                (None, Some((mark, length, _))) => Some((mark, length)),
                (Some((mark, length)), Some((other, longer, true)))
                    if other == mark && longer >= length =>
                {
                    None
                }
                (unchanged, _) => unchanged,
            };
        }
        let open_fence = fence.map(|(mark, length)| mark.to_string().repeat(length));
        Self {
            lines,
            kinds,
            open_fence,
        }
    }

    /// The first line from `from` on that is `text` and nothing else.
    pub(super) fn find(&self, text: &str, from: usize) -> Option<usize> {
        (from..self.lines.len()).find(|&at| self.is_plain(at) && self.lines[at].trim() == text)
    }

    /// The first line whose trimmed text `matches`.
    pub(super) fn position(&self, matches: impl Fn(&str) -> bool) -> Option<usize> {
        (0..self.lines.len()).find(|&at| self.is_plain(at) && matches(self.lines[at].trim()))
    }

    /// Where the section about the licence begins: the last heading that is about one.
    pub(super) fn licence(&self) -> Option<usize> {
        (0..self.lines.len())
            .rev()
            .find(|&at| self.heading(at).is_some_and(is_about_licence))
    }

    fn is_plain(&self, at: usize) -> bool {
        self.kinds.get(at) == Some(&Line::Plain)
    }

    /// The text of the heading that begins in this line, in either of Markdown's spellings.
    fn heading(&self, at: usize) -> Option<&'a str> {
        let line = *self.lines.get(at).filter(|_| self.is_plain(at))?;
        let indent = line.len() - line.trim_start_matches(' ').len();
        let text = line.trim();
        if indent > 3 || text.is_empty() {
            return None;
        }
        let marks = text.len() - text.trim_start_matches('#').len();
        if marks > 0 {
            return (marks <= 6 && text[marks..].starts_with([' ', '\t']))
                .then_some(&text[marks..]);
        }
        let below = self
            .lines
            .get(at + 1)
            .filter(|_| self.is_plain(at + 1))?
            .trim_end();
        let ruled = |mark| !below.is_empty() && below.chars().all(|c| c == mark);
        // A rule under a quote or a list is a rule.
        let words = !text.starts_with(['>', '-', '*', '+', '|']);
        (words && (ruled('=') || ruled('-'))).then_some(text)
    }
}

/// `License`, `📄 MIT Licence`, `Copyright and License`; not a long sentence that mentions one.
fn is_about_licence(heading: &str) -> bool {
    let words: Vec<String> = heading
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.len() <= 4
        && words
            .iter()
            .any(|w| ["license", "licence", "licensing", "licencing"].contains(&w.as_str()))
}

/// The mark and length of a code fence in this line, and whether it could close one.
fn fence_of(line: &str) -> Option<(char, usize, bool)> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| "`~".contains(*c))?;
    let rest = text.trim_start_matches(mark);
    let length = text.len() - rest.len();
    let fence = line.len() - text.len() <= 3 && length >= 3 && !(mark == '`' && rest.contains('`'));
    fence.then_some((mark, length, rest.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_licence() {
        for (document, expected) in [
            ("# A\n\n## License\n\nMIT", Some(2)),
            ("# A\n\n### 📄 MIT Licence ###\n", Some(2)),
            ("A\n=\n\nLicense\n-------\nMIT", Some(3)),
            ("## License\n\n## Use\n\n## License\n", Some(4)),
            ("```\n## License\n```\n", None),
            ("~~~sh\n```\n## License\n", None),
            ("License: MIT", None),
            ("## How the license server of this application works", None),
            ("    ## License", None),
            ("#License", None),
            ("- License\n---", None),
        ] {
            assert_eq!(Outline::of(document).licence(), expected, "{document}");
        }
    }

    #[test]
    fn knows_an_open_fence() {
        assert_eq!(
            Outline::of("````md\n```\n").open_fence.as_deref(),
            Some("````")
        );
        assert_eq!(Outline::of("```\n````\n").open_fence, None);
        assert_eq!(Outline::of("```a`b\n").open_fence, None);
    }
}
