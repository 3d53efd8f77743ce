//! What is said of a file: "is valid JSON", "contains exactly three words", "must not be committed".

use super::lex::Token;
use super::{Claim, Format, Noun, THERE, Wants, files, is_place, keys, skip};
use crate::content::file_type;
use crate::request::required::Wanted;
use crate::request::words::count;

/// What a predicate is about.
pub struct About<'a, 't> {
    pub file: &'a str,
    pub noun: Noun,
    pub wanted: &'a Wanted<'t>,
}

impl About<'_, '_> {
    pub fn own(&self) -> String {
        self.file.to_owned()
    }

    pub fn ends(&self, ending: &str) -> bool {
        self.file.to_ascii_lowercase().ends_with(ending)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Be,
    Have,
    Contain,
    Exist,
    Match,
    Link,
    Parse,
}

const VERBS: [(Verb, &str); 7] = [
    (Verb::Be, "is are be"),
    (Verb::Have, "has have"),
    (
        Verb::Contain,
        "contains contain includes include mentions mention holds hold",
    ),
    (Verb::Exist, "exists exist"),
    (Verb::Match, "matches match equals equal"),
    (Verb::Link, "links link"),
    (Verb::Parse, "parses parse validates validate"),
];
const MODAL: &str = "must should shall can will";
/// What may be, need not be, or is not said of all: no verdict follows.
const OPEN: &str = "needn't can could may might";
const NEGATED: &str = "doesn't don't isn't aren't mustn't shouldn't cannot hasn't";

/// Whether it is denied, the verb, and the rest: "must not contain x" → (true, contain, x).
pub fn verb<'t, 'a>(all: &'t [Token<'a>]) -> Option<(bool, Verb, &'t [Token<'a>])> {
    let (mut negative, mut rest) = (false, all);
    let (mut found, mut needed) = (None, false);
    while let [first, after @ ..] = rest {
        // "can be parsed" is what validity is.
        let able = first.is("can")
            && matches!(after, [be, p, ..] if be.is("be") && p.is("parsed loaded read"));
        if found.is_none() && first.is(OPEN) && !able && !after.first().is_some_and(|t| t.is("not"))
        {
            return None;
        }
        needed |= found.is_none() && first.is("need needs") || negative && first.is("both all");
        if first.is("not never") {
            negative = true;
        } else if first.is(NEGATED) {
            negative = true;
            if first.is("isn't aren't") {
                found = Some(Verb::Be);
            }
        } else if let (None, Some((verb, _))) =
            (found, VERBS.iter().find(|(_, words)| first.is(words)))
        {
            found = Some(*verb);
        } else if found.is_some()
            || !(first.is(MODAL) || first.is("can does do needs need has to also all both"))
        {
            break;
        }
        rest = after;
    }
    // "need not exist", "do not both exist", "does not contain both"
    if negative && (needed || rest.first().is_some_and(|t| t.is("both all"))) {
        return None;
    }
    match (found, rest) {
        // "has no", "contains no"
        (Some(verb @ (Verb::Have | Verb::Contain)), [no, after @ ..])
            if no.is("no") && !after.first().is_some_and(|t| t.is("more fewer less")) =>
        {
            Some((!negative, verb, after))
        }
        (Some(verb), rest) => Some((negative, verb, rest)),
        (None, [consists, of, after @ ..]) if consists.is("consists consist") && of.is("of") => {
            Some((negative, Verb::Have, after))
        }
        (None, _) => None,
    }
}

/// "exists and is valid JSON" → "exists", "is valid JSON".
pub fn split<'t, 'a>(all: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let joins = |t: &Token<'_>| *t == Token::Comma || t.is("and but");
    let starts = |t: &Token<'_>| {
        VERBS.iter().any(|(_, words)| t.is(words))
            || t.is(MODAL)
            || t.is(NEGATED)
            || t.is("does do consists not")
    };
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(token) = all.get(at) {
        let between = all
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|t| joins(t))
            .count();
        if joins(token) && at > start && all.get(at + between).is_some_and(starts) {
            parts.extend(all.get(start..at));
            start = at + between;
        }
        at += between.max(1);
    }
    parts.extend(all.get(start..).filter(|p| !p.is_empty()));
    parts
}

/// The claims of one predicate; `None` where it is not understood.
pub fn claims(about: &About<'_, '_>, part: &[Token<'_>]) -> Option<Vec<Claim>> {
    // "data.json: valid JSON", "a.txt (300–400 words)"
    match part {
        [Token::Colon, rest @ ..] => return be(about, false, rest),
        [dash, rest @ ..] if dash.is("- – —") => return be(about, false, rest),
        [Token::Open, rest @ .., Token::Close] => return be(about, false, rest),
        _ => {}
    }
    let (negative, verb, rest) = verb(part)?;
    match about.noun {
        Noun::WordCount => return words(about, negative, rest, Said::Count),
        Noun::Length => return words(about, negative, rest, Said::Nothing),
        // "keys are sorted", "fields match schema.json" and "fields contain no spaces" name none.
        Noun::Keys => {
            let include = !negative && part.iter().any(|t| t.is("include includes"));
            let csv = about.ends(".csv") || about.ends(".tsv");
            return include.then(|| {
                if csv {
                    keys::columns(about, rest, true)
                } else {
                    keys::claims(about, rest, true)
                }
            })?;
        }
        Noun::Whole => {}
    }
    match verb {
        Verb::Exist => there(about, negative, rest),
        Verb::Be => be(about, negative, rest),
        Verb::Match => attachment(about, negative, rest),
        Verb::Link => links(about, negative, rest),
        Verb::Parse => {
            if negative {
                None
            } else {
                valid(
                    about,
                    skip(rest, "correctly successfully cleanly fine as into"),
                )
            }
        }
        Verb::Have | Verb::Contain => have(about, negative, verb, rest),
    }
}

/// "exists", "is committed", "in the repository": all that is left may say where.
fn there(about: &About<'_, '_>, negative: bool, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let unchanged = rest
        .iter()
        .any(|t| t.is("as-is unchanged unmodified verbatim"))
        || rest
            .windows(2)
            .any(|two| matches!(two, [a, b] if a.is("as") && b.is("is")));
    if unchanged {
        let others = rest
            .iter()
            .all(|t| t.is("as-is unchanged unmodified verbatim as is") || is_place(&[*t]));
        return if others && !negative {
            same(about)
        } else {
            None
        };
    }
    let claim = if negative {
        Claim::Absent
    } else {
        Claim::Exists
    };
    is_place(rest).then(|| vec![claim(about.own())])
}

fn be(about: &About<'_, '_>, negative: bool, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let rest = skip(rest, "all also still both");
    let one = |claim| Some(vec![claim]);
    match rest {
        [first, rest @ ..] if first.is(THERE) => there(about, negative, rest),
        [first, rest @ ..] if first.is("missing absent") => there(about, !negative, rest),
        [first] if first.is("empty blank") && negative => one(Claim::NotEmpty(about.own())),
        [first] if first.is("non-empty nonempty") && !negative => one(Claim::NotEmpty(about.own())),
        [first, second, ..] if first.is("in at on") && !second.is("least most") => {
            there(about, negative, rest)
        }
        [parsed, rest @ ..] if parsed.is("parsed") && !negative => valid(about, skip(rest, "as")),
        _ => attachment(about, negative, rest)
            .or_else(|| words(about, negative, rest, Said::Nothing))
            .or_else(|| if negative { None } else { valid(about, rest) }),
    }
}

/// "valid JSON", "a well-formed SVG image", "valid".
fn valid(about: &About<'_, '_>, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let lead = "a an valid well-formed wellformed parseable parsable proper correct syntactically correctly formatted formed";
    let (before, after) = rest.split_at(rest.len() - skip(rest, lead).len());
    // "is correct" is said of what stands in it.
    let said = before
        .iter()
        .any(|t| t.is("valid well-formed wellformed parseable parsable"));
    let formats = [
        ("json", Format::Json),
        ("svg", Format::Svg),
        ("xml", Format::Xml),
        ("csv", Format::Csv),
    ];
    let (format, rest) = match after {
        [first, rest @ ..] => (
            formats
                .iter()
                .find(|(name, _)| first.is(name))
                .map(|(_, f)| *f)?,
            rest,
        ),
        // "is valid": as what it is called.
        [] if said => (
            formats
                .iter()
                .find(|(name, _)| about.ends(&format!(".{name}")))
                .map(|(_, f)| *f)?,
            after,
        ),
        [] => return None,
    };
    let mut claims = vec![Claim::Valid {
        file: about.own(),
        format,
    }];
    let rest = match rest {
        // "is a JSON array" is more than that it is JSON.
        [kind, rest @ ..] if format == Format::Json && kind.is("object array list") => {
            claims.extend(keys::kind(*kind).map(|kind| Claim::Key {
                file: about.own(),
                path: Vec::new(),
                wants: Wants::Kind(kind),
            }));
            rest
        }
        _ => skip(
            rest,
            "file document image data markup content format syntax graphic drawing successfully without errors",
        ),
    };
    match rest {
        [] => {}
        [with, rest @ ..] if with.is("with containing having") && format == Format::Csv => {
            claims.extend(keys::columns(about, rest, false)?);
        }
        // "valid JSON with keys a and b"
        [with, rest @ ..] if with.is("with containing having") => {
            claims.extend(keys::claims(about, rest, false)?);
        }
        _ => return None,
    }
    Some(claims)
}

/// "matches the attached uid.txt", "is identical to the attachment".
fn attachment(about: &About<'_, '_>, negative: bool, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let given = |t: &Token<'_>| {
        t.is("attached attachment attachments attachment's original provided given supplied")
    };
    let unchanged = |t: &Token<'_>| t.is("unchanged unmodified verbatim as-is");
    let filler = "the a an to as with from in of identical equal same copy exact exactly file content contents one byte bytes for byte-for-byte byte-identical version exactly-the content-wise task it is was text";
    let others = rest
        .iter()
        .filter(|t| t.file().is_none() && !matches!(t, Token::Open | Token::Close));
    let understood = others
        .clone()
        .all(|t| given(t) || unchanged(t) || t.is(filler));
    let said = rest.iter().any(|t| given(t) || unchanged(t));
    let others: Vec<&str> = rest
        .iter()
        .filter_map(|t| t.file())
        .filter(|other| *other != about.file)
        .collect();
    if negative || !understood {
        return None;
    }
    match others.as_slice() {
        [] if said => same(about),
        // "data.csv content equals data.xlsx": what it was converted from.
        [other] if about.ends(".csv") && file_type::is_sheet(other) => {
            let known = about
                .wanted
                .task
                .attachments
                .iter()
                .find(|a| a.name.as_str() == *other)?;
            Some(vec![Claim::Sheet {
                file: about.own(),
                attachment: known.name.to_string(),
            }])
        }
        _ => None,
    }
}

/// That the file is the attachment of its name.
fn same(about: &About<'_, '_>) -> Option<Vec<Claim>> {
    let name = about.file.rsplit('/').next()?;
    let known = about.wanted.task.attachments.iter().find(|a| {
        a.name.as_str() == about.file || a.name.as_str().rsplit('/').next() == Some(name)
    })?;
    Some(vec![Claim::Attachment {
        file: about.own(),
        attachment: known.name.to_string(),
    }])
}

/// "links to all required files", "links to a.txt and b.txt".
fn links(about: &About<'_, '_>, negative: bool, rest: &[Token<'_>]) -> Option<Vec<Claim>> {
    let [to, rest @ ..] = skip(rest, "correctly properly") else {
        return None;
    };
    if negative || !to.is("to") {
        return None;
    }
    let to = match rest {
        [all, rest @ ..] if all.is("all every each") => {
            let nouns = "of the other required requested listed files file assets asset above them these those generated published resources artifacts outputs";
            rest.iter()
                .all(|t| t.is(nouns))
                .then(|| about.wanted.linked(about.file))?
        }
        _ => {
            let (named, rest) = files(skip(rest, "the both file files"));
            rest.iter().all(|t| t.is("file files")).then_some(named)?
        }
    };
    (!to.is_empty()).then(|| {
        vec![Claim::Links {
            file: about.own(),
            to,
        }]
    })
}

/// What is said before a count of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// "is", "has a length of"
    Nothing,
    /// "has", "contains"
    Holds,
    /// "the word count is"
    Count,
}

/// "exactly three words", "a 300–400 word story".
fn words(
    about: &About<'_, '_>,
    negative: bool,
    rest: &[Token<'_>],
    said: Said,
) -> Option<Vec<Claim>> {
    if negative {
        return None;
    }
    let joined: Vec<String> = rest
        .iter()
        .map(|t| {
            if let Token::Word(w) = t {
                Some(count::plain(w))
            } else {
                None
            }
        })
        .collect::<Option<_>>()?;
    // A dash between blanks is a token of its own here.
    let text = joined.join(" ").replace(" - ", "-");
    let mut all: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
    if let [word, of, ..] = all.as_slice()
        && *word == "word"
        && *of == "count"
    {
        all.drain(..2);
        return counted(about, &all, "of is a");
    }
    if let [a, word, count, ..] = all.as_slice()
        && (*a, *word, *count) == ("a", "word", "count")
    {
        all.drain(..3);
        return counted(about, &all, "of is a");
    }
    let unit = all.iter().position(|w| {
        matches!(*w, "word" | "words") || w.ends_with("-word") || w.ends_with("-words")
    });
    let Some(unit) = unit else {
        return if said == Said::Count {
            counted(about, &all, "of a the")
        } else {
            None
        };
    };
    // "contains a 50-word summary": of other text beside it nothing is said.
    if all
        .iter()
        .any(|w| matches!(*w, "summary" | "description" | "paragraph" | "answer"))
        && said == Said::Holds
    {
        return None;
    }
    let trail = "long in total of text story summary description answer essay short length or more fewer less a the document article paragraph only exactly";
    let after = all.get(unit + 1..)?;
    if !after.iter().all(|w| trail.split(' ').any(|t| t == *w)) {
        return None;
    }
    let range = count::in_sentence(&text);
    let compound = all.get(unit)?.contains('-');
    let before: &[&str] = if compound {
        all.get(..unit)?
    } else {
        all.get(..unit - count::range(all.get(..unit)?)?.1)?
    };
    let lead = before.iter().all(|w| {
        matches!(
            *w,
            "a" | "an" | "the" | "of" | "exactly" | "total" | "length" | "between"
        )
    });
    match range.as_slice() {
        [range] if lead => Some(vec![Claim::Words {
            file: about.own(),
            range: range.clone(),
        }]),
        _ => None,
    }
}

/// A range that all these words make up, but for the ones that may stand before it.
fn counted(about: &About<'_, '_>, all: &[&str], lead: &str) -> Option<Vec<Claim>> {
    let all = all.strip_suffix(&["words"]).unwrap_or(all);
    let (range, taken) = count::range(all)?;
    let plain = all
        .get(..all.len() - taken)?
        .iter()
        .all(|w| lead.split(' ').any(|l| l == *w));
    plain.then(|| {
        vec![Claim::Words {
            file: about.own(),
            range,
        }]
    })
}

fn have(
    about: &About<'_, '_>,
    negative: bool,
    verb: Verb,
    rest: &[Token<'_>],
) -> Option<Vec<Claim>> {
    // "has a link to …", "contains links to all files"
    if let [link, after @ ..] = skip(rest, "a an working valid the clickable")
        && link.is("link links hyperlink hyperlinks")
    {
        return links(about, negative, after);
    }
    if let Some(claims) = words(about, negative, rest, Said::Holds) {
        return Some(claims);
    }
    if !negative && rest.first().is_some_and(|t| t.is("valid well-formed")) {
        return valid(about, rest);
    }
    if about.ends(".json") && !negative {
        return keys::claims(about, rest, false);
    }
    if (about.ends(".csv") || about.ends(".tsv"))
        && !negative
        && let Some(claims) = keys::columns(about, rest, false)
    {
        return Some(claims);
    }
    quoted(about, negative, verb, rest)
}

/// "contains "x"", "does not contain the typo "x"": nothing but a few words beside the quotation.
fn quoted(
    about: &About<'_, '_>,
    negative: bool,
    verb: Verb,
    rest: &[Token<'_>],
) -> Option<Vec<Claim>> {
    let fillers = "the typo typos string strings text texts word words phrase phrases a an and or literal misspelling any section sections heading headings exact both term terms sentence substring either neither nor";
    let texts: Vec<&str> = rest
        .iter()
        .filter_map(|t| {
            if let Token::Quoted(q) = t {
                Some(*q)
            } else {
                None
            }
        })
        .collect();
    let plain = rest.iter().all(|t| {
        matches!(t, Token::Quoted(q) if !q.is_empty()) || *t == Token::Comma || t.is(fillers)
    });
    // "contains neither "x" nor "y""
    let negative = negative || rest.iter().any(|t| t.is("neither"));
    // "has a "Setup" section" is said of a text; what a page or a program has is not what stands in it.
    let sections = rest
        .iter()
        .any(|t| t.is("section sections heading headings"));
    let text = about.ends(".md") || about.ends(".txt") || about.ends("readme");
    let said = if sections {
        !negative && text
    } else {
        verb == Verb::Contain || negative
    };
    let any_of = !negative && rest.iter().any(|t| t.is("or nor either any"));
    if texts.is_empty() || !plain || !said || any_of {
        return None;
    }
    let word = rest.iter().any(|t| t.is("word words term terms"));
    let claim = |text: &str| {
        let (file, text) = (about.own(), text.to_owned());
        match (sections, negative) {
            (true, _) => Claim::Section { file, text },
            (_, true) => Claim::Lacks { file, text, word },
            _ => Claim::Contains { file, text, word },
        }
    };
    Some(texts.into_iter().map(claim).collect())
}
