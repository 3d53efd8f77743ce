//! The app as a language model makes it.
pub mod reply;
