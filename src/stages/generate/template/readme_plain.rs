//! The README of a site that a model made and wrote no README for.

use std::fmt::Write as _;

use super::quote;
use super::readme::{briefs, how_to_serve};
use super::{Site, page::page_title};

/// The whole `README.md`: summary, brief, setup, usage, how it works, licence.
#[must_use]
pub fn readme_plain(site: &Site<'_>, files: &[String]) -> String {
    let mut out = format!(
        "# {}\n\nA static web site, made for the task {} from the brief below.\n",
        quote::inline(&page_title(site)),
        quote::code(site.task)
    );
    briefs(&mut out, site);
    how_to_serve(&mut out);
    out.push_str("\n## Usage\n\nOpen the page; it needs no installation and no account.\n\n## How it works\n\nThe site is served as it is, without a build step:\n\n");
    for path in files {
        let _ = writeln!(out, "- {}", quote::code(path));
    }
    out.push_str("\n## License\n\nMIT, see [LICENSE](LICENSE).\n");
    out
}
