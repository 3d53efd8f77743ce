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
    /// Not live because GitHub cannot build it, or because Pages cannot be turned on.
    #[serde(default)]
    pub failed: bool,
    /// Pages could not be turned on yet: the address is the one it is going to have.
    #[serde(default)]
    pub off: bool,
}

impl Deployment {
    /// Not live yet.
    #[must_use]
    pub fn pending(pages_url: &str, reason: String) -> Self {
        Self {
            pages_url: pages_url.to_owned(),
            live: false,
            reason: Some(reason),
            failed: false,
            off: false,
        }
    }
}

/// What to wait for, and how long.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    pub pages_url: &'a str,
    /// The app of the commit, if it was made here.
    pub made: Option<(&'a App, &'a Task)>,
    /// A build of the commit that failed before another one was asked for.
    pub failed: Option<&'a str>,
    pub stuck_at: Option<Instant>,
    pub until: Instant,
}

/// What is wrong with the build of a commit.
pub struct Trouble {
    pub reason: String,
    /// The build that failed; `None` for one that has not moved for long.
    pub build: Option<String>,
}

/// How waiting for a commit's page ended.
pub enum Waited {
    Live,
    /// It only takes longer, and why.
    Pending(String),
    /// Another commit of this run is on the branch, made by a process that died.
    Newer(Sha),
    Trouble(Trouble),
}

/// How a push ended.
pub enum Outcome {
    Pushed(Push),
    /// The branch is not where the commit's parent is; commit again on this.
    Moved(Repository, Option<Base>),
    /// The repository holds another sender's runs of the same task id.
    OtherSender,
}

/// Where and how to push.
pub struct Target<'a> {
    pub forge: &'a dyn Forge,
    pub name: &'a str,
    pub description: &'a str,
    pub adopt: bool,
    /// The user has named the repository: it may hold other senders' runs.
    pub named: bool,
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
    /// All runs in it are another sender's.
    pub other_sender: bool,
}

/// The repository and what is in it, looked at before anything is made.
///
/// # Errors
/// `name_taken`, `invalid_task` where this run was pushed with other content, and the forge's.
pub fn look(world: &World, task: &Task, target: &Target<'_>) -> Result<Option<Found>> {
    let Some(repository) = target.forge.find(world, target.name)? else {
        return Ok(None);
    };
    remote::require_usable(&repository)?;
    let base = remote::survey(world, &repository, target.git_dir)?;
    let (push, ours) = claim(world, task, target, &repository, base.as_ref())?;
    Ok(Some(Found {
        repository,
        base,
        push,
        other_sender: !ours,
    }))
}

/// Whether the remote holds this run already, and if not, whether we may build on what it holds: `false` where that is all
/// another sender's.
fn claim(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    repository: &Repository,
    base: Option<&Base>,
) -> Result<(Option<Push>, bool)> {
    let entry = base.and_then(|b| b.commit_of(&task.id()));
    if let Some(entry) = entry.filter(|_| !target.fresh) {
        remote::require_same(entry, task.content())?;
        return Ok((Some(recovered(repository, entry)), true));
    }
    let sender = remote::sender(&task.email, &task.task);
    let ours = remote::may_build(
        world,
        repository,
        base,
        &sender,
        target.adopt,
        target.git_dir,
    )?;
    Ok((None, ours || target.named))
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
        remote::require_usable(&repository)?;
        // It was there already: left by a process that died, filled by another round, or somebody else's.
        let base = remote::survey(world, &repository, target.git_dir)?;
        if let Some(outcome) = settle(world, task, target, commit, &repository, base)? {
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
                if let Some(outcome) = settle(world, task, target, commit, &repository, base)? {
                    return Ok(outcome);
                }
                // Another push had the branch locked, and failed or was killed; a look at the repository removes a dead lock.
                target.forge.find(world, &repository.name)?;
                Error::new(
                    Code::Network,
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
    world: &World,
    task: &Task,
    target: &Target<'_>,
    commit: &Commit,
    repository: &Repository,
    base: Option<Base>,
) -> Result<Option<Outcome>> {
    if let Some(entry) = base.as_ref().and_then(|b| b.entry(&commit.sha)) {
        return Ok(Some(Outcome::Pushed(recovered(repository, entry))));
    }
    match claim(world, task, target, repository, base.as_ref())? {
        (Some(push), _) => return Ok(Some(Outcome::Pushed(push))),
        (None, false) => return Ok(Some(Outcome::OtherSender)),
        (None, true) => {}
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

/// Waits until the push is served, or a later commit that is built on it. What only takes longer is no error.
///
/// # Errors
/// What forbids to go on.
pub fn wait_live(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    push: &Push,
    wait: &Wait<'_>,
) -> Result<Waited> {
    let (mut sha, mut made) = (push.sha.clone(), wait.made);
    let mut is_tip = false;
    loop {
        let witness = witness(world, target.git_dir, &sha, made)?;
        let ours = sha == push.sha;
        let page = Page {
            pages_url: wait.pages_url,
            sha: &sha,
            witness: &witness,
            is_tip,
            has_workflow: has_workflow(world, target.git_dir, &sha)?,
            failed: wait.failed.filter(|_| ours),
            stuck_at: wait.stuck_at.filter(|_| ours),
        };
        let trouble = |reason, build| {
            if ours {
                Waited::Trouble(Trouble { reason, build })
            } else {
                Waited::Pending(format!("the page of {sha}, a later commit: {reason}"))
            }
        };
        match target.forge.wait_live(world, &push.name, &page, wait.until) {
            Ok(Live::Yes) => return Ok(Waited::Live),
            Ok(Live::Pending(reason)) => return Ok(Waited::Pending(reason)),
            Ok(Live::Failed { reason, build }) => return Ok(trouble(reason, Some(build))),
            Ok(Live::Stuck(reason)) => return Ok(trouble(reason, None)),
            Ok(Live::Superseded(commit)) => match newer(world, target, push)? {
                Some(base) => {
                    let newest = base.commit_of(&task.id()).map(|entry| &entry.sha);
                    if let Some(newest) = newest.filter(|newest| **newest != push.sha) {
                        return Ok(Waited::Newer(newest.clone()));
                    }
                    // A later round is on top of ours; when it is served, so is what it kept of ours.
                    is_tip = base.tip == sha;
                    if !is_tip {
                        (sha, made) = (base.tip, None);
                    }
                }
                None => {
                    return Ok(Waited::Pending(format!("the page is built from {commit}")));
                }
            },
            // The evaluator must not wait for a forge that is out of reach.
            Err(e) if e.code == Code::PagesFailed => return Err(e),
            Err(e) if e.code.is_pending() => return Ok(Waited::Pending(e.one_line())),
            Err(e) => return Err(e),
        }
    }
}

/// The remote's branch, if the push is part of its history.
fn newer(world: &World, target: &Target<'_>, push: &Push) -> Result<Option<Base>> {
    let Some(repository) = target.forge.find(world, &push.name)? else {
        return Ok(None);
    };
    let base = remote::survey(world, &repository, target.git_dir)?;
    Ok(base.filter(|b| b.entry(&push.sha).is_some()))
}

/// Whether a commit holds a workflow that deploys Pages.
///
/// # Errors
/// `git_failed`.
pub fn has_workflow(world: &World, git_dir: &Path, sha: &Sha) -> Result<bool> {
    let tree = world.git.tree(git_dir, sha.as_str())?;
    let workflows: Vec<&str> = tree
        .iter()
        .filter(|entry| is_workflow(&entry.path))
        .map(|entry| entry.blob.as_str())
        .collect();
    let contents = world.git.blobs(git_dir, &workflows)?;
    Ok(contents.iter().any(|text| deploys_pages(text)))
}

/// Whether GitHub runs the file at this path.
#[must_use]
pub fn is_workflow(path: &str) -> bool {
    let name = path.strip_prefix(".github/workflows/");
    name.and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(stem, ending)| !stem.contains('/') && matches!(ending, "yml" | "yaml"))
}

/// Whether a workflow hands the site to Pages itself, which needs `build_type: workflow`.
#[must_use]
pub fn deploys_pages(workflow: &[u8]) -> bool {
    String::from_utf8_lossy(workflow)
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- "))
        .filter_map(|line| line.trim_start().strip_prefix("uses:"))
        .any(|uses| {
            uses.trim()
                .trim_matches(['"', '\''])
                .starts_with("actions/deploy-pages@")
        })
}
