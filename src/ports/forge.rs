//! A forge is a place to put a repository and a page. GitHub and a local directory are the two; this is all that both need.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::World;
use super::git::Remote;
use crate::error::Result;
use crate::values::Sha;

/// A repository on a forge.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The name it really has: GitHub rewrites what it does not like.
    pub name: String,
    /// For people: `https://github.com/o/r`, or a `file://` URL.
    pub repo_url: String,
    pub remote: Remote,
    /// Made by this process just now, so it is empty, and may not be visible everywhere yet.
    pub created: bool,
    /// Pages is known to be on.
    pub has_pages: bool,
}

/// Who commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub name: String,
    pub email: String,
}

impl Default for Author {
    /// Where no account is at hand. The address belongs to nobody and cannot be mistaken for somebody's.
    fn default() -> Self {
        Self {
            name: "llmdeploy".to_owned(),
            email: "llmdeploy@localhost".to_owned(),
        }
    }
}

/// A file of the commit by which the page is recognised.
pub struct Witness {
    /// Path in the site, percent-encoded; empty for `index.html`, which is what the page's own address serves.
    pub url_path: String,
    pub bytes: Vec<u8>,
}

/// Whether the commit is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    Yes,
    /// Not yet, and why.
    Pending(String),
    /// Another commit is served, by its id; a later round on top of ours, perhaps.
    Superseded(String),
}

pub trait Forge {
    /// Names the destination in the journal, e.g. `https://api.github.com owner`.
    fn key(&self) -> String;

    /// Proves that we may work here, before anything is made.
    ///
    /// # Errors
    /// `bad_token`, `forbidden`, `network`, `rate_limited`.
    fn prove(&self, world: &World) -> Result<()>;

    /// Who commits, if that can be known.
    ///
    /// # Errors
    /// As [`Forge::prove`].
    fn author(&self, world: &World) -> Result<Author>;

    /// The repository, if it is there.
    ///
    /// # Errors
    /// As [`Forge::prove`].
    fn find(&self, world: &World, name: &str) -> Result<Option<Repository>>;

    /// Makes the repository, or finds it if it is there already.
    ///
    /// # Errors
    /// As [`Forge::prove`], and `name_taken`.
    fn create(&self, world: &World, name: &str, description: &str) -> Result<Repository>;

    /// The address that the page of this repository is going to have, as far as it is known. `ask`: GitHub may be asked who
    /// the owner is.
    fn address(&self, world: &World, name: &str, ask: bool) -> String;

    /// Turns the page on, from the root of `main`, and says its address. To be called after the first push. `on`: it is
    /// known to be on.
    ///
    /// # Errors
    /// As [`Forge::prove`], and `pages_failed`.
    fn enable(&self, world: &World, name: &str, on: bool) -> Result<String>;

    /// Waits until this commit is served, at most until `until`.
    ///
    /// # Errors
    /// As [`Forge::prove`], and `pages_failed`.
    fn wait_live(&self, world: &World, name: &str, page: &Page<'_>, until: Instant)
    -> Result<Live>;
}

/// What is waited for.
pub struct Page<'a> {
    pub pages_url: &'a str,
    pub sha: &'a Sha,
    pub witness: &'a Witness,
    /// An earlier process waited too, so a build that failed then may be asked for once more.
    pub again: bool,
}
