//! The real binary, run in a clean environment against the double of the world.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::world::World;

/// A double of the world, a state directory, and a place for files.
pub struct Bench {
    pub world: World,
    dir: tempfile::TempDir,
}

/// What became of one run of the binary.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{self:?}"))
    }

    /// Asserts the exit status; shows everything otherwise.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts exit status, error code in the JSON, `error:` and, if wanted, a hint on standard error.
    #[track_caller]
    pub fn fails(self, status: i32, code: &str) -> Value {
        let json = self.exits(status);
        let document = json.json();
        assert_eq!(document["error"]["code"], code, "{document:#}");
        assert!(json.stderr.contains("error: "), "{}", json.stderr);
        document
    }
}

impl Bench {
    pub fn new() -> Self {
        Self {
            world: World::start(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// A task with an evaluation URL, and `with` over it (`null` takes a field out).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "so that json!() can be written in the call"
    )]
    pub fn task(&self, with: Value) -> Value {
        let mut task = json!({
            "email": "student@example.com", "task": "demo-site", "round": 1, "nonce": "n-1",
            "brief": "Show data.csv as a table with its total.", "evaluation_url": self.world.eval_url(),
        });
        for (key, value) in with.as_object().unwrap() {
            task[key] = value.clone();
        }
        task.as_object_mut().unwrap().retain(|_, v| !v.is_null());
        task
    }

    /// Writes a task to a file of that name.
    pub fn write_task(&self, name: &str, task: &Value) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, task.to_string()).unwrap();
        path
    }

    /// The binary with nothing of the tester's environment, small waiting times, and the world's addresses and token.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = bare(args);
        command
            .current_dir(self.dir.path())
            .env("LLMDEPLOY_STATE_DIR", self.state());
        command
            .env("GITHUB_API_URL", self.world.api_url())
            .env("GH_TOKEN", self.world.token());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        finish(self.command(args))
    }

    /// `llmdeploy SUBCOMMAND task.json OPTIONS…`
    pub fn go(&self, subcommand: &str, task: &Value, options: &[&str]) -> Ran {
        let file = self.write_task("task.json", task);
        let mut args = vec![subcommand.to_owned(), file.display().to_string()];
        args.extend(options.iter().map(ToString::to_string));
        self.run(args)
    }

    /// As [`Bench::go`], with environment variables on top.
    pub fn go_env(
        &self,
        subcommand: &str,
        task: &Value,
        options: &[&str],
        env: &[(&str, &str)],
    ) -> Ran {
        let file = self.write_task("task.json", task);
        let mut command = self.command([subcommand.as_ref(), file.as_os_str()]);
        command.args(options).envs(env.iter().copied());
        finish(command)
    }

    /// Everything below the state directory as one text, to look for what must not be there.
    pub fn state_text(&self) -> Vec<u8> {
        let mut all = Vec::new();
        collect(&self.state(), &mut all);
        all
    }
}

fn collect(dir: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        all.extend_from_slice(path.as_os_str().as_encoded_bytes());
        if path.is_dir() {
            collect(&path, all);
        } else {
            all.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
}

/// The binary with a clean environment and small waiting times.
pub fn bare<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmdeploy"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("LLMDEPLOY_RETRY_BASE_MS", "10")
        .env("LLMDEPLOY_POLL_MS", "10")
        .env("LLMDEPLOY_TIMEOUT_MS", "3000");
    command
}

pub fn finish(mut command: Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    ran(&output)
}

pub fn finish_with_input(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that refuses early does not read to the end.
            let _ = stdin.write_all(input);
        });
        ran(&child.wait_with_output().unwrap())
    })
}

fn ran(output: &std::process::Output) -> Ran {
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `data:` URI in base64.
pub fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!(
        "data:{media_type};base64,{}",
        base64::engine::general_purpose::STANDARD.encode(bytes)
    )
}

/// All of a matrix in CI, every third entry elsewhere: all of them take minutes of two cores.
pub fn share<T>(all: Vec<T>) -> Vec<T> {
    let every = if std::env::var_os("CI").is_some() {
        1
    } else {
        3
    };
    let first = all.len() % every;
    all.into_iter().skip(first).step_by(every).collect()
}
