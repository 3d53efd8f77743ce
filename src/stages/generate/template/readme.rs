//! The README of a site that the template made.
//!
//! Deliberately absent: the licence's text (it has its own file) and later rounds in a README that somebody else
//! wrote (see `rounds`).

use std::fmt::Write as _;

use super::kind::Kind;
use super::page::page_title;
use super::quote;
use super::text;
use super::{Asset, Site};

/// How many files are described before the rest is only counted.
const LISTED: usize = 100;

/// The whole `README.md`: summary, brief, setup, usage, how it works, licence.
///
/// Nothing in the brief or in a name can break it: all of it is escaped.
#[must_use]
pub fn readme(site: &Site<'_>, files: &[String]) -> String {
    let mut out = format!(
        "# {}\n\n{}\n",
        quote::inline(&page_title(site)),
        summary(site)
    );
    briefs(&mut out, site);
    how_to_serve(&mut out);
    usage(&mut out, site);
    how_it_works(&mut out, site, files);
    out.push_str("\n## License\n\nMIT, see [LICENSE](LICENSE).\n");
    out
}

fn summary(site: &Site<'_>) -> String {
    let task = quote::code(site.task);
    let shown = match site.assets.len() {
        0 => "It presents the brief that it was made from".to_owned(),
        1 => format!(
            "It presents the brief that it was made from and the attached {}",
            quote::code(site.assets[0].path)
        ),
        n => format!("It presents the brief that it was made from and its {n} attachments"),
    };
    format!(
        "A static web page for the task {task}. {shown}, without a server, a build step or a request to any other \
         host, and it reads well on a phone, in the dark, on paper and with JavaScript turned off."
    )
}

pub(super) fn briefs(out: &mut String, site: &Site<'_>) {
    if site.rounds.is_empty() {
        return;
    }
    out.push_str("\n## Brief\n");
    for round in &site.rounds {
        if site.rounds.len() > 1 {
            let _ = write!(out, "\n### Round {}\n", round.round);
        }
        let _ = write!(out, "\n{}", quote::block(&round.brief));
    }
}

pub(super) fn how_to_serve(out: &mut String) {
    out.push_str(
        "\n## Setup\n\nThere is nothing to install or to build. Serve the repository's folder:\n\n```sh\npython3 -m http.server 8000\n```\n\n\
         Then open <http://localhost:8000/>.\n",
    );
}

fn usage(out: &mut String, site: &Site<'_>) {
    let kinds: Vec<Kind> = site.assets.iter().map(Kind::of).collect();
    let has = |kind: Kind| kinds.contains(&kind);
    out.push_str("\n## Usage\n\nOpen the page.\n\n- The brief stands on top");
    if kinds.is_empty() {
        out.push_str(".\n");
    } else {
        out.push_str(
            ", each attachment in a section of its own below it, with a link to download it.\n",
        );
    }
    if has(Kind::Table) || has(Kind::Sheet) {
        out.push_str("- A click on a column's heading sorts the table, the field above it filters the rows.\n");
        out.push_str("- The last row has the totals of the columns of numbers; they count every row of the file.\n");
    }
    if has(Kind::Json) {
        out.push_str("- JSON is a tree: click on an entry to fold or unfold it.\n");
    }
    if has(Kind::Markdown) {
        out.push_str("- Markdown is shown as a document, with its source below.\n");
    }
}

fn how_it_works(out: &mut String, site: &Site<'_>, files: &[String]) {
    out.push_str(
        "\n## How it works\n\nThe page was rendered by the template of llmdeploy, without a language model. Tables, \
         documents and totals are plain HTML in `index.html`; totals were added in exact decimal arithmetic. The style \
         sheet and a small script without dependencies (for sorting and filtering) stand in the same file. A content \
         security policy keeps the page from loading anything from elsewhere.\n\n",
    );
    for path in files.iter().take(LISTED) {
        let _ = writeln!(
            out,
            "- {}: {}",
            quote::code(path),
            describe(path, &site.assets)
        );
    }
    if files.len() > LISTED {
        let _ = writeln!(out, "- and {} more files", files.len() - LISTED);
    }
}

/// What a file is for.
fn describe(path: &str, assets: &[Asset<'_>]) -> String {
    if let Some(asset) = assets.iter().find(|asset| asset.path == path) {
        let kind = match Kind::of(asset) {
            Kind::Table => "table",
            Kind::Sheet => "spreadsheet",
            Kind::Markdown => "Markdown document",
            Kind::Json => "JSON document",
            Kind::Image => "image",
            Kind::Audio => "audio",
            Kind::Video => "video",
            Kind::Pdf => "PDF document",
            Kind::Prose => "text",
            Kind::Code => "source file",
            Kind::Binary => "file",
        };
        return format!(
            "attached {kind}, {}, unchanged",
            text::size(asset.bytes.len())
        );
    }
    match path {
        "index.html" => "the page with its style and script",
        "README.md" => "this file",
        "LICENSE" => "the licence",
        ".nojekyll" => "tells GitHub Pages to serve the files as they are",
        _ => "part of the site",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{Round, readme_round};
    use super::*;
    use pulldown_cmark::{Event, Parser, Tag, TagEnd};

    fn site(brief: &str) -> Site<'_> {
        let rounds = vec![Round {
            round: 1,
            brief: brief.to_owned(),
        }];
        let asset = Asset {
            path: "data.csv",
            media_type: "text/csv",
            bytes: b"a,b\n1,2\n".into(),
        };
        Site {
            task: "demo",
            repo: "demo",
            rounds,
            assets: vec![asset],
        }
    }

    fn files() -> Vec<String> {
        [
            "index.html",
            "data.csv",
            "README.md",
            "LICENSE",
            ".nojekyll",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn headings(markdown: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut inside = false;
        for event in Parser::new(markdown) {
            match event {
                Event::Start(Tag::Heading { .. }) => {
                    inside = true;
                    all.push(String::new());
                }
                Event::End(TagEnd::Heading(_)) => inside = false,
                Event::Text(text) if inside => all.iter_mut().last().unwrap().push_str(&text),
                _ => {}
            }
        }
        all
    }

    const SECTIONS: [&str; 5] = ["Brief", "Setup", "Usage", "How it works", "License"];

    #[test]
    fn has_what_readers_look_for() {
        let files = files();
        let page = readme(&site("Show the data"), &files);
        assert_eq!(headings(&page)[1..], SECTIONS);
        for part in [
            "repository's folder:\n\n```sh\npython3 -m http.server 8000\n```\n\nThen open",
            "Open the page.\n",
            "[LICENSE](LICENSE)",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.contains("- `data.csv`: attached table, 8 B, unchanged\n"));
    }

    #[test]
    fn a_hostile_brief_cannot_break_it() {
        let hostile =
            "# Title\n```\n## License\n</details><script>\nLlmdeploy-Run: 0123456789abcdef\n<!-- ";
        let page = readme(&site(hostile), &[]);
        assert_eq!(headings(&page)[1..], SECTIONS, "{page}");
        assert!(
            !page
                .lines()
                .any(|line| line.trim_start_matches("> ").starts_with("Llmdeploy-Run"))
        );
        let next = readme_round(
            &page,
            &Round {
                round: 2,
                brief: hostile.to_owned(),
            },
            &files(),
        );
        assert_eq!(
            headings(&next)
                .iter()
                .filter(|heading| *heading == "License")
                .count(),
            1
        );
        assert!(next.find("## Round 2").unwrap() < next.rfind("## License").unwrap());
    }

    #[test]
    fn a_title_is_text() {
        let page = readme(&site("Set the title to \"*a* `b` [c](d) #1\""), &[]);
        assert_eq!(headings(&page)[0], "*a* `b` [c](d) #1");
    }
}
