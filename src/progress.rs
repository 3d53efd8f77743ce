//! What a long walk says while it goes on. The rooms speak through [`Progress`]; only `report` knows how it looks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stages of a walk, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Task,
    Generate,
    Check,
    Commit,
    Deploy,
    Notify,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Task => "task",
            Self::Generate => "generate",
            Self::Check => "check",
            Self::Commit => "commit",
            Self::Deploy => "deploy",
            Self::Notify => "notify",
        })
    }
}

/// Listens to a walk. Nothing said here may carry a secret: URLs and commands come masked.
pub trait Progress: Send + Sync {
    /// A stage begins.
    fn begin(&self, stage: Stage);
    /// What the stage is at, e.g. `waiting for the Pages build, at most 4m`; replaces the line before on a terminal, and is said
    /// once a minute where there is none.
    fn detail(&self, text: &str);
    /// A stage ended well, with what it made.
    fn done(&self, stage: Stage, outcome: &str);
    /// A stage that has nothing to do, with what was made before; `whole`: all of it is as it should be.
    fn reused(&self, stage: Stage, what: &str, whole: bool);
    /// A stage ended with what it made, but not all of it is as it should be: no mark of success.
    fn partly(&self, stage: Stage, outcome: &str);
    /// Something worth knowing that is no problem.
    fn note(&self, text: &str);
    /// Something a user should know though nothing failed.
    fn warn(&self, text: &str);
    /// A request or a command, for `-v`.
    fn trace(&self, text: &str);
}
