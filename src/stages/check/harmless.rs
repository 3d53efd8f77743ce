//! A second look at a check that has passed, in which it cannot change anything.
//!
//! The engine answers first: it ends an evaluation where it would have a side effect. It says nothing of code that waits for
//! something; such code is read here.

use serde_json::{Value, json};

use super::code::{self, Form, Look, bare, look};

/// What a second look has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Second {
    Saw(Look),
    /// Nothing, but the code can be seen to change nothing.
    Reads,
    /// It changes something, or may.
    MayAct,
}

/// What the engine says of code that would change something.
const SIDE_EFFECT: &str = "Possible side-effect";

/// The parameters of `Runtime.evaluate` for a second look. What waits for something is not waited for.
#[must_use]
pub fn evaluation(form: Form, code: &str, limit_ms: u64) -> Value {
    let expression = match form {
        Form::Expression => format!("({code}\n)"),
        Form::Function => format!("(({code}\n)())"),
        Form::Body => format!("(()=>{{{code}\n}})()"),
        Form::Script => format!("{{{code}\n}}"),
    };
    json!({"expression": expression, "throwOnSideEffect": true, "timeout": limit_ms, "silent": true})
}

/// Reads the answer to [`evaluation`]. Without one, only the code tells.
#[must_use]
pub fn second(code: &str, answer: Option<&Result<Value, String>>) -> Second {
    // Of an object nobody knows whether it has to be waited for.
    let may_be_awaited = |a: &&Result<Value, String>| {
        code::awaiting(a).is_some()
            || a.as_ref()
                .is_ok_and(|a| a["result"]["subtype"] == "promise")
    };
    let seen = answer.filter(|a| !may_be_awaited(a)).map(look);
    match seen {
        Some(Look::Threw(what))
            if what.contains(SIDE_EFFECT) || what.starts_with("SyntaxError") =>
        {
            by_reading(code)
        }
        Some(look @ (Look::True | Look::False(_) | Look::Threw(_))) => Second::Saw(look),
        Some(Look::Cut | Look::Lost | Look::Function(_)) | None => by_reading(code),
    }
}

fn by_reading(code: &str) -> Second {
    if only_reads(code) {
        Second::Reads
    } else {
        Second::MayAct
    }
}

/// What is called as it stands, words before a bracket included.
const FUNCTIONS: &str = "async await if typeof return getComputedStyle matchMedia fetch setTimeout resolve parseFloat parseInt Number String Boolean \
                         isNaN isFinite Promise Date URL URLSearchParams RegExp Set Map";
/// What is called of something.
const METHODS: &str = "querySelector querySelectorAll getElementById getElementsByClassName getElementsByTagName json text then resolve \
                       all includes startsWith endsWith trim toLowerCase toUpperCase split join slice match test some every map filter find reduce \
                       from keys values entries parse stringify get has getAttribute hasAttribute getPropertyValue contains matches closest abs round \
                       floor ceil min max";
/// What may be made anew: nobody else sees it.
const NEW: &str = "Promise Date URL URLSearchParams RegExp Set Map";

/// Whether code can be seen to change nothing: it calls only what is known to read, and sets nothing.
fn only_reads(code: &str) -> bool {
    let bare = bare(code);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let is_quiet = |before: &str| {
        let start = before.rfind(|c| !word(c)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
        let (object, name) = before.split_at(start);
        // What is called without a name stands here as a function, or is not known.
        if name.is_empty() {
            return !before.ends_with(']') && (!before.ends_with(')') || bare.contains("=>"));
        }
        let known = if object.trim_end().ends_with('.') {
            METHODS
        } else {
            FUNCTIONS
        };
        known.split_whitespace().any(|k| k == name)
    };
    let quiet = bare
        .match_indices('(')
        .all(|(at, _)| is_quiet(bare[..at].trim_end()));
    let makes = |rest: &str| {
        NEW.split_whitespace()
            .any(|n| rest.strip_prefix(n).is_some_and(|r| !r.starts_with(word)))
    };
    let sets = ["++", "--", "delete ", "?.("]
        .iter()
        .any(|s| bare.contains(s))
        || bare
            .match_indices("new ")
            .any(|(at, _)| !makes(&bare[at + 4..]))
        || bare.match_indices('=').any(|(at, _)| {
            let compares = bare[at + 1..].starts_with(['=', '>'])
                || bare[..at].ends_with(['=', '!', '<', '>']);
            !compares
        });
    // A template may be a call.
    quiet && !sets && !code.contains('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_asked_first() {
        let answer = |value: Value| Ok(json!({"result": value}));
        let threw = |what: &str| {
            Ok(
                json!({"result": {}, "exceptionDetails": {"exception": {"type": "object", "description": what}}}),
            )
        };
        let no = answer(json!({"type": "boolean", "value": false}));
        assert_eq!(
            second("b.click(), x", Some(&no)),
            Second::Saw(Look::False("false".to_owned()))
        );
        let refused = threw("EvalError: Possible side-effect in debug-evaluate");
        assert_eq!(second("b.click()", Some(&refused)), Second::MayAct);
        let waits = answer(json!({"type": "object", "subtype": "promise", "objectId": "1"}));
        let thenable = answer(json!({"type": "object", "className": "Object", "objectId": "2"}));
        assert_eq!(second("load('a')", Some(&thenable)), Second::MayAct);
        assert_eq!(
            second("await fetch('a').then(r => r.ok)", Some(&waits)),
            Second::Reads
        );
        assert_eq!(second("b.click()", None), Second::MayAct);
        assert_eq!(second("document.title", None), Second::Reads);
    }

    #[test]
    fn what_only_reads() {
        for code in [
            "await Promise.resolve(true)",
            "await fetch('data.json').then(r => r.ok)",
            "(await (await fetch('a.json')).json()).total >= 3",
            "(async () => document.title === 'x')()",
            "document.title === 'a.value = 1; b.click()'",
            "await new Promise(r => setTimeout(r, 500)), document.title === 'x'",
            "await fetch('a.json').then(r => r.json()).then(j => Object.keys(j).includes('x'))",
        ] {
            assert!(only_reads(code), "{code}");
        }
        for code in [
            "await increment()",
            "await x.save()",
            "(window.n = 2, await 1)",
            "(async () => { n++; await 1 })()",
            "await b?.click?.()",
            "await f`x`()",
            "await get()",
            "b.click(), x",
            "a.value = 3",
            "i.checked=true",
            "await new Counter().go()",
            "await new Promise(r => setTimeout(r, 5)), location.replace('x')",
        ] {
            assert!(!only_reads(code), "{code}");
        }
    }
}
