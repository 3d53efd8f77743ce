//! `status`: what became of one run, or of all, from what each walk left behind when it ended.
//!
//! One file is read per run, by as many threads as there are processors: 10,000 runs are seen in a fraction of a second.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::document::Version;
use crate::error::{Code, Error, Result};
use crate::journal::lock::Lock;
use crate::journal::summary::Summary;
use crate::journal::{Run, files, outbox, summary};
use crate::values::RunId;

/// Where a run stands, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Finished,
    OnTheWay,
    Failed,
}

impl Standing {
    /// Of a run that no walk has ended.
    fn status(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::OnTheWay | Self::Finished => "pending",
        }
    }

    /// What `status` exits with.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Finished => 0,
            Self::OnTheWay => 75,
            Self::Failed => 1,
        }
    }
}

/// A run as `status` sees it.
#[derive(Debug)]
pub struct Seen {
    /// Seconds since 1970.
    pub started_at: u64,
    pub standing: Standing,
    pub document: Document,
}

/// A result document: as the walk left it, or made here for a run that is on its way.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Document {
    Kept(Box<RawValue>),
    Made(Value),
}

impl Document {
    /// What of it is shown. Nothing of one that has another shape.
    #[must_use]
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        match self {
            Self::Kept(raw) => serde_json::from_str(raw.get()),
            Self::Made(value) => T::deserialize(value),
        }
        .unwrap_or_default()
    }
}

/// All runs, the oldest first.
///
/// # Errors
/// `state`: a folder cannot be read. A run that does not read is shown as failed.
pub fn all(state: &Path) -> Result<Vec<Seen>> {
    let ids = summary::runs(state)?;
    let undelivered = undelivered(state)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seen = Mutex::new(Vec::with_capacity(ids.len()));
    std::thread::scope(|scope| {
        for part in ids.chunks(ids.len().div_ceil(threads).max(1)) {
            let (seen, undelivered) = (&seen, &undelivered);
            scope.spawn(move || {
                let part: Vec<_> = part
                    .iter()
                    .filter_map(|id| Some((id.as_str(), look(state, id, undelivered)?)))
                    .collect();
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(part);
            });
        }
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.sort_by(|(a, one), (b, two)| (one.started_at, a).cmp(&(two.started_at, b)));
    Ok(seen.into_iter().map(|(_, seen)| seen).collect())
}

/// One run; failed with the code `state` if nothing is known of it.
///
/// # Errors
/// `state`: a folder cannot be read.
pub fn one(state: &Path, id: &RunId) -> Result<Seen> {
    let undelivered = undelivered(state)?;
    Ok(look(state, id, &undelivered).unwrap_or_else(|| {
        let error = Error::new(Code::State, format!("nothing is known here of run {id}"))
            .hint("see --state-dir; llmdeploy run TASK");
        Seen {
            started_at: 0,
            standing: Standing::Failed,
            document: Document::Made(made(id, None, "failed", Some(&error))),
        }
    }))
}

fn undelivered(state: &Path) -> Result<BTreeSet<String>> {
    Ok(outbox::pending(state)?
        .into_iter()
        .map(|id| id.to_string())
        .collect())
}

fn look(state: &Path, id: &RunId, undelivered: &BTreeSet<String>) -> Option<Seen> {
    #[derive(Deserialize)]
    struct Status {
        status: String,
        run: Option<String>,
    }
    let dir = state.join("runs").join(id.as_str());
    let kept = summary::read::<Box<RawValue>>(&dir);
    if let Ok(Some(Summary {
        started_at,
        document,
        ..
    })) = kept
    {
        let (status, run) = serde_json::from_str(document.get())
            .map_or_else(|_| Default::default(), |s: Status| (s.status, s.run));
        if let Some(other) = run.filter(|run| run != id.as_str()) {
            let message = format!("{} holds the result of another run, {other}", dir.display());
            let error = Error::new(Code::State, message).hint(format!(
                "what was pushed is on the remote: remove {} and run the task again",
                dir.display()
            ));
            return Some(Seen {
                started_at,
                standing: Standing::Failed,
                document: Document::Made(made(id, None, "failed", Some(&error))),
            });
        }
        match status.as_str() {
            // A walk of a finished run changes nothing, so whether one is under way does not matter.
            "notified" | "deployed" if !undelivered.contains(id.as_str()) => {
                return Some(Seen {
                    started_at,
                    standing: Standing::Finished,
                    document: Document::Kept(document),
                });
            }
            _ => {}
        }
        let mut document: Value = serde_json::from_str(document.get()).unwrap_or_default();
        let working = working(&dir);
        let gone = gone(&dir, working.as_ref()).filter(|_| document["error"].is_null());
        let failed = status == "failed" && working.is_none() || gone.is_some();
        let standing = if failed {
            Standing::Failed
        } else {
            document["status"] = "pending".into();
            Standing::OnTheWay
        };
        if let Some(error) = gone.or(working) {
            document["status"] = standing.status().into();
            document["error"] = failure(&error);
        }
        return Some(Seen {
            started_at,
            standing,
            document: Document::Made(document),
        });
    }
    // No walk has ended yet.
    match files::read_json::<Run<IgnoredAny>>(&dir.join("run.json")) {
        Ok(Some(run)) => {
            let working = working(&dir);
            let gone = gone(&dir, working.as_ref());
            let standing = match gone {
                Some(_) => Standing::Failed,
                None => Standing::OnTheWay,
            };
            let error = gone.or(working);
            let document = made(id, Some(&run), standing.status(), error.as_ref());
            Some(Seen {
                started_at: run.started_at,
                standing,
                document: Document::Made(document),
            })
        }
        Ok(None) if working(&dir).is_some() => {
            let document = made(id, None, "pending", working(&dir).as_ref());
            Some(Seen {
                started_at: 0,
                standing: Standing::OnTheWay,
                document: Document::Made(document),
            })
        }
        Ok(None) => None,
        Err(error) => Some(Seen {
            started_at: 0,
            standing: Standing::Failed,
            document: Document::Made(made(id, None, "failed", Some(&error))),
        }),
    }
}

/// The process that works on it now, in the words of an error.
fn working(dir: &Path) -> Option<Error> {
    let who = Lock::holder(&dir.join("lock"))?;
    Some(Error::new(Code::Busy, format!("{who} is working on this run")).hint("wait for it"))
}

/// What became of a process that was to go on by itself and has ended without a word: killed, out of memory, or the machine
/// was started anew. Nobody comes back to such a run by himself, so it is not on its way.
fn gone(dir: &Path, working: Option<&Error>) -> Option<Error> {
    let detached = dir.join(format!("{}.json", super::step::DETACHED)).exists();
    (detached && working.is_none()).then(|| {
        let message = "the process that was to go on by itself has ended without a word";
        let log = dir.join("log");
        Error::new(Code::Internal, message).hint(format!(
            "llmdeploy run TASK goes on from there; see {}",
            log.display()
        ))
    })
}

fn failure(error: &Error) -> Value {
    json!({"stage": null, "code": error.code, "message": error.one_line(), "hint": error.hint})
}

/// The result document of a run of which no more is known than this.
fn made(id: &RunId, run: Option<&Run<IgnoredAny>>, status: &str, error: Option<&Error>) -> Value {
    json!({
        "email": run.map(|r| &r.email), "task": run.map(|r| &r.task), "round": run.map(|r| r.round), "nonce": run.map(|r| &r.nonce),
        "repo_url": null, "commit_sha": null, "pages_url": null, "v": Version,
        "status": status, "run": id, "pages": null, "resumed_from": null, "generator": null, "checks": [], "notification": null,
        "timings_ms": {"generate": null, "check": null, "commit": null, "deploy": null, "notify": null},
        "error": error.map(failure),
    })
}
