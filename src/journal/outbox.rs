//! Notifications that were not accepted yet: an empty file each, named by the run. It is there before the first attempt and
//! goes when the evaluator has said 2xx, so finding what is pending costs as much as there is pending.

use std::io;
use std::path::Path;

use anyhow::Context;

use super::files;
use crate::error::{Code, OrCode, Result};
use crate::values::RunId;

/// # Errors
/// `state`.
pub fn add(state: &Path, id: &RunId) -> Result<()> {
    let dir = state.join("outbox");
    if dir.join(id.as_str()).exists() {
        return Ok(());
    }
    files::make_dir(&dir)?;
    files::write(&dir.join(id.as_str()), b"")
}

/// # Errors
/// `state`.
pub fn remove(state: &Path, id: &RunId) -> Result<()> {
    let file = state.join("outbox").join(id.as_str());
    match std::fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("removing {}", file.display())).or_code(Code::State)
        }
        _ => Ok(()),
    }
}
