//! The ground to build on: what is on the remote already, and whose it is.
//!
//! Every commit of ours ends with a trailer that names its run. So the remote alone tells, also after the state directory
//! was lost, whether this run was pushed, and whether a repository is ours to work on.

use std::path::Path;

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::Repository;
use crate::ports::git::{LogEntry, TreeEntry};
use crate::request::task::Content;
use crate::values::{RunId, Sha};

/// The trailer at the end of every commit message of ours.
pub const RUN_TRAILER: &str = "Llmdeploy-Run: ";
/// What the task said, so that other content under the same four values is noticed without any state.
pub const TASK_TRAILER: &str = "Llmdeploy-Task: ";
/// How the files came to be.
pub const GENERATOR_TRAILER: &str = "Llmdeploy-Generator: ";

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

impl Base {
    /// Refuses a repository that somebody else has filled.
    ///
    /// # Errors
    /// `name_taken`.
    pub fn require_ours(&self, repository: &Repository, adopt: bool) -> Result<()> {
        if adopt
            || self
                .history
                .iter()
                .any(|entry| trailer(&entry.message).is_some())
        {
            return Ok(());
        }
        let message = format!(
            "{} is not empty and was not made by llmdeploy",
            repository.repo_url
        );
        Err(Error::new(Code::NameTaken, message)
            .hint("choose another name with --repo, or work on this one with --adopt"))
    }

    /// The newest commit of this run.
    #[must_use]
    pub fn commit_of(&self, run: &RunId) -> Option<&LogEntry> {
        self.history
            .iter()
            .find(|entry| trailer(&entry.message) == Some(run.as_str()))
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
