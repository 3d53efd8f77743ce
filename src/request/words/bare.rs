//! Names without quotes: a strict list and nothing else, "keys name, items and max", "name and items fields".

use super::keys::{BEFORE, kind};
use super::lex::Token;
use super::skip;

/// Words that are no name wherever they stand: they say something of the keys or end what is said of them.
const NEVER: &str = "or etc etcetera only sorted per for that not in at no such as unique any some other others more each every all both \
    either neither than with without from by of to on who whose which when where if are is be has have contains the an this these \
    those its their my your our like including include includes except but also plus respectively lowercase uppercase camelcase \
    snakecase present missing correct valid invalid empty nonempty filled populated consistent descriptive meaningful numeric \
    optional optionally required mandatory alphabetical ordered unordered nested quoted duplicate duplicates distinct different \
    similar same equal many various several multiple few enough here there above below following respective appropriate relevant \
    necessary proper readable clear short long everything anything something nothing least most exactly match matches case \
    and/or e.g i.e eg ie first second third last next previous";
/// "key data", "header row", "column order": the noun belongs to the word, and not the other way.
const COMPOUND: &str = "data information info structure order ordering validation naming consistency content coverage metadata element \
    point metric insight feature fact figure detail value type pair row line record entry section separator delimiter count length \
    width chart name-value part message idea role concept";
const PLURAL: &str = "keys fields properties attributes columns headers headings";

/// The names of a list.
pub struct List {
    /// Each with the type that is said of it.
    pub names: Vec<(String, Option<&'static str>)>,
    /// They may as well be adjectives: "has short and descriptive keys".
    pub doubtful: bool,
}

/// The list that all these words are, noun included. `said`: the noun stood before them.
pub fn list(text: &[Token<'_>], nouns: &str, said: bool) -> Option<List> {
    let all = skip(text, BEFORE);
    let (noun, after) = match all {
        [noun, after @ ..] if noun.is(nouns) => (Some(*noun), after),
        _ => (None, all),
    };
    if noun.is_none() && !said {
        return match after {
            [before @ .., noun] if noun.is(nouns) => before_noun(
                before,
                text.first().is_some_and(|t| t.is("a an the")) && !noun.is(PLURAL),
            ),
            // "max.val and max.fy" look like nothing else.
            _ => Some(List {
                names: names(after).filter(|all| all.iter().all(|(n, _)| n.contains('.')))?,
                doubtful: false,
            }),
        };
    }
    let called = skip(after, "named called");
    let introduced = called.len() < after.len();
    let (colon, rest) = match called {
        [Token::Colon, rest @ ..] => (true, rest),
        _ => (false, called),
    };
    let names = names(rest)?;
    let plural = said || noun.is_some_and(|n| n.is(PLURAL));
    let lone = |name: &str| Token::Word(name).is(COMPOUND) || name.ends_with('s');
    let fits = match names.as_slice() {
        _ if colon || introduced => true,
        // "has keys sorted"
        [(name, kind)] if plural => {
            kind.is_some() || is_identifier(name) || said && !is_suspicious(name)
        }
        // "has key facts", "has a header row"
        [(name, kind)] => {
            kind.is_some() || is_identifier(name) || !lone(name) && !is_suspicious(name)
        }
        // "has key facts and figures"
        _ if !plural => false,
        several => several
            .iter()
            .any(|(name, kind)| kind.is_some() || !is_suspicious(name)),
    };
    fits.then_some(List {
        names,
        doubtful: false,
    })
}

/// "has name and items fields", "has an id field" (`single`); any other lone word there is an adjective unless it cannot be.
fn before_noun(before: &[Token<'_>], single: bool) -> Option<List> {
    let names = names(before)?;
    let typed = names
        .iter()
        .any(|(name, typed)| typed.is_some() || kind(Token::Word(name)).is_some());
    let sure = names.iter().any(|(name, _)| is_identifier(name));
    let several = (names.len() > 1 || single) && !names.iter().all(|(name, _)| is_suspicious(name));
    (!typed && (sure || several)).then_some(List {
        names,
        doubtful: !sure,
    })
}

/// `name (, name)* [and name]`, each with its type or without, to the very end.
fn names(mut rest: &[Token<'_>]) -> Option<Vec<(String, Option<&'static str>)>> {
    let mut all = Vec::new();
    loop {
        let [Token::Word(word), after @ ..] = rest else {
            return None;
        };
        // "a,b" is one word for the lexer.
        for name in word.split(',') {
            if !is_name(name) || Token::Word(name).file().is_some() {
                return None;
            }
            all.push((name.to_owned(), None));
        }
        rest = after;
        if let Some((word, after)) = typed(rest)? {
            all.last_mut()?.1 = Some(kind(word)?);
            rest = after;
        }
        rest = match rest {
            [] => return Some(all),
            [Token::Comma, and, rest @ ..] if and.is("and") => rest,
            [Token::Comma, rest @ ..] => rest,
            [and, rest @ ..] if and.is("and &") => rest,
            _ => return None,
        };
    }
}

/// "(number)", "as a number", "of type number", in quoted lists "array" too: the word, and what follows. `Some(None)` where no type is
/// said, `None` where something else is.
#[allow(clippy::option_option)]
pub fn typed<'t, 'a>(rest: &'t [Token<'a>]) -> Option<Option<(Token<'a>, &'t [Token<'a>])>> {
    match rest {
        [Token::Open, rest @ ..] => match skip(rest, "a an") {
            [word, Token::Close, rest @ ..] => Some(Some((*word, rest))),
            _ => None,
        },
        [as_, rest @ ..] if as_.is("as") => skip(rest, "a an")
            .split_first()
            .map(|(word, rest)| Some((*word, rest))),
        [of, typed, word, rest @ ..] if of.is("of") && typed.is("type") => {
            Some(Some((*word, rest)))
        }
        [word, rest @ ..] if kind(*word).is_some() => Some(Some((*word, rest))),
        _ => Some(None),
    }
}

fn is_name(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let said = word.starts_with("non-") || word.to_ascii_lowercase().ends_with("ly");
    plain && !said && word.chars().any(char::is_alphabetic) && !Token::Word(word).is(NEVER)
}

/// Written as no English word is: `entityName`, `max_val`, `max.val`, `x2`.
fn is_identifier(name: &str) -> bool {
    name.contains(['_', '.'])
        || name.chars().any(|c| c.is_ascii_digit())
        || name.chars().skip(1).any(char::is_uppercase)
}

/// Whether it may be an adjective or a participle rather than a name: "keys quoted and escaped", "text fields".
fn is_suspicious(name: &str) -> bool {
    let low = name.to_lowercase();
    let adjective = ["ed", "ing", "able", "ible", "ful", "less", "ive", "ous"]
        .iter()
        .any(|end| low.ends_with(end));
    let noun = "key keys field fields value values type types name-value names column columns header headers row rows";
    adjective
        || low.contains('-')
        || kind(Token::Word(name)).is_some()
        || Token::Word(name).is(noun)
}
