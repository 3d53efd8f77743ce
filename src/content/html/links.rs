//! What a page refers to.

use super::{Element, Page};
use crate::text::percent_decoded;

impl Page<'_> {
    /// What elements refer to (`href`, `src` and the like), as written but for entities and white space around.
    pub fn links(&self) -> impl Iterator<Item = (Element<'_>, &str)> {
        self.elements().flat_map(|element| {
            let named = ["href", "src", "poster", "data"].into_iter();
            named
                .filter(move |name| *name != "data" || element.name() == "object")
                .filter_map(move |name| Some((element, element.get(name)?.trim())))
        })
    }

    /// The files of this site among them, without `?…` and `#…`.
    pub fn local_links(&self) -> impl Iterator<Item = &str> {
        self.links()
            .filter(|(_, link)| is_local(link))
            .filter_map(|(_, link)| link.split(['?', '#']).next())
            .filter(|link| !link.is_empty())
    }
}

/// Not a URL with a scheme or host, nor a place on the page, nor what a script fills in.
fn is_local(link: &str) -> bool {
    let scheme = link
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .contains(':');
    !link.is_empty()
        && !scheme
        && !link.starts_with("//")
        && !link.starts_with('#')
        && !link.contains(['{', '}', '<', '$'])
}

/// The path that a link on the page `from` leads to; `None`: outside the site.
#[must_use]
pub fn resolve(from: &str, link: &str) -> Option<String> {
    let link = percent_decoded(link);
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    Some(if path.is_empty() || path.ends_with('/') {
        format!("{path}index.html")
    } else {
        path
    })
}
