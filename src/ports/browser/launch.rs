//! Starts the browser: no window, a new empty profile, a cleaned environment, and an end together with ours.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

use super::Options;
use crate::ports::process;

/// The `DevTools` pipe is on descriptors 3 and 4, where only a shell can put it without `unsafe`. The shell stays: when we are
/// killed, the browser's input ends and the browser with it, and then the profile is removed. So it is none of the children that are
/// told to end: it would leave the profile behind. What the browser says on standard error ends with the browser. Twice, for the last of the browser's processes may still be writing.
const SCRIPT: &str = r#""$0" "$@" 3<&0 4>&1 0</dev/null 1>&2; exec 2>/dev/null; rm -rf "$HOME"; sleep 1; exec rm -rf "$HOME""#;

/// How long the end of its processes may take; it is a matter of milliseconds, but on a busy machine.
const GONE: Duration = Duration::from_secs(5);

/// How much of what the browser says on standard error is kept, for the error: what it says first of what broke it, and its last
/// lines; between the two is a stack.
const LINES: usize = 12;
/// Its last words may still be on their way when it has closed the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running browser. Dropping it ends it.
pub struct Process {
    child: Child,
    said: Arc<Heard>,
    profile: TempDir,
}

/// What a browser says on standard error.
#[derive(Default)]
struct Heard {
    lines: Mutex<Lines>,
    over: Condvar,
}

#[derive(Default)]
struct Lines {
    fatal: Vec<String>,
    last: VecDeque<String>,
    over: bool,
}

impl Process {
    /// What a browser that has ended said: what broke it first, then its last lines.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let lines = self
            .said
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (lines, _) = self
            .said
            .over
            .wait_timeout_while(lines, LAST_WORDS, |l| !l.over)
            .unwrap_or_else(PoisonError::into_inner);
        lines.fatal.iter().chain(&lines.last).cloned().collect()
    }
}

/// Whether the sandbox cannot be used by this user at all.
#[must_use]
pub fn sandbox_is_refused() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// # Errors
/// It could not be started. That it ends at once is seen on the pipe.
pub fn start(
    program: &Path,
    options: &Options,
    gate: Option<SocketAddr>,
    sandbox: bool,
) -> anyhow::Result<(Process, ChildStdin, ChildStdout)> {
    let profile = tempfile::Builder::new()
        .prefix("llmdeploy-browser-")
        .tempdir()
        .context("making a profile for the browser")?;
    let shell = process::find("sh").context("there is no `sh` to start the browser with")?;
    let mut command = Command::new(shell);
    command.arg("-c").arg(SCRIPT).arg(program).args(arguments(
        profile.path(),
        options,
        gate,
        sandbox,
    ));
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    // What it leaves in its temporary directory goes with the profile.
    command
        .env("HOME", profile.path())
        .env("TMPDIR", profile.path())
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .current_dir(profile.path());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own: all its processes can be ended at once, and Ctrl-C is ours to handle.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    adopt_orphans();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let said = Arc::new(Heard::default());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let process = Process {
        child,
        said: Arc::clone(&said),
        profile,
    };
    if let Some(stderr) = stderr {
        std::thread::spawn(move || listen(stderr, &said));
    }
    let (stdin, stdout) = stdin.zip(stdout).context("no pipe to the browser")?;
    Ok((process, stdin, stdout))
}

fn arguments(
    profile: &Path,
    options: &Options,
    gate: Option<SocketAddr>,
    sandbox: bool,
) -> Vec<String> {
    let mut all: Vec<String> = [
        "--remote-debugging-pipe",
        "--headless",
        "--no-startup-window",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--disable-extensions",
        "--disable-breakpad",
        "--disable-crash-reporter",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-background-networking",
        "--disable-domain-reliability",
        "--disable-client-side-phishing-detection",
        // Timers of a page that is not in front would be slowed down.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        // Containers give 64 MB of /dev/shm; a page that needs more would crash there only.
        "--disable-dev-shm-usage",
        "--deny-permission-prompts",
        "--password-store=basic",
        "--use-mock-keychain",
        "--mute-audio",
        "--hide-scrollbars",
        // A mouse, as whoever looks at a page on a desktop has one: `(hover: hover)`, `(pointer: fine)`.
        "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
        // UDP would pass the gate by.
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication,InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater,PaintHolding,LocalNetworkAccessChecks,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
        "--lang=en-US",
        "--window-size=1280,800",
        // A page that takes all it can get ends itself before it ends the machine.
        "--js-flags=--max-old-space-size=1024",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("--user-data-dir={}", profile.display()));
    // Nothing listens on port 1: with no gate everything that is not answered by us fails at once.
    all.push(format!(
        "--proxy-server={}",
        gate.map_or_else(|| "127.0.0.1:1".to_owned(), |a| a.to_string())
    ));
    // Without `<-loopback>` requests to this machine would pass the proxy by.
    let direct = options
        .allowed
        .iter()
        .map(|a| format!(";{a}"))
        .collect::<String>();
    all.push(format!("--proxy-bypass-list=<-loopback>{direct}"));
    if !sandbox {
        all.push("--no-sandbox".to_owned());
    }
    all
}

/// Keeps what may be told, and goes on reading so that the browser never waits for us.
fn listen(stderr: impl Read, said: &Heard) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    // A line without end is read in parts.
    while (&mut stderr)
        .take(4096)
        .read_until(b'\n', &mut line)
        .is_ok_and(|n| n > 0)
    {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        let mut lines = said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if text.contains("FATAL") && lines.fatal.len() < LINES {
            lines.fatal.push(text);
            continue;
        }
        if lines.last.len() == LINES {
            lines.last.pop_front();
        }
        lines.last.push_back(text);
    }
    said.lines
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .over = true;
    said.over.notify_all();
}

/// Collects the dead of a group, which are ours since [`adopt_orphans`]; whether none is left.
#[cfg(unix)]
fn all_ended(group: rustix::process::Pid) -> bool {
    use rustix::process::{WaitOptions, waitpgid};
    while matches!(waitpgid(group, WaitOptions::NOHANG), Ok(Some(_))) {}
    let rest = crash_handlers();
    for pid in &rest {
        let _ = rustix::process::kill_process(*pid, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG);
    }
    rest.is_empty() && rustix::process::test_kill_process_group(group).is_err()
}

/// The browser's crash handlers leave its group; they end by themselves when it is gone, unless they hang. No flag keeps them from starting
/// (`--disable-crashpad-for-testing` makes every renderer crash).
#[cfg(unix)]
fn crash_handlers() -> Vec<rustix::process::Pid> {
    let own = std::process::id();
    let children =
        std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    let is_one = |pid: &&str| {
        std::fs::read_to_string(format!("/proc/{pid}/comm"))
            .is_ok_and(|name| name.contains("crashpad"))
    };
    children
        .split(' ')
        .filter(is_one)
        .filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?))
        .collect()
}

/// The browser's processes have the browser for a parent; when it is killed they become ours, not the first process's, which
/// in a container collects nobody.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

impl Drop for Process {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // Nothing in the profile is worth an orderly end. The group may be gone already.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = self.child.wait();
            // Its processes are gone a moment later, and the profile with nobody to write to it.
            let until = Instant::now() + GONE;
            while Instant::now() < until && !all_ended(group) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // With nobody left to write to it; what cannot be removed now is tried once more when the field is dropped.
        for _ in 0..5 {
            if std::fs::remove_dir_all(self.profile.path()).is_ok() || !self.profile.path().exists()
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
