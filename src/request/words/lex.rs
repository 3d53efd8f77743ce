//! A text in tokens: words, what stands in quotes, and the punctuation that joins or ends.

use crate::request::required::{is_file, is_library};

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// As written, without punctuation around it.
    Word(&'a str),
    /// Without its quotes.
    Quoted(&'a str),
    Comma,
    Colon,
    Open,
    Close,
}

impl<'a> Token<'a> {
    /// Whether it is one of these words, in any case. Blanks part them.
    #[must_use]
    pub fn is(self, words: &str) -> bool {
        matches!(self, Self::Word(w) if words.split(' ').any(|known| w.eq_ignore_ascii_case(known)))
    }

    /// The file that it names, if it is one.
    #[must_use]
    pub fn file(self) -> Option<&'a str> {
        match self {
            Self::Word(w) | Self::Quoted(w) => {
                let bare = w
                    .strip_suffix("'s")
                    .or_else(|| w.strip_suffix("’s"))
                    .unwrap_or(w);
                let bare = bare
                    .strip_prefix("./")
                    .or_else(|| bare.strip_prefix('/'))
                    .unwrap_or(bare);
                (is_file(bare) && !is_library(bare)).then_some(bare)
            }
            _ => None,
        }
    }
}

const QUOTES: [(char, char); 7] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('‘', '’'),
    ('„', '“'),
    ('«', '»'),
];

/// The tokens of a text. A quote inside a word is an apostrophe.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let quoted = QUOTES
            .iter()
            .find(|(open, _)| *open == c)
            .and_then(|(_, close)| {
                let ends =
                    |at: &usize| !after[at + close.len_utf8()..].starts_with(char::is_alphanumeric);
                let end = after.match_indices(*close).map(|(at, _)| at).find(ends)?;
                Some((&after[..end], &after[end + close.len_utf8()..]))
            });
        let (token, next) = match (quoted, c) {
            (Some((inside, next)), _) => (Some(Token::Quoted(inside)), next),
            (None, ',' | ';') => (Some(Token::Comma), after),
            (None, ':') => (Some(Token::Colon), after),
            (None, '(' | '[' | '{') => (Some(Token::Open), after),
            (None, ')' | ']' | '}') => (Some(Token::Close), after),
            (None, _) => word(rest),
        };
        all.extend(token);
        rest = next.trim_start();
    }
    all
}

/// A word up to white space, a bracket, or punctuation that ends it.
fn word(rest: &str) -> (Option<Token<'_>>, &str) {
    let ends = |(at, c): (usize, char)| match c {
        c if c.is_whitespace() => true,
        '(' | ')' | '[' | ']' | '{' | '}' => true,
        // "1,000" and "https://" go on.
        ',' | ';' | ':' => rest[at + c.len_utf8()..]
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || "'\"`".contains(c)),
        _ => false,
    };
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end = rest
        .char_indices()
        .find(|(at, c)| *at >= first && ends((*at, *c)))
        .map_or(rest.len(), |(at, _)| at);
    let bare = rest[..end]
        .trim_matches(|c| "*\"'`“”".contains(c))
        .trim_end_matches(['.', '?', '!']);
    (
        (!bare.is_empty()).then_some(Token::Word(bare)),
        &rest[end..],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        use Token::{Close, Colon, Comma, Open, Quoted, Word};
        assert_eq!(
            tokens("data.json doesn't have \"a b\", 'c' (number), “d”: 1,000 of https://x.y/z."),
            [
                Word("data.json"),
                Word("doesn't"),
                Word("have"),
                Quoted("a b"),
                Comma,
                Quoted("c"),
                Open,
                Word("number"),
                Close,
                Comma,
                Quoted("d"),
                Colon,
                Word("1,000"),
                Word("of"),
                Word("https://x.y/z")
            ]
        );
        assert_eq!(
            tokens("the students' page, \"open"),
            [
                Word("the"),
                Word("students"),
                Word("page"),
                Comma,
                Word("open")
            ]
        );
    }
}
