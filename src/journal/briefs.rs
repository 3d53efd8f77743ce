//! What the rounds of a task asked for, so that a later round knows what must still hold: `STATE/tasks/<digest>/<round>.json`,
//! the digest over e-mail and task id. Other than `runs/` it is found without knowing the nonce.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use crate::error::Result;
use crate::values::sha256_hex;

fn dir(state: &Path, email: &str, task: &str) -> PathBuf {
    state
        .join("tasks")
        .join(&sha256_hex(format!("{email}\0{task}\0").as_bytes())[..16])
}

/// Keeps what a round asks for. The same again writes nothing.
///
/// # Errors
/// `state`.
pub fn keep<T: Serialize + PartialEq + for<'a> Deserialize<'a>>(
    state: &Path,
    email: &str,
    task: &str,
    round: u64,
    what: &T,
) -> Result<()> {
    let dir = dir(state, email, task);
    let file = dir.join(format!("{round}.json"));
    if files::read_json::<T>(&file)?.is_some_and(|known| known == *what) {
        return Ok(());
    }
    files::make_dir(&dir)?;
    files::write_json(&file, what)
}

/// What the rounds below `round` asked for.
///
/// # Errors
/// `state`.
pub fn before<T: for<'a> Deserialize<'a>>(
    state: &Path,
    email: &str,
    task: &str,
    round: u64,
) -> Result<Vec<T>> {
    let dir = dir(state, email, task);
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return Ok(vec![]);
    };
    let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let mut rounds: Vec<u64> = entries
        .filter_map(|e| number(&e.ok()?.path()))
        .filter(|n| *n < round)
        .collect();
    rounds.sort_unstable();
    let read = |n: u64| files::read_json(&dir.join(format!("{n}.json"))).transpose();
    rounds.into_iter().filter_map(read).collect()
}
