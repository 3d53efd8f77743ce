//! One process per run. The lock is the kernel's and ends with the process, also after `kill -9`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::files;
use crate::disk::{self, Links};
use crate::error::{Code, Error, OrCode, Result};

/// Held until dropped.
pub struct Lock(#[allow(dead_code, reason = "the file is the lock")] File);

/// `status` looks whether a lock is held by taking it for some microseconds; whoever meets it there tries again so often.
const TRIES: u32 = 6;
const BETWEEN: Duration = Duration::from_millis(4);

impl Lock {
    /// Takes the lock, making its folder where it is missing, or says who has it.
    ///
    /// # Errors
    /// `busy`, `state`.
    pub fn take(path: &Path) -> Result<Self> {
        let mut tries = 0;
        loop {
            if let Some(folder) = path.parent() {
                files::make_dir(folder)?;
            }
            let mut file = match open(path) {
                // `prune` has taken the folder away in this very moment.
                Err(e) if e.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                    tries += 1;
                    continue;
                }
                opened => opened
                    .with_context(|| format!("opening {}", path.display()))
                    .or_code(Code::State)?,
            };
            match file.try_lock() {
                Ok(()) if !is_at(&file, path) && tries < TRIES => tries += 1,
                Ok(()) => {
                    // Only for the message below; the lock does not depend on it.
                    let note = file
                        .set_len(0)
                        .and_then(|()| file.rewind())
                        .and_then(|()| write!(file, "{}", std::process::id()));
                    note.with_context(|| format!("writing {}", path.display()))
                        .or_code(Code::State)?;
                    return Ok(Self(file));
                }
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(BETWEEN);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Code::Busy,
                        format!("{} is working on this run", holder(&mut file)),
                    )
                    .hint("wait for it, or run the same command again later"));
                }
                Err(TryLockError::Error(e)) => {
                    return Err(e)
                        .with_context(|| format!("locking {}", path.display()))
                        .or_code(Code::State);
                }
            }
        }
    }

    /// Who holds the lock, `None` if nobody does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<String> {
        let mut file = disk::open(path, Links::Refuse).ok()?;
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| holder(&mut file))
    }
}

fn open(path: &Path) -> io::Result<File> {
    disk::open_or_make(path, OpenOptions::new().read(true).write(true))
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    // Windows does not let others read a locked file.
    let _ = file.take(20).read_to_string(&mut pid);
    if !pid.bytes().all(|b| b.is_ascii_digit()) || pid.is_empty() {
        "another process".to_owned()
    } else {
        format!("process {pid}")
    }
}

/// Whether the file that is locked is still the one that others find. `prune` moves folders away, lock and all.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let both = file
        .metadata()
        .and_then(|here| Ok((here, path.metadata()?)));
    both.is_ok_and(|(here, there)| (here.dev(), here.ino()) == (there.dev(), there.ino()))
}

/// A folder with an open file in it cannot be moved there.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(Lock::holder(&path), None);
        let held = Lock::take(&path).unwrap();
        let error = Lock::take(&path).err().unwrap();
        assert_eq!(error.code, Code::Busy);
        let who = format!("process {}", std::process::id());
        assert!(error.one_line().contains(&who), "{error}");
        assert_eq!(Lock::holder(&path), Some(who));
        drop(held);
        assert_eq!(Lock::holder(&path), None);
        assert!(Lock::take(&path).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_was_moved_away_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (here, away) = (dir.path().join("run"), dir.path().join("gone"));
        let held = Lock::take(&here.join("lock")).unwrap();
        std::fs::rename(&here, &away).unwrap();
        let again = Lock::take(&here.join("lock")).unwrap();
        drop((held, again));
        let file = open(&away.join("lock")).unwrap();
        assert!(!is_at(&file, &here.join("lock")));
    }
}
