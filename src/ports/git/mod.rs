//! git, by its own command line: `init`, `fast-import`, `fetch`, `log`, `ls-tree`, `cat-file`, `push` in bare repositories.
//!
//! Deliberately absent: a work tree, an index, hooks, the user's configuration, and any credential of the user's.
//!
//! Whoever can write a repository's files must not thereby run programs or lead a transfer elsewhere. In the repositories of
//! the state directory, where git transfers and commits, the configuration is therefore ours each time ([`own`]). One below
//! `--local` may be the user's, is left as it is, and git only reads objects and moves a branch in it: without hooks and
//! without any protocol, nothing in its configuration is acted on.

mod call;
mod locks;
mod objects;
mod own;
mod refusal;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use self::call::{Call, base_config, null_device};
use self::objects::{copy_packs, next_blob, tree_entry, write_stream};
use self::refusal::{is_race, refusal, rejection, without_progress};
use super::askpass;
use super::forge::Author;
use super::http::is_loopback;
use super::process::{self, Children, Feed, Listen, Output, Spec, args};
use crate::error::{Code, Error, OrCode, Result};
use crate::progress::Progress;
use crate::secret::Secret;
use crate::values::{RelPath, Sha};

/// The branch that Pages serves and every round is committed to.
pub const BRANCH: &str = "refs/heads/main";
/// Where the remote's branch stands in our own repository after a fetch.
const FETCHED: &str = "refs/llmdeploy/remote";

/// Held while a process brings the folder of a local page up to date; no lock of git's.
pub const OWN_LOCK: &str = "llmdeploy.lock";

/// How often a repository is made that another process is making, too.
const INIT_TRIES: u32 = 5;
const BETWEEN_INITS: Duration = Duration::from_millis(50);

pub struct Git {
    children: Children,
    progress: Arc<dyn Progress>,
    /// How long a transfer may stand still.
    patience: Duration,
}

/// Where to fetch from and push to.
#[derive(Clone, Debug)]
pub enum Remote {
    /// A bare repository in the file system.
    Path(PathBuf),
    /// `https://host/owner/name.git` (http on loopback), without a user.
    Http {
        url: String,
        authority: String,
        host: String,
        token: Option<Secret>,
    },
}

/// What to commit.
pub struct Draft<'a> {
    pub parent: Option<&'a Sha>,
    pub author: &'a Author,
    /// Seconds since 1970, for author and committer.
    pub date: u64,
    pub message: &'a str,
    pub write: &'a BTreeMap<RelPath, &'a [u8]>,
    pub delete: &'a [RelPath],
}

/// One commit of a branch's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub sha: Sha,
    pub message: String,
}

/// A regular file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub path: String,
    pub blob: String,
    pub bytes: u64,
}

/// How a push ended, where it is not an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The remote's branch is at the commit now, or was already.
    Done,
    /// Somebody else's commit is on the branch: not fast-forward.
    Behind,
    /// The remote does not know the repository (yet).
    NotFound,
}

/// Whether a bare repository is there as a whole. `git init` makes `objects` last.
#[must_use]
pub fn is_repository(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// Before git works in a repository of the state directory.
fn restore(dir: &Path) -> Result<()> {
    own::restore(dir)
        .with_context(|| format!("writing git's configuration in {}", dir.display()))
        .or_code(Code::GitFailed)
}

impl Git {
    #[must_use]
    pub fn new(children: Children, progress: Arc<dyn Progress>, patience: Duration) -> Self {
        Self {
            children,
            progress,
            patience,
        }
    }

    /// `2.39.5`.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn version(&self) -> Result<String> {
        let output = self.ok(Call {
            args: args(["--version"]),
            ..Call::default()
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.trim();
        Ok(version
            .strip_prefix("git version ")
            .unwrap_or(version)
            .to_owned())
    }

    /// Makes a bare repository, or leaves the one that is there as it is, but for the locks of a git that was killed.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn init(&self, dir: &Path) -> Result<()> {
        let clear = || {
            locks::clear(dir)
                .with_context(|| format!("removing the locks of a dead git in {}", dir.display()))
                .or_code(Code::GitFailed)
        };
        own::require_files(dir)
            .context("looking at the repository")
            .or_code(Code::GitFailed)?;
        clear()?;
        let words = [
            "init",
            "--quiet",
            "--bare",
            "--template=",
            "--initial-branch=main",
            "--",
        ];
        let mut tries = 1;
        while !is_repository(dir) {
            let made = self.ok(Call {
                args: args(words).into_iter().chain([dir.into()]).collect(),
                ..Call::default()
            });
            match made {
                // Another process is making it at the same time.
                Err(e) if e.code == Code::GitFailed && tries < INIT_TRIES => {
                    std::thread::sleep(BETWEEN_INITS);
                }
                made => return made.map(drop),
            }
            tries += 1;
            clear()?;
        }
        Ok(())
    }

    /// Whether git can open the files of a repository, or there is none: a FIFO it would wait for without end.
    #[must_use]
    pub fn is_regular(&self, dir: &Path) -> bool {
        own::require_files(dir).is_ok()
    }

    /// Whether the commit is in a repository of the state directory, and the repository can be read.
    #[must_use]
    pub fn has(&self, dir: &Path, commit: &Sha) -> bool {
        let object = format!("{commit}^{{commit}}");
        let call = Call {
            dir: Some(dir),
            args: args(["cat-file", "-e", object.as_str()]),
            ..Call::default()
        };
        is_repository(dir)
            && restore(dir).is_ok()
            && self.call(call).is_ok_and(|output| output.status.success())
    }

    /// Makes a commit on top of `parent` in one process, without index or work tree. The same draft makes the same sha.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn commit(&self, dir: &Path, draft: &Draft<'_>) -> Result<Sha> {
        restore(dir)?;
        let call = Call {
            dir: Some(dir),
            args: args([
                "fast-import",
                "--quiet",
                "--done",
                "--force",
                "--date-format=raw",
            ]),
            config: vec![("fastimport.unpackLimit", "0".to_owned())],
            feed: Some(Box::new(|out| {
                write_stream(&mut io::BufWriter::new(out), draft)
            })),
            ..Call::default()
        };
        let output = self.ok(call)?;
        let sha = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Sha::parse(&sha)
            .map_err(anyhow::Error::msg)
            .context("reading what git fast-import made")
            .or_code(Code::GitFailed)
    }

    /// Fetches the remote's `main` with its history and says where it is; `None` for a repository without that branch.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`, `network`, `bad_token`, `forbidden`.
    pub fn fetch(&self, dir: &Path, remote: &Remote, limit: Duration) -> Result<Option<Sha>> {
        restore(dir)?;
        let refspec = format!("+{BRANCH}:{FETCHED}");
        let words = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--",
        ];
        let call = Call {
            dir: Some(dir),
            args: args(words),
            remote: Some((remote, vec![refspec.into()])),
            limit,
            ..Call::default()
        };
        let output = self.call(call)?;
        if output.status.success() {
            return self.resolve(dir, FETCHED).map(Some);
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if stderr.contains("couldn't find remote ref") {
            Ok(None)
        } else {
            Err(refusal(&stderr, "git fetch", remote))
        }
    }

    /// The branches and tags of a remote, as `refs/heads/…` and `refs/tags/…`.
    ///
    /// # Errors
    /// As [`Git::fetch`].
    pub fn references(&self, dir: &Path, remote: &Remote, limit: Duration) -> Result<Vec<String>> {
        restore(dir)?;
        let call = Call {
            dir: Some(dir),
            args: args(["ls-remote", "--quiet", "--refs", "--"]),
            remote: Some((remote, vec![])),
            limit,
            ..Call::default()
        };
        let output = self.call(call)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(refusal(&stderr, "git ls-remote", remote));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text.lines().filter_map(|l| l.split_once('\t')).map(|l| l.1);
        Ok(names
            .filter(|n| n.starts_with("refs/heads/") || n.starts_with("refs/tags/"))
            .map(ToOwned::to_owned)
            .collect())
    }

    /// The tip of `main` in a repository of this machine.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn tip(&self, dir: &Path) -> Result<Sha> {
        self.resolve(dir, BRANCH)
    }

    fn resolve(&self, dir: &Path, name: &str) -> Result<Sha> {
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(["rev-parse", "--verify", "--end-of-options", name]),
            ..Call::default()
        })?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Sha::parse(&text)
            .map_err(anyhow::Error::msg)
            .context("reading git rev-parse")
            .or_code(Code::GitFailed)
    }

    /// The history that ends in `tip`, newest first.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn log(&self, dir: &Path, tip: &Sha) -> Result<Vec<LogEntry>> {
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(["log", "-z", "--format=%H%n%B", tip.as_str(), "--"]),
            ..Call::default()
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split('\0')
            .filter(|e| !e.is_empty())
            .map(|entry| {
                let (sha, message) = entry.split_once('\n').unwrap_or((entry, ""));
                let sha = Sha::parse(sha)
                    .map_err(anyhow::Error::msg)
                    .context("reading git log")
                    .or_code(Code::GitFailed)?;
                Ok(LogEntry {
                    sha,
                    message: message.to_owned(),
                })
            })
            .collect()
    }

    /// Who made a commit, and when, in seconds since 1970.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn author(&self, dir: &Path, commit: &Sha) -> Result<(Author, u64)> {
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(["log", "-1", "--format=%an%n%ae%n%at", commit.as_str(), "--"]),
            ..Call::default()
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = text.lines().map(ToOwned::to_owned);
        let mut line = || lines.next().unwrap_or_default();
        let author = Author {
            name: line(),
            email: line(),
        };
        let date = line()
            .parse()
            .context("reading the date of a commit")
            .or_code(Code::GitFailed)?;
        Ok((author, date))
    }

    /// The regular files of a commit, named by its id or a branch. Links and submodules are left out.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn tree(&self, dir: &Path, commit: &str) -> Result<Vec<TreeEntry>> {
        let words = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit];
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(words),
            ..Call::default()
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.split('\0').filter_map(tree_entry).collect())
    }

    /// The contents of blobs, in the order asked for, one process for all.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn blobs(&self, dir: &Path, ids: &[&str]) -> Result<Vec<Vec<u8>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let feed: Feed<'_> = Box::new(|out| ids.iter().try_for_each(|id| writeln!(out, "{id}")));
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(["cat-file", "--batch"]),
            feed: Some(feed),
            ..Call::default()
        })?;
        let mut rest = output.stdout.as_slice();
        ids.iter()
            .map(|id| {
                next_blob(&mut rest)
                    .with_context(|| format!("reading blob {id}"))
                    .or_code(Code::GitFailed)
            })
            .collect()
    }

    /// The ids that files have as blobs, in the order asked for, one process for all.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn hash(&self, dir: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
        let feed: Feed<'_> = Box::new(|out| {
            files.iter().try_for_each(|file| {
                out.write_all(file.as_os_str().as_encoded_bytes())?;
                out.write_all(b"\n")
            })
        });
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(["hash-object", "--no-filters", "--stdin-paths"]),
            feed: Some(feed),
            ..Call::default()
        })?;
        let ids: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(ToOwned::to_owned)
            .collect();
        if ids.len() == files.len() {
            Ok(ids)
        } else {
            let message = format!("git hash-object named {} of {}", ids.len(), files.len());
            Err(Error::new(Code::GitFailed, message))
        }
    }

    /// Each path with each blob that a commit of any branch has there.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`.
    pub fn versions(&self, dir: &Path) -> Result<HashSet<(String, String)>> {
        let words = [
            "log",
            "--branches",
            "--format=",
            "--raw",
            "-r",
            "-z",
            "-m",
            "--root",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let output = self.ok(Call {
            dir: Some(dir),
            args: args(words),
            ..Call::default()
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = text.split('\0');
        let mut all = HashSet::new();
        // `:MODE SP MODE SP OBJECT SP OBJECT SP STATUS NUL PATH NUL`, see git-diff-tree(1), RAW OUTPUT FORMAT.
        while let (Some(facts), Some(path)) = (parts.next(), parts.next()) {
            if let Some(blob) = facts.split(' ').nth(3) {
                all.insert((path.to_owned(), blob.to_owned()));
            }
        }
        Ok(all)
    }

    /// Brings a commit to the remote's `main`, on top of `parent`, never forced.
    ///
    /// # Errors
    /// `git_missing`, `git_failed`, `push_rejected`, `network`, `bad_token`, `forbidden`.
    pub fn push(
        &self,
        dir: &Path,
        remote: &Remote,
        commit: &Sha,
        parent: Option<&Sha>,
        limit: Duration,
    ) -> Result<Pushed> {
        restore(dir)?;
        match remote {
            Remote::Path(to) => self.hand_over(dir, to, commit, parent),
            Remote::Http { .. } => self.send(dir, remote, commit, limit),
        }
    }

    /// To a repository on this machine: its packs first, then the branch, if it still is where the commit's parent is. That
    /// is what a push does, in one process instead of eight.
    fn hand_over(
        &self,
        from: &Path,
        to: &Path,
        commit: &Sha,
        parent: Option<&Sha>,
    ) -> Result<Pushed> {
        copy_packs(from, to)
            .with_context(|| format!("bringing the commit to {}", to.display()))
            .or_code(Code::GitFailed)?;
        // All zeros: the branch must not be there.
        let before = parent.map_or_else(|| "0".repeat(commit.as_str().len()), ToString::to_string);
        let output = self.call(Call {
            dir: Some(to),
            args: args(["update-ref", BRANCH, commit.as_str(), &before]),
            ..Call::default()
        })?;
        if output.status.success() {
            return Ok(Pushed::Done);
        }
        match self.tip(to) {
            Ok(tip) if tip == *commit => Ok(Pushed::Done),
            Ok(_) => Ok(Pushed::Behind),
            Err(_) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                // The branch is not there yet, but another process is making it.
                if is_race(&stderr) {
                    Ok(Pushed::Behind)
                } else {
                    Err(rejection(&stderr, "git update-ref failed"))
                }
            }
        }
    }

    fn send(&self, dir: &Path, remote: &Remote, commit: &Sha, limit: Duration) -> Result<Pushed> {
        let refspec = format!("{commit}:{BRANCH}");
        let progress = Arc::clone(&self.progress);
        let listen: Listen<'_> = Box::new(move |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Some(line) = text
                .rsplit(['\r', '\n'])
                .find(|l| l.starts_with("Writing objects"))
            {
                progress.detail(line);
            }
        });
        let call = Call {
            dir: Some(dir),
            args: args(["push", "--porcelain", "--progress", "--no-verify", "--"]),
            remote: Some((remote, vec![refspec.into()])),
            limit,
            listen: Some(listen),
            ..Call::default()
        };
        let output = self.call(call)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = without_progress(&String::from_utf8_lossy(&output.stderr));
        // `flag TAB from:to TAB summary`, see git-push(1), OUTPUT.
        let line = stdout.lines().find(|l| l.contains(&format!(":{BRANCH}\t")));
        match line.and_then(|l| l.chars().next()) {
            Some('*' | '=' | ' ') if output.status.success() => Ok(Pushed::Done),
            Some('!') => {
                let summary = line.and_then(|l| l.rsplit('\t').next()).unwrap_or_default();
                if is_race(summary) {
                    Ok(Pushed::Behind)
                } else {
                    Err(rejection(&stderr, summary))
                }
            }
            _ if stderr.contains("not found") && !stderr.contains("Could not resolve") => {
                Ok(Pushed::NotFound)
            }
            _ => Err(refusal(&stderr, "git push", remote)),
        }
    }

    fn ok(&self, call: Call<'_>) -> Result<Output> {
        let words: Vec<_> = call
            .args
            .iter()
            .map(|w| w.to_string_lossy().into_owned())
            .collect();
        let output = self.call(call)?;
        if output.status.success() {
            return Ok(output);
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let error = Error::new(
            Code::GitFailed,
            format!("git {}: {}: {stderr}", words.join(" "), output.status),
        );
        Err(if stderr.contains("dubious ownership") {
            error.hint("the repository belongs to another user; run as that user, or chown it")
        } else {
            error
        })
    }

    fn call(&self, call: Call<'_>) -> Result<Output> {
        let program = process::find("git").ok_or_else(|| {
            Error::new(Code::GitMissing, "git is not on PATH")
                .hint("install git (https://git-scm.com), e.g. apt-get install git")
        })?;
        let protocol = call.protocol().to_owned();
        let mut config = base_config();
        config.extend(call.config);
        let mut env = vec![
            ("GIT_TERMINAL_PROMPT", "0".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_CONFIG_GLOBAL", null_device().to_owned()),
            // What misses an object does not ask the remote that a configuration names.
            ("GIT_NO_LAZY_FETCH", "1".to_owned()),
            // Unlike `protocol.allow`, no configuration overrides it.
            ("GIT_ALLOW_PROTOCOL", protocol),
            ("LC_ALL", "C".to_owned()),
        ];
        // A transfer that takes too long is the network's fault, anything else is not.
        let code = if call.remote.is_some() {
            Code::Network
        } else {
            Code::GitFailed
        };
        let mut words = call.args;
        let mut proxies = false;
        // Kept until the child has ended.
        let mut _askpass = None;
        if let Some((remote, refspecs)) = call.remote {
            match remote {
                Remote::Path(path) => words.push(path.into()),
                Remote::Http {
                    url,
                    authority,
                    host,
                    token,
                } => {
                    proxies = !is_loopback(host);
                    config.push(("http.followRedirects", "false".to_owned()));
                    // A transfer that stands still is given up, so that the walk's deadline is not spent on it.
                    config.push(("http.lowSpeedLimit", "1".to_owned()));
                    config.push((
                        "http.lowSpeedTime",
                        self.patience.as_secs().max(1).to_string(),
                    ));
                    words.push(match token {
                        Some(token) => {
                            let server =
                                askpass::Server::start(authority, token).or_code(Code::Internal)?;
                            let this = std::env::current_exe()
                                .context("finding this program's own path")
                                .or_code(Code::Internal)?;
                            env.push(("GIT_ASKPASS", this.to_string_lossy().into_owned()));
                            env.push((askpass::VARIABLE, server.invitation()));
                            // Since 2.46 git sends the token with its first request instead of being asked for it.
                            config.push(("http.proactiveAuth", "basic".to_owned()));
                            _askpass = Some(server);
                            url.replacen("://", &format!("://{}@", askpass::USER), 1)
                                .into()
                        }
                        None => url.into(),
                    });
                }
            }
            words.extend(refspecs);
        }
        env.push(("GIT_CONFIG_COUNT", config.len().to_string()));
        let mut env: Vec<(String, String)> =
            env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        for (n, (key, value)) in config.into_iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{n}"), key.to_owned()));
            env.push((format!("GIT_CONFIG_VALUE_{n}"), value));
        }
        if let Some(dir) = call.dir {
            env.push(("GIT_DIR".to_owned(), dir.to_string_lossy().into_owned()));
        }
        let spec = Spec {
            program: &program,
            args: words,
            env,
            proxies,
            dir: call.dir,
            limit: call.limit,
        };
        self.progress.trace(&process::shown(&spec));
        process::run(&self.children, &spec, call.feed, call.listen).or_code(code)
    }
}
