//! CSS selectors, as far as they say which elements of a file are meant.

use std::iter::Peekable;
use std::str::Chars;

use super::{Element, Page};

/// What one element must be.
#[derive(Default)]
struct Compound {
    name: Option<String>,
    attributes: Vec<(String, Test)>,
    /// The element before it in the selector is the one right around it.
    child: bool,
}

enum Test {
    Present,
    Is(String),
    Word(String),
    Begins(String),
    Ends(String),
    Holds(String),
    Language(String),
}

impl Test {
    fn passes(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Is(wanted) => value == wanted,
            Self::Word(wanted) => value.split_ascii_whitespace().any(|word| word == wanted),
            // The empty text begins, ends and is in nothing, says the standard.
            Self::Begins(wanted) => !wanted.is_empty() && value.starts_with(wanted.as_str()),
            Self::Ends(wanted) => !wanted.is_empty() && value.ends_with(wanted.as_str()),
            Self::Holds(wanted) => !wanted.is_empty() && value.contains(wanted.as_str()),
            Self::Language(wanted) => value
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        }
    }
}

impl Compound {
    fn matches(&self, element: Element<'_>) -> bool {
        self.name
            .as_deref()
            .is_none_or(|name| name == element.name())
            && self
                .attributes
                .iter()
                .all(|(name, test)| element.get(name).is_some_and(|value| test.passes(value)))
    }
}

pub(super) fn select<'p>(page: &'p Page<'p>, selector: &str) -> Option<Vec<Element<'p>>> {
    let mut meant = vec![false; page.nodes.len()];
    for chain in parse(selector)? {
        for (is, now) in meant.iter_mut().zip(matching(page, &chain)) {
            *is |= now;
        }
    }
    Some(page.elements().filter(|e| meant[e.node]).collect())
}

/// For each node whether the chain ends at it. Parents come before what is in them, so that one pass a part does.
fn matching(page: &Page<'_>, chain: &[Compound]) -> Vec<bool> {
    let mut before: Option<Vec<bool>> = None;
    for compound in chain {
        let mut now = vec![false; page.nodes.len()];
        let mut below = vec![false; page.nodes.len()];
        for element in page.elements() {
            let around = before.as_ref().is_none_or(|before| {
                let Some(parent) = element.tag.parent else {
                    return false;
                };
                below[element.node] = before[parent] || below[parent];
                if compound.child {
                    before[parent]
                } else {
                    below[element.node]
                }
            });
            now[element.node] = around && compound.matches(element);
        }
        before = Some(now);
    }
    before.unwrap_or_default()
}

fn parse(selector: &str) -> Option<Vec<Vec<Compound>>> {
    let mut rest = selector.trim().chars().peekable();
    let (mut all, mut chain) = (Vec::new(), Vec::new());
    let mut child = false;
    loop {
        let mut compound = self::compound(&mut rest)?;
        compound.child = child;
        chain.push(compound);
        blanks(&mut rest);
        child = rest.next_if_eq(&'>').is_some();
        if !child && rest.next_if_eq(&',').is_some() {
            all.push(std::mem::take(&mut chain));
        }
        blanks(&mut rest);
        if rest.peek().is_none() {
            // Nothing follows a comma or a `>`: no selector.
            if child || chain.is_empty() {
                return None;
            }
            all.push(chain);
            return Some(all);
        }
    }
}

fn blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    while let Some(c) =
        rest.next_if(|c| c.is_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii())
    {
        word.push(c);
    }
    (!word.is_empty()).then_some(word)
}

fn compound(rest: &mut Peekable<Chars<'_>>) -> Option<Compound> {
    let mut compound = Compound::default();
    let any = rest.next_if_eq(&'*').is_some();
    if !any {
        compound.name = word(rest).map(|name| name.to_ascii_lowercase());
    }
    while let Some(mark) = rest.next_if(|c| matches!(c, '#' | '.' | '[')) {
        let test = match mark {
            '#' => ("id".to_owned(), Test::Is(word(rest)?)),
            '.' => ("class".to_owned(), Test::Word(word(rest)?)),
            _ => attribute(rest)?,
        };
        compound.attributes.push(test);
    }
    (any || compound.name.is_some() || !compound.attributes.is_empty()).then_some(compound)
}

/// What follows a `[`.
fn attribute(rest: &mut Peekable<Chars<'_>>) -> Option<(String, Test)> {
    blanks(rest);
    let name = word(rest)?.to_ascii_lowercase();
    blanks(rest);
    if rest.next_if_eq(&']').is_some() {
        return Some((name, Test::Present));
    }
    let test = match rest.next()? {
        '=' => Test::Is,
        sign => {
            rest.next_if_eq(&'=')?;
            match sign {
                '~' => Test::Word,
                '^' => Test::Begins,
                '$' => Test::Ends,
                '*' => Test::Holds,
                '|' => Test::Language,
                _ => return None,
            }
        }
    };
    blanks(rest);
    let value = match rest.next_if(|c| matches!(c, '"' | '\'')) {
        None => word(rest)?,
        Some(quote) => {
            let mut value = String::new();
            loop {
                match rest.next()? {
                    end if end == quote => break value,
                    '\\' => value.push(rest.next()?),
                    c => value.push(c),
                }
            }
        }
    };
    blanks(rest);
    rest.next_if_eq(&']')?;
    Some((name, test(value)))
}
