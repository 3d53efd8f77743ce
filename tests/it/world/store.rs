//! The repositories: their records, and the bare repositories on disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::pages::Site;

/// What GitHub knows about one repository beside its objects.
pub struct Repo {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub in_org: bool,
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub private: bool,
    /// `owner/name` it had before, in lower case.
    pub old_names: Vec<String>,
    pub archived: bool,
    pub flags: BTreeMap<String, bool>,
    pub topics: Vec<String>,
    pub created: SystemTime,
    pub pushed: SystemTime,
    /// When it was created by a request: it may not be visible at once.
    pub fresh_since: Option<Instant>,
    pub site: Option<Site>,
    pub dir: PathBuf,
}

impl Repo {
    pub fn is(&self, owner: &str, name: &str) -> bool {
        self.owner.eq_ignore_ascii_case(owner) && self.name.eq_ignore_ascii_case(name)
    }

    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub fn branch(&self, branch: &str) -> Option<String> {
        read_branch(&self.dir, branch)
    }

    pub fn flag(&self, name: &str, usual: bool) -> bool {
        self.flags.get(name).copied().unwrap_or(usual)
    }
}

/// git with nothing of the test's own surroundings in its environment.
pub fn git(home: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    configure(
        &mut command,
        &[
            ("safe.directory", "*"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("core.hooksPath", "/dev/null"),
        ],
    );
    command
}

/// Configuration by environment, so that no file of the repository has to change.
pub fn configure(command: &mut Command, pairs: &[(&str, &str)]) {
    for (at, (key, value)) in pairs.iter().enumerate() {
        command
            .env(format!("GIT_CONFIG_KEY_{at}"), key)
            .env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    command.env("GIT_CONFIG_COUNT", pairs.len().to_string());
}

/// What a command with that input put out. Both ends of the pipes are served at once.
pub fn feed(command: &mut Command, input: &[u8]) -> std::io::Result<(bool, Vec<u8>, Vec<u8>)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that wants no more input closes the pipe, and that is no error.
            let _ = stdin.write_all(input);
        });
        let output = child.wait_with_output()?;
        Ok((output.status.success(), output.stdout, output.stderr))
    })
}

/// Runs git in a repository. `None` where it fails.
pub fn ask<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Option<Vec<u8>> {
    let mut command = git(dir);
    command.arg("--git-dir").arg(dir).args(args);
    let (good, out, _) = feed(&mut command, b"").ok()?;
    good.then_some(out)
}

/// An empty bare repository whose branch is `main`, laid out by hand: no process needed.
pub fn init(dir: &Path) {
    for part in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        fs::create_dir_all(dir.join(part)).expect("repository folder");
    }
    fs::write(dir.join("HEAD"), "ref: refs/heads/main\n").expect("HEAD");
    fs::write(
        dir.join("config"),
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
    )
    .expect("config");
}

pub fn read_branch(dir: &Path, branch: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(dir.join("refs/heads").join(branch)) {
        return Some(text.trim().to_owned());
    }
    let packed = fs::read_to_string(dir.join("packed-refs")).ok()?;
    let end = format!(" refs/heads/{branch}");
    packed
        .lines()
        .find_map(|line| line.strip_suffix(&end))
        .map(str::to_owned)
}

/// A commit by someone else on top of `main`; the sha.
pub fn commit(dir: &Path, files: &[(&str, &[u8])], message: &str) -> String {
    let tip = read_branch(dir, "main");
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let who = format!("Someone Else <someone@example.com> {seconds} +0000");
    let mut script = format!(
        "commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {}\n{message}\n",
        message.len()
    )
    .into_bytes();
    if let Some(tip) = &tip {
        script.extend_from_slice(format!("from {tip}\n").as_bytes());
    }
    for (path, bytes) in files {
        let quoted = path
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        script.extend_from_slice(
            format!("M 100644 inline \"{quoted}\"\ndata {}\n", bytes.len()).as_bytes(),
        );
        script.extend_from_slice(bytes);
        script.push(b'\n');
    }
    script.extend_from_slice(b"done\n");
    let mut command = git(dir);
    command
        .arg("--git-dir")
        .arg(dir)
        .args(["fast-import", "--quiet", "--done"]);
    let (good, _, errors) = feed(&mut command, &script).expect("git fast-import runs");
    assert!(
        good,
        "git fast-import: {}",
        String::from_utf8_lossy(&errors)
    );
    read_branch(dir, "main").expect("fast-import wrote the branch")
}

/// All files of one commit.
pub fn tree(dir: &Path, sha: &str) -> BTreeMap<String, Vec<u8>> {
    let listing = ask(dir, &["ls-tree", "-r", "-z", sha]).unwrap_or_default();
    let mut rows = Vec::new();
    for row in listing
        .split(|byte| *byte == 0)
        .filter(|row| !row.is_empty())
    {
        let text = String::from_utf8_lossy(row).into_owned();
        let (kind, path) = text.split_once('\t').expect("ls-tree separates by tab");
        rows.push((
            kind.split(' ').nth(2).expect("object id").to_owned(),
            path.to_owned(),
        ));
    }
    let wanted: String = rows
        .iter()
        .flat_map(|(id, _)| [id.as_str(), "\n"])
        .collect();
    let mut command = git(dir);
    command
        .arg("--git-dir")
        .arg(dir)
        .args(["cat-file", "--batch"]);
    let (_, out, _) = feed(&mut command, wanted.as_bytes()).expect("git cat-file runs");
    let mut rest = out.as_slice();
    let mut files = BTreeMap::new();
    for (_, path) in rows {
        let line_end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line for each object");
        let line = String::from_utf8_lossy(&rest[..line_end]).into_owned();
        let size: usize = line
            .split(' ')
            .nth(2)
            .and_then(|size| size.parse().ok())
            .expect("size of the object");
        files.insert(path, rest[line_end + 1..line_end + 1 + size].to_vec());
        rest = &rest[line_end + 2 + size..];
    }
    files
}
