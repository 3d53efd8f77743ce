//! A repository of ours holds nothing that tells git what to do but what is written here.
//!
//! git takes programs to run and addresses to go to from a repository's `config` (`url.*.insteadOf`, `remote.*.uploadpack`,
//! `http.proxy`, `include.path`, …), and no option makes it leave that file unread. The list of such settings grows with each
//! git, so the file is replaced as a whole instead of being searched for what is bad.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::disk::{self, Links};

const CONFIG: &str = "config";
/// Far more than git writes into a bare repository's.
const READ_AT_MOST: u64 = 16 * 1024;
const UNREADABLE: [ErrorKind; 3] = [
    ErrorKind::NotFound,
    ErrorKind::InvalidInput,
    ErrorKind::FileTooLarge,
];

/// What git opens first in a repository. It would wait for a FIFO without end.
const OPENED: [&str; 5] = [CONFIG, "HEAD", "packed-refs", "shallow", "refs/heads/main"];

/// # Errors
/// Names what is neither a regular file nor leads to one.
pub fn require_files(dir: &Path) -> io::Result<()> {
    for file in OPENED.map(|name| dir.join(name)) {
        match file.metadata() {
            Ok(found) if !found.is_file() => {
                let message = format!("{} is not a regular file", file.display());
                return Err(io::Error::new(ErrorKind::InvalidInput, message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What can stand for a part of the repository, or add to its configuration: never made by us.
const FOREIGN: [&str; 4] = [
    "commondir",
    "config.worktree",
    "objects/info/alternates",
    "objects/info/http-alternates",
];

/// Writes the configuration anew where it is not ours, and removes what leads elsewhere. Hooks are switched off in each call.
///
/// # Errors
/// As the system says, and where a folder is a link: what it leads to is not ours to change.
pub fn restore(dir: &Path) -> io::Result<()> {
    for folder in [
        dir.to_owned(),
        dir.join("objects"),
        dir.join("objects/info"),
    ] {
        match folder.symlink_metadata() {
            Ok(found) if !found.is_dir() => {
                let message = format!("{} is not a folder", folder.display());
                return Err(io::Error::new(ErrorKind::NotADirectory, message));
            }
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    for name in FOREIGN {
        match fs::remove_file(dir.join(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    let file = dir.join(CONFIG);
    let found = read(&file)?;
    let wanted = configuration(&found);
    if found == wanted {
        return Ok(());
    }
    // Named as git names its own, so that one left by a process that was killed is cleared with those.
    let mut beside = tempfile::Builder::new()
        .prefix("config-")
        .suffix(".lock")
        .tempfile_in(dir)?;
    beside.write_all(wanted.as_bytes())?;
    beside.persist(&file).map_err(|e| e.error)?;
    Ok(())
}

/// Nothing for what is no file of a sensible size.
fn read(file: &Path) -> io::Result<String> {
    match disk::read(file, Links::Refuse, READ_AT_MOST) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if UNREADABLE.contains(&e.kind()) => Ok(String::new()),
        Err(e) => Err(e),
    }
}

/// Ours. How objects and refs are stored was decided when the repository was made (by `GIT_DEFAULT_HASH`, or a git whose
/// default is another), and is the only thing kept of what was found.
fn configuration(found: &str) -> String {
    let kept: String = [
        ("objectformat", ["sha1", "sha256"]),
        ("refstorage", ["files", "reftable"]),
    ]
    .iter()
    .filter_map(|(key, values)| {
        let set = found.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let same = name.trim().eq_ignore_ascii_case(key);
            same.then(|| values.iter().find(|v| **v == value.trim()))?
        })?;
        Some(format!("\t{key} = {set}\n"))
    })
    .collect();
    if kept.is_empty() {
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n".to_owned()
    } else {
        format!("[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n{kept}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_storage_formats_survive() {
        let planted = "[core]\n\tfsmonitor = /tmp/x\n[extensions]\n\tobjectFormat = sha256\n\tworktreeConfig = true\n\
                       \tpartialClone = evil\n\trefstorage = ext::x\n[include]\n\tpath = /tmp/y\n";
        let ours = configuration(planted);
        assert_eq!(
            ours,
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
        );
        assert_eq!(configuration(&ours), ours);
        let plain = configuration("");
        assert_eq!(configuration(&plain), plain);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_fifos_are_replaced_and_not_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (repository, other) = (dir.path().join("r"), dir.path().join("other"));
        fs::create_dir_all(repository.join("objects/info")).unwrap();
        fs::write(&other, "mine").unwrap();
        for name in [CONFIG, "commondir", "objects/info/alternates"] {
            symlink(&other, repository.join(name)).unwrap();
        }
        restore(&repository).unwrap();
        let config = repository.join(CONFIG);
        assert!(config.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&config).unwrap(), configuration(""));
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert!(!repository.join("commondir").exists());
        assert!(!repository.join("objects/info/alternates").exists());
        fs::remove_file(&config).unwrap();
        let fifo = std::process::Command::new("mkfifo").arg(&config).status();
        assert!(fifo.unwrap().success());
        restore(&repository).unwrap();
        assert!(config.symlink_metadata().unwrap().is_file());
        // A repository that is a link is somebody else's.
        let link = dir.path().join("link");
        symlink(&repository, &link).unwrap();
        fs::write(&config, "theirs").unwrap();
        assert!(restore(&link).is_err());
        assert_eq!(fs::read_to_string(&config).unwrap(), "theirs");
    }
}
