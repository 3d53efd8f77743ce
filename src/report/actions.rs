//! Under GitHub Actions: failed checks and errors as annotations, a summary of the step, outputs for later steps.
//!
//! The runner reads workflow commands from both streams of a step. They go to standard error, so that standard output stays one
//! document also where it is read by a script.
//! Source: "Workflow commands for GitHub Actions", docs.github.com.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use serde::Deserialize as _;
use serde_json::Value;

use super::say;
use crate::error::Error;
use crate::run::shown::{Count, Shown};
use crate::text::plain;

/// The outputs of a step, as they are called in the result.
const OUTPUTS: [&str; 4] = ["pages_url", "repo_url", "commit_sha", "status"];

/// Whether this is a step of a workflow.
#[must_use]
pub fn are_on() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|v| v == "true")
}

/// An error as an annotation.
pub fn error(error: &Error) {
    if are_on() {
        let mut text = error.one_line();
        if let Some(hint) = &error.hint {
            let _ = write!(text, "\nhint: {hint}");
        }
        let code = serde_json::to_value(error.code).unwrap_or_default();
        say(&annotation(
            &format!("llmdeploy: {}", code.as_str().unwrap_or_default()),
            &text,
        ));
    }
}

/// The failed checks of a document as annotations, its summary and its outputs.
pub fn document(document: &Value) {
    if !are_on() {
        return;
    }
    let shown = Shown::deserialize(document).unwrap_or_default();
    for check in shown
        .checks
        .iter()
        .filter(|c| c.is_verdict() && (c.status == "failed" || c.live.as_deref() == Some("failed")))
    {
        let detail = check.detail.as_deref().unwrap_or_default();
        say(&annotation(
            "check failed",
            format!("{}\n{detail}", check.text).trim_end(),
        ));
    }
    if let Some(summary) = summary(&shown) {
        append("GITHUB_STEP_SUMMARY", &summary);
    }
    append("GITHUB_OUTPUT", &outputs(document));
}

/// Adds to the file that a variable of the runner names.
fn append(variable: &str, text: &str) {
    let Some(path) = std::env::var_os(variable).filter(|p| !p.is_empty() && !text.is_empty())
    else {
        return;
    };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(e) = written {
        say(&format!("warning: {variable} could not be written: {e}"));
    }
}

fn annotation(title: &str, text: &str) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::error title={title}::{}", data(text))
}

/// `name=value` lines, of those that the document has.
fn outputs(document: &Value) -> String {
    OUTPUTS
        .iter()
        .filter_map(|name| {
            let value = document.get(name)?;
            Some(format!(
                "{name}={}\n",
                plain(value.as_str().unwrap_or_default())
            ))
        })
        .collect()
}

/// Markdown; nothing of a document that is about no run.
fn summary(shown: &Shown) -> Option<String> {
    let name = shown.task.as_deref().or(shown.run.as_deref())?;
    let status = shown
        .status
        .as_deref()
        .map_or_else(String::new, |s| format!(": {}", inline(s)));
    let mut text = format!("### {}{status}\n\n", inline(name));
    if let Some(url) = &shown.pages_url {
        let waiting = if shown.pages.as_deref() == Some("live") {
            ""
        } else {
            " (not live yet)"
        };
        let _ = writeln!(text, "<{}>{waiting}\n", plain(url).replace(['<', '>'], ""));
    }
    if let Some(error) = &shown.error {
        let hint = error
            .hint
            .as_ref()
            .map_or_else(String::new, |h| format!("  \nhint: {}", inline(h)));
        let _ = writeln!(
            text,
            "**{}**: {}{hint}\n",
            inline(&error.code),
            inline(&error.message)
        );
    }
    let count = Count::of(&shown.checks);
    if count.all > 0 {
        let _ = writeln!(
            text,
            "{}\n\n| check | verdict | evidence |\n|---|---|---|",
            count.sentence()
        );
        for check in shown.checks.iter().filter(|c| c.is_verdict()) {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                inline(&check.text),
                inline(check.live.as_deref().unwrap_or(&check.status)),
                inline(check.detail.as_deref().unwrap_or_default())
            );
        }
        text.push('\n');
    }
    Some(text)
}

/// Text on one line that Markdown and HTML read as text.
fn inline(text: &str) -> String {
    let mut safe = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_annotation_stays_one_command() {
        assert_eq!(
            annotation("a: b, c", "50%\n::error::x\r"),
            "::error title=a%3A b%2C c::50%25%0A::error::x%0D"
        );
    }

    #[test]
    fn outputs_are_lines_of_what_there_is() {
        let document =
            json!({"pages_url": "https://a/\nstatus=x", "repo_url": null, "status": "failed"});
        assert_eq!(
            outputs(&document),
            "pages_url=https://a/ status=x\nrepo_url=\nstatus=failed\n"
        );
        assert_eq!(outputs(&json!([])), "");
    }

    #[test]
    fn the_summary_is_markdown_that_holds_its_cells() {
        let document = json!({"task": "a|b", "status": "deployed", "pages": "live", "pages_url": "https://a/",
            "checks": [{"check": "x <b> | y", "kind": "js", "status": "failed", "detail": "line\nline"},
                {"check": "z", "kind": "rubric", "status": "failed"}]});
        let text = summary(&Shown::deserialize(&document).unwrap()).unwrap();
        assert_eq!(
            text,
            "### a\\|b: deployed\n\n<https://a/>\n\n0 of 1 check passed, 1 failed\n\n| check | verdict | evidence |\n\
             |---|---|---|\n| x &lt;b&gt; \\| y | failed | line line |\n\n"
        );
        assert_eq!(summary(&Shown::default()), None);
    }
}
