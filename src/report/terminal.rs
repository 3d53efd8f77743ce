//! What the terminal that standard output is can do, and text fitted to it.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use textwrap::core::display_width;

use crate::cli::Color;
use crate::ports::process::{self, Spec};
use crate::text::plain;

/// Where the width cannot be asked for.
const USUAL_WIDTH: usize = 80;
/// Below it a line holds no table.
const NARROWEST: usize = 24;

/// How text for a person looks.
#[derive(Clone, Debug)]
pub struct Terminal {
    pub width: usize,
    pub colour: bool,
    /// Addresses can be made links (OSC 8).
    pub links: bool,
    /// The arguments of this process.
    pub args: Vec<OsString>,
}

/// How a thing stands. Success is marked only where every check passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Good,
    Bad,
    /// On its way, or good only in part.
    Open,
    /// Nobody has judged it.
    None,
}

impl Mark {
    #[must_use]
    pub fn painted(self, colour: bool) -> String {
        let (sign, code) = self.sign();
        if colour {
            format!("\x1b[{code}m{sign}\x1b[0m")
        } else {
            sign.to_owned()
        }
    }

    fn sign(self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("✓", "32"),
            Self::Bad => ("✗", "31"),
            Self::Open => ("!", "33"),
            Self::None => ("·", "2"),
        }
    }
}

impl Terminal {
    /// That of standard output.
    #[must_use]
    pub fn of_output(color: Color) -> Self {
        let width = terminal_size::terminal_size_of(io::stdout())
            .map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
        Self {
            width: width.max(NARROWEST),
            colour: coloured(color, io::stdout().is_terminal()),
            links: supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout) && !is_dumb(),
            args: std::env::args_os().skip(1).collect(),
        }
    }

    #[must_use]
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// This process's command line, to type it again.
    #[must_use]
    pub fn command(&self) -> String {
        command_line(&self.args)
    }

    #[must_use]
    pub fn mark(&self, mark: Mark) -> String {
        mark.painted(self.colour)
    }

    /// An address, whole and clickable.
    #[must_use]
    pub fn link(&self, url: &str) -> String {
        let url = plain(url);
        if self.links {
            format!("\x1b]8;;{url}\x1b\\{url}\x1b]8;;\x1b\\")
        } else {
            url
        }
    }

    /// Text on as many lines as it takes, `indent` columns in from the second on; the first begins at `column`. Past `lines` it is cut.
    #[must_use]
    pub fn wrapped(&self, text: &str, column: usize, indent: usize, lines: usize) -> String {
        let room = |used: usize| " ".repeat(used.min(self.width / 2));
        let (first, other) = (room(column), room(indent));
        let options = textwrap::Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(&other)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = plain(text);
        let mut all = textwrap::wrap(text.trim(), options);
        let missing = all.len() > lines;
        all.truncate(lines);
        let mut text = all.join("\n");
        if missing {
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            let last = fitted(&text[line..], self.width - 1);
            text.truncate(line);
            text.push_str(last.trim_end_matches('…'));
            text.push('…');
        }
        text.trim_start_matches(' ').to_owned()
    }
}

/// The beginning of a text, at most so many columns wide, with a mark where something is missing.
#[must_use]
pub fn fitted(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += display_width(c.encode_utf8(&mut [0; 4]));
        if used > columns {
            break;
        }
        short.push(c);
    }
    short + "…"
}

/// Filled up with spaces to so many columns.
#[must_use]
pub fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(display_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Whether a stream is coloured.
#[must_use]
pub fn coloured(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && !is_dumb()
        }
    }
}

/// A terminal that obeys no control sequence.
#[must_use]
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|t| t == "dumb")
}

/// A call of this program as it is typed in a shell.
#[must_use]
pub fn command_line<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    process::shown(&Spec {
        program: Path::new("llmdeploy"),
        args: process::args(args),
        env: Vec::new(),
        proxies: false,
        dir: None,
        limit: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(width: usize) -> Terminal {
        Terminal {
            width,
            colour: false,
            links: false,
            args: vec!["run".into(), "task.json".into()],
        }
    }

    #[test]
    fn text_is_fitted_by_columns() {
        assert_eq!(
            (fitted("abc", 3), fitted("abcd", 3)),
            ("abc".into(), "ab…".into())
        );
        assert_eq!(fitted("日本語", 5), "日本…");
        assert_eq!(padded("日本", 6), "日本  ");
        let text = terminal(24).wrapped("one two three four five six seven eight", 10, 4, 2);
        assert_eq!(text, "one two three\n    four five six seven…");
        let long = terminal(24).wrapped(&"x".repeat(90), 4, 4, 2);
        assert_eq!(long.lines().count(), 2);
        assert!(long.lines().all(|l| display_width(l) <= 24), "{long}");
    }

    #[test]
    fn a_link_is_only_made_where_it_is_one() {
        let mut terminal = terminal(80);
        assert_eq!(terminal.link("https://a/\u{1b}b"), "https://a/ b");
        terminal.links = true;
        assert_eq!(
            terminal.link("https://a/"),
            "\u{1b}]8;;https://a/\u{1b}\\https://a/\u{1b}]8;;\u{1b}\\"
        );
    }

    #[test]
    fn never_and_always_are_meant() {
        assert!(
            !coloured(Color::Never, true)
                && coloured(Color::Always, false)
                && !coloured(Color::Auto, false)
        );
    }
}
