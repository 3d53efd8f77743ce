//! A forge is a place to put a repository and a page. GitHub and a local directory are the two; this is all that both need.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::World;
use super::git::Remote;
use crate::error::{Code, Error, Result};
use crate::values::Sha;

/// A repository on a forge.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what a forge says of a repository, each for itself"
)]
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
    pub private: bool,
    /// Nobody can push to it.
    pub archived: bool,
    /// `owner/name`, where it belongs to somebody else now.
    pub transferred: Option<String>,
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
    /// This commit could not be built, which on GitHub does not mend itself.
    Failed {
        reason: String,
        /// Tells the build from another one of the same commit.
        build: String,
    },
    /// Its build has not moved for long.
    Stuck(String),
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

    /// Whether a repository of this name is more than a repository to the forge.
    ///
    /// # Errors
    /// As [`Forge::prove`].
    fn is_special(&self, _world: &World, _name: &str) -> Result<bool> {
        Ok(false)
    }

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
    /// As [`Forge::prove`].
    fn wait_live(&self, world: &World, name: &str, page: &Page<'_>, until: Instant)
    -> Result<Live>;

    /// Asks for another build of the branch's tip; says what came of it.
    ///
    /// # Errors
    /// As [`Forge::prove`].
    fn rebuild(&self, _world: &World, _name: &str) -> Result<String> {
        Ok("there is nothing to build here".to_owned())
    }

    /// Has a workflow of the repository publish the page (`true`), or the forge itself from the root of `main`.
    ///
    /// # Errors
    /// As [`Forge::prove`]; where workflows cannot be pushed with this token, before anything is changed.
    fn set_workflow(&self, _world: &World, _name: &str, _workflow: bool) -> Result<()> {
        Err(Error::new(
            Code::Forbidden,
            "pages on this machine are not built by workflows",
        ))
    }
}

/// What is waited for.
pub struct Page<'a> {
    pub pages_url: &'a str,
    pub sha: &'a Sha,
    pub witness: &'a Witness,
    /// The commit is known to be the branch's tip: a build of another one is an old one.
    pub is_tip: bool,
    /// The commit holds a workflow that deploys Pages.
    pub has_workflow: bool,
    /// A build of this commit that failed before another one was asked for.
    pub failed: Option<&'a str>,
    /// From when on a build that is still under way is stuck.
    pub stuck_at: Option<Instant>,
}
