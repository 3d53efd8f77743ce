//! The verdict on each check of the task.
//!
//! No check is run here yet: what can be decided in a browser or from files is reported as skipped, so that nobody takes
//! silence for a pass.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::stages::task::{Check, Task};

/// `--checks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Auto,
    Require,
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub check: String,
    pub kind: Kind,
    pub status: Status,
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Js,
    File,
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passed,
    Failed,
    Unknown,
    Skipped,
}

/// Judges the checks.
///
/// # Errors
/// `checks_failed` under `--checks require` where one that a machine could judge was not judged.
pub fn app(task: &Task, mode: Mode) -> Result<Vec<Verdict>> {
    let verdicts: Vec<_> = task.checks.iter().map(|check| verdict(check, mode)).collect();
    match verdicts.iter().filter(|v| v.kind == Kind::Js).count() {
        n if n > 0 && mode == Mode::Require => {
            let message = format!("{n} of {} checks need a browser, and this version does not drive one", verdicts.len());
            Err(Error::new(Code::ChecksFailed, message).hint("run with --checks auto to deploy without them"))
        }
        _ => Ok(verdicts),
    }
}

/// The checks of a run whose verdicts are lost.
#[must_use]
pub fn unknown(task: &Task) -> Vec<Verdict> {
    let lost = |v: Verdict| Verdict {
        status: if v.kind == Kind::Manual { Status::Skipped } else { Status::Unknown },
        detail: Some("no verdict on record".to_owned()),
        ..v
    };
    task.checks.iter().map(|check| lost(verdict(check, Mode::Auto))).collect()
}

fn verdict(check: &Check, mode: Mode) -> Verdict {
    let (kind, detail) = match (check, mode) {
        (Check::Js(_), Mode::Off) => (Kind::Js, "checks are off"),
        (Check::Js(_), _) => (Kind::Js, "needs a browser, which this version does not drive"),
        (Check::Text(_) | Check::Other(_), Mode::Off) => (Kind::Manual, "checks are off"),
        (Check::Text(_) | Check::Other(_), _) => (Kind::Manual, "for a person to judge"),
    };
    Verdict { check: check.text().to_owned(), kind, status: Status::Skipped, detail: Some(detail.to_owned()) }
}
