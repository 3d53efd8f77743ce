//! Commands that only read: what is known here, shown.

pub mod dashboard;
pub mod status;
