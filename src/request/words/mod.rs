//! Plain language that files decide: read into claims, or not read at all.
//!
//! ```text
//! lex → subject (one or more files) → predicate and predicate … → claims
//! ```
//!
//! Where any part of a text is not understood, nothing of it is: half a verdict would be a wrong one.

mod bare;
pub mod count;
mod keys;
mod lex;
mod predicate;

use std::ops::RangeInclusive;

use crate::request::required::Wanted;
use lex::Token;

/// What must hold of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Mit,
    /// A file, or with a slash at its end a folder.
    Exists(String),
    Absent(String),
    /// Byte for byte the attachment of that name.
    Attachment {
        file: String,
        attachment: String,
    },
    Valid {
        file: String,
        format: Format,
    },
    /// The rows of the first sheet of that attachment.
    Sheet {
        file: String,
        attachment: String,
    },
    /// A path of keys, with the type or value that is asked for.
    Key {
        file: String,
        path: Vec<String>,
        wants: Wants,
    },
    /// An object with no other keys than these.
    OnlyKeys {
        file: String,
        names: Vec<String>,
    },
    /// Columns of a CSV file.
    Columns {
        file: String,
        names: Vec<String>,
        how: How,
    },
    /// A page links to these.
    Links {
        file: String,
        to: Vec<String>,
    },
    Words {
        file: String,
        range: RangeInclusive<usize>,
    },
    /// `word`: as a word of its own.
    Contains {
        file: String,
        text: String,
        word: bool,
    },
    Lacks {
        file: String,
        text: String,
        word: bool,
    },
    /// A heading with that text.
    Section {
        file: String,
        text: String,
    },
    NotEmpty(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Svg,
    Xml,
    Csv,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    Anything,
    /// As `Anything`; but what is not there may not have been meant as a key.
    Perhaps,
    Kind(&'static str),
    /// "matching 'Biogen'" is met by "Biogen Inc.".
    Like(String),
    /// The text as it is; a number by value.
    Equal(String),
}

/// How names are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// These, and others may be there.
    Some,
    /// These and no others.
    All,
    /// What is not there may not have been meant as a name.
    Perhaps,
}

/// The claims of a text, `None` where it is not one that files alone decide.
#[must_use]
pub fn read(text: &str, wanted: &Wanted<'_>) -> Option<Vec<Claim>> {
    let text = text.trim().trim_end_matches(['.', '!']).trim();
    let all = lex::tokens(text);
    if is_licence(&all) {
        return Some(vec![Claim::Mit]);
    }
    if let Some(files) = required_files(&all, wanted) {
        return Some(files.into_iter().map(Claim::Exists).collect());
    }
    existence(&all).or_else(|| {
        let Subject { files, noun, rest } = subject(&all)?;
        let mut claims = Vec::new();
        for part in predicate::split(rest) {
            for file in &files {
                claims.extend(predicate::claims(
                    &predicate::About { file, noun, wanted },
                    part,
                )?);
            }
        }
        // "a.txt or b.txt must not exist" is said of both, "a.txt or b.txt exists" of one.
        if any_of(&all)
            && !claims
                .iter()
                .all(|c| matches!(c, Claim::Absent(_) | Claim::Lacks { .. }))
        {
            return None;
        }
        (!claims.is_empty()).then_some(claims)
    })
}

/// Words of which a sentence about the licence, and nothing else, is made.
const OF_LICENCE: &str = "repo repository has have an a the mit license licence licensed mit-licensed file exists exist is are contains \
    contain includes include text full complete present in at root of under there included valid proper standard github project with \
    and must should be as on committed added top level top-level its this uses use to code source directory folder license.md \
    license.txt licence.md licence.txt";

fn is_licence(all: &[Token<'_>]) -> bool {
    let known = |t: &Token<'_>| match t {
        Token::Word(_) => t.is(OF_LICENCE),
        Token::Quoted(q) => q.split_whitespace().all(|w| Token::Word(w).is(OF_LICENCE)),
        Token::Comma | Token::Colon | Token::Open | Token::Close => true,
    };
    let says = |words: &str| {
        all.iter().any(|t| t.is(words) || matches!(t, Token::Quoted(q) if q.split_whitespace().any(|w| Token::Word(w).is(words))))
    };
    let licence =
        says("license licence licensed mit-licensed license.md license.txt licence.md licence.txt");
    // "Repo is complete and has an MIT license" says more than that.
    let whose = "repo repository project github code source";
    let praised = |t: &[Token<'_>]| matches!(t, [a, b, c] if a.is(whose) && b.is("is are be") && c.is("complete valid proper standard full present"));
    !all.windows(3).any(praised) && all.iter().all(known) && licence && says("mit mit-licensed")
}

const PLACES: &str = "on in at to of within the a this its github git repository repo root main branch default project directory folder top level top-level public base as file files all";

/// Whether these words only say where: "in the root of the repository". That something is on a page that was published is more than
/// files tell, and "the public folder" is another than the root.
fn is_place(all: &[Token<'_>]) -> bool {
    let folder = all.windows(2).any(
        |two| matches!(two, [a, b] if a.is("public github git main") && b.is("folder directory")),
    );
    !folder && all.iter().all(|t| t.is(PLACES))
}

const THERE: &str = "present committed included available added pushed tracked uploaded provided there found existing checked-in";

/// More files are no list that somebody wrote, and each of hundreds of checks would hold them all.
const MOST_FILES: usize = 2_000;

/// "Each required file exists", "All nine files are present in the repo".
fn required_files(all: &[Token<'_>], wanted: &Wanted<'_>) -> Option<Vec<String>> {
    let first = all.first()?;
    let asked = "required requested listed specified necessary expected mentioned";
    let named = all.iter().position(|t| t.is("file files"))?;
    let (before, after) = (all.get(..named)?, all.get(named + 1..)?);
    let starts = first.is("each every all both")
        || first.is(asked)
        || first.is("the") && before.get(1).is_some_and(|t| t.is(asked));
    let counted = before.iter().find_map(|t| {
        if let Token::Word(w) = t {
            count::number(&w.to_lowercase())
        } else {
            None
        }
    });
    let known = |t: &Token<'_>| t.is("each every all both of the") || t.is(asked);
    let plain = before.iter().filter(|t| !known(t)).count() <= usize::from(counted.is_some());
    // "All files exist" is taken for the required ones, "all files are linked" for neither.
    let verb = after
        .iter()
        .take_while(|t| t.is("exist exists is are must should be") || t.is(THERE))
        .count();
    let exist = after
        .iter()
        .take(verb)
        .any(|t| t.is("exist exists") || t.is(THERE));
    if !(starts && plain && exist && is_place(after.get(verb..)?)) {
        return None;
    }
    let files = wanted.files();
    (!files.is_empty() && files.len() <= MOST_FILES && counted.is_none_or(|n| n == files.len()))
        .then(|| files.to_vec())
}

/// Whether one of several files is enough: "a.txt or b.txt".
fn any_of(all: &[Token<'_>]) -> bool {
    let after_file = |two: &[Token<'_>]| matches!(two, [or, file] if or.is("or either and/or") && file.file().is_some());
    all.windows(2).any(after_file)
        || all.windows(3).any(|three| matches!(three, [or, a, file] if or.is("or either") && a.is("a an the") && file.file().is_some()))
}

/// Files at the beginning, joined by commas, "and" or "or", and what follows.
fn files<'t, 'a>(mut all: &'t [Token<'a>]) -> (Vec<String>, &'t [Token<'a>]) {
    let mut found: Vec<String> = Vec::new();
    loop {
        let skip = if found.is_empty() {
            0
        } else {
            all.iter()
                .take_while(|t| **t == Token::Comma || t.is("and & or also"))
                .count()
        };
        // After the first, what joins must be followed by a file: "a.json exists and …" ends here.
        match all.get(skip).and_then(|t| t.file()) {
            Some(name) if found.is_empty() || skip > 0 => {
                found.push(name.to_owned());
                all = all.get(skip + 1..).unwrap_or_default();
            }
            _ => return (found, all),
        }
    }
}

fn skip<'t, 'a>(all: &'t [Token<'a>], words: &str) -> &'t [Token<'a>] {
    let n = all.iter().take_while(|t| t.is(words)).count();
    all.get(n..).unwrap_or_default()
}

/// "There is a README.md", "Repo contains index.html and a.js", "No .env file is committed": that files are there, said the other way.
fn existence(all: &[Token<'_>]) -> Option<Vec<Claim>> {
    let rest = skip(all, "the a this public github git");
    let (mut absent, rest) = match rest {
        [first, rest @ ..] if first.is("no") => (true, rest),
        [there, verb, rest @ ..]
            if there.is("there") && verb.is("is are exists exist must should") =>
        {
            (false, skip(rest, "be"))
        }
        [whose, rest @ ..] if whose.is("repo repository project site") => {
            let (negative, verb, rest) = predicate::verb(skip(rest, "root directory folder"))?;
            let holds = matches!(verb, predicate::Verb::Have | predicate::Verb::Contain);
            (holds.then_some(negative)?, rest)
        }
        _ => return None,
    };
    if let [no, ..] = rest
        && no.is("no")
    {
        absent = true;
    }
    let rest = skip(rest, "no a an the file files named called both at least");
    let (found, rest) = files(rest);
    let rest = skip(rest, "file files");
    // "No .env file is committed": the verb that the sentence still needs.
    let rest = match predicate::verb(rest) {
        Some((false, predicate::Verb::Exist, rest)) => rest,
        Some((false, predicate::Verb::Be, rest)) => skip(rest, THERE),
        _ => rest,
    };
    if found.is_empty() || !is_place(skip(rest, THERE)) {
        return None;
    }
    if any_of(all) && !absent {
        return None;
    }
    Some(
        found
            .into_iter()
            .map(if absent { Claim::Absent } else { Claim::Exists })
            .collect(),
    )
}

/// What of a file is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// The file, or what is in it.
    Whole,
    /// How many words are in it.
    WordCount,
    /// How long it is, in words if that is said.
    Length,
    Keys,
}

struct Subject<'t, 'a> {
    files: Vec<String>,
    noun: Noun,
    rest: &'t [Token<'a>],
}

/// `a.txt, b.txt and c.txt` at the beginning, and what follows.
fn subject<'t, 'a>(all: &'t [Token<'a>]) -> Option<Subject<'t, 'a>> {
    // "The word count of a.txt is 350"
    if let [word, count, of, rest @ ..] = skip(all, "the")
        && word.is("word")
        && count.is("count")
        && of.is("of in")
    {
        let (files, rest) = files(rest);
        return (!files.is_empty()).then_some(Subject {
            files,
            noun: Noun::WordCount,
            rest,
        });
    }
    let lead = skip(
        all,
        "the a an file files both each of committed root content contents text that",
    );
    let (named, rest) = files(lead);
    if named.is_empty() {
        return None;
    }
    // "LICENSE file exists", "uid.txt's content matches"
    let rest = skip(
        rest,
        "file files content contents text in the root at repo repository",
    );
    let (noun, rest) = match rest {
        [a, b, rest @ ..] if a.is("word") && b.is("count") => (Noun::WordCount, rest),
        [a, rest @ ..] if a.is("length") => (Noun::Length, rest),
        [a, rest @ ..] if a.is("keys fields columns headers") => (Noun::Keys, rest),
        [a, b, rest @ ..] if a.is("top-level") && b.is("keys fields") => (Noun::Keys, rest),
        _ => (Noun::Whole, rest),
    };
    Some(Subject {
        files: named,
        noun,
        rest,
    })
}
