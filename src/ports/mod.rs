//! The outside world, one file each. They take strings, bytes and paths, never a task.

pub mod address;
pub mod askpass;
pub mod browser;
pub mod detach;
pub mod evaluator;
pub mod forge;
pub mod git;
pub mod github;
pub mod http;
pub mod llm;
pub mod local;
pub mod process;
pub mod retry;

use std::sync::Arc;

use crate::clock::Clock;
use crate::progress::Progress;

/// What every room needs of the world: time, the network, git, and someone to tell.
pub struct World {
    pub clock: Clock,
    pub http: http::Http,
    pub git: git::Git,
    /// Processes that end with ours.
    pub children: process::Children,
    pub progress: Arc<dyn Progress>,
}
