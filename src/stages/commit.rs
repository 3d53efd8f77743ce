//! The commit: one per round, the same each time it is made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ports::World;
use crate::ports::forge::Author;
use crate::ports::git::Draft;
use crate::request::task::Task;
use crate::stages::generate::App;
use crate::stages::remote::{GENERATOR_TRAILER, RUN_TRAILER, SENDER_TRAILER, TASK_TRAILER, sender};
use crate::stages::scan;
use crate::text::plain;
use crate::values::Sha;

/// What is recorded of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: Sha,
    pub parent: Option<Sha>,
}

/// Where and as whom to commit.
pub struct Place<'a> {
    pub git_dir: &'a Path,
    pub parent: Option<&'a Sha>,
    pub author: &'a Author,
    /// Of the repository; it becomes public with the commit.
    pub description: &'a str,
    /// Seconds since 1970; fixed in the journal, so that it is the same commit after a kill.
    pub date: u64,
}

/// Scans the files and commits them in their place.
///
/// # Errors
/// `secret_found`, `git_missing`, `git_failed`, `invalid_task`.
pub fn make(
    world: &World,
    task: &Task,
    app: &App,
    scan: &scan::Options,
    place: &Place<'_>,
) -> Result<Commit> {
    let files = app.files(task)?;
    let message = message(task, app);
    let texts = [
        ("the commit message", message.as_str()),
        ("the repository's description", place.description),
    ];
    scan::require_clean(&files, &texts, scan)?;
    world.git.init(place.git_dir)?;
    let draft = Draft {
        parent: place.parent,
        author: place.author,
        date: place.date,
        message: &message,
        write: &files,
        delete: &app.record.deleted,
    };
    Ok(Commit {
        sha: world.git.commit(place.git_dir, &draft)?,
        parent: place.parent.cloned(),
    })
}

/// A subject, and the trailers by which the commit is known again. The brief stays out: a line of it could look like a trailer.
fn message(task: &Task, app: &App) -> String {
    let id: String = plain(&task.task).trim().chars().take(50).collect();
    format!(
        "Publish {id}, round {}\n\n{TASK_TRAILER}{}\n{SENDER_TRAILER}{}\n{GENERATOR_TRAILER}{}\n{RUN_TRAILER}{}\n",
        task.round,
        task.content().public_digests(),
        sender(&task.email, &task.task),
        app.record.generator.name(),
        task.id()
    )
}
