//! `run --detach`: the task is checked here; the work goes on in a process of its own.

use std::cell::Cell;
use std::fs::OpenOptions;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Said, print, read};
use crate::cli::{Global, Walk};
use crate::config::{self, Environment};
use crate::disk;
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::files;
use crate::ports::detach;
use crate::report::{Out, view};
use crate::request::task::{MAX_BYTES, Task};
use crate::run::document::{Failure, RunDocument, Version};
use crate::run::{self, Goal};
use crate::values::RunId;

#[derive(Serialize)]
struct Accepted {
    v: Version,
    status: &'static str,
    run: RunId,
}

/// What the other process answers: that it has the run, or its result with an error.
#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<Why>,
}

#[derive(Deserialize)]
struct Why {
    code: Code,
    message: String,
    hint: Option<String>,
}

/// Whether this is the process that goes on.
#[must_use]
pub fn is_child() -> bool {
    std::env::var_os(detach::VARIABLE).is_some()
}

/// Checks the task, verifies the secret, hands the work over and says so.
pub fn parent(out: &Out, global: &Global, args: &Walk) -> Option<Error> {
    match hand_over(out, global, args) {
        Ok(None) => None,
        Ok(Some(error)) => Some(error),
        Err(error) => print(
            out,
            view::result,
            (
                RunDocument {
                    error: Failure::before(&error),
                    ..RunDocument::default()
                },
                Some(error),
            ),
        ),
    }
}

/// The error is one that the other process has put into the document that was printed.
fn hand_over(out: &Out, global: &Global, args: &Walk) -> Result<Option<Error>> {
    let env = Environment::read(global.env_file.as_deref())?;
    let bytes = read(args.task.task.as_deref())?;
    let task = Task::parse(&bytes)?;
    task.admit(&env.admission()?)?;
    let dir = env
        .state_dir(global.state_dir.as_ref())?
        .join("runs")
        .join(task.id().as_str());
    files::make_dir(&dir)?;
    let path = dir.join("log");
    let log = disk::open_or_make(&path, OpenOptions::new().append(true));
    let log = log
        .with_context(|| format!("opening {}", path.display()))
        .or_code(Code::State)?;
    drop(task);
    let started = detach::start(&env.secrets(), &bytes, log).or_code(Code::Internal);
    let detach::Answer { line, mut child } =
        started.map_err(|e| e.hint(format!("see {}", path.display())))?;
    let answer: Answer = serde_json::from_str(&line)
        .context("reading what the process that goes on said")
        .or_code(Code::Internal)?;
    // As it came, but for the indentation on a terminal.
    let document: Value = serde_json::from_str(&line)
        .context("reading what the process that goes on said")
        .or_code(Code::Internal)?;
    out.show(&document, view::accepted);
    if answer.status == "accepted" {
        return Ok(None);
    }
    // It has ended, or is about to.
    let _ = child.wait();
    let unknown = || {
        Error::new(
            Code::Internal,
            "the process that goes on did not say why it ended",
        )
    };
    Ok(Some(answer.error.map_or_else(unknown, |e| Error {
        hint: e.hint,
        ..Error::new(e.code, e.message)
    })))
}

/// In the process that goes on: says that the run is its, and walks.
pub fn child(out: &Out, global: &Global, args: &Walk, said: Said) -> Option<Error> {
    detach::leave();
    let answered = Cell::new(false);
    let begun = || -> Result<_> {
        let (handed, bytes) = detach::receive(MAX_BYTES as u64 + 1).or_code(Code::Usage)?;
        let env = Environment::read(global.env_file.as_deref())?.with(handed)?;
        let task = Task::parse(&bytes)?;
        drop(bytes);
        task.admit(&env.admission()?)?;
        Ok((
            config::walk(&env, global, args, Goal::Notify, &task, said)?,
            task,
        ))
    };
    let (document, error) = match begun() {
        Ok((setup, task)) => run::run(&setup, &task, Goal::Notify, &|| {
            out.document(&Accepted {
                v: Version,
                status: "accepted",
                run: task.id(),
            });
            answered.set(true);
        }),
        Err(e) => (
            RunDocument {
                error: Failure::before(&e),
                ..RunDocument::default()
            },
            Some(e),
        ),
    };
    // The result of a run that was accepted is for `status`; nobody listens any more.
    if answered.get() {
        error
    } else {
        print(out, view::result, (document, error))
    }
}
