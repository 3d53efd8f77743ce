//! What tests and hooks do with the world: addresses, the record, what is on disk, trouble.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::faults::{Fault, Hook, Moment};
use super::log::{Entry, Match, Service};
use super::pages::{self, Pace, Site};
use super::settings::Settings;
use super::store::{self, Repo};
use super::{Handle, http, lock, tls};

impl Handle {
    /// No trailing slash.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.ports.api)
    }

    pub fn pages_base(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.ports.pages)
    }

    pub fn eval_url(&self) -> String {
        format!("http://127.0.0.1:{}/eval", self.0.ports.eval)
    }

    pub fn llm_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.0.ports.llm)
    }

    /// `https://github.com` of this world: the page of one repository, its clone URL.
    pub fn repo_url(&self, owner: &str, name: &str) -> String {
        format!("{}/{owner}/{name}", self.api_url())
    }

    pub fn pages_url(&self, owner: &str, name: &str) -> String {
        format!("{}/{owner}/{name}/", self.pages_base())
    }

    /// The classic token.
    pub fn token(&self) -> String {
        self.0.token.clone()
    }

    /// A fine-grained token of the same user, just as valid.
    pub fn fine_token(&self) -> String {
        self.0.fine_token.clone()
    }

    pub fn login(&self) -> String {
        self.0.login.clone()
    }

    pub fn user_id(&self) -> u64 {
        self.0.user_id
    }

    /// Every request, in order of arrival.
    pub fn log(&self) -> Vec<Entry> {
        lock(&self.0.journal).clone()
    }

    pub fn requests(&self, service: Service) -> Vec<Entry> {
        lock(&self.0.journal)
            .iter()
            .filter(|entry| entry.service == service)
            .cloned()
            .collect()
    }

    pub fn matching(&self, pattern: &Match) -> Vec<Entry> {
        lock(&self.0.journal)
            .iter()
            .filter(|entry| pattern.hits(entry))
            .cloned()
            .collect()
    }

    pub fn count(&self, pattern: &Match) -> usize {
        lock(&self.0.journal)
            .iter()
            .filter(|entry| pattern.hits(entry))
            .count()
    }

    /// Waits until that many requests match. False: they did not in that time.
    pub fn wait_for(&self, pattern: &Match, count: usize, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.count(pattern) < count {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Bodies the evaluator accepted.
    pub fn notifications(&self) -> Vec<Value> {
        lock(&self.0.notifications).clone()
    }

    /// Requests that no route knew or that broke a rule.
    pub fn unexpected(&self) -> Vec<String> {
        lock(&self.0.unexpected).clone()
    }

    /// Forgets what was unexpected so far, and says what it was.
    pub fn take_unexpected(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0.unexpected))
    }

    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.0.settings));
    }

    pub fn fault(&self, fault: Fault) {
        lock(&self.0.faults).push(fault);
    }

    /// Whatever trouble is still to come does not.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
    }

    /// Runs just before a matching request is handled.
    pub fn before(&self, on: Match, times: usize, action: impl FnMut(&Handle) + Send + 'static) {
        self.hook(on, Moment::Before, times, Box::new(action));
    }

    /// Runs after the request's effect, before its answer is sent.
    pub fn after(&self, on: Match, times: usize, action: impl FnMut(&Handle) + Send + 'static) {
        self.hook(on, Moment::After, times, Box::new(action));
    }

    fn hook(
        &self,
        on: Match,
        moment: Moment,
        times: usize,
        action: Box<dyn FnMut(&Handle) + Send>,
    ) {
        let action = Arc::new(Mutex::new(action));
        lock(&self.0.hooks).push(Hook {
            on,
            moment,
            times,
            action,
        });
    }

    /// The bare repository; the folder may not exist.
    pub fn repo_dir(&self, owner: &str, name: &str) -> PathBuf {
        let file = format!("{}.git", name.to_ascii_lowercase());
        self.0
            .root
            .join("git")
            .join(owner.to_ascii_lowercase())
            .join(file)
    }

    /// Names of all repositories, `owner/name`.
    pub fn repos(&self) -> Vec<String> {
        lock(&self.0.repos).iter().map(Repo::full_name).collect()
    }

    pub fn tip(&self, owner: &str, name: &str) -> Option<String> {
        store::read_branch(&self.repo_dir(owner, name), "main")
    }

    /// Of `main`, newest first.
    pub fn commits(&self, owner: &str, name: &str) -> Vec<String> {
        if self.tip(owner, name).is_none() {
            return Vec::new();
        }
        self.git(owner, name, &["rev-list", "refs/heads/main"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Of the tip of `main`.
    pub fn files(&self, owner: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
        let tip = self.tip(owner, name);
        tip.map(|tip| store::tree(&self.repo_dir(owner, name), &tip))
            .unwrap_or_default()
    }

    pub fn message(&self, owner: &str, name: &str, sha: &str) -> String {
        self.git(owner, name, &["log", "-1", "--format=%B", sha])
            .trim_end()
            .to_owned()
    }

    /// Runs git in the bare repository; its standard output.
    ///
    /// # Panics
    /// Where git fails.
    pub fn git(&self, owner: &str, name: &str, args: &[&str]) -> String {
        let dir = self.repo_dir(owner, name);
        let mut command = store::git(&dir);
        command.arg("--git-dir").arg(&dir).args(args);
        let (good, out, errors) = store::feed(&mut command, b"").expect("git runs");
        assert!(
            good,
            "git {args:?} in {owner}/{name}: {}",
            String::from_utf8_lossy(&errors)
        );
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A repository made by someone else; with no files an empty one.
    pub fn make_repo(&self, owner: &str, name: &str, files: &[(&str, &[u8])], message: &str) {
        assert!(
            self.add_repo(owner, name, |_| {}),
            "{owner}/{name} is there already"
        );
        if !files.is_empty() {
            self.push_foreign(owner, name, files, message);
        }
    }

    /// A commit by someone else on the tip of `main`; its sha.
    pub fn push_foreign(
        &self,
        owner: &str,
        name: &str,
        files: &[(&str, &[u8])],
        message: &str,
    ) -> String {
        let sha = store::commit(&self.repo_dir(owner, name), files, message);
        self.pushed(owner, name);
        sha
    }

    /// Turns Pages on, as by hand in the browser.
    pub fn enable_pages(&self, owner: &str, name: &str) {
        self.enable_pages_on(owner, name, "main");
    }

    /// The same, built from the root of another branch, which must be there.
    pub fn enable_pages_on(&self, owner: &str, name: &str, branch: &str) {
        let (pace, id) = (self.settings(|settings| Pace::of(settings)), self.next_id());
        self.with_repo(owner, name, |repo| {
            let site = Site {
                workflow: false,
                branch: branch.to_owned(),
                path: "/".to_owned(),
                forced: false,
                builds: Vec::new(),
                failed: BTreeMap::new(),
            };
            repo.site = Some(site);
            pages::build(repo, id, &pace, true);
        });
    }

    /// Removes a repository, as by hand in the browser.
    pub fn delete_repo(&self, owner: &str, name: &str) -> bool {
        let mut repos = lock(&self.0.repos);
        let Some(at) = repos.iter().position(|repo| repo.is(owner, name)) else {
            return false;
        };
        let repo = repos.remove(at);
        let _ = std::fs::remove_dir_all(repo.dir);
        true
    }

    /// Renames or transfers a repository; the old name leads there.
    pub fn move_repo(&self, owner: &str, name: &str, new_owner: &str, new_name: &str) {
        let dir = self.repo_dir(new_owner, new_name);
        let moved = self.with_repo(owner, name, |repo| {
            std::fs::create_dir_all(dir.parent().expect("owner's folder")).expect("folder");
            std::fs::rename(&repo.dir, &dir).expect("repository moves");
            repo.old_names.push(repo.full_name().to_ascii_lowercase());
            repo.dir = dir;
            (repo.owner, repo.name) = (new_owner.to_owned(), new_name.to_owned());
        });
        assert!(moved.is_some(), "no repository {owner}/{name}");
    }

    pub fn set_repo(&self, owner: &str, name: &str, private: bool, archived: bool) {
        self.with_repo(owner, name, |repo| {
            (repo.private, repo.archived) = (private, archived);
        });
    }

    /// Serves a file at `https://localhost:PORT/path`; the URL.
    pub fn tls_file(&self, path: &str, bytes: Vec<u8>) -> String {
        self.tls_answer(path, 200, &[("Content-Type", pages::sort_of(path))], bytes)
    }

    /// The same with a status and headers of one's own.
    pub fn tls_answer(
        &self,
        path: &str,
        status: u16,
        headers: &[(&str, &str)],
        bytes: Vec<u8>,
    ) -> String {
        let start = http::Answer {
            body: bytes,
            ..http::Answer::empty(status)
        };
        tls::serve(
            self,
            path,
            headers
                .iter()
                .fold(start, |answer, (name, value)| answer.with(name, *value)),
        )
    }

    /// The authority (PEM) to trust for `tls_file`.
    pub fn ca_file(&self) -> PathBuf {
        tls::ca_file(self)
    }
}
