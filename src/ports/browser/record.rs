//! What was seen while a page was open: what it said, what went wrong, what it tried.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::text::cut;

/// How many of each kind are kept; a page can say more than anybody wants to read.
const KEPT: usize = 50;
/// How long one entry may be, in characters.
const LONG: usize = 400;

/// A list that stops growing.
#[derive(Clone, Debug, Default)]
pub struct Some50 {
    pub lines: Vec<String>,
    /// How many more there were.
    pub more: usize,
}

impl Some50 {
    /// Adds a line, once.
    pub fn add(&mut self, line: &str) {
        if self.lines.len() >= KEPT {
            self.more += 1;
            return;
        }
        let line = cut(line.trim(), LONG);
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// The lines, with a last one for those that were left out.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let rest = (self.more > 0).then(|| format!("… and {} more", self.more));
        self.lines.iter().cloned().chain(rest).collect()
    }
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The server answered with this status.
    Status(u64),
    /// No answer: no connection, no such name, offline.
    Unreachable,
    /// It went where no page may go.
    Refused,
    /// Anything else.
    Failed,
}

impl Why {
    /// By Chromium's name for it, without `net::`.
    #[must_use]
    pub fn of(error: &str) -> Self {
        let families = [
            "ERR_NAME_",
            "ERR_INTERNET_",
            "ERR_CONNECTION_",
            "ERR_ADDRESS_",
            "ERR_PROXY_",
            "ERR_TUNNEL_",
            "ERR_TIMED_OUT",
            "ERR_NETWORK_",
            "ERR_DNS_",
        ];
        let single = [
            "ERR_EMPTY_RESPONSE",
            "ERR_SOCKET_NOT_CONNECTED",
            "ERR_SSL_PROTOCOL_ERROR",
        ];
        let no_answer =
            single.contains(&error) || families.iter().any(|known| error.starts_with(known));
        if no_answer {
            Self::Unreachable
        } else {
            Self::Failed
        }
    }
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub url: String,
    /// As the protocol calls it: `Script`, `Fetch`, `XHR`, `Stylesheet`, `Image`, …
    pub resource: String,
    pub why: Why,
    pub text: String,
}

impl Failure {
    /// `https://… (404)`
    #[must_use]
    pub fn told(&self) -> String {
        format!("{} ({})", cut(&self.url, LONG), self.text)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Errors that the page logged.
    pub console: Some50,
    pub exceptions: Some50,
    /// By URL.
    pub failures: BTreeMap<String, Failure>,
    /// What it tried that is not let happen: dialogs, windows, downloads, leaving.
    pub attempts: Some50,
    /// It went away, to this address.
    pub left_for: Option<String>,
    /// The page's process died, or the page closed itself.
    pub gone: Option<String>,
}

impl Record {
    pub fn fail(&mut self, failure: Failure) {
        if self.failures.len() < KEPT {
            self.failures.entry(failure.url.clone()).or_insert(failure);
        }
    }

    /// One line each.
    #[must_use]
    pub fn failed_requests(&self) -> Vec<String> {
        self.failures.values().map(Failure::told).collect()
    }
}

/// A value of the page as one would write it.
#[must_use]
pub fn shown(value: &Value) -> String {
    match &value["value"] {
        Value::String(text) => text.clone(),
        Value::Null => {
            let text = value["unserializableValue"]
                .as_str()
                .or(value["description"].as_str());
            text.or(value["subtype"].as_str())
                .or(value["type"].as_str())
                .unwrap_or_default()
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// `TypeError: x is not a function (app.js:3)`.
#[must_use]
pub fn exception(details: &Value) -> String {
    let thrown = &details["exception"];
    let text = if thrown.is_object() {
        shown(thrown)
    } else {
        details["text"].as_str().unwrap_or_default().to_owned()
    };
    let first = text.lines().next().unwrap_or_default().to_owned();
    let file = details["url"].as_str().and_then(|u| {
        u.split(['?', '#'])
            .next()?
            .rsplit('/')
            .find(|p| !p.is_empty())
    });
    match (file, details["lineNumber"].as_u64()) {
        (Some(file), Some(line)) => format!("{first} ({file}:{})", line + 1),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stop_growing() {
        let mut some = Some50::default();
        (0..60).for_each(|n| some.add(&format!("{n}{}", "x".repeat(900))));
        some.add("0");
        assert_eq!((some.lines.len(), some.more), (KEPT, 11));
        assert!(some.lines.iter().all(|l| l.chars().count() == LONG + 1));
        assert_eq!(some.told().last().unwrap(), "… and 11 more");
    }
}
