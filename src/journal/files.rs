//! Files that are there whole or not at all, and only for their owner to read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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
        .with_context(|| format!("making {}", dir.display()))
        .or_code(Code::State)
        .map_err(hint)
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

/// `None` if there is no such file.
///
/// # Errors
/// `state` for one that does not read or was changed, naming it and what to do.
pub fn read_json<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(file) {
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
