//! Lock files that a killed git has left behind. git never removes them by itself, and fails for ever after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A lock file this old is nobody's: git holds one for the milliseconds that a rename takes, and nothing here runs longer
/// with one, such as `gc`. Younger ones may be those of another process; they are waited for.
const STALE: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(20);

/// Removes them from a bare repository, if it is there. Waits for those that may be alive.
///
/// # Errors
/// As the system says.
pub fn clear(dir: &Path) -> io::Result<()> {
    loop {
        let mut found = Vec::new();
        collect(dir, &mut found)?;
        collect_below(&dir.join("refs"), &mut found)?;
        if found.is_empty() {
            return Ok(());
        }
        for lock in found {
            let since = match lock.metadata().and_then(|m| m.modified()) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                since => since?,
            };
            // A time in the future is a clock that was set back.
            if SystemTime::now()
                .duration_since(since)
                .is_ok_and(|age| age < STALE)
            {
                continue;
            }
            match fs::remove_file(&lock) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::thread::sleep(BETWEEN);
    }
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(folders),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            folders.push(path);
        } else if path.extension().is_some_and(|e| e == "lock")
            && entry.file_name() != super::OWN_LOCK
        {
            found.push(path);
        }
    }
    Ok(folders)
}

fn collect_below(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    collect(dir, found)?
        .iter()
        .try_for_each(|folder| collect_below(folder, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn old_locks_go_and_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        clear(&dir.path().join("nothing")).unwrap();
        fs::create_dir_all(dir.path().join("refs/heads")).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        for name in [
            "HEAD.lock",
            "refs/heads/main.lock",
            "refs/heads/main",
            super::super::OWN_LOCK,
        ] {
            File::create(dir.path().join(name))
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        clear(dir.path()).unwrap();
        let there = |name: &str| dir.path().join(name).exists();
        assert!(!there("HEAD.lock") && !there("refs/heads/main.lock"));
        assert!(there("refs/heads/main") && there(super::super::OWN_LOCK));
    }
}
