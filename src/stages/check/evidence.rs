//! What a page that fails its checks can tell: for the result, and for whoever mends it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::code;
use super::serve::Site;
use crate::ports::browser::address;
use crate::ports::browser::record::{Failure, Record, Why};
use crate::ports::browser::tab::Tab;
use crate::text::cut;
use crate::values::RelPath;

/// `page` in the result of `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Errors that the page logged.
    pub console: Vec<String>,
    /// Exceptions that nobody caught.
    pub exceptions: Vec<String>,
    /// `https://… (404)`.
    pub failed_requests: Vec<String>,
    /// Links to files that are not there.
    pub dead_links: Vec<String>,
}

/// What the document holds at the end.
#[derive(Debug, Default)]
pub struct Content {
    pub ids: Vec<String>,
    pub links: Vec<String>,
}

const SCAN: &str = "(() => {
  const all = (selector, of) => Array.from(document.querySelectorAll(selector), of).filter(x => typeof x === 'string' && x).slice(0, 500);
  return JSON.stringify({
    ids: all('[id]', e => e.id),
    links: all('a[href],area[href],link[href],img[src],script[src],iframe[src],source[src],audio[src],video[src],embed[src]', e => e.href || e.src),
  });
})()";

/// Reads the document; empty where it does not answer.
///
/// # Errors
/// The browser has ended.
pub fn content(tab: &mut Tab<'_>, until: Instant) -> anyhow::Result<Content> {
    let asked = json!({"expression": SCAN, "returnByValue": true, "silent": true, "timeout": 1000});
    let answer = tab
        .call(
            "Runtime.evaluate",
            &asked,
            until.saturating_duration_since(Instant::now()),
        )?
        .and_then(Result::ok)
        .unwrap_or_default();
    let found: Value = answer["result"]["value"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let list = |key: &str| {
        found[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    Ok(Content {
        ids: list("ids"),
        links: list("links"),
    })
}

/// Links of the document that this site answers with an error.
#[must_use]
pub fn dead_links(content: &Content, site: &Site<'_>) -> Vec<String> {
    let links: BTreeSet<&str> = content
        .links
        .iter()
        .filter_map(|l| l.split('#').next())
        .collect();
    links
        .into_iter()
        .filter(|l| site.status(l).is_some_and(|s| s >= 400))
        .map(str::to_owned)
        .collect()
}

/// A picture of the page as a PNG, as a phone shows it or as a desktop does; `None` where the page gives none.
///
/// # Errors
/// The browser has ended.
pub fn screenshot(
    tab: &mut Tab<'_>,
    phone: bool,
    until: Instant,
) -> anyhow::Result<Option<Vec<u8>>> {
    let (width, height) = if phone { (390, 844) } else { (1280, 800) };
    tab.send(
        "Emulation.setDeviceMetricsOverride",
        &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}),
    )?;
    let left = until.saturating_duration_since(Instant::now());
    let picture = tab.call(
        "Page.captureScreenshot",
        &json!({"format": "png", "optimizeForSpeed": true}),
        left,
    )?;
    Ok(picture
        .and_then(Result::ok)
        .and_then(|p| STANDARD.decode(p["data"].as_str()?).ok()))
}

/// Ids that a check asks for and the document does not hold, each with the nearest that it does.
#[must_use]
pub fn missing_ids(check: &str, content: &Content) -> Vec<String> {
    let wanted = code::ids(check)
        .into_iter()
        .filter(|id| !content.ids.contains(id));
    wanted
        .map(|id| {
            let mut near: Vec<(usize, &str)> = content
                .ids
                .iter()
                .map(|there| (distance(&id, there), there.as_str()))
                .collect();
            near.sort_unstable();
            near.dedup();
            let near: Vec<String> = near
                .iter()
                .filter(|(far, _)| *far <= (id.len() / 2).max(3))
                .take(3)
                .map(|(_, there)| format!("#{there}"))
                .collect();
            if near.is_empty() {
                format!("there is no #{id}")
            } else {
                format!("there is no #{id}; nearest: {}", near.join(", "))
            }
        })
        .collect()
}

/// Edit distance over bytes; upper and lower case are near.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (corner + usize::from(x != y)).min(*cell + 1).min(left + 1);
            corner = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Why a check can never pass, whatever the page.
#[must_use]
pub fn unsatisfiable(check: &str, reason: &str) -> Option<String> {
    let (plain, template) = code::placeholders(check);
    if let Some(name) = plain.first() {
        return Some(format!("${{{name}}} was never filled in"));
    }
    let undefined = reason
        .strip_prefix("ReferenceError: ")
        .and_then(|r| r.strip_suffix(" is not defined"));
    if let Some(name) = undefined
        && template.iter().any(|t| {
            t.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .any(|w| w == name)
        })
    {
        return Some(format!("${{{name}}} was never filled in"));
    }
    // A selector that stands in the check itself is wrong on every page, unless another way leads past it.
    let bare = code::bare(check);
    let only_way = !["||", "??", "? ", "try", "catch"]
        .iter()
        .any(|w| bare.contains(w));
    let quoted = || {
        code::Literals::of(check).any(|l| {
            !l.text.is_empty() && reason.contains(&format!("'{}'", l.text.replace("\\\\", "\\")))
        })
    };
    (reason.contains("is not a valid selector") && only_way && quoted()).then(|| reason.to_owned())
}

/// The host that a failed check may have wanted something of, though it could not be reached.
///
/// A check is only excused where the app could pass it with that host: it speaks of the host or of the library, or every id that
/// it names is spoken of by a script of the app, or of the title where a script sets it.
#[must_use]
pub fn unreachable(
    check: &str,
    record: &Record,
    waiting: &[(String, String)],
    files: &BTreeMap<RelPath, &[u8]>,
) -> Option<String> {
    let bare = code::bare(check);
    let styled = [
        "getComputedStyle",
        "offset",
        "getBoundingClientRect",
        "clientHeight",
        "clientWidth",
    ]
    .iter()
    .any(|w| bare.contains(w));
    let pictured = ["natural", ".complete", "decode("]
        .iter()
        .any(|w| bare.contains(w));
    let matters = |resource: &str| {
        is_needed(resource)
            || resource == "Stylesheet" && styled
            || matches!(resource, "Image" | "Media") && pictured
    };
    let failed = record
        .failures
        .values()
        .filter(|f| f.why == Why::Unreachable && matters(&f.resource))
        .map(|f| f.url.as_str());
    let waiting = waiting
        .iter()
        .filter(|(_, resource)| matters(resource))
        .map(|(url, _)| url.as_str());
    let lost: Vec<(&str, &str)> = failed
        .chain(waiting)
        .filter_map(|url| address::parts(url).map(|(_, host, path)| (host, path)))
        .collect();
    let told = |host: &str| check.contains(host);
    // `typeof marked` and `…/npm/marked@12/marked.min.js`.
    let library = |path: &str| {
        names_of(&bare)
            .any(|name| name.len() > 1 && has_word(&path.to_lowercase(), &name.to_lowercase()))
    };
    if let Some((host, _)) = lost.iter().find(|(host, path)| told(host) || library(path)) {
        return Some((*host).to_owned());
    }
    let (host, _) = lost.first()?;
    if pictured || styled {
        return Some((*host).to_owned());
    }
    let sources: Vec<std::borrow::Cow<'_, str>> = files
        .iter()
        .filter(|(path, _)| is_source(path.as_str()))
        .map(|(_, bytes)| String::from_utf8_lossy(bytes))
        .collect();
    let scripted = |id: &str| sources.iter().any(|s| is_spoken_of(s, id));
    let ids = code::ids(check);
    let titled = bare.contains("document.title") && sources.iter().any(|s| s.contains(".title"));
    let excusable = ids.iter().all(|id| scripted(id)) && (titled || !ids.is_empty());
    excusable.then(|| (*host).to_owned())
}

/// The names in code, without the language's own and those of a page.
fn names_of(bare: &str) -> impl Iterator<Item = &str> {
    let known = "typeof function document window return const let var await async true false null undefined length";
    bare.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(move |w| {
            w.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
                && !known.split(' ').any(|k| k == *w)
        })
}

/// Whether an id stands in a text as a word of its own: `total` is not in `total-sales`.
pub fn has_word(text: &str, word: &str) -> bool {
    words_at(text, word).next().is_some()
}

/// Whether an id stands in a text other than as the `id` of an element.
fn is_spoken_of(text: &str, id: &str) -> bool {
    words_at(text, id).any(|at| {
        let before = text[..at].trim_end_matches(['"', '\'', ' ']);
        !before
            .strip_suffix('=')
            .is_some_and(|b| b.trim_end().ends_with("id"))
    })
}

fn words_at<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let whole = move |at: &usize| {
        !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    };
    text.match_indices(word).map(|(at, _)| at).filter(whole)
}

fn is_source(path: &str) -> bool {
    [".html", ".htm", ".js", ".mjs", ".json", ".css"]
        .iter()
        .any(|e| path.ends_with(e))
}

/// `page` of the result.
#[must_use]
pub fn page(record: &Record, dead_links: &[String], blocked: bool) -> Page {
    let cut_off =
        blocked.then(|| "a script of the page did not come to an end and was cut".to_owned());
    Page {
        console: record.console.told(),
        exceptions: cut_off
            .into_iter()
            .chain(record.exceptions.told())
            .collect(),
        failed_requests: record.failed_requests(),
        dead_links: dead_links.iter().map(|l| cut(l, 300)).collect(),
    }
}

/// What went wrong in the page, in lines. What only came of somebody else's server is left out.
#[must_use]
pub fn faults(record: &Record, page: &Page) -> Vec<String> {
    let mut lines: Vec<String> = record.gone.iter().cloned().collect();
    let failed: Vec<String> = record
        .failures
        .values()
        .filter(|f| is_fault(f))
        .map(Failure::told)
        .collect();
    for (what, all) in [
        ("uncaught exception on the page", &page.exceptions),
        ("the page logs an error", &page.console),
        ("a request of the page failed", &failed),
        ("the page links to what is not there", &page.dead_links),
    ] {
        lines.extend(all.iter().map(|one| format!("{what}: {one}")));
    }
    lines
}

/// A server that is out of order, or does not want so many requests, is no fault of the page's.
fn is_fault(failure: &Failure) -> bool {
    !matches!(
        failure.why,
        Why::Unreachable | Why::Status(403 | 429 | 500..)
    )
}

/// A host that could not be reached and that a page needs more than for its looks.
#[must_use]
pub fn cut_off(record: &Record) -> Option<String> {
    let mut lost = record
        .failures
        .values()
        .filter(|f| f.why == Why::Unreachable && is_needed(&f.resource));
    lost.find_map(|f| address::parts(&f.url).map(|(_, authority, _)| authority.to_owned()))
}

fn is_needed(resource: &str) -> bool {
    matches!(
        resource,
        "Script" | "Fetch" | "XHR" | "EventSource" | "WebSocket"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ids() {
        let content = Content {
            ids: ["totalSales", "total-sale", "x"].map(str::to_owned).into(),
            links: vec![],
        };
        let told = missing_ids(
            r##"document.querySelector("#total-sales").textContent"##,
            &content,
        );
        assert_eq!(
            told,
            ["there is no #total-sales; nearest: #total-sale, #totalSales"]
        );
        assert!(missing_ids(r##"document.querySelector("#x")"##, &content).is_empty());
        assert_eq!(
            (
                distance("kitten", "sitting"),
                distance("", "ab"),
                distance("Ab", "aB")
            ),
            (3, 2, 0)
        );
    }

    #[test]
    fn what_can_never_pass() {
        let invalid = "SyntaxError: Failed to execute 'querySelector' on 'Document': '#a@b.c' is not a valid selector.";
        assert!(unsatisfiable(r##"!!document.querySelector("#a@b.c")"##, invalid).is_some());
        assert!(unsatisfiable(r##"x || document.querySelector("#a@b.c")"##, invalid).is_none());
        assert!(unsatisfiable("!!document.querySelector(window.selector)", invalid).is_none());
        assert!(unsatisfiable("document.title === 'Sales ${seed}'", "false").is_some());
        assert!(
            unsatisfiable(
                "document.title === `Sales ${seed}`",
                "ReferenceError: seed is not defined"
            )
            .is_some()
        );
        assert!(unsatisfiable("document.title === `Sales ${total}`", "false").is_none());
        assert!(unsatisfiable("add(1, 2) === 3", "ReferenceError: add is not defined").is_none());
    }
}
