//! The JSON documents on stdout: what scripts build on.

use serde::{Serialize, Serializer};

use crate::error::{Code, Error};
use crate::progress::Stage;
use crate::stages::check::{Page, Verdict};
use crate::stages::generate::{FileInfo, Generator};
use crate::stages::notify::Receipt;

/// `"v"` in every document: the number of its format. It goes up where a key changes its meaning or goes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    pub const NUMBER: u8 = 1;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(Self::NUMBER)
    }
}

/// The result of `run`, `deploy` and `notify`. The first seven keys are the notification's.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunDocument {
    pub email: Option<String>,
    pub task: Option<String>,
    pub round: Option<u64>,
    pub nonce: Option<String>,
    pub repo_url: Option<String>,
    pub commit_sha: Option<String>,
    pub pages_url: Option<String>,
    pub v: Version,
    pub status: Status,
    pub run: Option<String>,
    pub pages: Option<Pages>,
    /// What GitHub could not build, and what was done about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    pub resumed_from: Option<Stage>,
    pub generator: Option<Generator>,
    pub checks: Vec<Verdict>,
    pub notification: Option<Receipt>,
    pub timings_ms: Timings,
    pub error: Option<Failure>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Notified,
    Deployed,
    Pending,
    #[default]
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    Live,
    Pending,
}

/// Milliseconds per stage, `null` where a stage was not gone through.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    pub generate: Option<u64>,
    pub check: Option<u64>,
    pub commit: Option<u64>,
    pub deploy: Option<u64>,
    pub notify: Option<u64>,
}

/// `error` in every document.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    pub stage: Option<Stage>,
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    #[must_use]
    pub fn of(error: &Error, stage: Option<Stage>) -> Self {
        Self {
            stage,
            code: error.code,
            message: error.one_line(),
            hint: error.hint.clone(),
        }
    }

    /// Of an error before the first stage.
    #[must_use]
    pub fn before(error: &Error) -> Option<Self> {
        Some(Self::of(error, Some(Stage::Task)))
    }
}

/// The result of `generate`.
#[derive(Debug, Default, Serialize)]
pub struct GenerateDocument {
    pub v: Version,
    pub run: Option<String>,
    pub dir: Option<String>,
    pub files: Vec<FileInfo>,
    pub generator: Option<Generator>,
    pub checks: Vec<Verdict>,
    pub error: Option<Failure>,
}

/// The result of `commit`.
#[derive(Debug, Default, Serialize)]
pub struct CommitDocument {
    pub v: Version,
    pub run: Option<String>,
    pub commit_sha: Option<String>,
    pub git_dir: Option<String>,
    pub error: Option<Failure>,
}

/// The result of `check`.
#[derive(Debug, Default, Serialize)]
pub struct CheckDocument {
    pub v: Version,
    pub run: Option<String>,
    pub checks: Vec<Verdict>,
    pub page: Option<Page>,
    pub error: Option<Failure>,
}

/// Where the shape of a command's result is not known, as for a command that does not exist.
#[derive(Debug, Serialize)]
pub struct ErrorDocument {
    pub v: Version,
    pub error: Option<Failure>,
}

impl ErrorDocument {
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Self {
            v: Version,
            error: Some(Failure::of(error, None)),
        }
    }
}
