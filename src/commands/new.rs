//! `new`: a task from flags. What is written has gone through [`Task::parse`] first, so `run` takes it as it is.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::{Global, New};
use crate::config::Environment;
use crate::content::file_type;
use crate::error::{Code, Error, OrCode, Result};
use crate::ports::http::Url;
use crate::ports::process::{self, Children, Spec};
use crate::report::{self, Out, view};
use crate::request::name;
use crate::request::task::{MAX_BYTES, Task};
use crate::run::document::Failure;
use crate::values::{RelPath, hex, sha256_hex};

/// The longest id that is made from a brief.
const LONGEST_ID: usize = 48;

/// What `new` prints unless the task itself goes to standard output.
#[derive(Debug, Serialize)]
pub struct NewDocument {
    v: u8,
    file: Option<String>,
    task: Option<String>,
    email: Option<String>,
    round: Option<u64>,
    nonce: Option<String>,
    run: Option<String>,
    error: Option<Failure>,
}

impl NewDocument {
    /// Of a command that failed, or has not come to its end.
    pub fn failed(error: Option<Failure>) -> Self {
        Self {
            v: 1,
            file: None,
            task: None,
            email: None,
            round: None,
            nonce: None,
            run: None,
            error,
        }
    }
}

pub fn new(out: &Out, global: &Global, args: &New, children: &Children) -> Option<Error> {
    match make(global, args, children) {
        Ok((Err(text), _)) => out.text(&text),
        Ok((Ok(file), task)) => {
            let shown = file.display().to_string();
            if !global.quiet {
                report::next(&next_command(&shown));
            }
            let document = NewDocument {
                file: Some(shown),
                run: Some(task.id().to_string()),
                task: Some(task.task),
                email: Some(task.email),
                round: Some(task.round),
                nonce: Some(task.nonce),
                ..NewDocument::failed(None)
            };
            out.show(&document, view::written);
        }
        Err(e) => {
            out.show(&NewDocument::failed(Failure::before(&e)), view::nothing);
            return Some(e);
        }
    }
    None
}

/// The text where it belongs on standard output, otherwise the file it was written to, with the task it says.
type Made = (std::result::Result<PathBuf, String>, Task);

fn make(global: &Global, args: &New, children: &Children) -> Result<Made> {
    let from = match &args.from {
        Some(path) => Some(Task::parse(&super::read(Some(path))?)?),
        None => None,
    };
    let fields = fields(global, args, from.as_ref(), children)?;
    let mut text = serde_json::to_string_pretty(&fields)
        .context("writing the task")
        .or_code(Code::Internal)?;
    text.push('\n');
    let task = Task::parse(text.as_bytes())?;
    if args.output.as_deref() == Some(Path::new("-")) {
        return Ok((Err(text), task));
    }
    let file = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.json", name::repository(&task.task))));
    write(&file, text.as_bytes())?;
    Ok((Ok(file), task))
}

fn fields(
    global: &Global,
    args: &New,
    from: Option<&Task>,
    children: &Children,
) -> Result<Map<String, Value>> {
    let email = match args.email.clone().or_else(|| from.map(|t| t.email.clone())) {
        Some(email) => email,
        None => email_of_git(children).ok_or_else(|| {
            Error::new(Code::Usage, "no e-mail address")
                .hint("use --email ADDRESS, or: git config --global user.email ADDRESS")
        })?,
    };
    let id = args.task.clone().or_else(|| from.map(|t| t.task.clone()));
    let nonce = args.nonce.clone().map_or_else(fresh_nonce, Ok)?;
    // A round goes on from the one before it.
    let round = args
        .round
        .unwrap_or_else(|| from.map_or(1, |t| t.round.saturating_add(1)));
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("email", json!(email));
    put("task", json!(id.unwrap_or_else(|| id_of(&args.brief))));
    put("round", json!(round));
    put("nonce", json!(nonce));
    put("brief", json!(args.brief));
    put("checks", json!(args.check));
    put("attachments", json!(attachments(&args.attach)?));
    let evaluation_url = args
        .evaluation_url
        .as_deref()
        .or_else(|| from.and_then(|t| t.evaluation_url.as_ref().map(Url::as_str)));
    if let Some(url) = evaluation_url {
        put("evaluation_url", json!(url));
    }
    let ours = Environment::read(global.env_file.as_deref())?
        .admission()?
        .secret;
    if let Some(secret) = from.and_then(|t| t.secret.clone()).or(ours) {
        put("secret", json!(secret.reveal()));
    }
    Ok(fields)
}

/// Never over a file that is there. For the eyes of its owner only: it may hold the shared secret.
fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options
        .open(file)
        .with_context(|| format!("writing the task to {}", file.display()))
        .or_code(Code::Usage)
        .map_err(|e| {
            e.hint("nothing is overwritten: name another file with -o FILE, or print it with -o -")
        })?;
    let written = open.write_all(bytes).and_then(|()| open.sync_all());
    if written.is_err() {
        // Half a task is none. It was made here, so nobody else's file goes.
        let _ = std::fs::remove_file(file);
    }
    written
        .with_context(|| format!("writing the task to {}", file.display()))
        .or_code(Code::State)
}

/// As one would type it.
fn next_command(file: &str) -> String {
    // What begins with a dash would be taken for a flag.
    let file = if file.starts_with('-') {
        format!("./{file}")
    } else {
        file.to_owned()
    };
    report::command_line(["run", &file])
}

fn fresh_nonce() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow!("no random numbers: {e}"))
        .or_code(Code::Internal)?;
    Ok(hex(&bytes))
}

/// The first words of a brief, as they may stand in a repository's name.
fn id_of(brief: &str) -> String {
    let words = brief
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && word.is_ascii());
    let mut id = String::new();
    for word in words {
        if id.len() + 1 + word.len() > LONGEST_ID {
            break;
        }
        if !id.is_empty() {
            id.push('-');
        }
        id.push_str(&word.to_ascii_lowercase());
    }
    if id.is_empty() {
        // Nothing of it can be a name; the same brief still gets the same id.
        let mut digest = sha256_hex(brief.as_bytes());
        digest.truncate(8);
        id = format!("task-{digest}");
    }
    id
}

/// `git config user.email`. Children do not see HOME otherwise, and that is where git looks.
fn email_of_git(children: &Children) -> Option<String> {
    let program = process::find("git")?;
    let env = ["HOME", "USERPROFILE", "XDG_CONFIG_HOME"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    let spec = Spec {
        program: &program,
        args: process::args(["config", "user.email"]),
        env,
        proxies: false,
        dir: None,
        limit: Duration::from_secs(10),
    };
    let output = process::run(children, &spec, None, None).ok()?;
    let email = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !email.is_empty()).then_some(email)
}

fn attachments(given: &[PathBuf]) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut room = MAX_BYTES as u64;
    for path in given {
        let wrong = |why: anyhow::Error| {
            Error::new(
                Code::Usage,
                why.context(format!("--attach {}", path.display())),
            )
            .hint("give files and folders that can be read, with plain names; look with: ls -la")
        };
        let mut files = Vec::new();
        collect(path, &base(path), &mut files).map_err(wrong)?;
        if files.is_empty() {
            return Err(wrong(anyhow!("no file is in this folder")));
        }
        for (file, name) in files {
            all.push(attachment(&file, &name, &mut room).map_err(wrong)?);
        }
    }
    Ok(all)
}

/// A path below the working directory is its own name; of any other only the last part is.
fn base(path: &Path) -> PathBuf {
    let plain = |c: &Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if path.components().all(|c| plain(&c)) {
        let parts = path.components().filter(|c| *c != Component::CurDir);
        parts.collect()
    } else {
        path.file_name().map(PathBuf::from).unwrap_or_default()
    }
}

/// The files at or below `path`, with their names, in the order of these.
fn collect(path: &Path, name: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> anyhow::Result<()> {
    let reading = || format!("reading {}", path.display());
    let kind = std::fs::metadata(path).with_context(reading)?;
    if kind.is_file() {
        files.push((path.to_owned(), name.to_owned()));
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(anyhow!("{} is no file and no folder", path.display()));
    }
    let mut entries = std::fs::read_dir(path)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(reading)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // What a link in a folder leads to may be anywhere, and lead back.
        if entry.file_type().with_context(reading)?.is_symlink() {
            return Err(anyhow!(
                "{} is a symbolic link; attach what it leads to by itself",
                entry.path().display()
            ));
        }
        collect(&entry.path(), &name.join(entry.file_name()), files)?;
    }
    Ok(())
}

fn attachment(file: &Path, name: &Path, room: &mut u64) -> anyhow::Result<Value> {
    let parts: Option<Vec<_>> = name.iter().map(|part| part.to_str()).collect();
    let name = parts
        .ok_or_else(|| anyhow!("the name {} is not UTF-8", name.display()))?
        .join("/");
    let name = RelPath::parse(&name).map_err(|why| anyhow!("the name {name:?} {why}"))?;
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(*room + 1).read_to_end(&mut bytes))
        .with_context(|| format!("reading {}", file.display()))?;
    *room = room
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| anyhow!("more than the {} MiB that a task may have", MAX_BYTES >> 20))?;
    let url = format!(
        "data:{};base64,{}",
        media_type(name.as_str(), &bytes),
        STANDARD.encode(&bytes)
    );
    Ok(json!({"name": name, "url": url}))
}

/// By what a file begins with, by the ending of its name, or by whether it is text.
fn media_type(name: &str, bytes: &[u8]) -> &'static str {
    if let Some(image) = file_type::image_type(bytes) {
        return image;
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "md" => "text/markdown",
        "svg" => "image/svg+xml",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "zip" => "application/zip",
        _ if std::str::from_utf8(bytes).is_ok_and(|t| !t.contains('\0')) => "text/plain",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(
            id_of("Show data.csv, as a Table!"),
            "show-data-csv-as-a-table"
        );
        assert!(id_of("日本 Größe").starts_with("task-"));
        let long = id_of(&"word ".repeat(50));
        assert!(long.len() <= LONGEST_ID && long.ends_with("word"), "{long}");
    }

    #[test]
    fn names_of_what_is_attached() {
        for (path, name) in [
            ("./data/a.csv", "data/a.csv"),
            (".", ""),
            ("/tmp/x/a.csv", "a.csv"),
            ("../a.csv", "a.csv"),
        ] {
            assert_eq!(base(Path::new(path)), Path::new(name), "{path}");
        }
    }

    #[test]
    fn a_file_that_would_be_a_flag_is_named_otherwise() {
        assert_eq!(next_command("-x.json"), "llmdeploy run ./-x.json");
        assert_eq!(next_command("a b.json"), "llmdeploy run 'a b.json'");
    }
}
