//! What became of a run, in one file: the document that was printed last. It is written when a walk ends, so that `status`
//! costs one read per run, whatever the steps hold. It is no record: the walk itself never relies on it.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::files;
use crate::error::{Code, OrCode, Result};
use crate::values::RunId;

const NAME: &str = "result.json";

/// `D`: the document.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary<D> {
    /// When the run began, seconds since 1970.
    pub started_at: u64,
    /// When the last walk ended, seconds since 1970.
    pub ended_at: u64,
    pub document: D,
}

/// `dir`: the run's folder.
///
/// # Errors
/// `state`.
pub fn write<D: Serialize>(dir: &Path, summary: &Summary<D>) -> Result<()> {
    files::write_json_line(&dir.join(NAME), summary)
}

/// # Errors
/// `state` for one that does not read.
pub fn read<D: for<'a> Deserialize<'a>>(dir: &Path) -> Result<Option<Summary<D>>> {
    files::read_json(&dir.join(NAME))
}

/// The runs of a state directory, by their folders, in no order.
///
/// # Errors
/// `state`.
pub fn runs(state: &Path) -> Result<Vec<RunId>> {
    let dir = state.join("runs");
    let failed = || format!("reading {}", dir.display());
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(failed).or_code(Code::State)?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.with_context(failed).or_code(Code::State)?.file_name();
        ids.extend(name.to_str().and_then(|n| RunId::parse(n).ok()));
    }
    Ok(ids)
}
