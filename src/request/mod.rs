//! What a task asks for, read once: the task itself, and what its words mean.

/// The task: JSON in, validated value out.
pub mod task;

/// `data:` URIs, read to the letter.
mod data_uri;

/// Which files a text names.
mod named;

/// Plain language about files, read into claims.
pub mod words;

/// Which files a task asks for.
pub mod required;

/// Where attachments go, and that no file is in another.s way.
pub mod place;

/// What a repository is called, and how it is described.
pub mod name;
