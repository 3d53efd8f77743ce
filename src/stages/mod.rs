//! One room per stage, in the order in which a task goes through them. A room imports only rooms before it.

/// What is on the remote already, and whose it is.
pub mod remote;

/// No secret may become public: looked for in what a model writes, before a preview and before a commit.
pub mod scan;

/// The files of the site.
pub mod generate;

/// The verdict on each check.
pub mod check;

/// One commit per round.
pub mod commit;

/// From a commit to a page that serves it.
pub mod deploy;

/// What is done about a page that GitHub cannot build.
pub mod rescue;

/// The evaluator is notified.
pub mod notify;
