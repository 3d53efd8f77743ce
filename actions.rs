//! GitHub Actions: the runs of a commit, and what a failed job wrote last. A run is of one workflow file; all runs of the commit
//! have to end well before its page can be what the commit means.
//! Source: docs.github.com/rest/actions, API version 2022-11-28.

use std::time::Duration;

use serde::Deserialize;

use super::refusal::unexpected;
use super::{GitHub, answer};
use crate::error::Result;
use crate::ports::World;
use crate::ports::http::{Request, Url};
use crate::values::Sha;

/// Lines of a log that are told.
const LINES: usize = 40;
/// What is read of a log; the end of a longer one is not seen.
const LOG_LIMIT: u64 = 16 << 20;

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    #[serde(default = "one")]
    run_attempt: u64,
}

fn one() -> u64 {
    1
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    name: String,
    conclusion: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    conclusion: Option<String>,
}

/// How the runs of a commit stand.
pub(super) enum Standing {
    /// There are none, or this token may not see them.
    None,
    UnderWay(String),
    Succeeded,
    Failed { reason: String, run: String },
}

pub(super) fn of_commit(github: &GitHub, world: &World, repo: &str, sha: &Sha) -> Result<Standing> {
    let path = format!("{repo}/actions/runs?head_sha={sha}&per_page=100");
    let Some(response) = github.call_if_allowed(world, "GET", &path)? else {
        return Ok(Standing::None);
    };
    if response.status != 200 {
        return Ok(Standing::None);
    }
    let runs = answer::<Runs>(&path, &response)?.workflow_runs;
    let good = |run: &&Run| matches!(run.conclusion.as_deref(), Some("success" | "skipped" | "neutral"));
    let open = runs.iter().find(|run| run.status.as_deref() != Some("completed"));
    let failed = runs.iter().find(|run| run.status.as_deref() == Some("completed") && !good(run));
    if let Some(run) = failed {
        let (name, conclusion) = (run.name(), run.conclusion.as_deref().unwrap_or("failure"));
        let log = log_of(github, world, repo, run.id)?;
        return Ok(Standing::Failed {
            reason: format!("the workflow {name} ended with {conclusion}{log}"),
            run: format!("{}/{}", run.id, run.run_attempt),
        });
    }
    Ok(match (open, runs.is_empty()) {
        (_, true) => Standing::None,
        (Some(run), _) => {
            let status = run.status.as_deref().unwrap_or("queued");
            Standing::UnderWay(format!("{}: {status}", run.name()))
        }
        (None, _) => Standing::Succeeded,
    })
}

impl Run {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("of the commit")
    }
}

/// Runs again what failed in a run.
pub(super) fn again(github: &GitHub, world: &World, repo: &str, run: &str) -> Result<String> {
    let id = run.split('/').next().unwrap_or_default();
    let path = format!("{repo}/actions/runs/{id}/rerun-failed-jobs");
    let response = github.call(world, "POST", &path, None)?;
    if response.is_success() {
        Ok("its failed jobs are run again".to_owned())
    } else {
        Err(unexpected(&format!("POST {path}"), &response))
    }
}

/// Job, step and the end of the log, for the failed job of a run.
fn log_of(github: &GitHub, world: &World, repo: &str, run: u64) -> Result<String> {
    let path = format!("{repo}/actions/runs/{run}/jobs?per_page=100");
    let response = github.call(world, "GET", &path, None)?;
    if response.status != 200 {
        return Ok(String::new());
    }
    let jobs = answer::<Jobs>(&path, &response)?.jobs;
    let ended_badly = |conclusion: &Option<String>| {
        matches!(conclusion.as_deref(), Some(c) if !matches!(c, "success" | "skipped" | "neutral"))
    };
    let Some(job) = jobs.iter().find(|job| ended_badly(&job.conclusion)) else {
        return Ok(String::new());
    };
    let step = job.steps.iter().find(|step| ended_badly(&step.conclusion));
    let step = step.map_or_else(String::new, |s| format!(", step {}", s.name));
    let text = fetch_log(github, world, repo, job.id)?;
    let lines = what_matters(&text);
    let colon = if lines.is_empty() { "" } else { ":\n" };
    Ok(format!(" in job {}{step}{colon}{lines}", job.name))
}

/// GitHub answers with a signed URL of another host, which is asked without the token.
fn fetch_log(github: &GitHub, world: &World, repo: &str, job: u64) -> Result<String> {
    let path = format!("{repo}/actions/jobs/{job}/logs");
    let response = github.call_once(world, &path)?;
    if response.status == 200 {
        return Ok(response.text());
    }
    let Some(url) = response.header("location").and_then(|l| Url::parse_safe(l).ok()) else {
        return Ok(String::new());
    };
    let timeout = world
        .clock
        .answer
        .min(world.clock.left(None))
        .max(Duration::from_millis(1));
    let log = world.http.send(&Request {
        method: "GET",
        url: url.as_str(),
        headers: &[],
        body: None,
        timeout,
        limit: LOG_LIMIT,
    });
    // What failed is known without it.
    Ok(log.map(|log| log.text()).unwrap_or_default())
}

/// The end of a log up to its last error, without the times that begin each line.
fn what_matters(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((time, rest)) if time.ends_with('Z') && time.contains('T') => rest,
            _ => line,
        })
        .collect();
    let end = lines
        .iter()
        .rposition(|line| line.contains("##[error]"))
        .map_or(lines.len(), |n| n + 1);
    let kept = lines[end.saturating_sub(LINES)..end].iter();
    kept.map(|line| line.replace("##[error]", "error: "))
        .filter(|line| !line.starts_with("##[") || line.starts_with("##[warning]"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_up_to_its_error() {
        let log = "2026-11-25T10:00:00.1Z ##[group]Run ruff\n2026-11-25T10:00:01.1Z a.py:1:1 F401 unused\n2026-11-25T10:00:02.0Z ##[error]Process completed with exit code 1.\n2026-11-25T10:00:03.0Z Cleaning up\n";
        assert_eq!(
            what_matters(log),
            "a.py:1:1 F401 unused\nerror: Process completed with exit code 1."
        );
        assert_eq!(what_matters(&"line\n".repeat(100)).lines().count(), LINES);
        assert_eq!(what_matters(""), "");
    }
}
