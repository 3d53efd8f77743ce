//! One integration binary: the real program against a double of the world. A file per promise.

#[cfg(unix)]
mod crash;
mod errors;
mod faults;
mod github;
mod large;
mod layering;
mod notify;
mod output;
mod readme;
mod run;
mod secrets;
mod walk;
mod world;
