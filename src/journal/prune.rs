//! Runs that are over and old are dropped, each in one rename: a process that dies in between leaves none half there.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;

use super::lock::Lock;
use crate::error::{Code, OrCode, Result};
use crate::values::RunId;

/// What a folder that is on its way out is called; it is no run's name.
const DROPPED: &str = ".dropped-";

/// Drops the run if `over` still says so once it is ours; `false` if it is being worked on or is not over.
///
/// # Errors
/// `state`.
pub fn drop_run(
    state: &Path,
    id: &RunId,
    over: impl FnOnce(&Path) -> Result<bool>,
) -> Result<bool> {
    let dir = state.join("runs").join(id.as_str());
    let lock = match Lock::take(&dir.join("lock")) {
        Err(e) if e.code == Code::Busy => return Ok(false),
        lock => lock?,
    };
    if !over(&dir)? {
        return Ok(false);
    }
    let away = state.join("runs").join(format!("{DROPPED}{id}"));
    remove(&away)?;
    #[cfg(unix)]
    fs::rename(&dir, &away)
        .with_context(|| format!("moving {} away", dir.display()))
        .or_code(Code::State)?;
    // A folder with an open file in it cannot be moved on Windows.
    #[cfg(not(unix))]
    let away = dir;
    drop(lock);
    remove(&away)?;
    Ok(true)
}

/// Removes what a process that died left of folders it was dropping.
///
/// # Errors
/// `state`.
pub fn sweep(state: &Path) -> Result<()> {
    for entry in fs::read_dir(state.join("runs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(DROPPED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e)
            .with_context(|| format!("removing {}", dir.display()))
            .or_code(Code::State),
        _ => Ok(()),
    }
}
