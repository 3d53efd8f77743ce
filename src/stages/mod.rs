//! One room per stage, in the order in which a task goes through them. A room imports only rooms before it.

/// What is on the remote already, and whose it is.
pub mod remote;

/// The files of the site.
pub mod generate;

/// The verdict on each check.
pub mod check;

/// The last look before a commit: no secret may become public.
pub mod scan;

/// One commit per round.
pub mod commit;

/// From a commit to a page that serves it.
pub mod deploy;

/// The evaluator is notified.
pub mod notify;
