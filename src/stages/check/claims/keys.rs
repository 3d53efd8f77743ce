//! Keys of a JSON file and columns of a CSV file, as people name them: "has 'max' object with 'val' (number) and 'fy' (string)".

use super::lex::Token;
use super::predicate::About;
use super::{Claim, Wants};

/// Words for a JSON type, each behind its name.
const KINDS: [(&str, &str); 5] = [
    ("number", "number numbers numeric float integer"),
    ("string", "string strings text"),
    ("boolean", "boolean bool"),
    ("array", "array list"),
    ("object", "object objects"),
];
const NOUNS: &str = "key keys field fields property properties attribute attributes";
const FILLERS: &str =
    "a an the and with both top-level following of type as it its value values to required all named called is exactly these include are";

fn kind(token: Token<'_>) -> Option<&'static str> {
    KINDS.iter().find(|(_, words)| token.is(words)).map(|(kind, _)| *kind)
}

/// `named`: that keys follow is said already.
pub fn claims(about: &About<'_, '_>, rest: &[Token<'_>], named: bool) -> Option<Vec<Claim>> {
    if !about.ends(".json") {
        return None;
    }
    let any_quoted = rest.iter().any(|t| matches!(t, Token::Quoted(_)));
    let says_keys = named || rest.iter().any(|t| t.is(NOUNS));
    let mut claims: Vec<(Vec<String>, Wants)> = Vec::new();
    let (mut parent, mut wants_value, mut typed_first) = (None::<Vec<String>>, false, None::<&'static str>);
    // "has correct keys" names none: a lone bare word before the noun must look like a name.
    let noun = rest.iter().position(|t| t.is(NOUNS)).unwrap_or(0);
    let early = rest.iter().take(noun).filter(|t| matches!(t, Token::Word(w) if !is_known(**t) && is_name(w)));
    let doubtful = |t: &Token<'_>| matches!(t, Token::Word(w) if w.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    if !any_quoted && early.clone().count() == 1 && early.clone().all(doubtful) {
        return None;
    }
    for token in rest {
        let name = match token {
            Token::Quoted(q) => Some(*q),
            // Bare words are names only where that is said, or where they look like nothing else.
            Token::Word(w) if !any_quoted && !is_known(*token) && is_name(w) && (says_keys || w.contains('.')) => Some(*w),
            _ => None,
        };
        match (name, token) {
            (Some(text), _) if wants_value => {
                claims.last_mut()?.1 = Wants::Text(text.to_owned());
                wants_value = false;
            }
            (Some(name), _) => {
                let path: Vec<String> = parent.iter().flatten().cloned().chain(name.split('.').map(str::to_owned)).collect();
                claims.push((path, typed_first.take().map_or(Wants::Anything, Wants::Kind)));
            }
            (None, Token::Comma | Token::Colon | Token::Open | Token::Close) => {}
            (None, token) if token.is("matching equal equals value set =") => wants_value = !claims.is_empty(),
            (None, token) if token.is("with") && !claims.is_empty() => {
                // "'max' object with 'val'": what follows is in it. "'a' with value 'b'" is caught above.
                parent = claims.last().map(|(path, _)| path.clone());
            }
            (None, token) if kind(*token).is_some() => match claims.last_mut() {
                // "'val' (number)", "'val' as number", "'items' array"
                Some((_, wants @ Wants::Anything)) => *wants = kind(*token).map_or(Wants::Anything, Wants::Kind),
                Some(_) => {}
                None => typed_first = kind(*token),
            },
            (None, token) if is_known(*token) => {}
            (None, _) => return None,
        }
    }
    // "with value 'b'" was read as a parent first; where nothing came of it nothing was claimed of it.
    if claims.is_empty() || wants_value || typed_first.is_some() {
        return None;
    }
    Some(claims.into_iter().map(|(path, wants)| Claim::Key { file: about.own(), path, wants }).collect())
}

fn is_known(token: Token<'_>) -> bool {
    token.is(NOUNS) || token.is(FILLERS) || kind(token).is_some()
}

fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) && word.chars().any(char::is_alphabetic)
}

/// "has columns a, b and c", "has the header "a"".
pub fn columns(about: &About<'_, '_>, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let nouns = "column columns header headers heading headings";
    if !rest.iter().any(|t| t.is(nouns)) {
        return None;
    }
    let any_quoted = rest.iter().any(|t| matches!(t, Token::Quoted(_)));
    let mut names = Vec::new();
    for token in rest {
        match token {
            Token::Quoted(q) => names.push((*q).to_owned()),
            Token::Comma | Token::Colon => {}
            token if token.is(nouns) || token.is(FILLERS) => {}
            Token::Word(w) if !any_quoted && is_name(w) && !matches!(*w, "row" | "line" | "rows") => names.push((*w).to_owned()),
            _ => return None,
        }
    }
    (!names.is_empty()).then(|| vec![Claim::Columns { file: about.own(), names }])
}
