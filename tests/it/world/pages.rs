//! GitHub Pages: builds that take their time, and the server of what was built.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use super::Handle;
use super::http::{Answer, decode};
use super::log::Entry;
use super::settings::Settings;
use super::store::{self, Repo};

pub struct Site {
    pub workflow: bool,
    /// Of type `workflow`, whatever was asked for, and published without any.
    pub forced: bool,
    pub branch: String,
    /// `/` or `/docs`
    pub path: String,
    pub builds: Vec<Build>,
    /// Commits whose build has failed, with the message: they stay failed.
    pub failed: BTreeMap<String, String>,
}

pub struct Build {
    pub id: u64,
    pub sha: String,
    pub started: Instant,
    pub created: SystemTime,
    polls: usize,
    last_poll: Instant,
    pub finished: Option<Instant>,
    /// From when on it is served, by the pace at its end.
    live_from: Option<Instant>,
    pub error: Option<String>,
}

impl Build {
    pub fn new(id: u64, sha: &str) -> Build {
        let now = Instant::now();
        Build {
            id,
            sha: sha.to_owned(),
            started: now,
            created: SystemTime::now(),
            polls: 0,
            last_poll: now,
            finished: None,
            live_from: None,
            error: None,
        }
    }

    /// Builds have no thread of their own: whoever looks finds them done when their time has
    /// come.
    fn settle(&mut self, pace: &Pace, workflow: bool, failed: &mut BTreeMap<String, String>) {
        let known = failed.get(&self.sha).filter(|_| !workflow).cloned();
        let early = self.polls < pace.polls || self.started.elapsed() < pace.build;
        if self.finished.is_some() || early && known.is_none() {
            return;
        }
        let finished = self.last_poll.max(self.started + pace.build);
        self.finished = Some(finished);
        self.live_from = Some(finished + pace.stale);
        let fails = !workflow && failed.len() < pace.failing;
        self.error = known.or_else(|| pace.error.clone().filter(|_| fails));
        if let Some(message) = &self.error {
            failed.insert(self.sha.clone(), message.clone());
        }
    }

    /// One question after this build, which counts towards `pages_build_polls`.
    pub fn poll(&mut self) {
        if self.finished.is_none() {
            self.polls += 1;
            self.last_poll = Instant::now();
        }
    }

    /// The word for it where `polls` were answered "not yet".
    pub fn state(&self) -> &'static str {
        match (self.finished, &self.error) {
            (Some(_), Some(_)) => "errored",
            (Some(_), None) => "built",
            (None, _) if self.polls <= 1 => "queued",
            (None, _) => "building",
        }
    }

    pub fn millis(&self) -> u64 {
        let end = self.finished.unwrap_or_else(Instant::now);
        u64::try_from(end.saturating_duration_since(self.started).as_millis()).unwrap_or(0)
    }
}

/// The settings that builds go by, taken out so that no two locks are held at once.
#[derive(Clone)]
pub struct Pace {
    build: Duration,
    polls: usize,
    stale: Duration,
    error: Option<String>,
    failing: usize,
}

impl Pace {
    pub fn of(settings: &Settings) -> Pace {
        Pace {
            build: settings.pages_build,
            polls: settings.pages_build_polls,
            stale: settings.pages_stale,
            error: settings.pages_error.clone(),
            failing: settings.pages_failing,
        }
    }
}

impl Site {
    pub fn settle(&mut self, pace: &Pace) {
        let (workflow, failed) = (self.workflow, &mut self.failed);
        self.builds
            .iter_mut()
            .for_each(|build| build.settle(pace, workflow, failed));
    }

    /// The commit whose files are served now.
    pub fn live(&mut self, pace: &Pace) -> Option<String> {
        self.settle(pace);
        let now = Instant::now();
        let served = |build: &&Build| {
            build.error.is_none() && build.live_from.is_some_and(|from| from <= now)
        };
        self.builds
            .iter()
            .rev()
            .find(served)
            .map(|build| build.sha.clone())
    }
}

/// A build of the branch's tip, unless the tip is what the last build was of. `force`: even so.
/// Where workflows publish the site there has to be one, but for sites that are of that type by decree (`pages_workflow`).
pub fn build(repo: &mut Repo, id: u64, pace: &Pace, force: bool) {
    let Some(site) = &mut repo.site else { return };
    let Some(tip) = store::read_branch(&repo.dir, &site.branch) else {
        return;
    };
    if site.workflow && !site.forced && !deploys_pages(&repo.dir, &tip) {
        return;
    }
    site.settle(pace);
    if force || site.builds.last().is_none_or(|last| last.sha != tip) {
        site.builds.push(Build::new(id, &tip));
    }
}

/// Whether a workflow of the commit hands the site to Pages.
pub fn deploys_pages(dir: &std::path::Path, sha: &str) -> bool {
    let found = store::ask(
        dir,
        &[
            "grep",
            "-q",
            "actions/deploy-pages@",
            sha,
            "--",
            ".github/workflows/",
        ],
    );
    found.is_some()
}

/// The public server.
pub fn handle(world: &Handle, request: &Entry) -> Answer {
    if request.method != "GET" && request.method != "HEAD" {
        world.odd(request, "Pages serves GET and HEAD only");
        return Answer::text(405, "Not Allowed\n").with("Allow", "GET, HEAD");
    }
    let url = format!("{}?{}", request.path, request.query);
    let keep = world.settings(|settings| settings.pages_cached_404);
    if world.cached_404(&url, keep) {
        return not_found(b"").with("X-Cache", "HIT").with("Age", "1");
    }
    let answer = serve(world, request);
    if answer.status == 404 {
        world.cache_404(url);
    }
    answer
        .with("Cache-Control", "max-age=600")
        .with("Access-Control-Allow-Origin", "*")
        .with("Server", "GitHub.com")
}

fn serve(world: &Handle, request: &Entry) -> Answer {
    let path = decode(&request.path);
    let mut words = path.trim_start_matches('/').splitn(3, '/');
    let (owner, name, rest) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next(),
    );
    let pace = world.settings(|settings| Pace::of(settings));
    let found = world.with_repo(owner, name, |repo| {
        let dir = repo.dir.clone();
        let site = repo.site.as_mut()?;
        Some((
            dir,
            site.live(&pace)?,
            site.path.trim_matches('/').to_owned(),
        ))
    });
    let Some((dir, sha, root)) = found.flatten() else {
        return not_found(b"");
    };
    let Some(rest) = rest else {
        return moved(&format!("{}/", request.path));
    };
    let get = |path: &str| {
        let inside = if root.is_empty() {
            path.to_owned()
        } else {
            format!("{root}/{path}")
        };
        store::ask(&dir, &["cat-file", "blob", &format!("{sha}:{inside}")])
    };
    let hidden = rest
        .split('/')
        .any(|part| part.starts_with(['.', '_', '~']));
    // Jekyll leaves such files out; `.nojekyll` turns Jekyll off.
    if hidden && get(".nojekyll").is_none() {
        return not_found(&get("404.html").unwrap_or_default());
    }
    if rest.is_empty() || rest.ends_with('/') {
        return match get(&format!("{rest}index.html")) {
            Some(bytes) => file("index.html", bytes, request),
            None => not_found(&get("404.html").unwrap_or_default()),
        };
    }
    if let Some(bytes) = get(rest) {
        return file(rest, bytes, request);
    }
    if let Some(bytes) = get(&format!("{rest}.html")) {
        return file("page.html", bytes, request);
    }
    if get(&format!("{rest}/index.html")).is_some() {
        return moved(&format!("{}/", request.path));
    }
    not_found(&get("404.html").unwrap_or_default())
}

fn moved(to: &str) -> Answer {
    Answer::new(
        301,
        "text/html",
        "<html><head><title>301 Moved Permanently</title></head></html>",
    )
    .with("Location", to)
}

fn not_found(page: &[u8]) -> Answer {
    const USUAL: &[u8] =
        b"<!DOCTYPE html>\n<html><head><title>Site not found &middot; GitHub Pages</title></head>\
        <body><h1>404</h1><p><strong>File not found</strong></p></body></html>";
    Answer::new(
        404,
        "text/html; charset=utf-8",
        if page.is_empty() { USUAL } else { page },
    )
}

fn file(path: &str, bytes: Vec<u8>, request: &Entry) -> Answer {
    let mark = format!(
        "\"{:x}-{}\"",
        bytes.iter().fold(5381_u64, |sum, byte| sum.wrapping_mul(33)
            ^ u64::from(*byte)),
        bytes.len()
    );
    if request.header("if-none-match") == Some(mark.as_str()) {
        return Answer::empty(304).with("ETag", mark);
    }
    Answer::new(200, sort_of(path), bytes).with("ETag", mark)
}

pub fn sort_of(path: &str) -> &'static str {
    let ending = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "application/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/vnd.microsoft.icon",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
