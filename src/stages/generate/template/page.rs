//! The page around the previews.
//!
//! Deliberately absent: anything loaded from elsewhere (the policy in the head forbids it) and anything that needs
//! the script to be read.

use std::fmt::Write as _;

use super::budget::Budget;
use super::href;
use super::kind::Kind;
use super::preview::{self, Ids, Shared};
use super::seal;
use super::text;
use super::title;
use super::{Asset, Round, Site};

/// How much of one brief is shown, in bytes of HTML.
const BRIEF: usize = 100_000;
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
    let mut out = String::with_capacity(32_000);
    head(&mut out, site, &title);
    let _ = write!(
        out,
        "<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n<header>\n\
         <p class=\"task\"><bdi>{}</bdi></p>\n<h1>{}</h1>\n</header>\n<main id=\"content\">\n",
        text::escape(site.task),
        text::escape(&title)
    );
    briefs(&mut out, &site.rounds);
    list(&mut out, &site.assets);
    let paths: Vec<&str> = site.assets.iter().map(|asset| asset.path).collect();
    let mut shared = Shared {
        paths: &paths,
        ids: Ids::default(),
    };
    let mut budget = Budget::new();
    for (at, asset) in site.assets.iter().enumerate() {
        section(&mut out, asset, at + 1, &mut budget, &mut shared);
    }
    let _ = write!(
        out,
        "</main>\n<footer>\n<p>Made from the brief and its attachments by a template, without a language model. \
         Repository <bdi>{}</bdi>, MIT licence.</p>\n</footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        text::escape(site.repo)
    );
    seal::seal(&out)
}

/// The latest title that a brief names; else what the first brief begins with, for later ones tell of changes only.
pub(super) fn page_title(site: &Site<'_>) -> String {
    let rounds = ascending(&site.rounds);
    let named = rounds
        .iter()
        .rev()
        .find_map(|round| title::named(&round.brief));
    let first = rounds
        .iter()
        .find(|round| round.brief.contains(char::is_alphanumeric));
    named.unwrap_or_else(|| title::title(first.map_or(site.task, |round| &round.brief)))
}

fn ascending(rounds: &[Round]) -> Vec<&Round> {
    let mut rounds: Vec<&Round> = rounds.iter().collect();
    rounds.sort_by_key(|round| round.round);
    rounds
}

fn head(out: &mut String, site: &Site<'_>, title: &str) {
    let description = site
        .rounds
        .first()
        .map_or(title, |round| round.brief.as_str());
    let description = text::shorten(&text::one_line(crate::text::head(description, 2_000)), 160);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}\
         <!-- This page loads nothing from elsewhere. Add a source here before you use one. -->\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<meta name=\"description\" content=\"{}\">\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>\n{STYLE}</style>\n</head>\n",
        seal::metas(&site.rounds),
        text::escape(title),
        text::escape(&description)
    );
}

/// All briefs, the latest first, since that is what a visitor's question is about.
fn briefs(out: &mut String, rounds: &[Round]) {
    let rounds = ascending(rounds);
    if rounds.is_empty() {
        return;
    }
    out.push_str(
        "<section class=\"card\" aria-labelledby=\"brief\">\n<h2 id=\"brief\">Brief</h2>\n",
    );
    for round in rounds.iter().rev() {
        if rounds.len() > 1 {
            let _ = writeln!(out, "<h3>Round {}</h3>", round.round);
        }
        let (brief, cut) =
            text::escape_capped(round.brief.trim_matches(['\r', '\n']).trim_end(), BRIEF);
        let _ = writeln!(
            out,
            "<div class=\"brief\" dir=\"auto\">{brief}{}</div>",
            if cut { "…" } else { "" }
        );
    }
    out.push_str("</section>\n");
}

/// Links to the sections, where there are enough of them.
fn list(out: &mut String, assets: &[Asset<'_>]) {
    if assets.len() < LISTED {
        return;
    }
    out.push_str("<nav class=\"card\" aria-labelledby=\"files\">\n<h2 id=\"files\">Files</h2>\n<ul class=\"files\">\n");
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
    let name = text::escape(asset.path);
    let file_name = text::escape(asset.path.rsplit('/').next().unwrap_or(asset.path));
    let _ = write!(
        out,
        "<section class=\"card\" id=\"file-{number}\" aria-labelledby=\"name-{number}\">\n<div class=\"bar\">\n\
         <h2 id=\"name-{number}\"><bdi>{name}</bdi></h2>\n<p class=\"meta\">{}, {}</p>\n\
         <a class=\"button\" href=\"{}\" download=\"{file_name}\">Download<span class=\"hidden\"> {name}</span></a>\n</div>\n",
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
