//! A check's code: in which form it is evaluated, what its value means, and what it speaks of.

use serde_json::{Value, json};

use crate::ports::browser::record::shown;
use crate::text::cut;

/// How the code is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `a === b`
    Expression,
    /// `() => a === b`: called.
    Function,
    /// `const x = …; return x`
    Body,
    /// `const x = …; x > 1`: the value of the last statement.
    Script,
}

impl Form {
    /// What is evaluated. A line break ends a comment at the end of the code.
    #[must_use]
    pub fn wrapped(self, code: &str) -> String {
        match self {
            Self::Expression => format!("(async()=>({code}\n))()"),
            Self::Function => format!("(async()=>(({code}\n)()))()"),
            Self::Body => format!("(async()=>{{{code}\n}})()"),
            Self::Script => code.to_owned(),
        }
    }

    /// The parameters of `Runtime.evaluate`.
    #[must_use]
    pub fn evaluation(self, code: &str, limit_ms: u64) -> Value {
        json!({
            "expression": self.wrapped(code), "awaitPromise": true, "userGesture": true, "timeout": limit_ms,
            "replMode": self == Self::Script, "objectGroup": "checks", "silent": true,
        })
    }
}

/// What one look at a check has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    True,
    /// Falsy: the value, as one would write it.
    False(String),
    Threw(String),
    /// It did not come to an end.
    Cut,
    /// The document went away under it; to be asked again.
    Lost,
    /// It is a function, and not the result of a call: to be called if that is what the code says.
    Function(String),
}

/// Reads the answer to `Runtime.evaluate` with Playwright's truthiness: the value goes over as if serialised, so that functions
/// and symbols are nothing, and an element is something.
#[must_use]
pub fn look(answer: &Result<Value, String>) -> Look {
    let result = match answer {
        Ok(result) => result,
        // What Chromium says of an evaluation that ran into its time limit.
        Err(e) if e.contains("terminated") || e.contains("collected") || e == "Internal error" => {
            return Look::Cut;
        }
        Err(_) => return Look::Lost,
    };
    if let Some(details) = result.get("exceptionDetails") {
        let cut_off = details["exception"].is_null()
            && details["text"]
                .as_str()
                .is_some_and(|t| t.contains("terminated"));
        return if cut_off {
            Look::Cut
        } else {
            Look::Threw(thrown(details))
        };
    }
    value(&result["result"])
}

/// The parameters of `Runtime.callFunctionOn` that wait for an object as `await` does; `None` where there is no object.
#[must_use]
pub fn awaiting(answer: &Result<Value, String>) -> Option<Value> {
    let result = answer
        .as_ref()
        .ok()
        .filter(|a| a.get("exceptionDetails").is_none())?
        .get("result")?;
    let id = result
        .get("objectId")
        .filter(|_| result["type"] == "object" && result["subtype"].is_null())?;
    Some(json!({
        "objectId": id, "functionDeclaration": "async function () { return this }",
        "awaitPromise": true, "objectGroup": "checks", "silent": true,
    }))
}

/// What was thrown, in a line; where in the wrapping says nothing.
fn thrown(details: &Value) -> String {
    let thrown = &details["exception"];
    let text = if thrown.is_object() {
        shown(thrown)
    } else {
        details["text"].as_str().unwrap_or_default().to_owned()
    };
    cut(text.lines().next().unwrap_or_default(), 300)
}

/// As [`look`], for a value.
#[must_use]
pub fn value(object: &Value) -> Look {
    let falsy = || Look::False(told(object));
    match object["type"].as_str().unwrap_or("undefined") {
        "function" => Look::Function(
            object["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
        "boolean" if object["value"] == true => Look::True,
        "string" if object["value"] != "" => Look::True,
        "number" if object["value"].as_f64().is_some_and(|n| n != 0.0) => Look::True,
        "number"
            if matches!(
                object["unserializableValue"].as_str(),
                Some("Infinity" | "-Infinity")
            ) =>
        {
            Look::True
        }
        "bigint" if object["unserializableValue"] != "0n" => Look::True,
        // `document.all` is an object that says it is none.
        "object" if object["subtype"] == "null" || object["className"] == "HTMLAllCollection" => {
            falsy()
        }
        "object" => Look::True,
        _ => falsy(),
    }
}

/// A value as evidence.
#[must_use]
pub fn told(object: &Value) -> String {
    let text = shown(object);
    cut(
        &if object["type"] == "string" {
            format!("{text:?}")
        } else {
            text
        },
        200,
    )
}

/// The first line of a text, without the position in the wrapping.
#[must_use]
pub fn first_line(text: &Value) -> String {
    cut(
        text.as_str()
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default(),
        200,
    )
}

/// The parts of a code outside of its string literals, each with what opened the literal behind it and its text.
pub struct Literals<'a> {
    rest: &'a str,
}

/// A string literal, and the code before it.
pub struct Literal<'a> {
    pub before: &'a str,
    pub quote: char,
    pub text: &'a str,
}

impl<'a> Literals<'a> {
    #[must_use]
    pub fn of(code: &'a str) -> Self {
        Self { rest: code }
    }
}

impl<'a> Iterator for Literals<'a> {
    type Item = Literal<'a>;

    fn next(&mut self) -> Option<Literal<'a>> {
        let start = self.rest.find(['"', '\'', '`'])?;
        let (before, rest) = self.rest.split_at(start);
        let quote = rest.chars().next()?;
        let mut escaped = false;
        let end = rest[1..].char_indices().find(|(_, c)| {
            let found = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            found
        });
        let (text, after) = match end {
            Some((at, _)) => (&rest[1..=at], &rest[at + 2..]),
            None => (&rest[1..], ""),
        };
        self.rest = after;
        Some(Literal {
            before,
            quote,
            text,
        })
    }
}

/// The code without what stands in its string literals.
#[must_use]
pub fn bare(code: &str) -> String {
    let mut out = String::new();
    let mut literals = Literals::of(code);
    for literal in literals.by_ref() {
        out.push_str(literal.before);
        out.push_str("\"\"");
    }
    out.push_str(literals.rest);
    out
}

/// The names in `${…}` that nobody has filled in: any in a plain string; in a template only if it turns out undefined.
#[must_use]
pub fn placeholders(code: &str) -> (Vec<String>, Vec<String>) {
    let (mut plain, mut template) = (Vec::new(), Vec::new());
    for literal in Literals::of(code) {
        for part in literal.text.split("${").skip(1) {
            let Some((name, _)) = part.split_once('}') else {
                continue;
            };
            let list = if literal.quote == '`' {
                &mut template
            } else {
                &mut plain
            };
            list.push(name.trim().to_owned());
        }
    }
    (plain, template)
}

/// Ids that a check names in its selectors: `"#id…"`, `getElementById("id")`.
#[must_use]
pub fn ids(code: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut found = Vec::new();
    for literal in Literals::of(code) {
        let before = literal.before.trim_end();
        if before.ends_with("getElementById(") {
            found.push(literal.text.to_owned());
        } else if [
            "querySelector(",
            "querySelectorAll(",
            "closest(",
            "matches(",
            "$(",
            "$$(",
        ]
        .iter()
        .any(|f| before.ends_with(f))
        {
            for part in literal.text.split('#').skip(1) {
                let id: String = part.chars().take_while(|c| word(*c)).collect();
                // `[href='#x']` is no id, and neither is a colour.
                if !id.is_empty()
                    && !literal.text.contains(&format!("'#{id}"))
                    && !literal.text.contains(&format!("\"#{id}"))
                {
                    found.push(id);
                }
            }
        }
    }
    found
}

/// What is compared, where the code is a comparison or asks for a part: its value says more than `false`.
#[must_use]
pub fn subject(code: &str) -> Option<&str> {
    let (mut depth, mut at, mut found) = (0_i32, 0, None);
    let bytes = code.as_bytes();
    let mut quote = None;
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(q), b) if q == *b => quote = None,
            (None, b'"' | b'\'' | b'`') => quote = Some(*byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth -= 1,
            // A connective or a statement: there is no one subject.
            (None, b'&' | b'|' | b'?' | b';') if depth == 0 && !code[at..].starts_with("?.") => {
                return None;
            }
            (None, b'=' | b'<' | b'>' | b'!') if depth == 0 && at > 0 => {
                let rest = &code[at..];
                if rest.starts_with("=>") {
                    return None;
                }
                if found.is_none() && ["==", "!=", "<", ">"].iter().any(|o| rest.starts_with(o)) {
                    found = Some(code[..at].trim()).filter(|s| !s.is_empty());
                }
            }
            _ => {}
        }
        at += 1;
    }
    if found.is_some() {
        return found;
    }
    [".includes(", ".startsWith(", ".endsWith(", ".match("]
        .iter()
        .find_map(|call| {
            let at = code.rfind(call)?;
            (code.ends_with(')') && !code[..at].starts_with('!')).then(|| code[..at].trim())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_quotes() {
        assert_eq!(bare(r#"a === "x \" y" && b('z')"#), "a === \"\" && b(\"\")");
        assert_eq!(
            placeholders(r#"t === "a ${seed}" || u === `b ${x}`"#),
            (vec!["seed".to_owned()], vec!["x".to_owned()])
        );
    }

    #[test]
    fn ids_and_subjects() {
        assert_eq!(
            ids(r##"document.querySelector("#total-sales td").x + document.getElementById('b')"##),
            ["total-sales", "b"]
        );
        assert!(ids("document.querySelector(\"a[href='#top']\")").is_empty());
        assert_eq!(
            subject("document.title === 'a == b'"),
            Some("document.title")
        );
        assert_eq!(
            subject("Math.abs(f(a > b) - 2) < 0.1"),
            Some("Math.abs(f(a > b) - 2)")
        );
        assert_eq!(
            subject("x.textContent.includes(\"20\")"),
            Some("x.textContent")
        );
        assert_eq!(subject("a > 1 && b"), None);
        assert_eq!(subject("!!document.querySelector('a')"), None);
        assert_eq!(subject("() => a === b"), None);
    }
}
