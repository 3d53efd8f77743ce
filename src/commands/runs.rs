//! Commands about runs that are known here: `status`, `notify --retry`, `prune`.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Said, read};
use crate::cli::{Global, Notify, Prune, Status};
use crate::clock::{rfc3339_now, unix_now};
use crate::config::{self, Environment};
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::{files, outbox, prune as journal, summary};
use crate::report::{Out, view};
use crate::request::task::Task;
use crate::run::dashboard;
use crate::run::document::{ErrorDocument, Failure, RunDocument, Version};
use crate::run::shown::Shown;
use crate::run::status::{self, Seen, Standing};
use crate::run::{self};
use crate::values::RunId;

/// Exits with the worst that is seen: 1 failed or unknown, 75 on the way, 0 finished.
pub fn status(out: &Out, global: &Global, args: &Status) -> Result<u8> {
    let seen = look(global, args).inspect_err(|e| {
        failed(out, e);
    })?;
    let all = match &seen {
        Asked::One(seen) => std::slice::from_ref(seen.as_ref()),
        Asked::All(seen) => seen,
    };
    if let Some(file) = &args.html {
        let page = dashboard(global, args, all)?;
        if file == Path::new("-") {
            out.text(&page);
            return Ok(exit_status(all));
        }
        std::fs::write(file, page)
            .with_context(|| format!("writing --html {}", file.display()))
            .or_code(Code::Usage)
            .inspect_err(|e| failed(out, e))?;
    }
    match &seen {
        Asked::One(seen) => out.show(&seen.document, view::status),
        // A table shows more of a run than its document says.
        Asked::All(seen) if out.is_for_a_person() => {
            out.text(&view::table(seen, unix_now(), &out.terminal()));
        }
        Asked::All(seen) => out.document(&seen.iter().map(|s| &s.document).collect::<Vec<_>>()),
    }
    Ok(exit_status(all))
}

fn failed(out: &Out, error: &Error) {
    let document = RunDocument {
        error: Failure::before(error),
        ..RunDocument::default()
    };
    out.show(&document, view::nothing);
}

/// That of the worst.
fn exit_status(all: &[Seen]) -> u8 {
    let worst = all.iter().map(|s| s.standing).max();
    worst.unwrap_or(Standing::Finished).exit_status()
}

fn dashboard(global: &Global, args: &Status, all: &[Seen]) -> Result<String> {
    let env = Environment::read(global.env_file.as_deref())?;
    let runs = env.state_dir(global.state_dir.as_ref())?.join("runs");
    let picture = |run: &str| {
        let id = RunId::parse(run).ok()?;
        files::read(&runs.join(id.as_str()).join("check/desktop.png")).ok()
    };
    let options = dashboard::Options {
        now: &rfc3339_now(),
        endpoint: args.endpoint.as_deref(),
        picture: &picture,
    };
    Ok(dashboard::page(all, &options))
}

enum Asked {
    One(Box<Seen>),
    All(Vec<Seen>),
}

fn look(global: &Global, args: &Status) -> Result<Asked> {
    let env = Environment::read(global.env_file.as_deref())?;
    let state = env.state_dir(global.state_dir.as_ref())?;
    let id = match (&args.file, &args.email, &args.task) {
        (Some(file), ..) => match run_named(&state, file)? {
            Some(id) => id,
            None => Task::parse(&read(Some(file))?)?.id(),
        },
        (None, Some(email), Some(task)) => match &args.nonce {
            Some(nonce) => RunId::of(email, task, args.round.unwrap_or(1), nonce),
            None => return runs_of(&state, email, task, args.round),
        },
        _ => return status::all(&state).map(Asked::All),
    };
    status::one(&state, &id).map(|seen| Asked::One(Box::new(seen)))
}

/// The run whose id begins so, where no file is called that.
fn run_named(state: &Path, text: &Path) -> Result<Option<RunId>> {
    let name = text.to_str().unwrap_or_default();
    let hex = (1..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex || text.exists() {
        return Ok(None);
    }
    let name = name.to_ascii_lowercase();
    let mut found = summary::runs(state)?;
    found.retain(|id| id.as_str().starts_with(&name));
    found.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    match &found[..] {
        [] => Err(Error::new(
            Code::State,
            format!("no run is known here whose id begins with {name}, and no file is called so"),
        )
        .hint("llmdeploy status lists the runs; see --state-dir")),
        [one] => Ok(Some(one.clone())),
        [first, second, ..] => Err(Error::new(
            Code::Usage,
            format!(
                "{} runs begin with {name}, among them {first} and {second}",
                found.len()
            ),
        )
        .hint("give more of the id")),
    }
}

/// The runs of a task, one as it is, several as a list.
fn runs_of(state: &Path, email: &str, task: &str, round: Option<u64>) -> Result<Asked> {
    let mut all = status::all(state)?;
    all.retain(|seen| {
        let gist = seen.document.read::<Shown>();
        gist.email.as_deref() == Some(email)
            && gist.task.as_deref() == Some(task)
            && round.is_none_or(|round| gist.round == Some(round))
    });
    match all.len() {
        0 => Err(Error::new(
            Code::State,
            format!("nothing is known here of a run of {task} by {email}"),
        )
        .hint("llmdeploy status lists the runs; see --state-dir")),
        1 => Ok(Asked::One(Box::new(all.remove(0)))),
        _ => Ok(Asked::All(all)),
    }
}

/// Delivers every notification that was not accepted yet.
pub fn retry(out: &Out, global: &Global, args: &Notify, said: Said) -> Option<Error> {
    let env = Environment::read(global.env_file.as_deref());
    match env.and_then(|env| run::retry(&config::retry(&env, global, args, said)?)) {
        Ok((documents, error)) => {
            out.show(&documents, view::retried);
            error
        }
        Err(error) => {
            out.show(&ErrorDocument::of(&error), view::nothing);
            Some(error)
        }
    }
}

#[derive(Default, Serialize)]
struct PruneDocument {
    v: Version,
    /// The runs that were dropped.
    pruned: Vec<RunId>,
    /// How many are still there.
    kept: usize,
    error: Option<Failure>,
}

/// Drops the runs that are over and ended long enough ago.
pub fn prune(out: &Out, global: &Global, args: &Prune) -> Option<Error> {
    let mut document = PruneDocument::default();
    let error = drop_old(global, args.older_than, &mut document).err();
    document.error = error.as_ref().map(|e| Failure::of(e, None));
    out.show(&document, view::pruned);
    error
}

fn drop_old(global: &Global, age: Duration, document: &mut PruneDocument) -> Result<()> {
    let state =
        Environment::read(global.env_file.as_deref())?.state_dir(global.state_dir.as_ref())?;
    let before = unix_now().saturating_sub(age.as_secs());
    journal::sweep(&state)?;
    let pending = outbox::pending(&state)?;
    let mut ids = summary::runs(&state)?;
    ids.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    for id in ids {
        // Looked at without the lock first: most runs are not concerned.
        let dir = state.join("runs").join(id.as_str());
        if !pending.contains(&id)
            && is_over(&dir, before)?
            && journal::drop_run(&state, &id, |dir| is_over(dir, before))?
        {
            document.pruned.push(id);
        } else {
            document.kept += 1;
        }
    }
    Ok(())
}

/// Whether the run has ended, well or for good, before that time. One that does not read is nobody's to judge.
fn is_over(dir: &Path, before: u64) -> Result<bool> {
    #[derive(Deserialize)]
    struct Status {
        status: String,
    }
    let Ok(Some(kept)) = summary::read::<Box<RawValue>>(dir) else {
        return Ok(false);
    };
    if kept.ended_at > before {
        return Ok(false);
    }
    let read = serde_json::from_str(kept.document.get())
        .with_context(|| dir.display().to_string())
        .or_code(Code::State);
    read.map(|s: Status| matches!(s.status.as_str(), "notified" | "deployed" | "failed"))
}
