//! What became of a run: the result document, from what is on record.

use serde_json::Value;

use super::document::{Failure, RunDocument, Status};
use super::state::{self, RunState};
use super::step;
use crate::clock::unix_now;
use crate::error::{Error, Result};
use crate::journal::summary::{self, Summary};
use crate::journal::{Journal, Run};
use crate::progress::Stage;
use crate::request::task::Task;
use crate::stages::check::Verdict;
use crate::stages::deploy::{Deployment, Push};
use crate::stages::notify::Payload;
use crate::stages::rescue::Remedies;
use crate::values::RunId;

/// A document that says only which run it is about.
#[must_use]
pub fn identity(task: &Task) -> RunDocument {
    of(&task.email, &task.task, task.round, &task.nonce, &task.id())
}

/// The same, of a run whose task is not at hand.
pub fn identity_on_record<C>(run: &Run<C>, id: &RunId) -> RunDocument {
    of(&run.email, &run.task, run.round, &run.nonce, id)
}

fn of(email: &str, task: &str, round: u64, nonce: &str, id: &RunId) -> RunDocument {
    RunDocument {
        email: Some(email.to_owned()),
        task: Some(task.to_owned()),
        round: Some(round),
        nonce: Some(nonce.to_owned()),
        run: Some(id.to_string()),
        ..RunDocument::default()
    }
}

/// Puts into the document what is on record. `checks`: what to say of them where nothing is, for which
/// all have to be read.
pub fn fill(
    journal: &Journal,
    checks: impl FnOnce() -> Vec<Verdict>,
    document: &mut RunDocument,
) -> Result<()> {
    RunState::load(journal)?.describe(document, checks);
    let remedies = journal.read::<Remedies>(step::REMEDIES)?;
    document.remedies = remedies.map_or_else(Vec::new, |r| r.story);
    Ok(())
}

/// What the evaluator is told of a run.
pub fn payload<C>(run: &Run<C>, push: Push, deployment: Deployment) -> Payload {
    Payload {
        email: run.email.clone(),
        task: run.task.clone(),
        round: run.round,
        nonce: run.nonce.clone(),
        repo_url: push.repo_url,
        commit_sha: push.sha.into(),
        pages_url: deployment.pages_url,
    }
}

/// How it ended.
pub fn conclude(document: &mut RunDocument, error: Option<&Error>, stage: Stage) {
    document.status = state::status(document.notification.as_ref(), error);
    document.error = error.map(|e| Failure::of(e, Some(stage)));
}

/// Keeps the document for `status`.
pub fn keep(journal: &Journal, started_at: u64, document: &RunDocument) -> Result<()> {
    summary::write(
        journal.dir(),
        &Summary {
            started_at,
            ended_at: unix_now(),
            document,
        },
    )
}

/// As [`keep`], for a walk that was to end before the page: the run is on its way, unless an earlier walk has finished it.
pub fn keep_unfinished(
    journal: &Journal,
    started_at: u64,
    mut document: RunDocument,
) -> Result<()> {
    if matches!(
        known_status(journal).as_deref(),
        Some("notified" | "deployed")
    ) {
        return Ok(());
    }
    if document.error.is_none() {
        document.status = Status::Pending;
    }
    keep(journal, started_at, &document)
}

/// A walk begins again: until it ends, the run is on its way although the last one failed.
pub fn reopen(journal: &Journal) -> Result<()> {
    match summary::read::<Value>(journal.dir()) {
        Ok(Some(mut summary)) if summary.document["status"] == "failed" => {
            summary.document["status"] = "pending".into();
            summary.document["error"] = Value::Null;
            summary::write(journal.dir(), &summary)
        }
        // One that does not read is written anew when the walk ends.
        _ => Ok(()),
    }
}

/// Whether an earlier walk has finished the run, and this one has changed nothing that counts.
pub fn is_as_before(journal: &Journal, document: &RunDocument) -> bool {
    let Ok(Some(Summary {
        document: before, ..
    })) = summary::read::<Value>(journal.dir())
    else {
        return false;
    };
    let now = serde_json::to_value(document).unwrap_or_default();
    let finished = |status: &Value| status == "notified" || status == "deployed";
    finished(&before["status"])
        && [
            "status",
            "commit_sha",
            "repo_url",
            "pages_url",
            "pages",
            "checks",
            "notification",
        ]
        .iter()
        .all(|key| before[key] == now[key])
}

fn known_status(journal: &Journal) -> Option<String> {
    let summary = summary::read::<Value>(journal.dir()).ok()??;
    summary.document["status"].as_str().map(ToOwned::to_owned)
}
