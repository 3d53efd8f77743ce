//! A forge that needs no account: a bare repository `DIR/<repo>.git`, and the page's files in `DIR/<repo>/`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use super::World;
use super::forge::{Author, Forge, Live, Page, Repository};
use super::git::{BRANCH, OWN_LOCK, Remote, is_repository};
use crate::disk;
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
            private: false,
            archived: false,
            transferred: None,
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
        let _turn = turn(&bare)?;
        deployed(world, &bare, &self.site(name), Code::NameTaken)?;
        Ok(Some(self.repository(name, false)))
    }

    fn create(&self, world: &World, name: &str, _description: &str) -> Result<Repository> {
        if let Some(found) = self.find(world, name)? {
            return Ok(found);
        }
        let (bare, site) = (self.bare(name), self.site(name));
        let listed = files_below(&site)
            .with_context(|| format!("reading {}", site.display()))
            .or_code(Code::GitFailed)?;
        let foreign = match listed {
            Ok(files) => files.first().map(|path| site.join(path.as_str())),
            Err(foreign) => Some(foreign),
        };
        if let Some(foreign) = foreign {
            // Another process may have made the repository and the page meanwhile.
            return match self.find(world, name)? {
                Some(found) => Ok(found),
                None => Err(not_ours(&foreign, Code::NameTaken)),
            };
        }
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("making {}", self.dir.display()))
            .or_code(Code::GitFailed)?;
        world.git.init(&bare)?;
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

    /// Brings the folder to what `main` holds now, which is the commit or a later one.
    fn wait_live(&self, world: &World, name: &str, _: &Page<'_>, _: Instant) -> Result<Live> {
        let (bare, site) = (self.bare(name), self.site(name));
        let _turn = turn(&bare)?;
        check_out(world, &bare, &site)?;
        Ok(Live::Yes)
    }
}

/// Two processes take turns at a page's folder.
fn turn(bare: &Path) -> Result<File> {
    let file = bare.join(OWN_LOCK);
    let open = disk::open_or_make(&file, OpenOptions::new().write(true));
    open.and_then(|f| f.lock().map(|()| f))
        .with_context(|| format!("locking {}", file.display()))
        .or_code(Code::State)
}

/// The files in a page's folder, with their blobs. All of them were written by deployments: each holds what a commit of the
/// repository has at its path, so that nothing is lost when it is replaced or removed.
///
/// # Errors
/// `refusal`, naming what else is there.
fn deployed(
    world: &World,
    bare: &Path,
    site: &Path,
    refusal: Code,
) -> Result<BTreeMap<RelPath, String>> {
    let listed = files_below(site)
        .with_context(|| format!("reading {}", site.display()))
        .or_code(refusal)?;
    let files = listed.map_err(|foreign| not_ours(&foreign, refusal))?;
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let paths: Vec<PathBuf> = files.iter().map(|path| site.join(path.as_str())).collect();
    let blobs = world.git.hash(bare, &paths)?;
    let versions = world.git.versions(bare)?;
    let there: BTreeMap<RelPath, String> = files.into_iter().zip(blobs).collect();
    let foreign = there
        .iter()
        .find(|(path, blob)| !versions.contains(&(path.to_string(), (*blob).clone())));
    match foreign {
        Some((path, _)) => Err(not_ours(&site.join(path.as_str()), refusal)),
        None => Ok(there),
    }
}

fn not_ours(what: &Path, code: Code) -> Error {
    let message = format!(
        "{} is there already and was not written by a deployment of llmdeploy",
        what.display()
    );
    Error::new(code, message)
        .hint("move it away, or choose another folder with --local, or another name with --repo")
}

/// The regular files below a folder that need not be there; or what is there and cannot be a deployment's: a link, in the
/// folder's own place too, a FIFO, a `.git`.
fn files_below(folder: &Path) -> io::Result<std::result::Result<Vec<RelPath>, PathBuf>> {
    match disk::kind(folder)? {
        None => return Ok(Ok(Vec::new())),
        Some(found) if found.is_dir() => {}
        Some(_) => return Ok(Err(folder.to_owned())),
    }
    let mut folders = vec![(folder.to_owned(), String::new())];
    let mut files = Vec::new();
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, found) = (entry.path(), entry.file_type()?);
            let name = entry.file_name();
            let below = name
                .to_str()
                .and_then(|name| RelPath::parse(&format!("{prefix}{name}")).ok());
            match below {
                Some(below) if found.is_file() => files.push(below),
                Some(below) if found.is_dir() => folders.push((path, format!("{below}/"))),
                _ => return Ok(Err(path)),
            }
        }
    }
    Ok(Ok(files))
}

/// Removes what `main` does not hold, then writes each file beside the folder and renames it, so that a reader never sees
/// half a file.
fn check_out(world: &World, bare: &Path, site: &Path) -> Result<()> {
    let mut wanted = BTreeMap::new();
    for entry in world.git.tree(bare, BRANCH)? {
        // A repository that was adopted may hold paths that are not safe to write.
        match RelPath::parse(&entry.path) {
            Ok(path) => drop(wanted.insert(path, entry.blob)),
            Err(why) => world.progress.warn(&format!(
                "{}: {why}; not written to {}",
                entry.path,
                site.display()
            )),
        }
    }
    let there = deployed(world, bare, site, Code::PagesFailed)?;
    fs::create_dir_all(site)
        .with_context(|| format!("making {}", site.display()))
        .or_code(Code::PagesFailed)?;
    // Removed first: what was a file may be a folder now.
    for path in there.keys().filter(|path| !wanted.contains_key(*path)) {
        remove(site, path)
            .with_context(|| format!("removing {path} from {}", site.display()))
            .or_code(Code::PagesFailed)?;
    }
    wanted.retain(|path, blob| there.get(path) != Some(blob));
    let blobs: Vec<&str> = wanted.values().map(String::as_str).collect();
    let contents = world.git.blobs(bare, &blobs)?;
    let beside = bare.join(BESIDE);
    let made = || {
        remove_dir(&beside)?;
        fs::create_dir(&beside)
    };
    made()
        .with_context(|| format!("making {}", beside.display()))
        .or_code(Code::PagesFailed)?;
    for (path, bytes) in wanted.keys().zip(contents) {
        let replace = there.contains_key(path);
        write(&beside, site, path, &bytes, replace)
            .with_context(|| format!("writing {}", site.join(path.as_str()).display()))
            .or_code(Code::PagesFailed)?;
    }
    remove_dir(&beside)
        .with_context(|| format!("removing {}", beside.display()))
        .or_code(Code::PagesFailed)
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// `replace`: a deployment's file is there. Where there was none, none is overwritten that has appeared meanwhile.
fn write(
    beside: &Path,
    site: &Path,
    path: &RelPath,
    bytes: &[u8],
    replace: bool,
) -> anyhow::Result<()> {
    let file = site.join(path.as_str());
    let mut folder = site.to_owned();
    if let Some((folders, _)) = path.as_str().rsplit_once('/') {
        for name in folders.split('/') {
            folder.push(name);
            match fs::create_dir(&folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
                _ if disk::kind(&folder)?.is_some_and(|found| found.is_dir()) => {}
                _ => bail!("{} is not a folder", folder.display()),
            }
        }
    }
    if disk::kind(&file)?.is_some_and(|found| found.is_dir()) {
        // Without a file in it, or it would have been refused.
        fs::remove_dir(&file)?;
    }
    let mut temporary = tempfile::NamedTempFile::new_in(beside)?;
    temporary.write_all(bytes)?;
    // A page is for everybody to read, a temporary file is not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        temporary
            .as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    if replace {
        temporary.persist(&file)?;
    } else {
        temporary.persist_noclobber(&file)?;
    }
    Ok(())
}

/// Removes a file, and the folders above it that are empty then.
fn remove(site: &Path, path: &RelPath) -> io::Result<()> {
    let file = site.join(path.as_str());
    fs::remove_file(&file)?;
    file.ancestors()
        .skip(1)
        .take_while(|folder| *folder != site && fs::remove_dir(folder).is_ok())
        .for_each(drop);
    Ok(())
}

/// Where files are written before they are renamed into the page's folder: in the repository, so that what a process that was
/// killed leaves is not served, and not taken for the user's.
const BESIDE: &str = "llmdeploy-files";

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
    fn a_file_is_removed_with_its_folders_and_replaced_only_where_told() {
        let dir = tempfile::tempdir().unwrap();
        let (beside, site) = (dir.path().join("beside"), dir.path().join("site"));
        fs::create_dir(&beside).unwrap();
        fs::create_dir(&site).unwrap();
        let path = |name: &str| RelPath::parse(name).unwrap();
        for name in ["a/b/old", "a/keep", "old"] {
            write(&beside, &site, &path(name), b"x", false).unwrap();
        }
        remove(&site, &path("a/b/old")).unwrap();
        remove(&site, &path("old")).unwrap();
        assert!(site.join("a/keep").is_file());
        assert!(!site.join("a/b").exists() && !site.join("old").exists());
        assert!(write(&beside, &site, &path("a/keep"), b"y", false).is_err());
        assert_eq!(fs::read(site.join("a/keep")).unwrap(), b"x");
        write(&beside, &site, &path("a/keep"), b"y", true).unwrap();
        assert_eq!(fs::read(site.join("a/keep")).unwrap(), b"y");
        // An empty folder is in nobody's way.
        fs::create_dir(site.join("page")).unwrap();
        write(&beside, &site, &path("page"), b"y", false).unwrap();
        assert_eq!(fs::read_dir(&beside).unwrap().count(), 0);
    }
}
