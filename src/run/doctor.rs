//! `doctor`: whether this machine can do what a run needs. Each part is asked by itself, so that one that fails hides no
//! other; each finding that is not well says the one command or address that mends it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::document::{Failure, Version};
use crate::error::{Code, Error, Result};
use crate::journal::files;
use crate::ports::World;
use crate::ports::browser::{self, session::Browser};
use crate::ports::github::GitHub;
use crate::ports::github::account::Owner;
use crate::ports::http::{Request, Url};
use crate::ports::llm::Endpoint;
use crate::ports::llm::listing::listing;
use crate::request::task::Admission;
use crate::text::plain;

/// The oldest git that takes its configuration from the environment (`GIT_CONFIG_COUNT`).
const GIT: (u32, u32) = (2, 31);
/// Below this a run may not find the room for a repository, pictures and a browser's profile.
const ROOM: u64 = 500 << 20;
/// A clock that is further off lets certificates and tokens fail.
const OFF: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(7 * 86_400);
const TOKENS: &str = "https://github.com/settings/tokens";

/// What is looked at.
pub struct Tools {
    pub world: World,
    /// `None`: no token.
    pub github: Option<GitHub>,
    pub endpoints: Vec<Endpoint>,
    pub browser: browser::Options,
    /// Or why it cannot be used.
    pub state: Result<PathBuf>,
    pub admission: Admission,
    /// Of a task that was given.
    pub evaluator: Option<Url>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
pub struct Finding {
    pub status: Level,
    pub text: String,
    pub hint: Option<String>,
    #[serde(skip)]
    code: Option<Code>,
}

/// One of the things a run needs.
#[derive(Debug, Default, Serialize)]
pub struct Part {
    pub ok: bool,
    /// What was found out, for programs.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Default, Serialize)]
pub struct DoctorDocument {
    pub v: Version,
    pub ok: bool,
    pub git: Part,
    pub github: Part,
    pub llm: Part,
    pub browser: Part,
    pub state: Part,
    pub clock: Part,
    pub evaluator: Option<Part>,
    pub error: Option<Failure>,
}

impl Part {
    fn say(&mut self, status: Level, text: impl Into<String>) -> &mut Finding {
        self.findings.push(Finding {
            status,
            text: text.into(),
            hint: None,
            code: None,
        });
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    fn fail(&mut self, code: Code, text: impl Into<String>, hint: impl Into<String>) {
        let finding = self.say(Level::Failed, text);
        finding.code = Some(code);
        finding.hint = Some(hint.into());
    }

    fn fail_with(&mut self, error: &Error) {
        let hint = error.hint.clone().unwrap_or_default();
        self.fail(error.code, error.one_line(), hint);
    }

    fn warn(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.say(Level::Warning, text).hint = Some(hint.into());
    }

    fn fact(&mut self, key: &str, value: impl Into<Value>) {
        self.facts.insert(key.to_owned(), value.into());
    }

    fn judged(mut self) -> Self {
        self.ok = self.findings.iter().all(|f| f.status != Level::Failed);
        self
    }
}

/// Looks at everything. What it gives beside the document is the exit status: 0, 1, or 4 where something is not allowed.
#[must_use]
pub fn examine(tools: &Tools) -> (DoctorDocument, u8) {
    let (github, at) = github(tools);
    let mut document = DoctorDocument {
        git: git(tools).judged(),
        github: github.judged(),
        llm: llm(tools).judged(),
        browser: browser_part(tools).judged(),
        state: match &tools.state {
            Ok(dir) => state(dir).judged(),
            Err(e) => unusable(e).judged(),
        },
        clock: clock(at).judged(),
        evaluator: tools
            .evaluator
            .as_ref()
            .map(|url| evaluator(tools, url).judged()),
        ..DoctorDocument::default()
    };
    let failed: Vec<_> = document
        .parts()
        .into_iter()
        .flat_map(|(name, part)| part.findings.iter().map(move |f| (name, f)))
        .filter(|(_, finding)| finding.status == Level::Failed)
        .collect();
    let ok = failed.is_empty();
    let status = if failed.is_empty() {
        0
    } else if failed
        .iter()
        .any(|(_, f)| f.code.is_some_and(|c| c.exit_status() == 4))
    {
        4
    } else {
        1
    };
    let first = failed.first().map(|(name, finding)| Failure {
        stage: None,
        code: finding.code.unwrap_or(Code::Internal),
        message: format!("{name}: {}", finding.text),
        hint: finding.hint.clone(),
    });
    document.ok = ok;
    document.error = first;
    (document, status)
}

fn git(tools: &Tools) -> Part {
    let mut part = Part::default();
    match tools.world.git.version() {
        Ok(version) => {
            let mut numbers = version
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|n| n.parse::<u32>().ok());
            let old = (
                numbers.next().unwrap_or_default(),
                numbers.next().unwrap_or_default(),
            ) < GIT;
            if old {
                part.fail(
                    Code::GitMissing,
                    format!("git {version} is too old: {}.{} or newer", GIT.0, GIT.1),
                    "https://git-scm.com/downloads",
                );
            } else {
                part.say(Level::Ok, format!("git {version}"));
            }
            part.fact("version", version);
        }
        Err(e) => part.fail_with(&e),
    }
    part
}

fn github(tools: &Tools) -> (Part, Option<SystemTime>) {
    let mut part = Part::default();
    let Some(github) = &tools.github else {
        part.fail(
            Code::MissingToken,
            "no token: set GH_TOKEN (classic: `repo`; fine-grained: Administration, Contents and Pages: write)",
            format!("{TOKENS}, or deploy without an account: llmdeploy run --local DIR"),
        );
        return (part, None);
    };
    let account = match github.account(&tools.world) {
        Ok(account) => account,
        Err(e) => {
            part.fail_with(&e);
            return (part, None);
        }
    };
    part.fact("login", account.login.clone());
    part.fact("scopes", json!(account.scopes));
    part.fact("expires", json!(account.expires));
    match &account.scopes {
        Some(scopes) => rights(&mut part, &account.login, scopes),
        None => {
            part.say(
                Level::Ok,
                format!("the token of {}, fine-grained", account.login),
            );
            part.warn(
                "GitHub does not tell a fine-grained token's rights; it needs Administration, Contents and Pages: write",
                "https://github.com/settings/personal-access-tokens",
            );
        }
    }
    if let Some(expires) = &account.expires {
        expiry(&mut part, expires);
    }
    match github.owner_seen_by(&tools.world, &account.login) {
        Ok((owner, kind)) => {
            part.fact("owner", owner.clone());
            match kind {
                Owner::TokensUser => {}
                Owner::Organisation => {
                    part.say(
                        Level::Ok,
                        format!("repositories go to the organisation {owner}"),
                    );
                }
                Owner::SomebodyElse => part.fail(
                    Code::Forbidden,
                    format!(
                        "{owner} is another user: {} cannot make repositories there",
                        account.login
                    ),
                    "unset GITHUB_OWNER, or name an organisation",
                ),
                Owner::Nobody => part.fail(
                    Code::Forbidden,
                    format!("there is no user or organisation {owner}"),
                    "correct GITHUB_OWNER",
                ),
            }
        }
        Err(e) => part.fail_with(&e),
    }
    if let Some((left, limit)) = account.left {
        part.fact("requests_left", left);
        let text = format!("{left} of {limit} requests are left in this hour");
        if left < 50 {
            part.warn(text, "wait for the next hour before many tasks are run");
        } else {
            part.say(Level::Ok, text);
        }
    }
    (part, account.at)
}

fn rights(part: &mut Part, login: &str, scopes: &[String]) {
    let has = |scope: &str| scopes.iter().any(|s| s == scope);
    let listed = scopes.join(", ");
    if has("repo") || has("public_repo") {
        part.say(
            Level::Ok,
            format!("the token of {login}, classic, with `{listed}`"),
        );
        if !has("workflow") {
            part.warn(
                "without the scope `workflow` a task that asks for a workflow cannot be pushed",
                TOKENS,
            );
        }
    } else {
        part.fail(
            Code::Forbidden,
            format!("the token of {login} lacks the scope `repo` (it has: {listed})"),
            TOKENS,
        );
    }
}

/// `2026-12-24 10:00:00 UTC`, or with an offset.
fn expiry(part: &mut Part, expires: &str) {
    let when = expires
        .split_once(' ')
        .and_then(|(day, rest)| Some(format!("{day}T{}Z", rest.get(..8)?)))
        .and_then(|text| humantime::parse_rfc3339(&text).ok());
    let left = when.and_then(|w| w.duration_since(SystemTime::now()).ok());
    if when.is_some() && left.is_none_or(|l| l < SOON) {
        part.warn(format!("the token ends on {expires}"), TOKENS);
    } else {
        part.say(Level::Ok, format!("the token ends on {expires}"));
    }
}

fn llm(tools: &Tools) -> Part {
    let mut part = Part::default();
    if tools.endpoints.is_empty() {
        part.warn(
            "no language model: a template will be submitted",
            "set OPENAI_API_KEY, or OPENAI_BASE_URL to a server on this machine",
        );
    }
    let mut all = Vec::new();
    for endpoint in &tools.endpoints {
        let name = format!("{} at {}", endpoint.model, endpoint.base.as_str());
        let before = part.findings.len();
        match listing(&tools.world, endpoint, tools.world.clock.answer) {
            Err(e) => part.fail(
                Code::Network,
                format!("{name}: {e:#}"),
                "check OPENAI_BASE_URL, and that the server is running",
            ),
            Ok(list) => match list.status {
                200..=299 if list.models.is_empty() => {
                    part.warn(
                        format!("{name}: reached, but it lists no models, so whether it has this one shows in use"),
                        "llmdeploy generate --no-fallback TASK",
                    );
                }
                200..=299 if list.models.contains(&endpoint.model) => {
                    let left: String = list
                        .left
                        .iter()
                        .map(|(what, n)| format!(", {n} {what} left"))
                        .collect();
                    part.say(Level::Ok, format!("{name}: reached{left}"));
                }
                200..=299 => {
                    let some: Vec<_> = list.models.iter().take(8).map(String::as_str).collect();
                    part.fail(
                        Code::Config,
                        format!("{name}: there is no such model"),
                        format!("set OPENAI_MODEL to one that is there: {}", some.join(", ")),
                    );
                }
                401 | 403 => part.fail(
                    Code::BadKey,
                    format!("{name}: the key is refused ({} {})", list.status, list.said),
                    "set the right key, see OPENAI_API_KEY and #KEY_VARIABLE in OPENAI_FALLBACK_MODELS",
                ),
                // Some serve chat and no list.
                404 | 405 => part.warn(
                    format!("{name}: reached, but it does not list its models ({})", list.status),
                    "check that OPENAI_BASE_URL ends as the server's documentation says, mostly in /v1",
                ),
                status => part.fail(
                    Code::Network,
                    format!("{name}: {status} {}", list.said),
                    "try again later; OPENAI_FALLBACK_MODELS names models that take over meanwhile",
                ),
            },
        }
        all.push(json!({
            "model": endpoint.model,
            "base_url": endpoint.base.as_str(),
            "ok": part.findings[before..].iter().all(|f| f.status != Level::Failed),
        }));
    }
    part.fact("endpoints", all);
    part
}

fn browser_part(tools: &Tools) -> Part {
    let mut part = Part::default();
    let install = "install Chromium, e.g. apt-get install chromium, or set LLMDEPLOY_BROWSER";
    let started = browser::find::browser(tools.browser.path.as_deref())
        .and_then(|path| Ok((Browser::start(&tools.browser)?, path)));
    match started {
        Ok((browser, path)) => {
            drop(browser);
            part.fact("path", path.display().to_string());
            part.say(Level::Ok, format!("{} starts", path.display()));
            let sandbox = !browser::sandbox_is_refused();
            part.fact("sandbox", sandbox);
            if !sandbox {
                part.warn(
                    "as root it runs without its sandbox",
                    "run llmdeploy as another user",
                );
            }
        }
        Err(e) => part.fail(
            Code::ChecksFailed,
            format!("checks on pages cannot be judged: {e:#}"),
            install,
        ),
    }
    part
}

fn unusable(error: &Error) -> Part {
    let mut part = Part::default();
    part.fail_with(error);
    part
}

fn state(dir: &Path) -> Part {
    let mut part = Part::default();
    part.fact("dir", dir.display().to_string());
    let probe = files::make_dir(dir).and_then(|()| {
        let file = dir.join(format!(".doctor-{}", std::process::id()));
        files::write(&file, b"")?;
        // What is left behind is an empty file whose name no record has.
        let _ = std::fs::remove_file(&file);
        Ok(())
    });
    match probe {
        Ok(()) => {
            part.say(Level::Ok, format!("{} can be written", dir.display()));
        }
        Err(e) => part.fail_with(&e),
    }
    #[cfg(unix)]
    if let Ok(system) = rustix::fs::statvfs(dir) {
        let room = system.f_bavail.saturating_mul(system.f_frsize);
        part.fact("free_bytes", room);
        let text = format!("{} MiB are free there", room >> 20);
        if room < ROOM {
            part.warn(text, "llmdeploy prune --older-than 30d");
        } else {
            part.say(Level::Ok, text);
        }
    }
    part
}

/// Ours against GitHub's, which has sent its own.
fn clock(theirs: Option<SystemTime>) -> Part {
    let mut part = Part::default();
    let Some(theirs) = theirs else {
        part.warn(
            "not compared: GitHub gave no time",
            "llmdeploy doctor, with a token",
        );
        return part;
    };
    let now = SystemTime::now();
    let off = now
        .duration_since(theirs)
        .or_else(|_| theirs.duration_since(now))
        .unwrap_or_default();
    part.fact("off_seconds", off.as_secs());
    if off > OFF {
        part.fail(
            Code::Config,
            format!("this machine's clock is {} s off GitHub's", off.as_secs()),
            "timedatectl set-ntp true",
        );
    } else {
        part.say(
            Level::Ok,
            format!("within {} s of GitHub's", off.as_secs().max(1)),
        );
    }
    part
}

/// Any answer will do: an evaluator need not know HEAD.
fn evaluator(tools: &Tools, url: &Url) -> Part {
    let mut part = Part::default();
    part.fact("host", url.authority.clone());
    let reach = match tools.admission.reach(url) {
        Ok(reach) => reach,
        Err(why) => {
            part.fail(Code::Config, why, "set LLMDEPLOY_NOTIFY_HOSTS");
            return part;
        }
    };
    let request = Request {
        method: "HEAD",
        url: url.as_str(),
        headers: &[],
        body: None,
        timeout: tools.world.clock.answer,
        limit: 1 << 20,
    };
    match tools.world.http.send_for_status(reach, &request) {
        Ok(response) if response.status < 500 => {
            part.say(Level::Ok, format!("{} answers", url.authority));
        }
        Ok(response) => part.warn(
            format!("{} answers {}", url.authority, response.status),
            "notifications are tried again, and kept for llmdeploy notify --retry",
        ),
        Err(e) => part.fail(
            Code::Network,
            format!("{} does not answer: {e:#}", url.authority),
            "check evaluation_url in the task",
        ),
    }
    part
}

impl DoctorDocument {
    fn parts(&self) -> Vec<(&'static str, &Part)> {
        let mut parts = vec![
            ("git", &self.git),
            ("github", &self.github),
            ("llm", &self.llm),
            ("browser", &self.browser),
            ("state", &self.state),
            ("clock", &self.clock),
        ];
        parts.extend(self.evaluator.as_ref().map(|part| ("evaluator", part)));
        parts
    }

    /// For a terminal: a line a finding, and below it what mends it.
    #[must_use]
    pub fn table(&self, colour: bool) -> String {
        let mut text = String::new();
        for (name, part) in self.parts() {
            for (n, finding) in part.findings.iter().enumerate() {
                let (code, word) = match finding.status {
                    Level::Ok => ("32", "ok"),
                    Level::Warning => ("33", "warning"),
                    Level::Failed => ("31", "failed"),
                };
                let word = if colour {
                    format!("\x1b[{code}m{word:<7}\x1b[0m")
                } else {
                    format!("{word:<7}")
                };
                let name = if n == 0 { name } else { "" };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name:<9}  {word}  {}", plain(&finding.text));
                if let Some(hint) = finding.hint.as_deref().filter(|h| !h.is_empty()) {
                    let _ = writeln!(text, "{:20}→ {}", "", plain(hint));
                }
            }
        }
        text
    }
}
