//! What is known of a run, on disk: one folder per run, one file per step.
//!
//! ```text
//! STATE/runs/<id>/run.json      who and what: identity, digests of the content, when it began
//!                 <step>.json   what a step made
//!                 app/          the generated files under their digests, attachments excepted (they are in the task)
//!                 repo.git/     the commit
//!                 lock          held while a process works on the run
//!                 result.json   what became of it, as printed last; for `status`
//!                 log           what a detached process says
//!                 llm/          the calls to a language model, in order
//! STATE/tasks/                  what the rounds of a task asked for
//! STATE/outbox/<id>             a notification that was not accepted yet
//! STATE/previews/               what `generate` wrote where
//! ```
//!
//! A file is written beside its place, synced and renamed, so it is there whole or not at all. Between work and record the
//! process can die: every stage looks at the world before it works. No secret is ever stored.

pub mod briefs;
pub mod files;
pub mod lock;
pub mod outbox;
pub mod prune;
pub mod record;
pub mod summary;

pub use record::{Journal, Opened, Run};
