//! One room per stage, in the order in which a task goes through them. A room imports only rooms before it.

/// The task: JSON in, validated value out.
pub mod task;

/// Counts of words, as people write them.
pub mod count;

/// What the ending of a file's name says, and what its first bytes do.
pub mod ending;

/// Which files a task asks for.
pub mod required;

/// Spreadsheets as CSV.
pub mod sheet;

/// Whether a text is well-formed XML.
pub mod xml;

/// Looks into JSON without holding it.
pub mod json;

/// What a repository is called, and how it is described.
pub mod name;

/// What is on the remote already.
pub mod ground;

/// The app: the files of the site, and how they came to be.
pub mod generate;

/// Whether the app does what the task's checks ask.
pub mod check;

/// Secrets that must not be committed.
pub mod scan;

/// The commit: one per round, the same each time it is made.
pub mod commit;

/// The push, and the page that comes of it.
pub mod deploy;

/// The message to the evaluator.
pub mod notify;
