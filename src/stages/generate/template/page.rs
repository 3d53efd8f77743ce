//! The page around the previews.
//!
//! Deliberately absent: anything loaded from elsewhere (the policy in the head forbids it) and anything that needs
//! the script to be read.

use std::fmt::Write as _;

use super::budget::Budget;
use super::href;
use super::kind::Kind;
use super::language::Language;
use super::markdown::{self, Place};
use super::preview::{self, Ids, Shared};
use super::seal;
use super::text;
use super::title;
use super::{Asset, Round, Site};
use crate::content::text as decode;

/// How much of one brief is shown, in bytes.
const BRIEF: usize = 100_000;
/// How far down in a document its title is looked for.
const TITLE: usize = 20_000;
/// From so many attachments on there is a list of them on top.
const LISTED: usize = 2;
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("app.js");
/// A drawn sheet of paper, so that no browser asks for a `favicon.ico` that is not there.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect \
                    x='2' y='1' width='12' height='14' rx='2' fill='%230b6b74'/%3E%3Cpath d='M5 5h6M5 8h6M5 11h4' \
                    stroke='%23fff' stroke-width='1.2'/%3E%3C/svg%3E";
const POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; \
                      form-action 'none'";

/// The whole `index.html`.
///
/// It needs no other file but the attachments that it shows and links to. The same site gives the same bytes; the
/// page stays below about 2 MB whatever the attachments weigh. Hand it to [`super::made_here`] to read the rounds
/// back.
#[must_use]
pub fn page(site: &Site<'_>) -> String {
    let title = page_title(site);
    let language = language(site);
    let mut out = String::with_capacity(32_000);
    head(&mut out, site, &title, language);
    // The template's own words are English whatever the page is.
    let own = own(language);
    let _ = write!(
        out,
        "<body>\n<a class=\"skip\" href=\"#content\"{own}>Skip to the content</a>\n<header>\n\
         <p class=\"task\"><bdi>{}</bdi></p>\n<h1 dir=\"auto\">{}</h1>\n</header>\n<main id=\"content\">\n",
        text::escape(site.task),
        text::escape(&title)
    );
    let paths: Vec<&str> = site.assets.iter().map(|asset| asset.path).collect();
    let mut shared = Shared {
        paths: &paths,
        ids: Ids::default(),
        language,
    };
    briefs(&mut out, &site.rounds, &paths, own, &mut shared.ids);
    list(&mut out, &site.assets, own);
    let mut budget = Budget::new();
    for (at, asset) in site.assets.iter().enumerate() {
        section(&mut out, asset, at + 1, &mut budget, &mut shared);
    }
    let _ = write!(
        out,
        "</main>\n<footer{own}>\n<p>Made from the brief and its attachments by a template, without a language model. \
         Repository <bdi>{}</bdi>, MIT licence.</p>\n</footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        text::escape(site.repo)
    );
    seal::seal(&out)
}

/// In which language its briefs are written; they are what it is for.
fn language(site: &Site<'_>) -> Language {
    let mut briefs = ascending(&site.rounds).into_iter().rev();
    briefs
        .find_map(|round| Language::of(&round.brief))
        .unwrap_or(Language::ENGLISH)
}

/// The attributes of the template's own words in a page of another language.
fn own(language: Language) -> &'static str {
    match language {
        Language { tag: "en", .. } => "",
        Language { rtl: true, .. } => " lang=\"en\" dir=\"ltr\"",
        Language { .. } => " lang=\"en\"",
    }
}

/// The latest title that a brief names; else that of the first document with one, else the task's name; else what the first brief begins
/// with, for later ones tell of changes only.
pub(super) fn page_title(site: &Site<'_>) -> String {
    let rounds = ascending(&site.rounds);
    let named = rounds
        .iter()
        .rev()
        .find_map(|round| title::named(&round.brief));
    let document = || {
        let documents = site.assets.iter();
        documents
            .filter(|asset| Kind::of(asset) == Kind::Markdown)
            .find_map(|asset| markdown::title(&decode::decode_head(&asset.bytes, TITLE).0))
            .map(|title| text::shorten(&text::one_line(&title), 100))
    };
    let first = || {
        rounds
            .iter()
            .find(|round| round.brief.contains(char::is_alphanumeric))
            .map_or(site.task, |round| &round.brief)
    };
    named
        .or_else(document)
        .or_else(|| title::of_task(site.task))
        .unwrap_or_else(|| title::title(first()))
}

fn ascending(rounds: &[Round]) -> Vec<&Round> {
    let mut rounds: Vec<&Round> = rounds.iter().collect();
    rounds.sort_by_key(|round| round.round);
    rounds
}

fn head(out: &mut String, site: &Site<'_>, title: &str, language: Language) {
    let description = site
        .rounds
        .first()
        .map_or(title, |round| round.brief.as_str());
    let description = text::shorten(&text::one_line(crate::text::head(description, 2_000)), 160);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"{}\"{}>\n<head>\n<meta charset=\"utf-8\">\n{}\
         <!-- This page loads nothing from elsewhere. Add a source here before you use one. -->\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<meta name=\"description\" content=\"{}\">\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>\n{STYLE}</style>\n</head>\n",
        language.tag,
        if language.rtl { " dir=\"rtl\"" } else { "" },
        seal::metas(&site.rounds),
        text::escape(title),
        text::escape(&description)
    );
}

/// All briefs, the latest first, since that is what a visitor's question is about. They are Markdown, as far as they are anything.
fn briefs(out: &mut String, rounds: &[Round], paths: &[&str], own: &str, ids: &mut Ids) {
    let rounds = ascending(rounds);
    if rounds.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<section class=\"card\" aria-labelledby=\"brief\">\n<h2 id=\"brief\"{own}>Brief</h2>"
    );
    for round in rounds.iter().rev() {
        if rounds.len() > 1 {
            let _ = writeln!(out, "<h3{own}>Round {}</h3>", round.round);
        }
        let place = Place {
            path: "",
            paths,
            key: &format!("brief-{}", round.round),
            under: if rounds.len() > 1 { 3 } else { 2 },
            lines: true,
        };
        let brief = round.brief.trim_matches(['\r', '\n']).trim_end();
        let shown = crate::text::head(brief, BRIEF);
        let mut html = markdown::render(shown, &place, ids);
        let mut class = "brief prose-html";
        // A few bytes of Markdown can come to a lot: a table is filled up to its width.
        if html.len() > 3 * BRIEF {
            (html, class) = (text::escape_capped(shown, BRIEF).0, "brief plain");
        }
        let cut = if shown.len() < brief.len() { "…" } else { "" };
        let _ = writeln!(out, "<div class=\"{class}\" dir=\"auto\">{html}{cut}</div>");
    }
    out.push_str("</section>\n");
}

/// Links to the sections, where there are enough of them.
fn list(out: &mut String, assets: &[Asset<'_>], own: &str) {
    if assets.len() < LISTED {
        return;
    }
    let _ = writeln!(
        out,
        "<nav class=\"card\" aria-labelledby=\"files\">\n<h2 id=\"files\"{own}>Files</h2>\n<ul class=\"files\">"
    );
    for (at, asset) in assets.iter().enumerate() {
        let _ = writeln!(
            out,
            "<li><a href=\"#file-{}\"><bdi>{}</bdi></a> <span class=\"meta\">{}, {}</span></li>",
            at + 1,
            text::escape(asset.path),
            Kind::of(asset).label(),
            text::size(asset.bytes.len())
        );
    }
    out.push_str("</ul>\n</nav>\n");
}

/// One attachment: name, kind, size, download and, while the page has room, its content.
fn section(
    out: &mut String,
    asset: &Asset<'_>,
    number: usize,
    budget: &mut Budget,
    shared: &mut Shared<'_>,
) {
    let kind = Kind::of(asset);
    let own = own(shared.language);
    let name = text::escape(asset.path);
    let file_name = text::escape(asset.path.rsplit('/').next().unwrap_or(asset.path));
    let _ = write!(
        out,
        "<section class=\"card\" id=\"file-{number}\" aria-labelledby=\"name-{number}\">\n<div class=\"bar\">\n\
         <h2 id=\"name-{number}\"><bdi>{name}</bdi></h2>\n<p class=\"meta\"{own}>{}, {}</p>\n\
         <a class=\"button\" href=\"{}\" download=\"{file_name}\"{own}>Download<span class=\"hidden\"> {name}</span></a>\n</div>\n",
        kind.label(),
        text::size(asset.bytes.len()),
        href::href(asset.path)
    );
    if let Some(room) = budget.next() {
        let preview = preview::render(asset, kind, number, room, shared);
        budget.spend(preview.len());
        out.push_str(&preview);
    } else {
        out.push_str("<p class=\"note\">Not shown, for this page is full. Download the file to see it.</p>\n");
    }
    out.push_str("</section>\n");
}

#[cfg(test)]
mod tests;
