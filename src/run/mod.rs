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
pub mod dashboard;
mod deliver;
mod destination;
pub mod doctor;
pub mod document;
mod make;
mod outcome;
mod preview;
mod retry;
pub mod shown;
mod state;
pub mod status;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::clock::rfc3339_now;
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::record::Step;
use crate::journal::{Journal, Opened, Run, outbox};
use crate::ports::World;
use crate::ports::forge::{Forge, Repository};
use crate::progress::Stage;
use crate::request::name;
use crate::request::task::{Admission, Content, Task};
use crate::stages::check as checks;
use crate::stages::deploy::Target;
use crate::stages::generate::{self, App, Generator};
use crate::stages::notify::{self, Payload, Receipt};
use crate::stages::remote::Base;
use crate::stages::scan;
pub use check::check;
use document::{CommitDocument, Failure, GenerateDocument, RunDocument};
use outcome::conclude;
pub use outcome::identity;
pub use retry::{Errands, retry};
use state::RunState;

/// All that a walk is told from outside.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Setup {
    pub state: PathBuf,
    pub admission: Admission,
    pub forge: Box<dyn Forge>,
    /// `--repo`.
    pub repo: Option<String>,
    /// `--new-repo`.
    pub new_repo: bool,
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
    /// `--notify`: an evaluator on another machine is notified of a page on this one too.
    pub notify_elsewhere: bool,
    /// This process goes on by itself, and nobody waits for it.
    pub detached: bool,
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

/// The records of a run.
mod step {
    use crate::journal::record::Key;
    use crate::stages::check::Verdict;
    use crate::stages::commit::Commit;
    use crate::stages::deploy::{Deployment, Push};
    use crate::stages::generate::Record;
    use crate::stages::notify::Receipt;

    pub const GENERATE: Key<Record> = Key::new("generate");
    pub const CHECK: Key<Vec<Verdict>> = Key::new("check");
    pub const COMMIT: Key<Commit> = Key::new("commit");
    pub const PUSH: Key<Push> = Key::new("push");
    pub const DEPLOY: Key<Deployment> = Key::new("deploy");
    pub const NOTIFY: Key<Receipt> = Key::new("notify");

    /// The forge and the repository, as one text.
    pub const DESTINATION: &str = "destination";
    /// There while the walk that began last is one that goes on by itself.
    pub const DETACHED: &str = "detached";
    /// Whom the calls to a language model are for, and where they are kept.
    pub const ASKED: &str = "asked";
    pub const REMEDIES: &str = "remedies";
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
    /// Why the browser did not start.
    no_browser: RefCell<Option<String>>,
}

/// Walks up to a live page, and with [`Goal::Notify`] tells the evaluator. `begun` is called when the run is ours.
#[must_use]
pub fn run(
    setup: &Setup,
    task: &Task,
    goal: Goal,
    begun: &dyn Fn(),
) -> (RunDocument, Option<Error>) {
    let mut document = identity(task);
    match Walk::begin(setup, task, goal) {
        Ok(mut walk) => {
            begun();
            let error = guarded(&mut walk, Walk::go).err();
            let error = walk.close(&mut document, error);
            (document, error)
        }
        Err(error) => {
            if error.code == Code::SecretFound {
                // In one of the values by which the run is known.
                document = RunDocument::default();
            }
            conclude(&mut document, Some(&error), Stage::Task);
            (document, Some(error))
        }
    }
}

/// The walk up to the local commit.
#[must_use]
pub fn commit(setup: &Setup, task: &Task) -> (CommitDocument, Option<Error>) {
    let mut document = CommitDocument {
        run: Some(task.id().to_string()),
        ..CommitDocument::default()
    };
    let ended = part_of_the_way(setup, task, Goal::Commit, |walk| {
        walk.go()?;
        document.git_dir = Some(walk.journal.git_dir().display().to_string());
        let pushed = walk.journal.get(step::PUSH)?.map(|p| p.value.sha);
        let made = walk.journal.get(step::COMMIT)?.map(|c| c.value.sha);
        document.commit_sha = pushed.or(made).map(String::from);
        Ok(())
    });
    let (failure, error) = told(ended);
    document.error = failure;
    (document, error)
}

/// A walk that does not mean to go to the end; what became of it is kept for `status`. The error comes with the stage it is of.
fn part_of_the_way<'a>(
    setup: &'a Setup,
    task: &'a Task,
    goal: Goal,
    act: impl FnOnce(&mut Walk<'a>) -> Result<()>,
) -> Result<(), (Stage, Error)> {
    let mut walk = Walk::begin(setup, task, goal).map_err(|e| (Stage::Task, e))?;
    let result = guarded(&mut walk, act);
    walk.note(result).map_err(|e| (walk.stage, e))
}

/// For the document, and for the exit status.
fn told(ended: Result<(), (Stage, Error)>) -> (Option<Failure>, Option<Error>) {
    let (stage, error) = ended.err().unzip();
    (error.as_ref().map(|e| Failure::of(e, stage)), error)
}

/// Makes the app and writes it to `dir`, `./<repository>` by default.
#[must_use]
pub fn generate(
    setup: &Setup,
    task: &Task,
    dir: Option<&Path>,
) -> (GenerateDocument, Option<Error>) {
    let mut document = GenerateDocument {
        run: Some(task.id().to_string()),
        ..GenerateDocument::default()
    };
    let ended = part_of_the_way(setup, task, Goal::Generate, |walk| {
        walk.go()?;
        walk.preview(dir, &mut document)
    });
    let (failure, error) = told(ended);
    document.error = failure;
    (document, error)
}

/// What a language model would be asked first. Asks nobody, and leaves nothing on record: it is printed to edit the task after it.
///
/// # Errors
/// As the walk up to the generator.
pub fn prompt(setup: &Setup, task: &Task) -> Result<String> {
    let scratch = tempfile::tempdir()
        .context("making a temporary folder")
        .or_code(Code::State)?;
    Walk::begin_in(scratch.path(), setup, task, Goal::Generate)?.prompt()
}

/// Sends the notification of a deployed run again, accepted or not.
#[must_use]
pub fn notify_again(setup: &Setup, task: &Task) -> (RunDocument, Option<Error>) {
    on_record(setup, task, |walk| {
        walk.notify(true).and_then(|()| walk.require_live())
    })
}

/// Ends a notification that will never be accepted. One that was accepted stays so.
#[must_use]
pub fn give_up(setup: &Setup, task: &Task) -> (RunDocument, Option<Error>) {
    on_record(setup, task, |walk| {
        walk.give_up().and_then(|()| walk.require_live())
    })
}

/// Works on a run that was begun, with its result.
fn on_record(
    setup: &Setup,
    task: &Task,
    act: impl FnOnce(&mut Walk<'_>) -> Result<()>,
) -> (RunDocument, Option<Error>) {
    let mut document = identity(task);
    let known = (setup.state.join("runs").join(task.id().as_str())).join("run.json");
    let begun = if known.is_file() {
        Walk::begin(setup, task, Goal::Notify)
    } else {
        Err(Error::new(
            Code::State,
            format!("nothing is known here of run {}", task.id()),
        )
        .hint("llmdeploy run TASK; or give its result: llmdeploy notify TASK --result FILE"))
    };
    match begun {
        Ok(mut walk) => {
            let error = guarded(&mut walk, act).err();
            let error = walk.close(&mut document, error);
            (document, error)
        }
        Err(error) => {
            conclude(&mut document, Some(&error), Stage::Task);
            (document, Some(error))
        }
    }
}

/// A fault of ours in one stage is an error of that stage: the run's result says so, here and for `status`.
fn guarded<'a>(walk: &mut Walk<'a>, act: impl FnOnce(&mut Walk<'a>) -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(|| act(walk))).unwrap_or_else(|_| {
        Err(
            Error::new(Code::Internal, "this is a fault of llmdeploy itself").hint(
                "please report it, with what stands above; what was done until then is on record",
            ),
        )
    })
}

/// Sends the notification that a result describes, with no state at all. `result` is what `run` or `deploy` printed.
///
/// # Errors
/// `usage` for a result that is not one of this task, `notify_pending`.
pub fn notify_result(
    setup: &Setup,
    task: &Task,
    payload: &Payload,
    receipt: &mut Receipt,
) -> Result<()> {
    let same = payload.email == task.email
        && payload.task == task.task
        && payload.round == task.round
        && payload.nonce == task.nonce;
    if !same {
        let message = "--result: email, task, round and nonce are not those of the task";
        return Err(Error::new(Code::Usage, message)
            .hint("give the result that `run` printed for this very task"));
    }
    let Some(url) = &task.evaluation_url else {
        return Err(Error::new(
            Code::Usage,
            "the task has no evaluation_url: there is nobody to notify",
        ));
    };
    setup.world.progress.begin(Stage::Notify);
    let sent = notify::send(
        &setup.world,
        url,
        payload,
        &setup.admission,
        setup.notify_for.unwrap_or_default(),
        receipt,
    );
    sent.map_err(|e| {
        e.hint("run the same command again when the evaluator is back; nothing of it is kept here")
    })?;
    setup.world.progress.done(Stage::Notify, "accepted");
    Ok(())
}

impl<'a> Walk<'a> {
    fn begin(setup: &'a Setup, task: &'a Task, goal: Goal) -> Result<Self> {
        Self::begin_in(&setup.state, setup, task, goal)
    }

    /// Keeps its records below `state`.
    fn begin_in(state: &Path, setup: &'a Setup, task: &'a Task, goal: Goal) -> Result<Self> {
        // They are sent, printed and kept as they are.
        let said = [
            ("email", task.email.as_str()),
            ("task", &task.task),
            ("nonce", &task.nonce),
        ];
        scan::require_own_kept(&said, &setup.scan)?;
        let repo = setup
            .repo
            .clone()
            .unwrap_or_else(|| name::repository(&task.task));
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
            let message = format!(
                "this run (same email, task, round and nonce) is known with other content: {}",
                fields.join(", ")
            );
            Err(Error::new(Code::InvalidTask, message).hint(
                "give a new task another nonce or round, or replace the old one with --fresh",
            ))
        };
        let Opened {
            journal,
            run,
            known,
        } = Journal::open(state, &task.id(), new, setup.fresh, differs)?;
        let no_browser = RefCell::new(None);
        let mut walk = Self {
            setup,
            task,
            goal,
            journal,
            run,
            repo,
            app: None,
            ground: None,
            resumed_from: None,
            stage: Stage::Task,
            no_browser,
        };
        if setup.detached {
            walk.journal.write(step::DETACHED, &true)?;
        } else {
            walk.journal.forget(&[step::DETACHED])?;
        }
        if let Some(name) = walk.name_on_record()? {
            walk.repo = name;
        }
        if known {
            outcome::reopen(&walk.journal)?;
            walk.resumed_from = RunState::load(&walk.journal)?.resumed_from();
        } else {
            // What was to be told of before is no more.
            outbox::remove(state, &task.id())?;
        }
        Ok(walk)
    }

    /// Makes the result of a walk, and keeps it for `status`.
    fn close(&self, document: &mut RunDocument, error: Option<Error>) -> Option<Error> {
        let unreadable = outcome::fill(
            &self.journal,
            || checks::unjudged(self.task, false),
            document,
        )
        .err();
        let error = unreadable.or(error);
        document.resumed_from = self.resumed_from;
        self.say_template(document);
        conclude(document, error.as_ref(), self.stage);
        if error.is_none() && outcome::is_as_before(&self.journal, document) {
            self.setup.world.progress.note(
                "nothing was left to do: this run was finished before (--fresh makes it anew)",
            );
        }
        let unkept = outcome::keep(&self.journal, self.run.started_at, document)
            .and_then(|()| self.let_go_of_refused(error.as_ref()));
        error.or(unkept.err())
    }

    /// That the template stands in for a model is said once more at the end, where it is read.
    fn say_template(&self, document: &RunDocument) {
        let generator = document.generator.as_ref().filter(|g| !g.lacks_model());
        if let Some(line) = generator.and_then(Generator::instead) {
            self.setup.world.progress.warn(&line);
        }
    }

    /// A task that was refused and never pushed must not stand in the way of the right one under the same four values.
    fn let_go_of_refused(&self, error: Option<&Error>) -> Result<()> {
        if error.is_some_and(|e| e.code == Code::InvalidTask)
            && self.journal.get(step::PUSH)?.is_none()
        {
            return self.journal.forget(&["run"]);
        }
        Ok(())
    }

    /// Keeps for `status` what became of a walk that did not mean to go to the end. Its own error comes before one of keeping it.
    fn note(&self, result: Result<()>) -> Result<()> {
        let mut document = identity(self.task);
        let noted = outcome::fill(
            &self.journal,
            || checks::unjudged(self.task, false),
            &mut document,
        )
        .and_then(|()| {
            self.say_template(&document);
            conclude(&mut document, result.as_ref().err(), self.stage);
            outcome::keep_unfinished(&self.journal, self.run.started_at, document)?;
            self.let_go_of_refused(result.as_ref().err())
        });
        result.and(noted)
    }

    fn go(&mut self) -> Result<()> {
        if self.journal.get(step::GENERATE)?.is_none() && self.journal.get(step::PUSH)?.is_none() {
            self.setup.generate.require_model()?;
        }
        if self.setup.prove && self.goal > Goal::Check {
            self.setup.forge.prove(&self.setup.world)?;
        }
        if self.goal > Goal::Check || self.task.round > 1 {
            self.choose_name()?;
            self.bind_destination()?;
        }
        match self.make()? {
            Some(push) if self.goal >= Goal::Deploy => self.deliver(push),
            _ => Ok(()),
        }
    }

    /// Nothing is sent any more, neither by a rerun nor by `notify --retry`.
    fn give_up(&mut self) -> Result<()> {
        self.stage = Stage::Notify;
        let Step { ms, mut value } =
            self.journal
                .read::<Step<Receipt>>(step::NOTIFY)?
                .unwrap_or(Step {
                    ms: 0,
                    value: Receipt::default(),
                });
        let push = self.journal.get(step::PUSH)?;
        let told = push.is_some_and(|push| value.has_told(&push.value.sha));
        if told || value.given_up_at.is_some() {
            let how = if told { "was accepted" } else { "was given up" };
            let progress = &self.setup.world.progress;
            progress.warn(&format!("the notification {how} before"));
        } else if self.task.evaluation_url.is_some() {
            value.given_up_at = Some(rfc3339_now());
            self.journal.put(step::NOTIFY, ms, value)?;
        }
        outbox::remove(&self.setup.state, &self.task.id())
    }

    /// The evaluator may have been told, but a run is over only when its page has been seen.
    fn require_live(&mut self) -> Result<()> {
        let deployment = self.journal.get(step::DEPLOY)?;
        let Some(page) = deployment.map(|d| d.value).filter(|page| !page.live) else {
            return Ok(());
        };
        self.stage = Stage::Deploy;
        let reason = page.reason.unwrap_or_default();
        Err(if page.failed {
            Error::new(
                Code::PagesFailed,
                format!("GitHub could not build the page: {reason}"),
            )
            .hint("mend what the message names if it is in the files; llmdeploy run TASK again goes on with the page")
        } else {
            Error::new(
                Code::PagesPending,
                format!("the page is not live yet: {reason}"),
            )
            .hint("llmdeploy run TASK again; it only waits for the page")
        })
    }

    fn preview(&mut self, dir: Option<&Path>, document: &mut GenerateDocument) -> Result<()> {
        let app = self
            .app
            .as_ref()
            .ok_or_else(|| Error::new(Code::Internal, "nothing was generated"))?;
        scan::require_clean(&app.files(self.task)?, &[], &self.setup.scan)?;
        let default = PathBuf::from(format!("./{}", self.repo));
        let dir = dir.unwrap_or(&default);
        preview::write(
            &self.setup.world,
            &self.setup.state,
            dir,
            app,
            self.task,
            &self.git_dir(),
        )?;
        document.dir = Some(dir.display().to_string());
        document.files.clone_from(&app.record.files);
        document.generator = Some(app.record.generator.clone());
        document.checks = self
            .journal
            .get(step::CHECK)?
            .map(|s| s.value)
            .unwrap_or_default();
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
        Target {
            forge: forge.as_ref(),
            name: &self.repo,
            description,
            adopt: *adopt,
            named: self.setup.repo.is_some(),
            fresh: self.run.fresh > 0,
            git_dir,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::clock::Clock;
    use crate::ports::forge::{Author, Live, Page};
    use crate::ports::git::Git;
    use crate::ports::http::Http;
    use crate::ports::process::Children;
    use crate::progress::Progress;

    struct Nobody;

    impl Progress for Nobody {
        fn begin(&self, _: Stage) {}
        fn detail(&self, _: &str) {}
        fn done(&self, _: Stage, _: &str) {}
        fn reused(&self, _: Stage, _: &str, _: bool) {}
        fn partly(&self, _: Stage, _: &str) {}
        fn note(&self, _: &str) {}
        fn warn(&self, _: &str) {}
        fn trace(&self, _: &str) {}
    }

    /// A forge with a fault in it.
    struct Broken;

    impl Forge for Broken {
        fn key(&self) -> String {
            "broken".to_owned()
        }
        fn prove(&self, _: &World) -> Result<()> {
            Ok(())
        }
        fn author(&self, _: &World) -> Result<Author> {
            Ok(Author::default())
        }
        fn find(&self, _: &World, _: &str) -> Result<Option<Repository>> {
            panic!("a fault that the test wants")
        }
        fn create(&self, _: &World, _: &str, _: &str) -> Result<Repository> {
            panic!("not reached")
        }
        fn address(&self, _: &World, _: &str, _: bool) -> String {
            String::new()
        }
        fn enable(&self, _: &World, _: &str, _: bool) -> Result<String> {
            panic!("not reached")
        }
        fn wait_live(&self, _: &World, _: &str, _: &Page<'_>, _: Instant) -> Result<Live> {
            panic!("not reached")
        }
    }

    #[test]
    fn a_fault_in_a_stage_leaves_a_result() {
        let state = tempfile::tempdir().unwrap();
        let progress: Arc<dyn Progress> = Arc::new(Nobody);
        let children = Children::default();
        let second = Duration::from_secs(1);
        let clock = Clock {
            unit: second,
            poll: second,
            answer: second,
            deadline: Instant::now() + second,
            work_until: Instant::now() + second,
        };
        let world = World {
            clock,
            http: Http::new(None, Arc::clone(&progress)).unwrap(),
            git: Git::new(children.clone(), Arc::clone(&progress), second),
            children,
            progress,
        };
        let task = Task::parse(br#"{"email":"a@b.c","task":"t","brief":"Show it."}"#).unwrap();
        let setup = Setup {
            state: state.path().to_owned(),
            admission: Admission::default(),
            forge: Box::new(Broken),
            repo: None,
            new_repo: false,
            adopt: false,
            fresh: false,
            prove: false,
            generate: generate::Options::default(),
            checks: checks::Options::default(),
            screenshot: None,
            scan: scan::Options::default(),
            pages_timeout: second,
            notify_for: None,
            notify_elsewhere: false,
            detached: true,
            world,
        };
        let (document, error) = run(&setup, &task, Goal::Deploy, &|| ());
        let error = error.unwrap();
        assert_eq!(error.code, Code::Internal);
        let failure = document.error.unwrap();
        assert_eq!(failure.stage, Some(Stage::Generate));
        assert_eq!(document.run, Some(task.id().to_string()));
        let seen = status::one(state.path(), &task.id()).unwrap();
        assert_eq!(seen.standing, status::Standing::Failed);
    }
}
