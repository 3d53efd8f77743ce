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
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e)
            .with_context(|| format!("removing {}", file.display()))
            .or_code(Code::State),
        _ => Ok(()),
    }
}

/// The runs whose notification is pending, oldest first.
///
/// # Errors
/// `state`.
pub fn pending(state: &Path) -> Result<Vec<RunId>> {
    let dir = state.join("outbox");
    let failed = || format!("reading {}", dir.display());
    let entries = match std::fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(failed).or_code(Code::State)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(failed).or_code(Code::State)?;
        // Delivered by another process in this very moment.
        let Ok(since) = entry.metadata().and_then(|m| m.modified()) else {
            continue;
        };
        if let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|n| RunId::parse(n).ok())
        {
            found.push((since, id));
        }
    }
    found.sort_by(|a, b| (a.0, a.1.as_str()).cmp(&(b.0, b.1.as_str())));
    Ok(found.into_iter().map(|(_, id)| id).collect())
}
