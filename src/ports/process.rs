//! Child processes: a cleaned environment, all pipes drained at once, a time limit, and an end together with ours.
//!
//! Deliberately absent: a shell, inherited standard streams, anything secret in argv or the environment.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// What a child may see of our environment. `GIT_DIR` and `GIT_TRACE*` would harm, tokens must not get out, and `HOME` would
/// let curl read a `.netrc`.
const PASSED_ON: [&str; 6] = [
    "PATH",
    "TMPDIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Proxy settings, passed on except where the remote is on this machine.
const PROXIES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// How long a child that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// The children that are running, so that they can end with us.
#[derive(Clone, Default)]
pub struct Children(Arc<Mutex<BTreeSet<u32>>>);

impl Children {
    /// Asks every child to end, and theirs.
    pub fn terminate(&self) {
        for pid in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            signal(&family(*pid), Ending::Asked);
        }
    }

    pub(super) fn insert(&self, pid: u32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(pid);
    }

    pub(super) fn remove(&self, pid: u32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&pid);
    }
}

/// A process and all that it started. git ends on a signal but leaves its helper behind, which may be waiting for a server that
/// does not answer. A process group of their own would do, but then they would outlive a `kill -9` of ours.
fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let parents = parents();
    let mut n = 0;
    while let Some(parent) = family.get(n).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(child, _)| *child),
        );
        n += 1;
    }
    family
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let listed = parents_in_proc();
    if cfg!(unix) && listed.is_empty() {
        parents_by_ps()
    } else {
        listed
    }
}

/// As POSIX has it, for systems without `/proc`.
fn parents_by_ps() -> Vec<(u32, u32)> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .env_clear()
        .envs(passed_on(false))
        .stdin(Stdio::null())
        .output();
    let text = listed
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    let pair = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// As Linux tells. The fourth field of `stat` is the parent; the second is a name in brackets that may hold anything (proc(5)).
fn parents_in_proc() -> Vec<(u32, u32)> {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

#[derive(Clone, Copy)]
enum Ending {
    Asked,
    Forced,
}

#[cfg(unix)]
fn signal(family: &[u32], ending: Ending) {
    use rustix::process::{Pid, Signal, kill_process};
    for pid in family
        .iter()
        .filter_map(|pid| i32::try_from(*pid).ok().and_then(Pid::from_raw))
    {
        // The process may just have ended; there is nothing to do about that.
        let _ = kill_process(
            pid,
            if matches!(ending, Ending::Asked) {
                Signal::TERM
            } else {
                Signal::KILL
            },
        );
    }
}

#[cfg(not(unix))]
fn signal(_: &[u32], _: Ending) {}

/// A command to run.
pub struct Spec<'a> {
    pub program: &'a Path,
    pub args: Vec<OsString>,
    pub env: Vec<(String, String)>,
    pub proxies: bool,
    pub dir: Option<&'a Path>,
    /// How long it may take.
    pub limit: Duration,
}

/// What a child left behind.
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Gives the child its standard input.
pub type Feed<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'a>;
/// Hears what the child says on standard error, as it comes.
pub type Listen<'a> = Box<dyn FnMut(&[u8]) + Send + 'a>;

/// Runs a child to its end. Its input is fed and both outputs are drained at the same time, so that no pipe fills up while
/// the other side waits.
///
/// # Errors
/// The program could not be started, or took longer than its limit (it is ended then).
pub fn run(
    children: &Children,
    spec: &Spec<'_>,
    feed: Option<Feed<'_>>,
    mut listen: Option<Listen<'_>>,
) -> anyhow::Result<Output> {
    let mut command = Command::new(spec.program);
    command
        .args(&spec.args)
        .env_clear()
        .envs(passed_on(spec.proxies))
        .envs(spec.env.iter().map(|(k, v)| (k, v)));
    command
        .stdin(if feed.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(dir) = spec.dir {
        command.current_dir(dir);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", spec.program.display()))?;
    let pid = child.id();
    children.insert(pid);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let result = std::thread::scope(|scope| {
        if let (Some(mut stdin), Some(feed)) = (stdin, feed) {
            // A child that ends early closes its input; its exit status tells the story, not our broken pipe.
            scope.spawn(move || {
                let _ = feed(&mut stdin).and_then(|()| stdin.flush());
            });
        }
        let (tell, ended) = mpsc::channel();
        let told = tell.clone();
        let out = scope.spawn(move || {
            let bytes = stdout.map(|s| drain(s, None)).unwrap_or_default();
            let _ = told.send(());
            bytes
        });
        let err = scope.spawn(move || {
            let bytes = stderr
                .map(|s| drain(s, listen.as_mut()))
                .unwrap_or_default();
            let _ = tell.send(());
            bytes
        });
        let status = wait(&mut child, &ended, spec.limit);
        let (stdout, stderr) = (
            out.join().unwrap_or_default(),
            err.join().unwrap_or_default(),
        );
        status.map(|status| {
            status.map(|status| Output {
                status,
                stdout,
                stderr,
            })
        })
    });
    children.remove(pid);
    match result.with_context(|| format!("waiting for {}", shown(spec)))? {
        Some(output) => Ok(output),
        None => bail!(
            "{} took longer than {} s and was ended",
            shown(spec),
            spec.limit.as_secs()
        ),
    }
}

/// `None` when the time was up.
fn wait(
    child: &mut Child,
    ended: &mpsc::Receiver<()>,
    limit: Duration,
) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + limit;
    // Both outputs are at their end when the child and its helpers are gone.
    for _ in 0..2 {
        if ended
            .recv_timeout(until.saturating_duration_since(Instant::now()))
            .is_err()
        {
            let family = family(child.id());
            signal(&family, Ending::Asked);
            if ended.recv_timeout(GRACE).is_err() {
                signal(&family, Ending::Forced);
                child.kill()?;
            }
            child.wait()?;
            return Ok(None);
        }
    }
    child.wait().map(Some)
}

fn drain(mut from: impl Read, mut listen: Option<&mut Listen<'_>>) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 8192]);
    loop {
        match from.read(&mut part) {
            Ok(0) => return all,
            Ok(n) => {
                let bytes = part.get(..n).unwrap_or_default();
                if let Some(listen) = listen.as_mut() {
                    listen(bytes);
                }
                all.extend_from_slice(bytes);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return all,
        }
    }
}

fn passed_on(proxies: bool) -> impl Iterator<Item = (&'static str, OsString)> {
    let proxies = if proxies { &PROXIES[..] } else { &[] };
    PASSED_ON
        .iter()
        .chain(proxies)
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

/// The command as one would type it, for errors and `-v`. Secrets are never in argv, so nothing needs masking here.
#[must_use]
pub fn shown(spec: &Spec<'_>) -> String {
    let name = spec.program.file_name().unwrap_or(spec.program.as_os_str());
    std::iter::once(name)
        .chain(spec.args.iter().map(OsString::as_os_str))
        .fold(String::new(), |mut line, word| {
            let word = word.to_string_lossy();
            let plain = !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&b));
            let space = if line.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = if plain {
                write!(line, "{space}{word}")
            } else {
                write!(line, "{space}'{}'", word.replace('\'', "'\\''"))
            };
            line
        })
}

/// The program of that name on `PATH`. Looked up here, so that a missing one has an error of its own and the kernel is not
/// asked to execute every candidate.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let exe = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|d| d.is_absolute())
        .map(|d| d.join(&exe))
        .find(|p| is_executable(p))
}

/// Whether this is a file that may be executed.
#[must_use]
#[cfg(unix)]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[must_use]
#[cfg(not(unix))]
pub fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Arguments of any string kind.
pub fn args<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Vec<OsString> {
    words.into_iter().map(|w| w.as_ref().to_owned()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration, feed: Option<Feed<'_>>) -> anyhow::Result<Output> {
        let program = find("sh").unwrap();
        let spec = Spec {
            program: &program,
            args: args(["-c", script]),
            env: vec![],
            proxies: false,
            dir: None,
            limit,
        };
        run(&Children::default(), &spec, feed, None)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_lists_of_processes_agree() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pair = (child.id(), std::process::id());
        assert!(parents_in_proc().contains(&pair) && parents_by_ps().contains(&pair));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn both_pipes_are_drained_while_the_input_is_fed() {
        let input = vec![b'x'; 1 << 20];
        let out = sh(
            "tee /dev/stderr",
            Duration::from_secs(20),
            Some(Box::new(|w| w.write_all(&input))),
        )
        .unwrap();
        assert!(out.status.success());
        assert_eq!((out.stdout.len(), out.stderr.len()), (1 << 20, 1 << 20));
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let error = sh("exec sleep 60", Duration::from_millis(50), None)
            .err()
            .unwrap();
        assert!(error.to_string().contains("took longer"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_takes_too_long_is_ended_with_its_children() {
        let started = Instant::now();
        // The sleeping grandchild holds our pipes.
        let error = sh("sleep 60; true", Duration::from_millis(50), None)
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("took longer")
                && started.elapsed() < Duration::from_secs(10),
            "{error}"
        );
    }

    #[test]
    fn the_environment_is_cleaned() {
        let out = sh("env", Duration::from_secs(20), None).unwrap();
        let names: Vec<_> = String::from_utf8(out.stdout)
            .unwrap()
            .lines()
            .map(|l| l.split('=').next().unwrap().to_owned())
            .collect();
        assert!(
            names.iter().all(|n| PASSED_ON.contains(&n.as_str())
                || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&n.as_str())),
            "{names:?}"
        );
    }
}
