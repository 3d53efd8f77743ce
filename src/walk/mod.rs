//! The walk of a task through the stages; the only file that knows them all.
//!
//! ```text
//! generate → check → commit → push → page → notify
//!     ↑                         │
//!     └── the branch has moved ─┘
//! ```
//!
//! Each arrow is a record in the journal. A walk that is started again finds the records and goes on behind the last one.

mod check;
pub mod document;
mod outcome;
mod preview;
mod retry;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};
use crate::journal::record::Step;
use crate::journal::{Journal, Opened, Run, briefs, outbox};
use crate::ports::World;
use crate::ports::forge::{Forge, Repository};
use crate::progress::Stage;
use crate::stages::check::{self as checks, Verdict};
use crate::stages::commit::{self, Commit};
use crate::stages::deploy::{self, Deployment, Outcome, Push, Target};
use crate::stages::generate::llm::{Draft, Earlier, Judge};
use crate::stages::generate::{self, App, Brief};
use crate::stages::ground::Base;
use crate::stages::name;
use crate::stages::notify::{self, Payload, Receipt};
use crate::stages::scan;
use crate::stages::task::{Admission, Content, Task};
use crate::values::boundary;
pub use check::check;
use document::{CommitDocument, Failure, GenerateDocument, RunDocument};
use outcome::{conclude, identity};
pub use retry::{Errands, retry};

/// Bytes of a brief that a later round is told.
const KEPT_BRIEF: usize = 100_000;

/// How often a commit is made anew because the branch has moved.
const REDO: u32 = 5;

/// All that a walk is told from outside.
pub struct Setup {
    pub state: PathBuf,
    pub admission: Admission,
    pub forge: Box<dyn Forge>,
    /// `--repo`.
    pub repo: Option<String>,
    pub adopt: bool,
    pub fresh: bool,
    /// `REQUIRE_GITHUB_TOKEN_ON_STARTUP`.
    pub prove: bool,
    pub generate: generate::Options,
    pub checks: checks::Options,
    /// `--screenshot`.
    pub screenshot: Option<PathBuf>,
    pub scan: scan::Options,
    pub pages_timeout: Duration,
    /// How long to go on notifying; `None` under `--no-notify`.
    pub notify_for: Option<Duration>,
    pub world: World,
}

/// How far to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    Generate,
    Check,
    Commit,
    Deploy,
    Notify,
}

/// Names of the records.
mod step {
    pub const DESTINATION: &str = "destination";
    pub const GENERATE: &str = "generate";
    pub const CHECK: &str = "check";
    pub const COMMIT: &str = "commit";
    pub const PUSH: &str = "push";
    pub const DEPLOY: &str = "deploy";
    pub const NOTIFY: &str = "notify";
}

struct Walk<'a> {
    setup: &'a Setup,
    task: &'a Task,
    goal: Goal,
    journal: Journal,
    run: Run<Content>,
    /// The repository's name as asked for.
    repo: String,
    app: Option<App>,
    /// The repository as looked at in this process, with what is in it.
    ground: Option<(Repository, Option<Base>)>,
    resumed_from: Option<Stage>,
    /// Where we are, for the error.
    stage: Stage,
}

/// Walks up to a live page, and with [`Goal::Notify`] tells the evaluator. `begun` is called when the run is ours.
#[must_use]
pub fn run(setup: &Setup, task: &Task, goal: Goal, begun: &dyn Fn()) -> (RunDocument, Option<Error>) {
    let mut document = identity(task);
    match Walk::begin(setup, task, goal) {
        Ok(mut walk) => {
            begun();
            let error = walk.go().err();
            let error = walk.close(&mut document, error);
            (document, error)
        }
        Err(error) => {
            conclude(&mut document, Some(&error), Stage::Task);
            (document, Some(error))
        }
    }
}

/// The walk up to the local commit.
#[must_use]
pub fn commit(setup: &Setup, task: &Task) -> (CommitDocument, Option<Error>) {
    let mut document = CommitDocument { run: Some(task.id().to_string()), ..CommitDocument::default() };
    let (stage, result) = match Walk::begin(setup, task, Goal::Commit) {
        Ok(mut walk) => {
            let result = walk.go().and_then(|()| {
                document.git_dir = Some(walk.journal.git_dir().display().to_string());
                let pushed = walk.journal.read::<Step<Push>>(step::PUSH)?.map(|p| p.value.sha);
                let made = walk.journal.read::<Step<Commit>>(step::COMMIT)?.map(|c| c.value.sha);
                document.commit_sha = pushed.or(made).map(String::from);
                Ok(())
            });
            (walk.stage, walk.note(result))
        }
        Err(e) => (Stage::Task, Err(e)),
    };
    let error = result.err();
    document.error = error.as_ref().map(|e| Failure::of(e, Some(stage)));
    (document, error)
}

/// Makes the app and writes it to `dir`, `./<repository>` by default.
#[must_use]
pub fn generate(setup: &Setup, task: &Task, dir: Option<&Path>) -> (GenerateDocument, Option<Error>) {
    let mut document = GenerateDocument { run: Some(task.id().to_string()), ..GenerateDocument::default() };
    let (stage, result) = match Walk::begin(setup, task, Goal::Generate) {
        Ok(mut walk) => {
            let result = walk.go().and_then(|()| walk.preview(dir, &mut document));
            (walk.stage, walk.note(result))
        }
        Err(e) => (Stage::Task, Err(e)),
    };
    let error = result.err();
    document.error = error.as_ref().map(|e| Failure::of(e, Some(stage)));
    (document, error)
}

/// What a language model would be asked first. Asks nobody.
///
/// # Errors
/// As the walk up to the generator.
pub fn prompt(setup: &Setup, task: &Task) -> Result<String> {
    Walk::begin(setup, task, Goal::Generate)?.prompt()
}

/// Sends the notification of a deployed run again, accepted or not.
#[must_use]
pub fn notify_again(setup: &Setup, task: &Task) -> (RunDocument, Option<Error>) {
    let mut document = identity(task);
    let begun = if setup.state.join("runs").join(task.id().as_str()).join("run.json").is_file() {
        Walk::begin(setup, task, Goal::Notify)
    } else {
        Err(Error::new(Code::State, format!("nothing is known here of run {}", task.id()))
            .hint("llmdeploy run TASK; or give its result: llmdeploy notify TASK --result FILE"))
    };
    match begun {
        Ok(mut walk) => {
            let sent = walk.notify(true);
            let error = walk.close(&mut document, sent.err());
            (document, error)
        }
        Err(error) => {
            conclude(&mut document, Some(&error), Stage::Task);
            (document, Some(error))
        }
    }
}

/// Sends the notification that a result describes, with no state at all. `result` is what `run` or `deploy` printed.
///
/// # Errors
/// `usage` for a result that is not one of this task, `notify_pending`.
pub fn notify_result(setup: &Setup, task: &Task, payload: &Payload) -> Result<Receipt> {
    let same = payload.email == task.email && payload.task == task.task && payload.round == task.round && payload.nonce == task.nonce;
    if !same {
        let message = "--result: email, task, round and nonce are not those of the task";
        return Err(Error::new(Code::Usage, message).hint("give the result that `run` printed for this very task"));
    }
    let Some(url) = &task.evaluation_url else {
        return Err(Error::new(Code::Usage, "the task has no evaluation_url: there is nobody to notify"));
    };
    let mut receipt = Receipt::default();
    setup.world.progress.begin(Stage::Notify);
    notify::send(&setup.world, url, payload, &setup.admission, setup.notify_for.unwrap_or_default(), &mut receipt)?;
    setup.world.progress.done(Stage::Notify, "accepted");
    Ok(receipt)
}

impl<'a> Walk<'a> {
    fn begin(setup: &'a Setup, task: &'a Task, goal: Goal) -> Result<Self> {
        let repo = setup.repo.clone().unwrap_or_else(|| name::repository(&task.task));
        let new = Run {
            email: task.email.clone(),
            task: task.task.clone(),
            round: task.round,
            nonce: task.nonce.clone(),
            evaluation_url: task.evaluation_url.as_ref().map(|u| u.as_str().to_owned()),
            content: task.content().clone(),
            started_at: crate::clock::unix_now(),
            fresh: 0,
        };
        let differs = |known: &Run<Content>| {
            let fields = known.content.differences(task.content());
            if fields.is_empty() {
                return Ok(());
            }
            let message = format!("this run (same email, task, round and nonce) is known with other content: {}", fields.join(", "));
            Err(Error::new(Code::InvalidTask, message).hint("give a new task another nonce or round, or replace the old one with --fresh"))
        };
        let Opened { journal, run, known } = Journal::open(&setup.state, &task.id(), new, setup.fresh, differs)?;
        let mut walk = Self { setup, task, goal, journal, run, repo, app: None, ground: None, resumed_from: None, stage: Stage::Task };
        if known {
            outcome::reopen(&walk.journal)?;
            walk.resumed_from = walk.first_open_stage()?;
        } else {
            // What was to be told of before is no more.
            outbox::remove(&setup.state, &task.id())?;
        }
        Ok(walk)
    }

    /// Makes the result of a walk, and keeps it for `status`.
    fn close(&self, document: &mut RunDocument, error: Option<Error>) -> Option<Error> {
        let unreadable = outcome::fill(&self.journal, checks::unjudged(self.task, false), document).err();
        let error = unreadable.or(error);
        document.resumed_from = self.resumed_from;
        conclude(document, error.as_ref(), self.stage);
        let unkept = outcome::keep(&self.journal, self.run.started_at, document).and_then(|()| self.let_go_of_refused(error.as_ref()));
        error.or(unkept.err())
    }

    /// A task that was refused and never pushed must not stand in the way of the right one under the same four values.
    fn let_go_of_refused(&self, error: Option<&Error>) -> Result<()> {
        if error.is_some_and(|e| e.code == Code::InvalidTask) && self.journal.read::<Step<Push>>(step::PUSH)?.is_none() {
            return self.journal.forget(&["run"]);
        }
        Ok(())
    }

    /// Keeps for `status` what became of a walk that did not mean to go to the end.
    fn note(&self, result: Result<()>) -> Result<()> {
        let mut document = identity(self.task);
        outcome::fill(&self.journal, checks::unjudged(self.task, false), &mut document)?;
        conclude(&mut document, result.as_ref().err(), self.stage);
        outcome::keep_unfinished(&self.journal, self.run.started_at, document)?;
        self.let_go_of_refused(result.as_ref().err())?;
        result
    }

    fn go(&mut self) -> Result<()> {
        if self.setup.prove && self.goal > Goal::Check {
            self.setup.forge.prove(&self.setup.world)?;
        }
        if self.goal > Goal::Check || self.task.round > 1 {
            self.bind_destination()?;
        }
        let push = match self.journal.read::<Step<Push>>(step::PUSH)? {
            Some(push) if self.goal > Goal::Check => {
                self.require_pushed_site()?;
                Some(push)
            }
            _ => self.make()?,
        };
        match push {
            Some(push) if self.goal >= Goal::Deploy => {
                let deployment = self.wait_for_page(&push.value)?;
                if self.goal == Goal::Notify && self.setup.notify_for.is_some() {
                    self.notify(false)?;
                }
                if deployment.live {
                    self.check_live()?;
                }
                self.stage = Stage::Deploy;
                match deployment {
                    Deployment { live: true, .. } => Ok(()),
                    Deployment { reason, .. } => {
                        Err(Error::new(Code::PagesPending, format!("the page is not live yet: {}", reason.unwrap_or_default()))
                            .hint("run the same command again; it only waits for the page"))
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// Where the run goes to. One that goes elsewhere now keeps what was generated and begins anew from the commit on.
    fn bind_destination(&mut self) -> Result<()> {
        let destination = format!("{} {}", self.setup.forge.key(), self.repo);
        match self.journal.read::<String>(step::DESTINATION)? {
            Some(known) if known == destination => return Ok(()),
            Some(_) => {
                self.journal.forget(&[step::NOTIFY, step::DEPLOY, step::PUSH, step::COMMIT])?;
                let record = self.journal.read::<Step<generate::Record>>(step::GENERATE)?;
                if record.is_some_and(|r| r.value.base.is_some()) {
                    self.journal.forget(&[step::CHECK, step::GENERATE])?;
                }
                self.resumed_from = self.first_open_stage()?;
            }
            None => {}
        }
        self.journal.write(step::DESTINATION, &destination)
    }

    /// Generate, check, commit and push, again if the branch has moved meanwhile. `None` where the goal comes before the push.
    fn make(&mut self) -> Result<Option<Step<Push>>> {
        let started = Instant::now();
        if let Some(push) = self.look_first()? {
            return self.record_push(push, started).map(Some);
        }
        for _ in 0..=REDO {
            self.generate()?;
            self.check()?;
            if self.goal <= Goal::Check {
                return Ok(None);
            }
            let commit = self.commit()?;
            if self.goal == Goal::Commit {
                return Ok(None);
            }
            self.enter(Stage::Deploy);
            let started = Instant::now();
            // A commit on record may have been made for an earlier state of the remote, so it is looked at again.
            let fits = |base: &Option<Base>| base.as_ref().map(|b| &b.tip) == commit.parent.as_ref();
            let known = self.ground.take().filter(|(_, base)| fits(base)).map(|(repository, _)| repository);
            self.setup.world.progress.detail("pushing");
            match deploy::push(&self.setup.world, self.task, &self.target(&self.git_dir(), &self.description()), &commit, known)? {
                Outcome::Pushed(push) => return self.record_push(push, started).map(Some),
                Outcome::Moved(repository, base) => self.start_over(repository, base)?,
            }
        }
        Err(Error::new(Code::Busy, format!("others keep pushing to {}: the commit was made anew {REDO} times", self.repo))
            .hint("run the same command again"))
    }

    /// Looks at the remote before anything is made, where what is there matters for making it.
    fn look_first(&mut self) -> Result<Option<Push>> {
        // What a language model makes costs something: a run that was pushed before the state directory was lost is not made
        // again. One request where there is no repository yet.
        let costly = self.setup.adopt || self.setup.generate.model.is_some();
        let needed = self.task.round > 1 || costly && self.goal > Goal::Check;
        if !needed || self.journal.read::<Step<generate::Record>>(step::GENERATE)?.is_some() {
            return Ok(None);
        }
        self.enter(Stage::Generate);
        self.setup.world.progress.detail("looking at what is on the remote");
        let (git_dir, description) = (self.git_dir(), self.description());
        let found = deploy::look(&self.setup.world, self.task, &self.target(&git_dir, &description))?;
        let Some(deploy::Found { repository, base, push }) = found else { return Ok(None) };
        self.ground = Some((repository, base));
        Ok(push)
    }

    /// The branch has moved. The template is rendered on the new ground; files that cost something are kept as they are.
    fn start_over(&mut self, repository: Repository, base: Option<Base>) -> Result<()> {
        self.setup.world.progress.detail("the branch has moved; committing on top of it");
        self.journal.forget(&[step::COMMIT, step::CHECK])?;
        match self.app.take() {
            Some(app) if app.record.generator.kind != generate::Kind::Template => {
                let git_dir = self.git_dir();
                let base = base.as_ref().map(|b| (b, git_dir.as_path()));
                let brief =
                    Brief { repo: &self.repo, started_at: self.run.started_at, base, calls: Path::new(""), earlier: &[], judge: None };
                let app = generate::onto(&self.setup.world, self.task, &app, &brief)?;
                let ms = self.journal.read::<Step<generate::Record>>(step::GENERATE)?.map_or(0, |s| s.ms);
                self.journal.store_files(&app.stored)?;
                self.journal.write(step::GENERATE, &Step { ms, value: app.record })?;
            }
            _ => self.journal.forget(&[step::GENERATE])?,
        }
        self.ground = Some((repository, base));
        Ok(())
    }

    fn generate(&mut self) -> Result<()> {
        self.enter(Stage::Generate);
        let mut record = self.journal.read::<Step<generate::Record>>(step::GENERATE)?;
        if let (Some(known), Some(dir)) = (&record, &self.setup.generate.site)
            && !generate::same_site(&known.value, dir)?
        {
            self.journal.forget(&[step::COMMIT, step::CHECK, step::GENERATE])?;
            record = None;
        }
        let app = if let Some(Step { value: record, .. }) = record {
            let stored = self.journal.load_files(&record.stored)?;
            App { record, stored }
        } else {
            let (setup, task, git_dir) = (self.setup, self.task, self.git_dir());
            let base = self.ground.as_ref().and_then(|(_, base)| base.as_ref()).map(|base| (base, git_dir.as_path()));
            let (calls, earlier) = (self.calls(), self.earlier()?);
            let judge = |draft: &Draft<'_>| self.judge_draft(draft);
            // A recording is the same with and without a browser, so what one sees is no part of it.
            let taped = setup.generate.model.as_ref().is_some_and(|m| m.record.is_some() || m.replay.is_some());
            let off = taped || setup.checks.mode == checks::Mode::Off;
            let judge: Option<&Judge<'_>> = if off { None } else { Some(&judge) };
            let brief = Brief { repo: &self.repo, started_at: self.run.started_at, base, calls: &calls, earlier: &earlier, judge };
            let mut made = None;
            self.journal.step(step::GENERATE, || {
                let app = generate::app(&setup.world, task, &setup.generate, &brief)?;
                self.journal.store_files(&app.stored)?;
                let record = app.record.clone();
                made = Some(app);
                Ok(record)
            })?;
            made.ok_or_else(|| Error::new(Code::Internal, "the record was there after all"))?
        };
        let by = app.record.generator.name();
        self.setup.world.progress.done(Stage::Generate, &format!("{} files, by {by}", app.record.files.len()));
        self.app = Some(app);
        Ok(())
    }

    fn calls(&self) -> PathBuf {
        self.journal.dir().join("llm")
    }

    /// What earlier rounds asked for; what this one does is kept for later ones.
    fn earlier(&self) -> Result<Vec<Earlier>> {
        let (state, task) = (&self.setup.state, self.task);
        let checks = task.checks.iter().map(|c| c.text().to_owned()).collect();
        let brief = task.brief[..boundary(&task.brief, KEPT_BRIEF)].to_owned();
        let this = Earlier { round: task.round, brief, checks };
        briefs::keep(state, &task.email, &task.task, task.round, &this)?;
        briefs::before(state, &task.email, &task.task, task.round)
    }

    /// What a language model would be asked first, with what is on the remote now.
    fn prompt(&mut self) -> Result<String> {
        let git_dir = self.git_dir();
        if self.task.round > 1 {
            let description = self.description();
            let found = deploy::look(&self.setup.world, self.task, &self.target(&git_dir, &description))?;
            self.ground = found.map(|found| (found.repository, found.base));
        }
        let base = self.ground.as_ref().and_then(|(_, base)| base.as_ref()).map(|base| (base, git_dir.as_path()));
        let (calls, earlier) = (self.calls(), self.earlier()?);
        let brief = Brief { repo: &self.repo, started_at: self.run.started_at, base, calls: &calls, earlier: &earlier, judge: None };
        generate::prompt(&self.setup.world, self.task, &self.setup.generate, &brief)
    }

    fn commit(&mut self) -> Result<Commit> {
        self.enter(Stage::Commit);
        let app = self.app.as_ref().ok_or_else(|| Error::new(Code::Internal, "nothing was generated"))?;
        let (setup, task, git_dir, description) = (self.setup, self.task, self.git_dir(), self.description());
        let lost = |commit: &Step<Commit>| !setup.world.git.has(&git_dir, &commit.value.sha);
        if self.journal.read::<Step<Commit>>(step::COMMIT)?.is_some_and(|c| lost(&c)) {
            self.journal.forget(&[step::COMMIT])?;
        }
        let step = self.journal.step(step::COMMIT, || {
            match &app.record.base {
                // Whatever is there is of a process that died, and the commit is the same each time it is made.
                None => self.journal.forget_git()?,
                Some(base) if setup.world.git.has(&git_dir, base) => {}
                Some(_) => {
                    // What it builds on is on the remote still.
                    self.journal.forget_git()?;
                    deploy::look(&setup.world, task, &self.target(&git_dir, &description))?;
                }
            }
            let author = setup.forge.author(&setup.world)?;
            let place = commit::Place {
                git_dir: &git_dir,
                parent: app.record.base.as_ref(),
                author: &author,
                description: &description,
                date: self.run.started_at,
            };
            commit::make(&setup.world, task, app, &setup.scan, &place)
        })?;
        setup.world.progress.done(Stage::Commit, step.value.sha.as_str());
        Ok(step.value)
    }

    fn record_push(&mut self, push: Push, started: Instant) -> Result<Step<Push>> {
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let step = Step { ms, value: push };
        self.journal.write(step::PUSH, &step)?;
        if step.value.recovered.is_some() && self.resumed_from.is_none() {
            self.resumed_from = Some(Stage::Deploy);
        }
        Ok(step)
    }

    /// `--site` with other files than were pushed would silently be ignored.
    fn require_pushed_site(&self) -> Result<()> {
        let (Some(dir), Some(record)) = (&self.setup.generate.site, self.journal.read::<Step<generate::Record>>(step::GENERATE)?) else {
            return Ok(());
        };
        if generate::same_site(&record.value, dir)? {
            return Ok(());
        }
        let message = format!("--site {}: this run was pushed with other files", dir.display());
        Err(Error::new(Code::InvalidTask, message).hint("publish these with --fresh, or as a new round"))
    }

    fn wait_for_page(&mut self, push: &Push) -> Result<Deployment> {
        let known = self.journal.read::<Step<Deployment>>(step::DEPLOY)?;
        if let Some(Step { value, .. }) = &known
            && value.live
        {
            return Ok(value.clone());
        }
        self.enter(Stage::Deploy);
        let started = Instant::now();
        let (world, git_dir, description) = (&self.setup.world, self.git_dir(), self.description());
        let target = self.target(&git_dir, &description);
        let mut ms = known.as_ref().map_or(0, |k| k.ms);
        let mut record = |deployment: Deployment| {
            ms += u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.journal.write(step::DEPLOY, &Step { ms, value: deployment })
        };
        let pages_url = match &known {
            Some(known) => known.value.pages_url.clone(),
            None => {
                let pages_url = self.setup.forge.enable(world, &push.name, push.has_pages)?;
                let reason = Some("Pages was just turned on".to_owned());
                record(Deployment { pages_url: pages_url.clone(), live: false, reason })?;
                pages_url
            }
        };
        // What is generated here may not be what was found on the remote.
        let made = self.app.as_ref().filter(|_| push.recovered.is_none()).map(|app| (app, self.task));
        let until = Instant::now() + self.setup.pages_timeout;
        let deployment = deploy::wait_live(world, &target, push, &pages_url, made, known.is_some(), until)?;
        record(deployment.clone())?;
        if deployment.live {
            world.progress.done(Stage::Deploy, &deployment.pages_url);
        }
        Ok(deployment)
    }

    /// Tells the evaluator, unless it was told; `again`: even then.
    fn notify(&mut self, again: bool) -> Result<()> {
        self.stage = Stage::Notify;
        let (setup, id) = (self.setup, self.task.id());
        let Some(url) = &self.task.evaluation_url else { return Ok(()) };
        let (push, deployment) = match (self.journal.read::<Step<Push>>(step::PUSH)?, self.journal.read::<Step<Deployment>>(step::DEPLOY)?)
        {
            (Some(push), Some(deployment)) => (push.value, deployment.value),
            _ => return Err(Error::new(Code::State, "this run has no page yet to tell of").hint("llmdeploy run TASK")),
        };
        let known = self.journal.read::<Step<Receipt>>(step::NOTIFY)?;
        if !again && known.as_ref().is_some_and(|k| k.value.delivered_at.is_some()) {
            return Ok(());
        }
        self.enter(Stage::Notify);
        let started = Instant::now();
        let Step { ms, value: mut receipt } = known.unwrap_or(Step { ms: 0, value: Receipt::default() });
        let payload = outcome::payload(&self.run, push, deployment);
        if receipt.delivered_at.is_none() {
            outbox::add(&setup.state, &id)?;
        }
        let sent = notify::send(&setup.world, url, &payload, &setup.admission, setup.notify_for.unwrap_or_default(), &mut receipt);
        let ms = ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.journal.write(step::NOTIFY, &Step { ms, value: receipt.clone() })?;
        if receipt.delivered_at.is_some() {
            outbox::remove(&setup.state, &id)?;
        }
        sent?;
        setup.world.progress.done(Stage::Notify, "accepted");
        Ok(())
    }

    fn preview(&mut self, dir: Option<&Path>, document: &mut GenerateDocument) -> Result<()> {
        let app = self.app.as_ref().ok_or_else(|| Error::new(Code::Internal, "nothing was generated"))?;
        let default = PathBuf::from(format!("./{}", self.repo));
        let dir = dir.unwrap_or(&default);
        preview::write(&self.setup.world, &self.setup.state, dir, app, self.task, &self.git_dir())?;
        document.dir = Some(dir.display().to_string());
        document.files.clone_from(&app.record.files);
        document.generator = Some(app.record.generator.clone());
        document.checks = self.journal.read::<Step<Vec<Verdict>>>(step::CHECK)?.map(|s| s.value).unwrap_or_default();
        Ok(())
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.setup.world.progress.begin(stage);
    }

    fn git_dir(&self) -> PathBuf {
        self.journal.git_dir()
    }

    fn description(&self) -> String {
        name::description(&self.task.brief)
    }

    fn target<'b>(&'b self, git_dir: &'b Path, description: &'b str) -> Target<'b> {
        let Setup { forge, adopt, .. } = self.setup;
        Target { forge: forge.as_ref(), name: &self.repo, description, adopt: *adopt, fresh: self.run.fresh > 0, git_dir }
    }

    /// The first stage without a record, where an earlier process got past the first; the last if nothing is open.
    fn first_open_stage(&self) -> Result<Option<Stage>> {
        let have = |name: &str| self.journal.dir().join(format!("{name}.json")).is_file();
        let live = self.journal.read::<Step<Deployment>>(step::DEPLOY)?.is_some_and(|d| d.value.live);
        Ok(match () {
            () if !have(step::GENERATE) && !have(step::PUSH) => None,
            () if have(step::PUSH) && !live => Some(Stage::Deploy),
            () if have(step::PUSH) => Some(Stage::Notify),
            () if !have(step::CHECK) => Some(Stage::Check),
            () if !have(step::COMMIT) => Some(Stage::Commit),
            () => Some(Stage::Deploy),
        })
    }
}
