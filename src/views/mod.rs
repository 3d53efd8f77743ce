//! Commands that only read: what is known here, shown.

pub mod status;
