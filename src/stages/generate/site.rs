//! `--site DIR`: files of the user's own in the place of generation.

use std::fs;
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::place::is_for_secrets;
use crate::error::{Code, Error, OrCode, Result};
use crate::values::{FileSet, RelPath, hex};

/// Reads a directory with its folders, `.git` excepted.
///
/// # Errors
/// `usage` for a directory that cannot be read, is empty, or holds what must not be published.
pub fn read(dir: &Path) -> Result<FileSet> {
    let mut files = FileSet::new();
    let read = fs::canonicalize(dir)
        .with_context(|| format!("reading {}", dir.display()))
        .or_code(Code::Usage);
    read.and_then(|root| add(&root, dir, "", &mut files))
        .map_err(|e| e.context(format!("--site {}", dir.display())))?;
    if files.is_empty() {
        return Err(Error::new(
            Code::Usage,
            format!("--site {}: there is no file in it", dir.display()),
        ));
    }
    Ok(files)
}

fn add(root: &Path, dir: &Path, prefix: &str, files: &mut FileSet) -> Result<()> {
    let failed = || format!("reading {}", dir.display());
    for entry in fs::read_dir(dir)
        .with_context(failed)
        .or_code(Code::Usage)?
    {
        let entry = entry.with_context(failed).or_code(Code::Usage)?;
        let (name, path) = (entry.file_name(), entry.path());
        if name == ".git" {
            continue;
        }
        let refused = |why: &str| {
            Error::new(Code::Usage, format!("{} {why}", path.display()))
                .hint("a site is published as it is: take out what does not belong to it")
        };
        let name = name
            .to_str()
            .ok_or_else(|| refused("is not named in UTF-8"))?;
        if is_for_secrets(name) {
            return Err(refused("is for secrets"));
        }
        let at = format!("{prefix}{name}");
        let kind = entry
            .file_type()
            .with_context(failed)
            .or_code(Code::Usage)?;
        if kind.is_symlink() {
            let target = fs::canonicalize(&path)
                .with_context(|| format!("following {}", path.display()))
                .or_code(Code::Usage)?;
            let Ok(inside) = target.strip_prefix(root) else {
                return Err(refused(&format!(
                    "is a link to {}, outside of the directory",
                    target.display()
                )));
            };
            let kept_back = |part: &std::ffi::OsStr| {
                part == ".git" || part.to_str().is_some_and(is_for_secrets)
            };
            if inside.iter().any(kept_back) {
                return Err(refused(&format!(
                    "is a link to {}, which is not published",
                    target.display()
                )));
            }
        }
        if kind.is_dir() {
            add(root, &path, &format!("{at}/"), files)?;
        } else if path.is_file() {
            let rel = RelPath::parse(&at).map_err(|why| refused(&why))?;
            files.insert(
                rel,
                fs::read(&path)
                    .with_context(|| format!("reading {}", path.display()))
                    .or_code(Code::Usage)?,
            );
        } else {
            return Err(refused("is neither a file nor a folder"));
        }
    }
    Ok(())
}

/// One digest for all paths and contents.
#[must_use]
pub fn digest(files: &FileSet) -> String {
    let mut all = Sha256::new();
    for (path, bytes) in files {
        all.update(path.as_str().as_bytes());
        all.update([0]);
        all.update(Sha256::digest(bytes));
    }
    hex(&all.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_without_git_and_refuses_secrets() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap_err().code, Code::Usage);
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "x").unwrap();
        fs::create_dir_all(dir.path().join("css")).unwrap();
        fs::write(dir.path().join("css/a.css"), "x").unwrap();
        let files = read(dir.path()).unwrap();
        assert_eq!(
            files.keys().map(RelPath::as_str).collect::<Vec<_>>(),
            ["css/a.css"]
        );
        let before = digest(&files);
        fs::write(dir.path().join("css/a.css"), "y").unwrap();
        assert_ne!(digest(&read(dir.path()).unwrap()), before);
        for name in [".env", ".env.local"] {
            fs::write(dir.path().join(name), "K=v").unwrap();
            assert!(read(dir.path()).unwrap_err().one_line().contains(name));
            fs::remove_file(dir.path().join(name)).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_refused() {
        use std::os::unix::fs::symlink;
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("passwd"), "x").unwrap();
        fs::write(dir.path().join("a.txt"), "a").unwrap();
        symlink("a.txt", dir.path().join("b.txt")).unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 2);
        let link = dir.path().join("c.txt");
        symlink(other.path().join("passwd"), &link).unwrap();
        let error = read(dir.path()).unwrap_err();
        assert!(
            error.code == Code::Usage && error.one_line().contains("c.txt is a link to"),
            "{error}"
        );
        fs::remove_file(&link).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/config"), "x").unwrap();
        symlink(".git/config", &link).unwrap();
        assert!(read(dir.path()).is_err());
    }
}
