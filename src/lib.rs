//! llmdeploy turns a task into a live page, proves it and reports it. The house, in reading order:

/// The command line: clap types, no I/O.
pub mod cli;
/// One function per subcommand.
pub mod commands;
/// Flags, environment and `.env` become one [`run::Setup`]; the only reader of the environment.
pub mod config;
/// The walk of a task through the stages, and what became of it.
pub mod run;

/// What a task asks for, read once.
pub mod request;

/// Looking into files: one reader a format.
pub mod content;

/// One room per stage.
pub mod stages;

/// The outside world: git, GitHub, the evaluator, processes, HTTP.
pub mod ports;

/// What is known of a run, on disk.
pub mod journal;

/// The only place that prints.
pub mod report;

/// What the stages say while they work.
pub mod progress;

/// Deadlines and waiting times.
pub mod clock;

/// Kinds of failure, with exit status and hint.
pub mod error;

/// Regular files, and nothing in their place.
pub mod disk;

/// Cutting, cleaning and percent coding of texts.
pub mod text;

/// Values that must not be seen.
pub mod secret;

/// Paths, object ids, run ids: types that cannot hold a wrong value.
pub mod values;

/// How time grows with size, for unit tests.
#[cfg(test)]
mod growth;
