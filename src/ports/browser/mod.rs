//! A browser to look at a page with: Chrome or Chromium, found on this machine, spoken to over two pipes.
//!
//! ```text
//! find → launch → pipe → session → tab
//!                   gate: the only way from the browser to the network
//! ```
//!
//! The `DevTools` protocol goes over `--remote-debugging-pipe`: no port is opened, and the browser ends when the pipe closes,
//! however we end. Deliberately absent: a crate for it (`serde_json` is all it takes), a profile of the user's, a visible window.

pub mod address;
pub mod find;
mod gate;
mod launch;
mod pipe;
pub mod record;
pub mod session;
pub mod tab;

pub use launch::sandbox_is_refused;

use std::path::PathBuf;
use std::time::Duration;

/// How the browser is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `LLMDEPLOY_BROWSER`.
    pub path: Option<PathBuf>,
    /// Nothing but what we answer ourselves is reached.
    pub offline: bool,
    /// `host:port` that may be reached though it is on this machine or in a private network.
    pub allowed: Option<String>,
    /// `HTTPS_PROXY` and the like: the way to the network where there is no direct one.
    pub proxy: Option<String>,
}

/// How long the browser may take to start.
const START: Duration = Duration::from_secs(20);
/// How long it may take for what it does without asking the page.
pub const ANSWER: Duration = Duration::from_secs(10);
