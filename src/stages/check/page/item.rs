//! One check of the page, and how far it has come.

use super::super::code::{Form, Look};

/// A check in the browser.
pub struct Item {
    pub code: String,
    pub(super) form: Form,
    /// The evaluation that is under way. It is not asked for anew while it is: it may be in the middle of acting.
    pub(super) asked: Option<u64>,
    pub(super) looks: u32,
    /// It was cut, and waits until the others have had their turn.
    pub(super) slow: bool,
    /// What it gave is being waited for as `await` does: an object of a library's may be a promise.
    pub(super) awaited: bool,
    pub state: State,
    /// The best thing to tell of the last look that failed.
    pub seen: Option<Look>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Passed,
    /// It cannot be evaluated at all: the syntax error.
    Invalid(String),
    /// It was cut, so it is not asked again.
    Cut,
}

impl Item {
    /// Whether there is something to wait for: not where the page cannot change the verdict, or where it has to wait for the others.
    pub(super) fn is_waited_for(&self) -> bool {
        self.state == State::Open && !self.slow
    }

    /// The code as an expression has it: a semicolon at its end is none of it.
    pub(super) fn expression(&self) -> &str {
        self.code
            .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
    }

    /// Whether it names something that is not there, and not as what is called: "accuracy >= 0.8" is for a person.
    #[must_use]
    pub fn is_about_nothing(&self) -> bool {
        let Some(Look::Threw(what)) = self.seen.as_ref().filter(|_| self.state != State::Passed)
        else {
            return false;
        };
        let name = what
            .strip_prefix("ReferenceError: ")
            .and_then(|r| r.strip_suffix(" is not defined"));
        name.is_some_and(|name| {
            !["document", "window"].iter().any(|w| self.code.contains(w))
                && !self.code.contains(&format!("{name}("))
        })
    }

    #[must_use]
    pub fn new(code: &str) -> Self {
        let code = code.trim().to_owned();
        Self {
            code,
            form: Form::Expression,
            asked: None,
            looks: 0,
            slow: false,
            awaited: false,
            state: State::Open,
            seen: None,
        }
    }
}

/// Why a check in this state is not passed, in words.
#[must_use]
pub fn reason(item: &Item, gone: Option<&str>, blocked: bool) -> String {
    let page = gone
        .map(str::to_owned)
        .or_else(|| blocked.then(|| "the page's script does not come to an end".to_owned()));
    match (&item.state, &item.seen) {
        (State::Invalid(why), _) => why.clone(),
        (State::Cut, _) => "the check does not come to an end".to_owned(),
        (_, Some(Look::Threw(what))) => what.clone(),
        (_, Some(Look::False(value))) => value.clone(),
        _ if page.is_some() => page.unwrap_or_default(),
        _ if item.asked.is_some() => "the promise never settles".to_owned(),
        _ => "no answer from the page".to_owned(),
    }
}
