//! GitHub Actions, as far as a run can be told from outside: one run for each workflow file of a pushed commit.

use serde_json::{Value, json};

use super::bodies::{error, not_found};
use super::github::Call;
use super::http::Answer;
use super::pages::{Build, Pace};
use super::store::{self, Repo};

pub struct Run {
    pub id: u64,
    sha: String,
    path: String,
    deploys: bool,
    attempt: u64,
    polls: usize,
    /// Given when it has ended: what its log ends with where it failed.
    outcome: Option<Option<String>>,
}

/// The runs of a tip that is new.
pub fn start(repo: &mut Repo, ids: &mut dyn FnMut() -> u64) {
    let Some(tip) = store::read_branch(&repo.dir, "main") else {
        return;
    };
    if repo.runs.iter().any(|run| run.sha == tip) {
        return;
    }
    let tree = store::tree(&repo.dir, &tip);
    for (path, text) in tree {
        if path.starts_with(".github/workflows/") {
            let deploys = String::from_utf8_lossy(&text).contains("actions/deploy-pages@");
            repo.runs.push(Run {
                id: ids() * 10,
                sha: tip.clone(),
                path,
                deploys,
                attempt: 1,
                polls: 0,
                outcome: None,
            });
        }
    }
}

/// One question after a run.
fn settle(repo: &mut Repo, at: usize, pace: &Pace, failure: Option<&String>) {
    let run = &mut repo.runs[at];
    if run.outcome.is_some() {
        return;
    }
    run.polls += 1;
    if run.polls <= pace.run_polls() {
        return;
    }
    let ready = repo.site.as_ref().is_some_and(|site| site.workflow);
    let outcome = match failure {
        Some(log) => Some(log.clone()),
        None if run.deploys && !ready => {
            Some("Creating Pages deployment failed\nHttpError: Not Found".to_owned())
        }
        None => None,
    };
    if let (None, true, Some(site)) = (&outcome, run.deploys, &mut repo.site) {
        site.builds.push(Build::done(run.id, &run.sha));
    }
    run.outcome = Some(outcome);
}

pub fn route(call: &Call<'_>, method: &str, rest: &[&str]) -> Result<Answer, Answer> {
    match (method, rest) {
        ("GET", ["runs"]) => runs(call),
        ("GET", ["runs", id, "jobs"]) => jobs(call, id),
        ("POST", ["runs", id, "rerun-failed-jobs"]) => {
            call.may_write()?;
            call.with(|repo, _| {
                let run = repo.runs.iter_mut().find(|run| run.id.to_string() == *id);
                let run = run.ok_or_else(not_found)?;
                if !matches!(run.outcome, Some(Some(_))) {
                    return Err(error(403, "This workflow run cannot be retried"));
                }
                (run.attempt, run.polls, run.outcome) = (run.attempt + 1, 0, None);
                Ok(Answer::json(201, &json!({})))
            })?
        }
        ("GET", ["jobs", id, "logs"]) => {
            let url = format!("{}/_logs/{}/{}/{id}", call.world.pages_base(), call.owner, call.name);
            Ok(Answer::empty(302).with("Location", url))
        }
        _ => Err(super::github::unknown(call.world, call.request)),
    }
}

fn runs(call: &Call<'_>) -> Result<Answer, Answer> {
    let sha = call.request.query_value("head_sha");
    let (pace, failure) = call.world.settings(|s| (Pace::of(s), s.run_error.clone()));
    let rows: Vec<Value> = call.with(|repo, _| {
        for at in 0..repo.runs.len() {
            settle(repo, at, &pace, failure.as_ref());
        }
        let runs = repo.runs.iter().filter(|run| sha.as_ref().is_none_or(|sha| *sha == run.sha));
        runs.map(|run| {
            let (status, conclusion) = match &run.outcome {
                None => ("in_progress", Value::Null),
                Some(None) => ("completed", json!("success")),
                Some(Some(_)) => ("completed", json!("failure")),
            };
            json!({"id": run.id, "name": run.path, "path": run.path, "head_sha": run.sha, "run_attempt": run.attempt,
                "status": status, "conclusion": conclusion, "event": "push", "head_branch": "main"})
        })
        .collect()
    })?;
    Ok(Answer::json(200, &json!({"total_count": rows.len(), "workflow_runs": rows})))
}

fn jobs(call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    call.with(|repo, _| {
        let run = repo.runs.iter().find(|run| run.id.to_string() == id).ok_or_else(not_found)?;
        let conclusion = match &run.outcome {
            None => Value::Null,
            Some(None) => json!("success"),
            Some(Some(_)) => json!("failure"),
        };
        let job = json!({"id": run.id + 1, "run_id": run.id, "name": "deploy", "status": "completed", "conclusion": conclusion,
            "steps": [{"name": "Set up job", "conclusion": "success", "number": 1}, {"name": "Work", "conclusion": conclusion, "number": 2}]});
        Ok(Answer::json(200, &json!({"total_count": 1, "jobs": [job]})))
    })?
}

/// What a job wrote, behind a signed URL of another host.
pub fn log(repo: &Repo, job: &str) -> Option<String> {
    let run = repo.runs.iter().find(|run| (run.id + 1).to_string() == job)?;
    let Some(Some(end)) = &run.outcome else {
        return None;
    };
    let lines = ["##[group]Run work", "the work is done", "##[endgroup]"];
    let end = end.lines().chain(["##[error]Process completed with exit code 1.", "Cleaning up"]);
    let lines = lines.into_iter().chain(end);
    Some(lines.map(|line| format!("2026-11-25T10:00:00.0000000Z {line}\n")).collect())
}
