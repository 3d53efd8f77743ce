//! What the services share: settings, repositories, remembered misses.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::log::Entry;
use super::pages::{self, Pace};
use super::settings::Settings;
use super::store::{self, Repo};
use super::{Handle, lock};

impl Handle {
    pub(super) fn odd(&self, request: &Entry, what: &str) {
        lock(&self.0.unexpected).push(format!("{:?} {}: {what}", request.service, request.line()));
    }

    pub(super) fn answered(&self, request: &Entry, status: u16) {
        lock(&self.0.journal)[request.n].status = status;
    }

    pub(super) fn settings<R>(&self, read: impl FnOnce(&mut Settings) -> R) -> R {
        read(&mut lock(&self.0.settings))
    }

    /// Sleeps, but not past the end of the world.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.0.stopping.load(Ordering::SeqCst) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(10)));
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.0.ids.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn next_llm(&self) -> usize {
        self.0.asked_llm.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn accept_notification(&self, body: Value) {
        lock(&self.0.notifications).push(body);
    }

    pub(super) fn with_repo<R>(
        &self,
        owner: &str,
        name: &str,
        work: impl FnOnce(&mut Repo) -> R,
    ) -> Option<R> {
        lock(&self.0.repos)
            .iter_mut()
            .find(|repo| repo.is(owner, name))
            .map(work)
    }

    /// Makes a repository, atomically with the look whether there is one. False: there is.
    pub(super) fn add_repo(&self, owner: &str, name: &str, shape: impl FnOnce(&mut Repo)) -> bool {
        let mut repos = lock(&self.0.repos);
        if repos.iter().any(|repo| repo.is(owner, name)) {
            return false;
        }
        let now = SystemTime::now();
        let mut repo = Repo {
            id: self.next_id(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            in_org: !owner.eq_ignore_ascii_case(&self.login()),
            description: None,
            homepage: None,
            private: false,
            old_names: Vec::new(),
            archived: false,
            flags: BTreeMap::new(),
            topics: Vec::new(),
            created: now,
            pushed: now,
            fresh_since: None,
            site: None,
            dir: self.repo_dir(owner, name),
        };
        shape(&mut repo);
        store::init(&repo.dir);
        repos.push(repo);
        true
    }

    /// The branch may have moved: the time is noted, and Pages builds where it is on.
    pub(super) fn pushed(&self, owner: &str, name: &str) {
        let (pace, id) = (self.settings(|settings| Pace::of(settings)), self.next_id());
        self.with_repo(owner, name, |repo| {
            repo.pushed = SystemTime::now();
            pages::build(repo, id, &pace, false);
        });
    }

    /// Whether that URL was answered 404 so lately that the answer is remembered.
    pub(super) fn cached_404(&self, url: &str, keep: Duration) -> bool {
        lock(&self.0.misses)
            .get(url)
            .is_some_and(|missed| missed.elapsed() < keep)
    }

    pub(super) fn cache_404(&self, url: String) {
        lock(&self.0.misses).insert(url, Instant::now());
    }
}
