//! The steps of one run on record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::files;
use super::lock::Lock;
use crate::disk;
use crate::error::{Code, Error, OrCode, Result};
use crate::values::{FileSet, RelPath, RunId, sha256_hex};

/// Who and what a run is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run<C> {
    pub email: String,
    pub task: String,
    pub round: u64,
    pub nonce: String,
    pub evaluation_url: Option<String>,
    /// What the task says, as digests.
    pub content: C,
    /// Seconds since 1970. The date of the commit, so that it is the same commit after a kill.
    pub started_at: u64,
    /// How often `--fresh` began it anew. From then on a commit of this run on the remote is not the one wanted.
    pub fresh: u32,
}

/// A run that this process works on.
pub struct Journal {
    dir: PathBuf,
    _lock: Lock,
}

/// What opening a run found.
pub struct Opened<C> {
    pub journal: Journal,
    pub run: Run<C>,
    /// An earlier process has begun it.
    pub known: bool,
}

/// A step's result with the time it took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step<T> {
    pub ms: u64,
    pub value: T,
}

/// Names the record of a stage, and says what it holds.
pub struct Key<T> {
    name: &'static str,
    holds: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            holds: PhantomData,
        }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> AsRef<str> for Key<T> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl Journal {
    /// Takes the run, or begins it. `fresh` forgets what is on record.
    ///
    /// # Errors
    /// `busy`, `state`; `differs` may refuse what is on record.
    pub fn open<C: Serialize + for<'a> Deserialize<'a>>(
        state: &Path,
        id: &RunId,
        new: Run<C>,
        fresh: bool,
        differs: impl FnOnce(&Run<C>) -> Result<()>,
    ) -> Result<Opened<C>> {
        let dir = state.join("runs").join(id.as_str());
        let lock = Lock::take(&dir.join("lock"))?;
        let journal = Self { dir, _lock: lock };
        let known = if fresh {
            journal.read::<Run<C>>("run").unwrap_or(None)
        } else {
            journal.read::<Run<C>>("run")?
        };
        let run = match known {
            Some(known) if !fresh => {
                known.require(id, &journal.file("run"))?;
                differs(&known)?;
                return Ok(Opened {
                    journal,
                    run: known,
                    known: true,
                });
            }
            // What cannot be read any more was something, too.
            Some(known) => Run {
                fresh: known.fresh + 1,
                ..new
            },
            None => Run {
                fresh: u32::from(fresh),
                ..new
            },
        };
        journal.clear()?;
        journal.write("run", &run)?;
        Ok(Opened {
            journal,
            run,
            known: false,
        })
    }

    /// Takes a run that was begun; `None` if nothing is known of it.
    ///
    /// # Errors
    /// `busy`, `state`.
    pub fn take(state: &Path, id: &RunId) -> Result<Option<Self>> {
        let dir = state.join("runs").join(id.as_str());
        if !is_there(&dir.join("run.json"))? {
            return Ok(None);
        }
        let lock = Lock::take(&dir.join("lock"))?;
        // Dropped between the look and the lock: then the lock has made an empty folder.
        if !is_there(&dir.join("run.json"))? {
            return Ok(None);
        }
        Ok(Some(Self { dir, _lock: lock }))
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[must_use]
    pub fn git_dir(&self) -> PathBuf {
        self.dir.join("repo.git")
    }

    /// Removes the run's own repository.
    ///
    /// # Errors
    /// `state`.
    pub fn forget_git(&self) -> Result<()> {
        remove_dir(&self.git_dir())
    }

    /// # Errors
    /// `state`.
    pub fn read<T: for<'a> Deserialize<'a>>(&self, name: impl AsRef<str>) -> Result<Option<T>> {
        files::read_json(&self.file(name.as_ref()))
    }

    /// # Errors
    /// `state`.
    pub fn write<T: Serialize>(&self, name: impl AsRef<str>, value: &T) -> Result<()> {
        files::write_json(&self.file(name.as_ref()), value)
    }

    /// What a stage has made.
    ///
    /// # Errors
    /// `state`.
    pub fn get<T: for<'a> Deserialize<'a>>(&self, key: Key<T>) -> Result<Option<Step<T>>> {
        self.read(key)
    }

    /// Records what a stage has made.
    ///
    /// # Errors
    /// `state`.
    pub fn put<T: Serialize>(&self, key: Key<T>, ms: u64, value: T) -> Result<Step<T>> {
        let step = Step { ms, value };
        self.write(key, &step)?;
        Ok(step)
    }

    /// Gives back what is on record, or does the work and records it. The work looks at the world first: an earlier process
    /// may have done it and died before the record.
    ///
    /// # Errors
    /// The work's, and `state`.
    pub fn step<T: Serialize + for<'a> Deserialize<'a>>(
        &self,
        key: Key<T>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<Step<T>> {
        if let Some(step) = self.get(key)? {
            return Ok(step);
        }
        let started = Instant::now();
        let value = work()?;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.put(key, ms, value)
    }

    /// Takes steps off the record.
    ///
    /// # Errors
    /// `state`.
    pub fn forget(&self, names: &[&str]) -> Result<()> {
        for name in names {
            let file = self.file(name);
            match fs::remove_file(&file) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(e)
                        .with_context(|| format!("removing {}", file.display()))
                        .or_code(Code::State);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stores the generated files, each under its digest, so that those of an earlier record stay what they are. They are there
    /// before the step that lists them is recorded.
    ///
    /// # Errors
    /// `state`.
    pub fn store_files(&self, contents: &FileSet) -> Result<()> {
        let app = self.dir.join("app");
        files::make_dir(&app)?;
        contents
            .values()
            .try_for_each(|bytes| files::write(&app.join(sha256_hex(bytes)), bytes))
    }

    /// Drops the stored files that are none of these, when the step that lists these is recorded.
    ///
    /// # Errors
    /// `state`.
    pub fn keep_files(&self, digests: &BTreeMap<RelPath, String>) -> Result<()> {
        let app = self.dir.join("app");
        let failed = || format!("clearing {}", app.display());
        let wanted: BTreeSet<&String> = digests.values().collect();
        for entry in fs::read_dir(&app)
            .with_context(failed)
            .or_code(Code::State)?
        {
            let entry = entry.with_context(failed).or_code(Code::State)?;
            if entry
                .file_name()
                .to_str()
                .is_none_or(|name| !wanted.contains(&name.to_owned()))
            {
                let path = entry.path();
                if path.is_dir() {
                    remove_dir(&path)?;
                } else {
                    fs::remove_file(&path)
                        .with_context(failed)
                        .or_code(Code::State)?;
                }
            }
        }
        Ok(())
    }

    /// The stored files, by the digests they must have.
    ///
    /// # Errors
    /// `state` for one that is missing or was changed.
    pub fn load_files(&self, digests: &BTreeMap<RelPath, String>) -> Result<FileSet> {
        let load = |path: &RelPath, digest: &String| {
            let file = self.dir.join("app").join(digest);
            // Under its path: by a version that did not know digests for names.
            let earlier = self.dir.join("app").join(path.as_str());
            let read = files::read(&file).or_else(|e| files::read(&earlier).map_err(|_| e));
            let bytes = read
                .with_context(|| format!("reading {path}, {}", file.display()))
                .or_code(Code::State);
            match bytes {
                Ok(bytes) if sha256_hex(&bytes) == *digest => Ok((path.clone(), bytes)),
                Ok(_) => Err(Error::new(
                    Code::State,
                    format!("{path}, {}, is not what was recorded", file.display()),
                )),
                Err(e) => Err(e),
            }
        };
        let files: Result<FileSet> = digests
            .iter()
            .map(|(path, digest)| load(path, digest))
            .collect();
        files.map_err(|e| e.hint("run again with --fresh to generate anew; to deploy files of your own use --site DIR"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    /// Empties the folder, all but the lock, which is ours, and the log, which this process may be writing. `run.json` goes last: while it is there the rest is its.
    fn clear(&self) -> Result<()> {
        let failed = || format!("clearing {}", self.dir.display());
        for entry in fs::read_dir(&self.dir)
            .with_context(failed)
            .or_code(Code::State)?
        {
            let entry = entry.with_context(failed).or_code(Code::State)?;
            let (name, path) = (entry.file_name(), entry.path());
            if path.is_dir() {
                remove_dir(&path)?;
            } else if name != "lock" && name != "log" && name != "run.json" {
                fs::remove_file(&path)
                    .with_context(failed)
                    .or_code(Code::State)?;
            }
        }
        self.forget(&["run"])
    }
}

impl<C> Run<C> {
    /// Refuses a record that was put into another run's place: its steps would be taken for those of the run that is asked for.
    ///
    /// # Errors
    /// `state`.
    pub fn require(&self, id: &RunId, file: &Path) -> Result<()> {
        let own = RunId::of(&self.email, &self.task, self.round, &self.nonce);
        if own == *id {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(file).display();
        let message = format!("{} is of another run, {own}", file.display());
        Err(Error::new(Code::State, message).hint(format!(
            "what was pushed is on the remote: remove {folder} and run the same command again"
        )))
    }
}

fn is_there(file: &Path) -> Result<bool> {
    disk::kind(file)
        .map(|found| found.is_some())
        .with_context(|| format!("looking at {}", file.display()))
        .or_code(Code::State)
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e)
            .with_context(|| format!("removing {}", dir.display()))
            .or_code(Code::State),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> (FileSet, BTreeMap<RelPath, String>) {
        let path = RelPath::parse("a/index.html").unwrap();
        let digests = [(path.clone(), sha256_hex(text.as_bytes()))].into();
        ([(path, text.into())].into(), digests)
    }

    /// Killed between the files and the record, the old record's files are there still; after the record they are not kept.
    #[test]
    fn files_of_two_records_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal {
            dir: dir.path().to_owned(),
            _lock: Lock::take(&dir.path().join("lock")).unwrap(),
        };
        let ((old, old_digests), (new, new_digests)) = (files("old"), files("new"));
        // As earlier versions kept them.
        fs::create_dir_all(dir.path().join("app/a")).unwrap();
        fs::write(dir.path().join("app/a/index.html"), "old").unwrap();
        assert_eq!(journal.load_files(&old_digests).unwrap(), old);
        journal.store_files(&old).unwrap();
        journal.store_files(&new).unwrap();
        assert_eq!(journal.load_files(&old_digests).unwrap(), old);
        assert_eq!(journal.load_files(&new_digests).unwrap(), new);
        journal.keep_files(&new_digests).unwrap();
        assert!(journal.load_files(&old_digests).is_err());
        assert_eq!(journal.load_files(&new_digests).unwrap(), new);
    }
}
