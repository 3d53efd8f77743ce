//! One call of git: what it is given beside its words.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::Remote;
use crate::ports::process::{Feed, Listen};

/// A first object database command takes milliseconds; a slow disk gets this.
const LOCAL_LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Call<'a> {
    pub(super) dir: Option<&'a Path>,
    pub(super) args: Vec<OsString>,
    pub(super) config: Vec<(&'static str, String)>,
    /// Comes after the arguments, followed by its own.
    pub(super) remote: Option<(&'a Remote, Vec<OsString>)>,
    pub(super) limit: Duration,
    pub(super) feed: Option<Feed<'a>>,
    pub(super) listen: Option<Listen<'a>>,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            dir: None,
            args: vec![],
            config: vec![],
            remote: None,
            limit: LOCAL_LIMIT,
            feed: None,
            listen: None,
        }
    }
}

impl Call<'_> {
    /// The one protocol git may speak in this call.
    pub(super) fn protocol(&self) -> &str {
        match &self.remote {
            // An empty list would be read as an empty name, too; this says what is meant.
            None => "none",
            Some((Remote::Path(_), _)) => "file",
            Some((Remote::Http { url, .. }, _)) => {
                url.split_once(':').map_or("none", |(scheme, _)| scheme)
            }
        }
    }
}

/// An empty `credential.helper` first, so that nobody else's is asked or told.
pub(super) fn base_config() -> Vec<(&'static str, String)> {
    [
        ("credential.helper", ""),
        ("core.hooksPath", null_device()),
        ("core.fsmonitor", "false"),
        // Only the repository that a call names, never one that happens to lie around the current directory.
        ("safe.bareRepository", "explicit"),
        ("core.askPass", ""),
        ("core.autocrlf", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("advice.pushUpdateRejected", "false"),
        ("log.showSignature", "false"),
        ("i18n.logOutputEncoding", "UTF-8"),
    ]
    .map(|(k, v)| (k, v.to_owned()))
    .to_vec()
}

pub(super) fn null_device() -> &'static str {
    if cfg!(windows) { "NUL" } else { "/dev/null" }
}
