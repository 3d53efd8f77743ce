//! Keys of a JSON file and columns of a CSV file, as people name them: "has 'max' object with 'val' (number) and 'fy' (string)".
//!
//! What stands in quotes is a name. A bare word is one only in a strict list beside the noun, see [`bare`]: nearly every other word
//! there says something about the keys, such as that they are sorted, or optional, or there per country.

use super::lex::Token;
use super::predicate::About;
use super::{Claim, How, Wants, bare, skip};
use crate::request::words::count;

/// Words for a JSON type, each behind its name.
const KINDS: [(&str, &str); 6] = [
    ("number", "number numbers numeric float"),
    ("integer", "integer integers int"),
    ("string", "string strings text"),
    ("boolean", "boolean booleans bool"),
    ("array", "array arrays list lists"),
    ("object", "object objects"),
];
const KEYS: &str = "key keys field fields property properties attribute attributes";
const COLUMNS: &str = "column columns header headers heading headings";
/// What may stand before the noun.
pub const BEFORE: &str = "a an the both all following these its top-level";

pub fn kind(token: Token<'_>) -> Option<&'static str> {
    KINDS
        .iter()
        .find(|(_, words)| token.is(words))
        .map(|(kind, _)| *kind)
}

/// What is said of a whole list of names.
struct Lead {
    /// No others may be there.
    exact: bool,
    /// How many there are.
    count: Option<usize>,
}

/// "exactly these two keys …"
fn lead<'t, 'a>(all: &'t [Token<'a>]) -> (Lead, &'t [Token<'a>]) {
    let before = skip(all, BEFORE);
    if let [at, least, rest @ ..] = before
        && at.is("at")
        && least.is("least")
    {
        return (
            Lead {
                exact: false,
                count: None,
            },
            rest,
        );
    }
    let rest = skip(before, "exactly only just precisely");
    let exact = rest.len() < before.len();
    // "a name field": the article is still of use.
    let rest = if exact { skip(rest, BEFORE) } else { all };
    if let [Token::Word(w), after @ ..] = rest
        && exact
        && let Some(n) = count::number(&w.to_lowercase())
    {
        return (
            Lead {
                exact,
                count: Some(n),
            },
            after,
        );
    }
    (Lead { exact, count: None }, rest)
}

fn any_quoted(all: &[Token<'_>]) -> bool {
    all.iter().any(|t| matches!(t, Token::Quoted(_)))
}

/// "has columns a, b and c", "has exactly the columns "a" and "b"". `said`: that columns follow is said already.
pub fn columns(about: &About<'_, '_>, rest: &[Token<'_>], said: bool) -> Option<Vec<Claim>> {
    if !said && !rest.iter().any(|t| t.is(COLUMNS)) {
        return None;
    }
    let (lead, rest) = lead(rest);
    let (names, doubtful) = if any_quoted(rest) {
        let mut names = Vec::new();
        for token in rest {
            match token {
                // "the header 'a,b'" is a line.
                Token::Quoted(q) if !q.contains([',', ';']) => names.push((*q).to_owned()),
                Token::Comma | Token::Colon => {}
                token if token.is(COLUMNS) || token.is(BEFORE) || token.is("and named called") => {}
                _ => return None,
            }
        }
        (names, false)
    } else {
        let list = bare::list(rest, COLUMNS, said)?;
        let typed = list.names.iter().any(|(_, kind)| kind.is_some());
        (
            (!typed).then_some(list.names.into_iter().map(|(name, _)| name).collect())?,
            list.doubtful,
        )
    };
    if names.is_empty() || lead.count.is_some_and(|n| n != names.len()) || lead.exact && doubtful {
        return None;
    }
    let how = match (lead.exact, doubtful) {
        (true, _) => How::All,
        (_, true) => How::Perhaps,
        _ => How::Some,
    };
    Some(vec![Claim::Columns {
        file: about.own(),
        names,
        how,
    }])
}

/// `said`: that keys follow is said already.
pub fn claims(about: &About<'_, '_>, rest: &[Token<'_>], said: bool) -> Option<Vec<Claim>> {
    if !about.ends(".json") {
        return None;
    }
    let (lead, rest) = lead(rest);
    let (entries, sure) = if any_quoted(rest) {
        (quoted(rest)?, said || rest.iter().any(|t| t.is(KEYS)))
    } else {
        let list = bare::list(rest, KEYS, said)?;
        let entry = |(name, kind)| Entry {
            path: vec![name],
            kind,
            value: None,
        };
        (list.names.into_iter().map(entry).collect(), !list.doubtful)
    };
    let nested = entries
        .iter()
        .any(|e| e.path.len() > 1 || e.path.iter().any(|p| p.contains('.')));
    if lead.count.is_some_and(|n| n != entries.len()) || lead.exact && (nested || !sure) {
        return None;
    }
    let file = || about.own();
    let mut claims = Vec::new();
    if lead.exact {
        let names = entries.iter().flat_map(|e| e.path.clone()).collect();
        claims.push(Claim::OnlyKeys {
            file: file(),
            names,
        });
    }
    for Entry { path, kind, value } in entries {
        let of = |wants| Claim::Key {
            file: file(),
            path: path.clone(),
            wants,
        };
        match (kind, value) {
            (None, None) if sure || nested => claims.push(of(Wants::Anything)),
            // "contains 'x'" may mean a text; where that is not in the file either, it fails both ways.
            (None, None) => {
                claims.push(of(Wants::Perhaps));
                if any_quoted(rest) {
                    claims.extend(path.first().map(|text| Claim::Contains {
                        file: file(),
                        text: text.clone(),
                        word: false,
                    }));
                }
            }
            (kind, value) => claims.extend(kind.map(Wants::Kind).into_iter().chain(value).map(of)),
        }
    }
    Some(claims)
}

#[derive(Debug)]
struct Entry {
    path: Vec<String>,
    kind: Option<&'static str>,
    value: Option<Wants>,
}

/// Names in quotes, with what is said of each; after "with" those that are in the last.
fn quoted(mut rest: &[Token<'_>]) -> Option<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    let mut parent: Option<String> = None;
    loop {
        rest = entry(rest, parent.as_ref(), &mut all)?;
        while let Some(after) = noted(rest, &mut all)? {
            rest = after;
        }
        let joins = rest
            .iter()
            .take_while(|t| **t == Token::Comma || t.is("and"))
            .count();
        match rest {
            [] => return Some(all),
            // "'max' object with 'val'"; a second one is in the first, or beside it: nobody knows.
            [with, after @ ..] if with.is("with containing") && parent.is_none() => {
                let last = all.last()?;
                let holds = matches!(last.kind, Some("object" | "array"))
                    || after.iter().take(2).any(|t| t.is(KEYS));
                parent =
                    Some((holds && last.value.is_none()).then(|| last.path.first().cloned())??);
                rest = after;
            }
            _ if joins > 0 => rest = rest.get(joins..)?,
            _ => return None,
        }
    }
}

/// "the key 'a'", "keys: 'a'", "a string field 'a'", "an array 'a'".
fn entry<'t, 'a>(
    rest: &'t [Token<'a>],
    parent: Option<&String>,
    all: &mut Vec<Entry>,
) -> Option<&'t [Token<'a>]> {
    let rest = skip(rest, BEFORE);
    let (kind, rest) = match rest {
        [array, rest @ ..] if array.is("array list object") => (kind(*array), rest),
        // "the string 'x'" is a text, "the string field 'x'" is a key.
        [typed, key, rest @ ..]
            if kind(*typed).is_some() && key.is("key field property attribute") =>
        {
            (kind(*typed), rest)
        }
        _ => (None, skip(rest, KEYS)),
    };
    let rest = skip(rest, "named called");
    let rest = if let [Token::Colon, rest @ ..] = rest {
        rest
    } else {
        rest
    };
    let [Token::Quoted(name), rest @ ..] = rest else {
        return None;
    };
    // A second object inside the first, or beside it: nobody knows.
    let path: Vec<String> = parent
        .into_iter()
        .cloned()
        .chain([(*name).to_owned()])
        .collect();
    all.push(Entry {
        path,
        kind,
        value: None,
    });
    (!name.trim().is_empty()).then_some(rest)
}

/// What is said behind a name: its type, its value, or that it is a key. `Some(None)` where nothing more is.
#[allow(clippy::option_option)]
fn noted<'t, 'a>(rest: &'t [Token<'a>], all: &mut [Entry]) -> Option<Option<&'t [Token<'a>]>> {
    if let [key, rest @ ..] = rest
        && key.is(KEYS)
    {
        return Some(Some(rest));
    }
    if let Some((word, rest)) = bare::typed(rest)? {
        let kind = Some(kind(word)?);
        // "'lat' and 'lon' (numbers)" says it of both.
        let many = word.is("numbers integers strings booleans arrays lists objects");
        let from = if many { 0 } else { all.len().checked_sub(1)? };
        for entry in all.get_mut(from..)? {
            if entry.kind.is_some() || entry.value.is_some() || many && entry.path.len() > 1 {
                return None;
            }
            entry.kind = kind;
        }
        return Some(Some(rest));
    }
    let Some((wants, rest)) = valued(rest)? else {
        return Some(None);
    };
    let last = all.last_mut()?;
    let free = last.value.is_none();
    last.value = Some(wants);
    free.then_some(Some(rest))
}

/// "equal to 'x'", "with value 5", "matching 'x'".
#[allow(clippy::option_option)]
fn valued<'t, 'a>(rest: &'t [Token<'a>]) -> Option<Option<(Wants, &'t [Token<'a>])>> {
    let (like, rest) = match rest {
        [matching, rest @ ..] if matching.is("matching") => (true, rest),
        [equal, to, rest @ ..] if equal.is("equal set") && to.is("to") => (false, rest),
        [equals, rest @ ..] if equals.is("equals = value") || *equals == Token::Colon => {
            (false, rest)
        }
        [with, rest @ ..] if with.is("with of having") => match skip(rest, "a an the") {
            [value, rest @ ..] if value.is("value") => (false, skip(rest, "of")),
            _ => return Some(None),
        },
        _ => return Some(None),
    };
    let rest = if let [Token::Colon, rest @ ..] = rest {
        rest
    } else {
        rest
    };
    let (text, rest) = match rest {
        [Token::Quoted(text), rest @ ..] => (*text, rest),
        [Token::Word(text), rest @ ..]
            if matches!(*text, "true" | "false" | "null") || text.parse::<f64>().is_ok() =>
        {
            (*text, rest)
        }
        _ => return None,
    };
    let text = text.to_owned();
    Some(Some((
        if like {
            Wants::Like(text)
        } else {
            Wants::Equal(text)
        },
        rest,
    )))
}
