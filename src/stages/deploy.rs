//! From a commit to a page that serves it.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::{Forge, Live, Page, Repository, Witness};
use crate::ports::git::{LogEntry, Pushed};
use crate::ports::retry;
use crate::request::task::Task;
use crate::stages::commit::Commit;
use crate::stages::generate::App;
use crate::stages::remote::{self, Base, GENERATOR_TRAILER, value_of};
use crate::text::{PATH, percent_encoded};
use crate::values::Sha;

/// What is recorded of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The repository's name as the forge has it.
    pub name: String,
    pub repo_url: String,
    pub sha: Sha,
    /// Pages was on when the repository was looked at.
    pub has_pages: bool,
    /// Found on the remote, not pushed by this process: how the files came to be, as the trailer says.
    pub recovered: Option<String>,
}

/// What is recorded of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub pages_url: String,
    pub live: bool,
    /// Why not live yet.
    pub reason: Option<String>,
}

/// How a push ended.
pub enum Outcome {
    Pushed(Push),
    /// The branch is not where the commit's parent is; commit again on this.
    Moved(Repository, Option<Base>),
}

/// Where and how to push.
pub struct Target<'a> {
    pub forge: &'a dyn Forge,
    pub name: &'a str,
    pub description: &'a str,
    pub adopt: bool,
    /// `--fresh`: an earlier commit of this run is not what is wanted.
    pub fresh: bool,
    pub git_dir: &'a Path,
}

/// What was on the remote before anything was made.
pub struct Found {
    pub repository: Repository,
    pub base: Option<Base>,
    /// A push of this run: then there is nothing to make.
    pub push: Option<Push>,
}

/// The repository and what is in it, looked at before anything is made.
///
/// # Errors
/// `name_taken`, `invalid_task` where this run was pushed with other content, and the forge's.
pub fn look(world: &World, task: &Task, target: &Target<'_>) -> Result<Option<Found>> {
    let Some(repository) = target.forge.find(world, target.name)? else {
        return Ok(None);
    };
    let base = remote::survey(world, &repository, target.git_dir)?;
    let push = match &base {
        Some(base) => claim(task, target, &repository, base)?,
        None => None,
    };
    Ok(Some(Found {
        repository,
        base,
        push,
    }))
}

/// Whether the remote holds this run already, and if not, whether we may build on what it holds.
fn claim(
    task: &Task,
    target: &Target<'_>,
    repository: &Repository,
    base: &Base,
) -> Result<Option<Push>> {
    if let Some(entry) = base.commit_of(&task.id()).filter(|_| !target.fresh) {
        remote::require_same(entry, task.content())?;
        return Ok(Some(recovered(repository, entry)));
    }
    base.require_ours(repository, target.adopt).map(|()| None)
}

fn recovered(repository: &Repository, entry: &LogEntry) -> Push {
    let generator = value_of(&entry.message, GENERATOR_TRAILER)
        .unwrap_or_default()
        .to_owned();
    pushed(repository, &entry.sha, Some(generator))
}

fn pushed(repository: &Repository, sha: &Sha, recovered: Option<String>) -> Push {
    Push {
        name: repository.name.clone(),
        repo_url: repository.repo_url.clone(),
        sha: sha.clone(),
        has_pages: repository.has_pages,
        recovered,
    }
}

/// Brings a commit to the remote's `main`, making the repository where it is missing. `known`: the repository, if it was
/// looked at in this process, with a commit made for what was found.
///
/// # Errors
/// The forge's and git's, `name_taken`, `invalid_task`.
pub fn push(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    commit: &Commit,
    known: Option<Repository>,
) -> Result<Outcome> {
    let (repository, looked) = match known {
        Some(repository) => (repository, true),
        None => (
            target
                .forge
                .create(world, target.name, target.description)?,
            false,
        ),
    };
    if !looked && !repository.created {
        // It was there already: left by a process that died, filled by another round, or somebody else's.
        let base = remote::survey(world, &repository, target.git_dir)?;
        if let Some(outcome) = settle(task, target, commit, &repository, base)? {
            return Ok(outcome);
        }
    }
    let mut failures = 0;
    loop {
        let failure = match world.git.push(
            target.git_dir,
            &repository.remote,
            &commit.sha,
            commit.parent.as_ref(),
            world.clock.left(None),
        ) {
            Ok(Pushed::Done) => return Ok(Outcome::Pushed(pushed(&repository, &commit.sha, None))),
            Ok(Pushed::Behind) => {
                let base = remote::survey(world, &repository, target.git_dir)?;
                if let Some(outcome) = settle(task, target, commit, &repository, base)? {
                    return Ok(outcome);
                }
                // Another push had the branch locked, and failed or was killed; a look at the repository removes a dead lock.
                target.forge.find(world, &repository.name)?;
                Error::new(
                    Code::PushRejected,
                    "the push was rejected as not fast-forward, but the branch has not moved",
                )
            }
            // Right after creation a repository may not be seen everywhere.
            Ok(Pushed::NotFound) => Error::new(
                Code::Network,
                format!("{} does not answer to git yet", repository.repo_url),
            ),
            Err(e) if e.code == Code::Network => e,
            Err(e) => return Err(e),
        };
        failures += 1;
        if failures >= retry::TRIES || !world.clock.pause(retry::pause(world.clock.unit, failures))
        {
            return Err(failure.hint("run the same command again; it goes on from here"));
        }
    }
}

/// What the state of the remote means for the commit; `None`: it can be pushed as it is.
fn settle(
    task: &Task,
    target: &Target<'_>,
    commit: &Commit,
    repository: &Repository,
    base: Option<Base>,
) -> Result<Option<Outcome>> {
    if let Some(base) = &base {
        if let Some(entry) = base.entry(&commit.sha) {
            return Ok(Some(Outcome::Pushed(recovered(repository, entry))));
        }
        if let Some(push) = claim(task, target, repository, base)? {
            return Ok(Some(Outcome::Pushed(push)));
        }
    }
    let fits = base.as_ref().map(|b| &b.tip) == commit.parent.as_ref();
    Ok(if fits {
        None
    } else {
        Some(Outcome::Moved(repository.clone(), base))
    })
}

/// The file by which the page is recognised: `index.html`, otherwise the first that is not hidden.
///
/// # Errors
/// `git_failed`, `invalid_task`.
pub fn witness(
    world: &World,
    git_dir: &Path,
    sha: &Sha,
    made: Option<(&App, &Task)>,
) -> Result<Witness> {
    if let Some((app, task)) = made
        && let Some((_, bytes)) = app
            .files(task)?
            .iter()
            .find(|(path, _)| path.as_str() == "index.html")
    {
        return Ok(Witness {
            url_path: String::new(),
            bytes: bytes.to_vec(),
        });
    }
    let tree = world.git.tree(git_dir, sha.as_str())?;
    let entry = tree
        .iter()
        .find(|e| e.path == "index.html")
        .or_else(|| tree.iter().find(|e| !e.path.starts_with('.')));
    let Some(entry) = entry else {
        return Err(Error::new(
            Code::PagesFailed,
            "the commit holds no file that a page could serve",
        ));
    };
    let bytes = world
        .git
        .blobs(git_dir, &[&entry.blob])?
        .into_iter()
        .next()
        .unwrap_or_default();
    let url_path = if entry.path == "index.html" {
        String::new()
    } else {
        percent_encoded(&entry.path, PATH)
    };
    Ok(Witness { url_path, bytes })
}

/// Waits until the push is served at `pages_url`, at most until `until`. What only takes longer is no error: the result says
/// `live: false` and why.
///
/// # Errors
/// `pages_failed`, and what forbids to go on.
pub fn wait_live(
    world: &World,
    target: &Target<'_>,
    push: &Push,
    pages_url: &str,
    made: Option<(&App, &Task)>,
    again: bool,
    until: Instant,
) -> Result<Deployment> {
    let mut sha = push.sha.clone();
    let mut made = made;
    loop {
        let witness = witness(world, target.git_dir, &sha, made)?;
        let page = Page {
            pages_url,
            sha: &sha,
            witness: &witness,
            again,
        };
        let pending = |reason: String| Deployment {
            pages_url: pages_url.to_owned(),
            live: false,
            reason: Some(reason),
        };
        match target.forge.wait_live(world, &push.name, &page, until) {
            Ok(Live::Yes) => {
                return Ok(Deployment {
                    pages_url: pages_url.to_owned(),
                    live: true,
                    reason: None,
                });
            }
            Ok(Live::Pending(reason)) => return Ok(pending(reason)),
            Ok(Live::Superseded(commit)) => match newer(world, target, push)? {
                // A later round is on top of ours; when it is served, so is what it kept of ours.
                Some(tip) if tip != sha => (sha, made) = (tip, None),
                _ => return Ok(pending(format!("the page is built from {commit}"))),
            },
            // The evaluator must not wait for a forge that is out of reach.
            Err(e) if e.code.is_pending() => return Ok(pending(e.one_line())),
            Err(e) => return Err(e),
        }
    }
}

/// The remote's tip, if the push is part of its history.
fn newer(world: &World, target: &Target<'_>, push: &Push) -> Result<Option<Sha>> {
    let Some(repository) = target.forge.find(world, &push.name)? else {
        return Ok(None);
    };
    let base = remote::survey(world, &repository, target.git_dir)?;
    Ok(base.filter(|b| b.entry(&push.sha).is_some()).map(|b| b.tip))
}
