//! `generate -o DIR`: the files of the app, to look at. Nothing of the user's is overwritten.
//!
//! The folder may be one that somebody else has filled: no link in it or in its place is followed, nothing but a regular file
//! is opened, and each file is put into place as a whole, never onto one that is not known.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::disk::{self, Links};
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::files;
use crate::ports::World;
use crate::request::task::{MAX_BYTES, Task};
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
    // By its parts: a slash at its end would lead through a link.
    let absolute: PathBuf = std::path::absolute(dir)
        .with_context(|| format!("{}", dir.display()))
        .or_code(Code::Usage)?
        .components()
        .collect();
    let note = state.join("previews").join(format!(
        "{}.json",
        &sha256_hex(absolute.to_string_lossy().as_bytes())[..16]
    ));
    let earlier: BTreeMap<RelPath, String> =
        files::read_json(&note).ok().flatten().unwrap_or_default();
    let folder = Folder {
        dir: &absolute,
        earlier: &earlier,
    };
    for (path, bytes) in &all {
        folder.may_write(path, bytes)?;
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
        folder.write(path, bytes)?;
    }
    Ok(())
}

/// Where a preview goes.
struct Folder<'a> {
    /// Absolute.
    dir: &'a Path,
    /// The digests of what earlier previews wrote here.
    earlier: &'a BTreeMap<RelPath, String>,
}

/// What is in the place of a file.
#[derive(PartialEq, Eq)]
enum Place {
    Free,
    /// An earlier preview's file.
    Ours,
    /// It holds the wanted bytes already.
    Same,
}

impl Folder<'_> {
    /// The folder and those below it that lead to the file, outermost first. The ones above are the user's way to it.
    fn way(&self, path: &RelPath) -> Vec<PathBuf> {
        let mut way = vec![self.dir.to_owned()];
        let mut parts: Vec<&str> = path.as_str().split('/').collect();
        parts.pop();
        let mut at = self.dir.to_owned();
        for part in parts {
            at.push(part);
            way.push(at.clone());
        }
        way
    }

    fn may_write(&self, path: &RelPath, bytes: &[u8]) -> Result<Place> {
        for folder in self.way(path) {
            match kind(&folder)? {
                None => return Ok(Place::Free),
                Some(found) if found.is_dir() => {}
                Some(_) => return Err(in_the_way(&folder, "is no folder")),
            }
        }
        let file = self.dir.join(path.as_str());
        match kind(&file)? {
            None => return Ok(Place::Free),
            Some(found) if found.is_file() => {}
            Some(_) => return Err(in_the_way(&file, "is no regular file")),
        }
        let there = disk::read(&file, Links::Refuse, MAX_BYTES as u64)
            .with_context(|| format!("reading {}", file.display()))
            .or_code(Code::Usage)?;
        if there == bytes {
            Ok(Place::Same)
        } else if self.earlier.get(path) == Some(&sha256_hex(&there)) {
            Ok(Place::Ours)
        } else {
            Err(in_the_way(&file, FOREIGN))
        }
    }

    /// Looks again: what was free a moment ago need not be.
    fn write(&self, path: &RelPath, bytes: &[u8]) -> Result<()> {
        let place = self.may_write(path, bytes)?;
        if place == Place::Same {
            return Ok(());
        }
        let file = self.dir.join(path.as_str());
        let failed = |e: io::Error| match e.kind() {
            ErrorKind::AlreadyExists => in_the_way(&file, FOREIGN),
            _ => Error::new(Code::Usage, format!("writing {}: {e}", file.display())),
        };
        for (n, folder) in self.way(path).iter().enumerate() {
            let made = if n == 0 {
                fs::create_dir_all(folder)
            } else {
                fs::create_dir(folder)
            };
            // A link that appeared is not a folder to `kind`.
            match made {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed(e)),
                _ if kind(folder)?.is_some_and(|k| k.is_dir()) => {}
                _ => return Err(in_the_way(folder, "is no folder")),
            }
        }
        put(&file, bytes, place == Place::Ours).map_err(failed)
    }
}

const FOREIGN: &str = "is there already, and not from an earlier preview";

fn in_the_way(what: &Path, why: &str) -> Error {
    Error::new(Code::Usage, format!("{} {why}", what.display()))
        .hint("choose another folder with -o; to deploy files of your own use --site DIR")
}

/// What is there itself, not what it leads to.
fn kind(path: &Path) -> Result<Option<fs::FileType>> {
    disk::kind(path)
        .with_context(|| format!("looking at {}", path.display()))
        .or_code(Code::Usage)
}

/// Writes beside and renames: a reader sees no half file, and a new one takes no place that has been taken meanwhile.
fn put(file: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let parent = file.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".llmdeploy-");
    // As any file that a program writes for its user: what the umask leaves of this.
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut beside = builder.tempfile_in(parent)?;
    beside.write_all(bytes)?;
    let done = if replace {
        beside.persist(file)
    } else {
        beside.persist_noclobber(file)
    };
    done.map(drop).map_err(|e| e.error)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_appeared_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        put(&file, b"ours", false).unwrap();
        let error = put(&file, b"again", false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"ours");
        put(&file, b"again", true).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"again");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
