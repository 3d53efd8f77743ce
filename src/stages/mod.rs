//! One room per stage, in the order in which a task goes through them. A room imports only rooms before it.

pub mod task;

pub mod count;

pub mod required;

pub mod sheet;

pub mod xml;

pub mod json;

pub mod name;

pub mod ground;

pub mod generate;

pub mod check;

pub mod scan;

pub mod commit;

pub mod deploy;

pub mod notify;
