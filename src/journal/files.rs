//! Files that are there whole or not at all, and only for their owner to read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::disk::{self, Links};
use crate::error::{Code, Error, OrCode, Result};
use crate::values::sha256_hex;

/// Makes a folder, with those above it, that only its owner can enter.
///
/// # Errors
/// `state`.
pub fn make_dir(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .and_then(|()| match disk::kind(dir)? {
            Some(found) if found.is_dir() => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                "it is not a folder of its own",
            )),
        })
        .with_context(|| format!("making {}", dir.display()))
        .or_code(Code::State)
        .map_err(hint)
}

/// The folders at the top of a state directory.
const FOLDERS: [&str; 4] = ["outbox", "previews", "runs", "tasks"];

/// Refuses a state directory that is not the user's own: who can write there decides what is published and where git transfers
/// to. One that is not there yet is made so that it is.
///
/// # Errors
/// `state`, saying what to do.
pub fn require_own(state: &Path) -> Result<()> {
    let wrong = |path: &Path, why: &str, hint: String| {
        let message = format!("the state directory: {} {why}", path.display());
        Err(Error::new(Code::State, message).hint(hint))
    };
    let another = "or choose another one with --state-dir";
    for path in std::iter::once(state.to_owned()).chain(FOLDERS.map(|name| state.join(name))) {
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                return Err(e)
                    .with_context(|| format!("looking at {}", path.display()))
                    .or_code(Code::State)
                    .map_err(hint);
            }
        };
        if found.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            let advice = format!("name the folder itself ({}), {another}", target.display());
            return wrong(&path, "is a link", advice);
        }
        if !found.is_dir() {
            return wrong(&path, "is not a folder", format!("move it away, {another}"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let shown = path.display();
            if found.uid() != rustix::process::geteuid().as_raw() {
                let why = "belongs to another user";
                return wrong(&path, why, format!("chown {shown}, {another}"));
            }
            if found.mode() & 0o022 != 0 {
                let why = "can be written by others";
                return wrong(&path, why, format!("chmod 700 {shown}, {another}"));
            }
        }
    }
    Ok(())
}

/// Writes a file: beside its place, synced, renamed, and the folder synced.
///
/// # Errors
/// `state`.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    put(file, bytes)
        .with_context(|| format!("writing {}", file.display()))
        .or_code(Code::State)
        .map_err(hint)
}

fn put(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = file.parent().context("no folder")?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".tmp-")
        .tempfile_in(parent)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    sync_dir(parent)?;
    Ok(())
}

/// Makes renames in a folder last through a power cut.
///
/// # Errors
/// As the system says.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    // Windows cannot open a folder for this, and does not need it.
    if cfg!(unix) {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}

/// What every JSON file of the state directory is wrapped in.
#[derive(Serialize, Deserialize)]
struct Sheet<'a> {
    version: u32,
    /// Of the value's text, so that what was edited by hand, or damaged without ceasing to be JSON, is not taken for a record.
    sha256: String,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// What can be read of a sheet whatever its version.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The most bytes of a record. What it tells of is at most a task.
const LARGEST: u64 = 256 << 20;

/// The layout of the state directory.
const VERSION: u32 = 1;

/// # Errors
/// `state`.
pub fn write_json<T: Serialize>(file: &Path, value: &T) -> Result<()> {
    write_text(file, serde_json::to_string_pretty(value))
}

/// As [`write_json`], on one line: for what is read by the thousand.
///
/// # Errors
/// `state`.
pub fn write_json_line<T: Serialize>(file: &Path, value: &T) -> Result<()> {
    write_text(file, serde_json::to_string(value))
}

fn write_text(file: &Path, text: serde_json::Result<String>) -> Result<()> {
    let sheet = text.and_then(|text| {
        let (sha256, value) = (sha256_hex(text.as_bytes()), RawValue::from_string(text)?);
        serde_json::to_vec(&Sheet {
            version: VERSION,
            sha256,
            value: &value,
        })
    });
    write(
        file,
        &sheet.context("writing JSON").or_code(Code::Internal)?,
    )
}

/// A stored file, whatever it holds.
///
/// # Errors
/// As the system says, and for what is no regular file.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    disk::read(file, Links::Refuse, LARGEST)
}

/// `None` if there is no such file.
///
/// # Errors
/// `state` for one that does not read or was changed, naming it and what to do.
pub fn read_json<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Option<T>> {
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(e)
                .with_context(|| format!("reading {}", file.display()))
                .or_code(Code::State)
                .map_err(hint);
        }
    };
    parse(&bytes).map(Some).map_err(|why| {
        let folder = file.parent().unwrap_or(file).display().to_string();
        Error::new(Code::State, format!("{} {why}", file.display())).hint(format!(
            "what was pushed is on the remote: remove {folder} and run the same command again"
        ))
    })
}

fn parse<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> std::result::Result<T, String> {
    let unreadable = |e: serde_json::Error| format!("does not read: {e}");
    let sheet: Sheet<'_> = match serde_json::from_slice(bytes) {
        Ok(sheet) => sheet,
        // Of another version, perhaps, with another layout.
        Err(e) => match serde_json::from_slice(bytes) {
            Ok(Version { version }) if version != VERSION => return Err(other_version(version)),
            _ => return Err(unreadable(e)),
        },
    };
    if sheet.version != VERSION {
        return Err(other_version(sheet.version));
    }
    if sheet.sha256 != sha256_hex(sheet.value.get().as_bytes()) {
        return Err("was changed since it was written".to_owned());
    }
    serde_json::from_str(sheet.value.get()).map_err(unreadable)
}

fn other_version(version: u32) -> String {
    format!("is of version {version}, this program knows version {VERSION}")
}

fn hint(error: Error) -> Error {
    error.hint(
        "see --state-dir and LLMDEPLOY_STATE_DIR; the directory must be writable and have room",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_state_directory_is_the_users_own() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        require_own(&state).unwrap();
        make_dir(&state.join("runs/1")).unwrap();
        require_own(&state).unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for path in [state.clone(), state.join("runs")] {
            for mode in [0o777, 0o720, 0o1777] {
                set(&path, mode);
                let error = require_own(&state).unwrap_err();
                assert!(error.hint.is_some_and(|h| h.starts_with("chmod 700")));
            }
            set(&path, 0o755);
            require_own(&state).unwrap();
        }
        let link = dir.path().join("link");
        symlink(&state, &link).unwrap();
        assert!(
            require_own(&link)
                .unwrap_err()
                .one_line()
                .contains("a link")
        );
        symlink(dir.path(), state.join("outbox")).unwrap();
        assert!(require_own(&state).is_err() && make_dir(&state.join("outbox")).is_err());
        fs::remove_file(state.join("outbox")).unwrap();
        fs::write(state.join("tasks"), "").unwrap();
        assert!(require_own(&state).is_err());
    }

    #[test]
    fn what_does_not_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.json");
        assert_eq!(read_json::<u32>(&file).unwrap(), None);
        write_json(&file, &7_u32).unwrap();
        assert_eq!(read_json::<u32>(&file).unwrap(), Some(7));
        let good = fs::read_to_string(&file).unwrap();
        let edited = good.replace('7', "8");
        let older = good.replace("\"version\":1", "\"version\":0");
        for damage in [
            "",
            "{",
            "{\"version\":1}",
            "{\"version\":2,\"values\":7}",
            "null",
            "\0\0\0\0",
            &good[..good.len() / 2],
            &edited,
            &older,
        ] {
            fs::write(&file, damage).unwrap();
            let error = read_json::<u32>(&file).unwrap_err();
            assert!(
                error.code == Code::State
                    && error.one_line().contains("x.json")
                    && error.hint.is_some(),
                "{damage}: {error}"
            );
        }
    }
}
