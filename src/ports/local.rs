//! A forge that needs no account: a bare repository `DIR/<repo>.git`, and the page's files in `DIR/<repo>/`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::World;
use super::forge::{Author, Forge, Live, Page, Repository};
use super::git::{BRANCH, OWN_LOCK, Remote, is_repository};
use crate::error::{Code, Error, OrCode, Result};
use crate::text::{FILE_PATH, percent_decoded, percent_encoded};
use crate::values::RelPath;

pub struct Local {
    /// Absolute.
    dir: PathBuf,
}

impl Local {
    /// # Errors
    /// `config`: the directory cannot be made absolute.
    pub fn new(dir: &Path) -> Result<Self> {
        let absolute = std::path::absolute(dir).and_then(|dir| without_dots(&dir));
        let failed = || format!("--local {}", dir.display());
        Ok(Self {
            dir: absolute.with_context(failed).or_code(Code::Config)?,
        })
    }

    fn bare(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.git"))
    }

    fn site(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn repository(&self, name: &str, created: bool) -> Repository {
        let bare = self.bare(name);
        Repository {
            name: name.to_owned(),
            repo_url: file_url(&bare, false),
            remote: Remote::Path(bare),
            created,
            has_pages: true,
        }
    }
}

impl Forge for Local {
    fn key(&self) -> String {
        file_url(&self.dir, true)
    }

    fn prove(&self, _: &World) -> Result<()> {
        Ok(())
    }

    fn author(&self, _: &World) -> Result<Author> {
        Ok(Author::default())
    }

    fn find(&self, world: &World, name: &str) -> Result<Option<Repository>> {
        let bare = self.bare(name);
        if !is_repository(&bare) {
            return Ok(None);
        }
        world.git.init(&bare)?;
        Ok(Some(self.repository(name, false)))
    }

    fn create(&self, world: &World, name: &str, _description: &str) -> Result<Repository> {
        if let Some(found) = self.find(world, name)? {
            return Ok(found);
        }
        let site = self.site(name);
        let foreign = match fs::read_dir(&site) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => site.symlink_metadata().is_ok(),
        };
        if foreign {
            let message = format!(
                "{} is there already and was not made by llmdeploy",
                site.display()
            );
            return Err(Error::new(Code::NameTaken, message)
                .hint("choose another folder with --local, or another name with --repo"));
        }
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("making {}", self.dir.display()))
            .or_code(Code::GitFailed)?;
        world.git.init(&self.bare(name))?;
        Ok(self.repository(name, true))
    }

    fn address(&self, _: &World, name: &str, _: bool) -> String {
        // A folder has no origin; pages that work under one like this work in it.
        format!("https://local.github.io/{name}/")
    }

    fn enable(&self, _: &World, name: &str, _on: bool) -> Result<String> {
        // A folder's address shows a list of files in a browser, not the page.
        Ok(file_url(&self.site(name).join(INDEX), false))
    }

    /// Brings the folder to what `main` holds now, which is the commit or a later one. Two processes take turns.
    fn wait_live(&self, world: &World, name: &str, _: &Page<'_>, _: Instant) -> Result<Live> {
        let (bare, site) = (self.bare(name), self.site(name));
        let turn = bare.join(OWN_LOCK);
        let lock = fs::File::create(&turn)
            .and_then(|f| f.lock().map(|()| f))
            .with_context(|| format!("locking {}", turn.display()));
        let _lock = lock.or_code(Code::State)?;
        check_out(world, &bare, &site)?;
        Ok(Live::Yes)
    }
}

/// Removes what `main` does not hold, then writes each file beside its place and renames it, so that a reader never sees
/// half a file.
fn check_out(world: &World, bare: &Path, site: &Path) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for entry in world.git.tree(bare, BRANCH)? {
        // A repository that was adopted may hold paths that are not safe to write.
        match RelPath::parse(&entry.path) {
            Ok(path) => drop(wanted.insert((path, entry.blob))),
            Err(why) => world.progress.warn(&format!(
                "{}: {why}; not written to {}",
                entry.path,
                site.display()
            )),
        }
    }
    let blobs: Vec<&str> = wanted.iter().map(|(_, blob)| blob.as_str()).collect();
    let contents = world.git.blobs(bare, &blobs)?;
    fs::create_dir_all(site)
        .with_context(|| format!("making {}", site.display()))
        .or_code(Code::PagesFailed)?;
    // Removed first: what was a file may be a folder now.
    let keep: BTreeSet<PathBuf> = wanted
        .iter()
        .map(|(path, _)| site.join(path.as_str()))
        .collect();
    remove_others(site, &keep)
        .with_context(|| format!("clearing {}", site.display()))
        .or_code(Code::PagesFailed)?;
    for ((path, _), bytes) in wanted.iter().zip(contents) {
        let file = site.join(path.as_str());
        write(&file, &bytes)
            .with_context(|| format!("writing {}", file.display()))
            .or_code(Code::PagesFailed)?;
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = file.parent().context("no folder")?;
    fs::create_dir_all(parent)?;
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let mut temporary = tempfile::Builder::new()
        .prefix(".llmdeploy-")
        .tempfile_in(parent)?;
    temporary.write_all(bytes)?;
    // A page is for everybody to read, a temporary file is not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        temporary
            .as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    temporary.persist(file)?;
    Ok(())
}

/// Removes files that are not to be kept, and folders that are empty then.
fn remove_others(dir: &Path, keep: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, keep)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path)?;
            }
        } else if !keep.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The page's file in its folder, which an address names.
const INDEX: &str = "index.html";

/// The folder of a page that this forge has published, from the page's address. Earlier versions named the folder itself.
#[must_use]
pub fn folder(pages_url: &str) -> Option<PathBuf> {
    let path = pages_url.strip_prefix("file://")?;
    let folder = path.strip_suffix(INDEX).unwrap_or(path);
    Some(PathBuf::from(percent_decoded(folder)))
}

/// The same place without `..`, which is no part of a URL. A `..` behind a symbolic link leads to where the link's target lies, so
/// what is there already is asked of the system.
fn without_dots(path: &Path) -> std::io::Result<PathBuf> {
    if !path.components().any(|c| c == Component::ParentDir) {
        return Ok(path.to_owned());
    }
    let mut clean = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            if clean.exists() {
                clean = clean.canonicalize()?;
            }
            clean.pop();
        } else {
            clean.push(component);
        }
    }
    Ok(clean)
}

/// A `file://` URL (RFC 8089); a folder's ends in a slash.
fn file_url(path: &Path, folder: bool) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) {
        format!("/{}", text.replace('\\', "/"))
    } else {
        text.into_owned()
    };
    let mut url = format!(
        "file://{}",
        percent_encoded(text.trim_end_matches('/'), FILE_PATH)
    );
    if folder {
        url.push('/');
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn file_urls() {
        assert_eq!(
            file_url(Path::new("/tmp/a b/ü"), true),
            "file:///tmp/a%20b/%C3%BC/"
        );
        assert_eq!(
            file_url(Path::new("/srv/x.git"), false),
            "file:///srv/x.git"
        );
    }

    #[test]
    fn dots_are_resolved_as_the_system_does() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        std::os::unix::fs::symlink(root.join("a/b"), root.join("link")).unwrap();
        for (given, meant) in [
            ("a/../x", "x"),
            ("link/../x", "a/x"),
            ("not/there/../x", "not/x"),
            ("a/b", "a/b"),
        ] {
            assert_eq!(without_dots(&root.join(given)).unwrap(), root.join(meant));
        }
    }

    #[test]
    fn the_folder_of_a_page_also_of_an_earlier_version() {
        for url in ["file:///s/a%20b/", "file:///s/a%20b/index.html"] {
            assert_eq!(folder(url), Some(PathBuf::from("/s/a b/")));
        }
        assert_eq!(folder("https://o.github.io/r/"), None);
    }

    #[test]
    fn others_are_removed_with_their_folders() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/b/old", "a/keep", "old"] {
            write(&dir.path().join(name), b"x").unwrap();
        }
        remove_others(dir.path(), &[dir.path().join("a/keep")].into()).unwrap();
        assert!(dir.path().join("a/keep").is_file());
        assert!(!dir.path().join("a/b").exists() && !dir.path().join("old").exists());
    }
}
