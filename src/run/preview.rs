//! `generate -o DIR`: the files of the app, to look at. Nothing of the user's is overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::error::{Code, Error, OrCode, Result};
use crate::journal::files;
use crate::ports::World;
use crate::request::task::Task;
use crate::stages::generate::{App, Origin};
use crate::values::{RelPath, sha256_hex};

/// Writes the app to `dir`: what it makes and, in later rounds, what it keeps.
///
/// # Errors
/// `usage` where a file is there that was not written by an earlier preview, `state`, `git_failed`.
pub fn write(
    world: &World,
    state: &Path,
    dir: &Path,
    app: &App,
    task: &Task,
    git_dir: &Path,
) -> Result<()> {
    let mut all: BTreeMap<RelPath, Vec<u8>> = kept(world, app, git_dir)?;
    all.extend(
        app.files(task)?
            .into_iter()
            .map(|(path, bytes)| (path, bytes.to_vec())),
    );
    let absolute = std::path::absolute(dir)
        .with_context(|| format!("{}", dir.display()))
        .or_code(Code::Usage)?;
    let note = state.join("previews").join(format!(
        "{}.json",
        &sha256_hex(absolute.to_string_lossy().as_bytes())[..16]
    ));
    let earlier: BTreeMap<RelPath, String> =
        files::read_json(&note).ok().flatten().unwrap_or_default();
    for (path, bytes) in &all {
        let file = dir.join(path.as_str());
        match fs::read(&file) {
            Ok(there) if there != *bytes && earlier.get(path) != Some(&sha256_hex(&there)) => {
                let error = Error::new(
                    Code::Usage,
                    format!(
                        "{} is there already, and not from an earlier preview",
                        file.display()
                    ),
                );
                return Err(error.hint(
                    "choose another folder with -o; to deploy files of your own use --site DIR",
                ));
            }
            _ => {}
        }
    }
    let digests: BTreeMap<&RelPath, String> = all
        .iter()
        .map(|(path, bytes)| (path, sha256_hex(bytes)))
        .collect();
    if let Some(parent) = note.parent() {
        files::make_dir(parent)?;
    }
    // Recorded first: what is half written after a kill is known as ours.
    let mut known: BTreeMap<&RelPath, &String> = earlier.iter().collect();
    known.extend(digests.iter().map(|(path, digest)| (*path, digest)));
    files::write_json(&note, &known)?;
    for (path, bytes) in &all {
        let file = dir.join(path.as_str());
        let written = file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&file, bytes));
        written
            .with_context(|| format!("writing {}", file.display()))
            .or_code(Code::Usage)?;
    }
    Ok(())
}

/// What the remote holds and the app leaves as it is.
pub(super) fn kept(world: &World, app: &App, git_dir: &Path) -> Result<BTreeMap<RelPath, Vec<u8>>> {
    let Some(base) = &app.record.base else {
        return Ok(BTreeMap::new());
    };
    let kept: Vec<&str> = app
        .record
        .files
        .iter()
        .filter(|f| f.origin == Origin::Kept)
        .map(|f| f.path.as_str())
        .collect();
    let (mut paths, mut blobs) = (Vec::new(), Vec::new());
    for entry in world.git.tree(git_dir, base.as_str())? {
        if let (true, Ok(path)) = (
            kept.contains(&entry.path.as_str()),
            RelPath::parse(&entry.path),
        ) {
            paths.push(path);
            blobs.push(entry.blob);
        }
    }
    let contents = world.git.blobs(
        git_dir,
        &blobs.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    Ok(paths.into_iter().zip(contents).collect())
}
