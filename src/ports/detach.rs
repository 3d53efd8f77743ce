//! A process of its own that goes on when this one ends. It is this program again with the same arguments; what it must not
//! find in its environment, in argv or on disk - the tokens, the task with its secret - it is given through a pipe.
//!
//! ```text
//! stdin    {"GH_TOKEN":"…"} LF task
//! stdout   one line: that it has the run, or its result where it could not take it
//! stderr   the log
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Set for the process that goes on.
pub const VARIABLE: &str = "LLMDEPLOY_DETACHED";

/// What the other process said of the run, and the process.
pub struct Answer {
    pub line: String,
    pub child: Child,
}

/// Starts it. `variables`: by name, what is taken out of its environment and given through the pipe.
///
/// # Errors
/// It could not be started, or ended without a word.
pub fn start(
    variables: &BTreeMap<String, Option<String>>,
    task: &[u8],
    log: File,
) -> anyhow::Result<Answer> {
    let this = std::env::current_exe().context("finding this program's own path")?;
    let mut command = Command::new(this);
    command.args(std::env::args_os().skip(1)).env(VARIABLE, "1");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    for name in variables.keys() {
        command.env_remove(name);
    }
    let mut child = command
        .spawn()
        .context("starting the process that goes on")?;
    let given: BTreeMap<_, _> = variables
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .collect();
    let header = serde_json::to_vec(&given).context("writing JSON")?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early says why on its output.
        let _ = stdin
            .write_all(&header)
            .and_then(|()| stdin.write_all(b"\n"))
            .and_then(|()| stdin.write_all(task));
    }
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .context("listening to the process that goes on")?;
    }
    anyhow::ensure!(
        !line.is_empty(),
        "the process that goes on ended without a word"
    );
    Ok(Answer { line, child })
}

/// In the process that goes on: leaves the terminal, so that nobody's Ctrl-C and no closing window ends it.
#[cfg(unix)]
pub fn leave() {
    // It fails for a process that leads a group already, which then is not the terminal's.
    let _ = rustix::process::setsid();
}

#[cfg(not(unix))]
pub fn leave() {}

/// In the process that goes on: what it was given.
///
/// # Errors
/// Standard input does not hold it.
pub fn receive(limit: u64) -> anyhow::Result<(BTreeMap<String, String>, Vec<u8>)> {
    let mut stdin = io::stdin().lock();
    let mut header = Vec::new();
    stdin
        .read_until(b'\n', &mut header)
        .context("reading what was handed over")?;
    let variables = serde_json::from_slice(&header)
        .ok()
        .context("nothing was handed over")?;
    let mut task = Vec::new();
    stdin
        .take(limit)
        .read_to_end(&mut task)
        .context("reading the task that was handed over")?;
    Ok((variables, task))
}
