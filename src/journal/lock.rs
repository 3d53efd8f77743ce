//! One process per run. The lock is the kernel's and ends with the process, also after `kill -9`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::Context;

use crate::error::{Code, Error, OrCode, Result};

/// Held until dropped.
pub struct Lock(#[allow(dead_code, reason = "the file is the lock")] File);

impl Lock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// `busy`, `state`.
    pub fn take(path: &Path) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("opening {}", path.display()))
            .or_code(Code::State)?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message below; the lock does not depend on it.
                let note = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
                note.with_context(|| format!("writing {}", path.display())).or_code(Code::State)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Windows does not let others read a locked file.
                let _ = file.read_to_string(&mut holder);
                let who = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
                Err(Error::new(Code::Busy, format!("{who} is working on this run"))
                    .hint("wait for it, or run the same command again later"))
            }
            Err(TryLockError::Error(e)) => Err(e).with_context(|| format!("locking {}", path.display())).or_code(Code::State),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path).unwrap();
        let error = Lock::take(&path).err().unwrap();
        assert_eq!(error.code, Code::Busy);
        assert!(error.one_line().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        assert!(Lock::take(&path).is_ok());
    }
}
