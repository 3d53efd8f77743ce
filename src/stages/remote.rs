//! The ground to build on: what is on the remote already, and whose it is.
//!
//! Every commit of ours ends with a trailer that names its run. So the remote alone tells, also after the state directory
//! was lost, whether this run was pushed, and whether a repository is ours to work on.

use std::path::Path;

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::Repository;
use crate::ports::git::{BRANCH, LogEntry, TreeEntry};
use crate::request::task::Content;
use crate::values::{RunId, Sha, sha256_hex};

/// The trailer at the end of every commit message of ours.
pub const RUN_TRAILER: &str = "Llmdeploy-Run: ";
/// What the task said, so that other content under the same four values is noticed without any state.
pub const TASK_TRAILER: &str = "Llmdeploy-Task: ";
/// Whose task it was: a digest over e-mail and task id.
pub const SENDER_TRAILER: &str = "Llmdeploy-Sender: ";
/// How the files came to be.
pub const GENERATOR_TRAILER: &str = "Llmdeploy-Generator: ";

/// On a commit that repeats one whose page GitHub could not build: the first or the second.
pub const RESCUE_TRAILER: &str = "Llmdeploy-Rescue: ";
/// On a commit from which on a workflow publishes the site.
pub const WORKFLOW_TRAILER: &str = "Llmdeploy-Pages: ";

/// The tip of the remote's branch, fetched into our own repository.
#[derive(Clone, Debug)]
pub struct Base {
    pub tip: Sha,
    history: Vec<LogEntry>,
    pub files: Vec<TreeEntry>,
}

/// Fetches what is on the remote; `None` for an empty repository.
///
/// # Errors
/// As [`crate::ports::git::Git::fetch`].
pub fn survey(world: &World, repository: &Repository, git_dir: &Path) -> Result<Option<Base>> {
    world.git.init(git_dir)?;
    let Some(tip) = world
        .git
        .fetch(git_dir, &repository.remote, world.clock.left(None))?
    else {
        return Ok(None);
    };
    Ok(Some(Base {
        history: world.git.log(git_dir, &tip)?,
        files: world.git.tree(git_dir, tip.as_str())?,
        tip,
    }))
}

/// Whose a repository is, by the commits on its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// No commit is of a run of ours.
    Foreign,
    /// All runs are of another e-mail address.
    OtherSender,
    /// Runs of this sender's, or of versions that noted none.
    Sender,
}

/// Refuses what nobody could push to or see.
///
/// # Errors
/// `forbidden` for an archived repository, `name_taken` for one that was transferred.
pub fn require_usable(repository: &Repository) -> Result<()> {
    let url = &repository.repo_url;
    if let Some(now) = &repository.transferred {
        let owner = now.split('/').next().unwrap_or_default();
        return Err(Error::new(
            Code::NameTaken,
            format!("the repository was transferred: it is {now} now ({url})"),
        )
        .hint(format!(
            "go on there with --owner {owner}, or take another name with --repo or --new-repo"
        )));
    }
    if repository.archived {
        return Err(Error::new(
            Code::Forbidden,
            format!("{url} is archived, so nobody can push to it"),
        )
        .hint(
            "unarchive it under Settings → General, or take another name with --repo or --new-repo",
        ));
    }
    Ok(())
}

/// Refuses a repository that is empty of commits on `main` and yet somebody's.
///
/// # Errors
/// `name_taken`.
fn require_empty(world: &World, repository: &Repository, git_dir: &Path) -> Result<()> {
    let left = world.clock.left(None);
    let there = world.git.references(git_dir, &repository.remote, left)?;
    if there.iter().any(|name| name == BRANCH) {
        // Pushed a moment ago, by another run perhaps: our own push is going to find it.
        return Ok(());
    }
    let url = &repository.repo_url;
    let message = match there.as_slice() {
        [] if !repository.private => return Ok(()),
        [] => format!("{url} is empty and private: nobody could see its page or its files"),
        [first, rest @ ..] => {
            let name = first
                .trim_start_matches("refs/")
                .replacen("heads/", "branch ", 1)
                .replacen("tags/", "tag ", 1);
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            format!("{url} was not made by llmdeploy: it has no branch main, but the {name}{more}")
        }
    };
    Err(taken(message))
}

fn taken(message: String) -> Error {
    Error::new(Code::NameTaken, message)
        .hint("choose another name with --repo or --new-repo, or work on this one with --adopt")
}

/// A digest over e-mail and task id, for the trailer.
#[must_use]
pub fn sender(email: &str, task: &str) -> String {
    let mut digest = sha256_hex(format!("{email}\0{task}\0").as_bytes());
    digest.truncate(16);
    digest
}

/// Whether we may build on what a repository holds. `false`: its runs are all another sender's.
///
/// # Errors
/// `name_taken`, `forbidden`, and git's.
pub fn may_build(
    world: &World,
    repository: &Repository,
    base: Option<&Base>,
    sender: &str,
    adopt: bool,
    git_dir: &Path,
) -> Result<bool> {
    let Some(base) = base else {
        if !adopt {
            require_empty(world, repository, git_dir)?;
        }
        return Ok(true);
    };
    match base.owner(sender) {
        _ if adopt => Ok(true),
        Owner::Sender => Ok(true),
        Owner::OtherSender => Ok(false),
        Owner::Foreign => Err(taken(format!(
            "{} is not empty and was not made by llmdeploy",
            repository.repo_url
        ))),
    }
}

impl Base {
    /// Whose runs are in it.
    #[must_use]
    pub fn owner(&self, sender: &str) -> Owner {
        let mut ours = self
            .history
            .iter()
            .filter(|e| trailer(&e.message).is_some());
        let mut senders = ours
            .clone()
            .filter_map(|e| value_of(&e.message, SENDER_TRAILER));
        if ours.next().is_none() {
            Owner::Foreign
        } else if senders.clone().count() > 0 && senders.all(|known| known != sender) {
            Owner::OtherSender
        } else {
            Owner::Sender
        }
    }

    /// The runs that are on the branch.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.history.iter().filter_map(|e| trailer(&e.message))
    }

    /// The newest commit of this run.
    #[must_use]
    pub fn commit_of(&self, run: &RunId) -> Option<&LogEntry> {
        self.history
            .iter()
            .find(|entry| trailer(&entry.message) == Some(run.as_str()))
    }

    /// How many rescue commits of this run the branch ends in.
    #[must_use]
    pub fn rescues(&self, run: &RunId) -> usize {
        let is_rescue = |entry: &&LogEntry| {
            trailer(&entry.message) == Some(run.as_str())
                && value_of(&entry.message, RESCUE_TRAILER).is_some()
        };
        self.history.iter().take_while(is_rescue).count()
    }

    /// The commit, if it is part of the history.
    #[must_use]
    pub fn entry(&self, commit: &Sha) -> Option<&LogEntry> {
        self.history.iter().find(|entry| entry.sha == *commit)
    }

    /// The contents of files, `None` for those that are not there.
    ///
    /// # Errors
    /// `git_failed`.
    pub fn read(
        &self,
        world: &World,
        git_dir: &Path,
        paths: &[&str],
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let blobs: Vec<_> = paths
            .iter()
            .map(|p| {
                self.files
                    .iter()
                    .find(|f| f.path == *p)
                    .map(|f| f.blob.as_str())
            })
            .collect();
        let mut found = world
            .git
            .blobs(
                git_dir,
                &blobs.iter().flatten().copied().collect::<Vec<_>>(),
            )?
            .into_iter();
        Ok(blobs
            .iter()
            .map(|blob| blob.and_then(|_| found.next()))
            .collect())
    }
}

/// The run that a message names in its last line.
fn trailer(message: &str) -> Option<&str> {
    message
        .trim_end()
        .lines()
        .last()?
        .strip_prefix(RUN_TRAILER)
        .filter(|id| RunId::parse(id).is_ok())
}

/// A line of the message's trailer block.
#[must_use]
pub fn value_of<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let block = message.trim_end().rsplit("\n\n").next()?;
    block.lines().find_map(|line| line.strip_prefix(key))
}

/// Refuses a commit of this run that was made from other content.
///
/// # Errors
/// `invalid_task`, saying what differs.
pub fn require_same(entry: &LogEntry, content: &Content) -> Result<()> {
    let Some(there) = value_of(&entry.message, TASK_TRAILER) else {
        return Ok(());
    };
    let here = content.public_digests();
    let differing: Vec<_> = here
        .split(' ')
        .zip(there.split(' '))
        .filter(|(a, b)| a != b)
        .filter_map(|(a, _)| a.split('=').next())
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "this run was pushed with other content ({}): {}",
        entry.sha,
        differing.join(", ")
    );
    Err(Error::new(Code::InvalidTask, message)
        .hint("give a new task another nonce or round, or replace the old one with --fresh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_names_the_run() {
        assert_eq!(
            trailer("Publish x\n\nLlmdeploy-Task: brief=a\nLlmdeploy-Run: 0123456789abcdef\n"),
            Some("0123456789abcdef")
        );
        assert_eq!(trailer("Llmdeploy-Run: 0123456789abcdef\n\nmore"), None);
        assert_eq!(trailer("x\n\nLlmdeploy-Run: nonsense"), None);
        assert_eq!(trailer(""), None);
    }

    #[test]
    fn trailer_values() {
        let message = "Llmdeploy-Generator: fake\n\nLlmdeploy-Generator: template\nLlmdeploy-Run: 0123456789abcdef\n";
        assert_eq!(value_of(message, GENERATOR_TRAILER), Some("template"));
    }
}
