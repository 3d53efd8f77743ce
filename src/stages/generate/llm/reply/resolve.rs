//! Which file is which: one content per path, names for what has none, and why it cannot be told.

use std::collections::BTreeMap;

use super::Reply;
use super::pieces::{Found, Piece, scan};
use crate::content::html::{Page, is_page as is_html, resolve as resolved};

const OPTION: [&str; 5] = ["option", "alternative", "variant", "either", "instead"];
const DRAFT: [&str; 6] = [
    "draft",
    "first attempt",
    "initial",
    "rough",
    "old version",
    "before:",
];
const FINAL: [&str; 6] = [
    "final",
    "corrected",
    "fixed",
    "revised",
    "improved",
    "updated",
];

pub(super) fn resolve(found: Found) -> Reply {
    let mut reply = Reply {
        unclear: found.unclear,
        ..Reply::default()
    };
    for path in &found.deletes {
        match super::parse_path(path) {
            Ok(path) => reply.deletes.push(path),
            Err(why) => reply.refused.push((path.clone(), why)),
        }
    }
    let (mut named, mut parts) = (BTreeMap::<String, Vec<Piece>>::new(), vec![]);
    for mut piece in found.pieces {
        if piece.cut {
            reply.incomplete.extend(piece.path);
            continue;
        }
        if piece.path.is_none() && super::html::is_page(&piece.content) {
            piece.path = Some("index.html".to_owned());
        }
        match &piece.path {
            Some(path) => named
                .entry(path.trim_start_matches("./").to_owned())
                .or_default()
                .push(piece),
            None => parts.push(piece),
        }
    }
    for (path, pieces) in named {
        match one(pieces) {
            Some(content) => reply.add(&path, &content),
            None => {
                reply.unclear.get_or_insert_with(|| {
                    format!("it holds {path} more than once, with different contents")
                });
            }
        }
    }
    let files = reply.files.clone();
    reply
        .incomplete
        .retain(|path| !files.keys().any(|p| p.as_str() == path));
    if let Err(why) = supply(&mut reply, &parts, true) {
        reply.unclear.get_or_insert(why);
    }
    checked(reply)
}

/// The content that is meant among those of one path.
fn one(mut pieces: Vec<Piece>) -> Option<String> {
    let says = |piece: &Piece, words: &[&str]| words.iter().any(|w| piece.before.contains(w));
    let last = pieces.pop()?;
    if pieces
        .iter()
        .all(|p| p.content.trim() == last.content.trim())
    {
        return Some(last.content);
    }
    let options = pieces.iter().chain([&last]).any(|p| says(p, &OPTION));
    let settled =
        (says(&last, &FINAL) || pieces.iter().all(|p| says(p, &DRAFT))) && !says(&last, &DRAFT);
    (settled && !options).then_some(last.content)
}

/// Files in the text outside of the blocks that the page in a block names.
pub(super) fn with_parts(mut reply: Reply, outside: &str) -> Reply {
    if !missing(&reply, &[".css", ".js", ".mjs"]).is_empty() {
        let found = scan(outside, 0);
        let wanted = missing(&reply, &[".css", ".js", ".mjs"]);
        let (known, parts): (Vec<_>, Vec<_>) = found
            .pieces
            .into_iter()
            .filter(|p| !p.cut)
            .partition(|p| p.path.is_some());
        for piece in known {
            if piece.path.as_ref().is_some_and(|p| wanted.contains(p)) {
                reply.add(piece.path.as_deref().unwrap_or_default(), &piece.content);
            }
        }
        if let Err(why) = supply(&mut reply, &parts, false) {
            reply.unclear.get_or_insert(why);
        }
    }
    reply
}

/// What pages name of these endings and the answer does not hold, in order.
fn missing(reply: &Reply, endings: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for (path, content) in reply.files.iter().filter(|(p, _)| is_html(p.as_str())) {
        for link in Page::read(content)
            .local_links()
            .filter_map(|link| resolved(path.as_str(), link))
        {
            let there = reply.files.keys().any(|p| p.as_str() == link);
            if !there && !all.contains(&link) && endings.iter().any(|ending| link.ends_with(ending))
            {
                all.push(link);
            }
        }
    }
    all
}

/// Gives stretches without a path the name by which a page links them.
fn supply(reply: &mut Reply, parts: &[Piece], strict: bool) -> Result<(), String> {
    for (languages, endings, inline) in [
        (&["css"][..], &[".css"][..], "<style"),
        (&["js", "javascript"], &[".js", ".mjs"], "<script"),
    ] {
        let links = missing(reply, endings);
        let mut own: Vec<&Piece> = Vec::new();
        for part in parts
            .iter()
            .filter(|p| languages.contains(&p.language.as_str()))
        {
            // An excerpt explains what is in a file already.
            let excerpt = reply
                .files
                .values()
                .any(|content| content.contains(part.content.trim()));
            if !excerpt && !own.iter().any(|o| o.content == part.content) {
                own.push(part);
            }
        }
        match (links.as_slice(), own.as_slice()) {
            (_, []) => {}
            ([link], [part]) => reply.add(link, &part.content),
            ([], _) => {
                let page = reply.files.values().any(|c| super::html::is_page(c));
                if strict && page && !reply.files.values().any(|c| c.contains(inline)) {
                    return Err("the page does not name the file of one of its blocks".to_owned());
                }
            }
            _ => {
                return Err(format!(
                    "it cannot be told which block is {}",
                    links.join(" or ")
                ));
            }
        }
    }
    Ok(())
}

/// Keeps back what no file can be: merge marks, JSON or a diff in the place of a page.
pub(super) fn checked(mut reply: Reply) -> Reply {
    for (path, content) in &reply.files {
        let has = |mark: &str| content.lines().any(|l| l.starts_with(mark));
        let page = is_html(path.as_str());
        let start = content.trim_start();
        let why = if has("<<<<<<<") && has(">>>>>>>") {
            "merge marks"
        } else if page && (start.starts_with("{\"") || start.starts_with("[{")) {
            "JSON in the place of HTML"
        } else if page && has("@@ -") {
            "a diff"
        } else {
            continue;
        };
        reply
            .unclear
            .get_or_insert_with(|| format!("{path} holds {why}"));
    }
    if reply.unclear.is_some() {
        reply.files.clear();
        reply.deletes.clear();
    }
    reply
}
