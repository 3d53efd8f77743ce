//! One integration binary: the real program against a double of the world. A file per promise.

mod run;
mod walk;
mod world;
