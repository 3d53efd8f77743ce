//! Generate, check, commit and push: what is made, and made anew when the branch has moved meanwhile.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::shown::plural;
use super::{Goal, Walk, preview, state, step};
use crate::error::{Code, Error, Result};
use crate::journal::briefs;
use crate::journal::record::Step;
use crate::ports::forge::Repository;
use crate::progress::Stage;
use crate::stages::check as checks;
use crate::stages::commit::{self, Commit};
use crate::stages::deploy::{self, Outcome, Push};
use crate::stages::generate::llm::{Draft, Earlier, Judge};
use crate::stages::generate::{self, App, Brief, asked};
use crate::stages::remote::Base;
use crate::text::head;

/// Bytes of a brief that a later round is told.
const KEPT_BRIEF: usize = 100_000;

/// How often a commit is made anew because the branch has moved.
const REDO: u32 = 5;

impl Walk<'_> {
    /// Generate, check, commit and push, again if the branch has moved meanwhile. `None` where the goal comes before the push.
    pub(super) fn make(&mut self) -> Result<Option<Push>> {
        if let Some(push) = self.pushed_before()?
            && self.goal > Goal::Check
        {
            self.go_on_from(&push)?;
            return Ok(Some(push));
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
            let fits =
                |base: &Option<Base>| base.as_ref().map(|b| &b.tip) == commit.parent.as_ref();
            let known = self
                .ground
                .take()
                .filter(|(_, base)| fits(base))
                .map(|(repository, _)| repository);
            self.setup.world.progress.detail("pushing");
            match deploy::push(
                &self.setup.world,
                self.task,
                &self.target(&self.git_dir(), &self.description()),
                &commit,
                known,
            )? {
                Outcome::Pushed(push) => {
                    self.record_push(&push, started)?;
                    // Another process was faster.
                    if push.sha != commit.sha {
                        self.go_on_from(&push)?;
                    }
                    return Ok(Some(push));
                }
                Outcome::Moved(repository, base) => self.start_over(Some((repository, base)))?,
                Outcome::OtherSender => {
                    self.leave_to_other_sender()?;
                    self.start_over(None)?;
                }
            }
        }
        Err(Error::new(
            Code::Busy,
            format!(
                "others keep pushing to {}: the commit was made anew {REDO} times",
                self.repo
            ),
        )
        .hint("run the same command again"))
    }

    /// The push of this run that is on record, or that is found on the remote where it matters.
    pub(super) fn pushed_before(&mut self) -> Result<Option<Push>> {
        if let Some(push) = self.journal.get(step::PUSH)? {
            return Ok(Some(push.value));
        }
        let started = Instant::now();
        let found = self.look_first()?;
        if let Some(push) = &found {
            self.record_push(push, started)?;
        }
        Ok(found)
    }

    /// Looks at the remote before anything is made: what is there is built on, and a run that was pushed before the state
    /// directory was lost, or from another one, is not made again.
    fn look_first(&mut self) -> Result<Option<Push>> {
        // A commit that stays here is looked up for where it would cost something to make it.
        let costly = self.setup.adopt || self.setup.generate.model.is_some();
        let needed = self.goal >= Goal::Deploy
            || (self.task.round > 1 || costly && self.goal > Goal::Check)
                && self.journal.get(step::GENERATE)?.is_none();
        if !needed {
            return Ok(None);
        }
        self.enter(Stage::Generate);
        self.setup
            .world
            .progress
            .detail("looking at what is on the remote");
        // Somebody has put something else in the place of a file of git's. All that it held is on record, or on the remote.
        if !self.setup.world.git.is_regular(&self.git_dir()) {
            self.journal.forget_git()?;
        }
        self.look()
    }

    /// Fetches what is on the remote, to build on; a push of this run, if there is one.
    fn look(&mut self) -> Result<Option<Push>> {
        let found = self.find()?;
        Ok(found.and_then(|found| {
            self.ground = Some((found.repository, found.base));
            found.push
        }))
    }

    /// What was pushed before is what the run has made: refuses to take it for something else, judges it where that is still
    /// to be done, and says what is reused.
    fn go_on_from(&mut self, push: &Push) -> Result<()> {
        self.enter(Stage::Generate);
        let record = self.record_of(push)?;
        if let Some(asked) = self.another(&record, push)? {
            return Err(refused(&asked, &record));
        }
        let progress = &self.setup.world.progress;
        self.say_reused(&record);
        if !self.verdicts_stand()? {
            self.app = Some(self.committed_app(push)?);
        }
        self.check().map_err(|e| match e.code {
            Code::ChecksFailed => e.hint(
                "it was pushed before: mend it in the next round, or make it anew with --fresh",
            ),
            _ => e,
        })?;
        progress.reused(Stage::Commit, head(push.sha.as_str(), 7), true);
        Ok(())
    }

    /// What is known of how the app of a push was made.
    fn record_of(&mut self, push: &Push) -> Result<generate::Record> {
        match self.made_of(push)? {
            Some(record) => Ok(record),
            None => Ok(self.committed_app(push)?.record),
        }
    }

    /// The record of the app, if it is the one that was pushed.
    fn made_of(&self, push: &Push) -> Result<Option<generate::Record>> {
        let commit = self.journal.get(step::COMMIT)?;
        if push.recovered.is_some() && commit.is_some_and(|c| c.value.sha != push.sha) {
            return Ok(None);
        }
        let record = self.journal.get(step::GENERATE)?;
        Ok(record.map(|r| r.value))
    }

    /// The app as it was pushed, from the commit itself.
    fn committed_app(&mut self, push: &Push) -> Result<App> {
        let (world, git_dir) = (&self.setup.world, self.git_dir());
        if !world.git.has(&git_dir, &push.sha) {
            self.look()?;
        }
        let tree = world.git.tree(&git_dir, push.sha.as_str())?;
        let trailer = push.recovered.as_deref().unwrap_or_default();
        Ok(App::committed(&push.sha, &tree, trailer))
    }

    /// What is asked for otherwise than it was pushed.
    fn another(&mut self, record: &generate::Record, push: &Push) -> Result<Option<String>> {
        let options = &self.setup.generate;
        match &options.site {
            // Found on the remote: then its files tell.
            Some(dir) if record.site.is_none() => {
                let app = self.committed_app(push)?;
                let files = preview::kept(&self.setup.world, &app, &self.git_dir())?;
                let same = generate::same_files(self.task, dir, &files)?;
                Ok((!same).then(|| format!("--site {}", dir.display())))
            }
            _ => asked::another(options, record),
        }
    }

    fn say_reused(&self, record: &generate::Record) {
        let progress = &self.setup.world.progress;
        let files = record.files.len();
        let how = asked::how(&record.generator);
        progress.reused(
            Stage::Generate,
            &format!("{}, {how}", plural(files, "file")),
            true,
        );
        for flag in asked::unused(&self.setup.generate.flags, record) {
            progress.warn(&format!(
                "{flag}: without effect, for the app was made before; --fresh makes it anew"
            ));
        }
    }

    /// The branch has moved, or another repository is the right one. The template is rendered on the new ground; files that cost
    /// something are kept as they are.
    fn start_over(&mut self, ground: Option<(Repository, Option<Base>)>) -> Result<()> {
        self.setup
            .world
            .progress
            .detail("committing on top of what is on the branch now");
        self.journal.forget(&state::from(Stage::Check))?;
        match self.app.take() {
            Some(app) if app.record.generator.kind != generate::Kind::Template => {
                let git_dir = self.git_dir();
                let base = ground.as_ref().and_then(|(_, base)| base.as_ref());
                let base = base.map(|b| (b, git_dir.as_path()));
                let brief = Brief {
                    repo: &self.repo,
                    started_at: self.run.started_at,
                    base,
                    calls: Path::new(""),
                    earlier: &[],
                    scan: &self.setup.scan,
                    judge: None,
                };
                let app = generate::onto(&self.setup.world, self.task, &app, &brief)?;
                let ms = self.journal.get(step::GENERATE)?.map_or(0, |s| s.ms);
                self.journal.store_files(&app.stored)?;
                self.journal.put(step::GENERATE, ms, app.record.clone())?;
                self.journal.keep_files(&app.record.stored)?;
            }
            _ => self.journal.forget(&state::from(Stage::Generate))?,
        }
        self.ground = ground;
        Ok(())
    }

    pub(super) fn generate(&mut self) -> Result<()> {
        self.enter(Stage::Generate);
        let push = self.journal.get(step::PUSH)?;
        let mut record = self.journal.get(step::GENERATE)?.map(|r| r.value);
        if let Some(Step { value: push, .. }) = push {
            let made = self.made_of(&push)?;
            let record = self.record_of(&push)?;
            let app = match self.another(&record, &push)? {
                None => match made {
                    Some(record) => App {
                        stored: self.journal.load_files(&record.stored)?,
                        record,
                    },
                    None => self.committed_app(&push)?,
                },
                // A look at files of one's own is no run of them.
                Some(_) if self.goal == Goal::Check && self.setup.generate.site.is_some() => {
                    self.app = Some(self.make_app()?);
                    return Ok(());
                }
                Some(asked) => return Err(refused(&asked, &record)),
            };
            self.say_reused(&app.record);
            self.app = Some(app);
            return Ok(());
        }
        if let Some(known) = &record
            && let Some(why) = self.made_anew(known)?
        {
            self.setup.world.progress.warn(&why);
            self.journal.forget(&state::from(Stage::Check))?;
            self.resumed_from = None;
            record = None;
        }
        if let Some(record) = record {
            let stored = self.journal.load_files(&record.stored)?;
            self.say_reused(&record);
            self.app = Some(App { record, stored });
            return Ok(());
        }
        let started = Instant::now();
        let app = self.make_app()?;
        self.journal.store_files(&app.stored)?;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.journal.put(step::GENERATE, ms, app.record.clone())?;
        self.journal.keep_files(&app.record.stored)?;
        let by = app.record.generator.name();
        self.setup.world.progress.done(
            Stage::Generate,
            &format!("{}, by {by}", plural(app.record.files.len(), "file")),
        );
        self.app = Some(app);
        Ok(())
    }

    /// Why an app that is on record and was not pushed is made anew, in a sentence.
    fn made_anew(&self, known: &generate::Record) -> Result<Option<String>> {
        let options = &self.setup.generate;
        if let Some(asked) = asked::another(options, known)? {
            let how = asked::how(&known.generator);
            return Ok(Some(format!(
                "{asked}: the app is made anew; the one on record was made {how}"
            )));
        }
        let again =
            "the template stands in for a language model that gave no answer; it is asked again";
        Ok(asked::again(options, known).then(|| again.to_owned()))
    }

    /// The app as it is asked for, on what is on the remote. It goes on no record here.
    fn make_app(&self) -> Result<App> {
        let (setup, task, git_dir) = (self.setup, self.task, self.git_dir());
        let base = self
            .ground
            .as_ref()
            .and_then(|(_, base)| base.as_ref())
            .map(|base| (base, git_dir.as_path()));
        let (calls, earlier) = (self.calls()?, self.earlier()?);
        let judge = |draft: &Draft<'_>| self.judge_draft(draft);
        // A recording is the same with and without a browser, so what one sees is no part of it.
        let taped = setup
            .generate
            .model
            .as_ref()
            .is_some_and(|m| m.record.is_some() || m.replay.is_some());
        let off = taped || setup.checks.mode == checks::Mode::Off;
        let judge: Option<&Judge<'_>> = if off { None } else { Some(&judge) };
        let brief = Brief {
            repo: &self.repo,
            started_at: self.run.started_at,
            base,
            calls: &calls,
            earlier: &earlier,
            scan: &setup.scan,
            judge,
        };
        generate::app(&setup.world, task, &setup.generate, &brief)
    }

    /// Where the calls to a language model are kept. An answer is known again by what was said, so answers to somebody who
    /// wanted another model, or none, lie elsewhere.
    fn calls(&self) -> Result<PathBuf> {
        let (top, options) = (self.journal.dir().join("llm"), &self.setup.generate);
        if options.model.is_none() {
            return Ok(top);
        }
        let known = self.journal.read::<Conversation>(step::ASKED)?;
        let made = self.journal.get(step::GENERATE)?;
        let conversation = match known {
            Some(known) if options.differs(&known.wish, None).is_none() => known,
            known => {
                let wish = options.wish();
                let first = known.is_none() && made.is_none();
                let folder = (!first).then(|| wish.key());
                let conversation = Conversation { wish, folder };
                self.journal.write(step::ASKED, &conversation)?;
                conversation
            }
        };
        Ok(match conversation.folder {
            Some(folder) => top.join(folder),
            None => top,
        })
    }

    /// What earlier rounds asked for; what this one does is kept for later ones.
    fn earlier(&self) -> Result<Vec<Earlier>> {
        let (state, task) = (&self.setup.state, self.task);
        let brief = head(&task.brief, KEPT_BRIEF).to_owned();
        let this = Earlier {
            round: task.round,
            brief,
            checks: task.checks.clone(),
            destination: self.journal.read(step::DESTINATION)?,
        };
        briefs::keep(state, &task.email, &task.task, task.round, &this)?;
        self.rounds_before()
    }

    pub(super) fn rounds_before(&self) -> Result<Vec<Earlier>> {
        briefs::before(
            &self.setup.state,
            &self.task.email,
            &self.task.task,
            self.task.round,
        )
    }

    /// What a language model would be asked first, with what is on the remote now.
    pub(super) fn prompt(&mut self) -> Result<String> {
        let git_dir = self.git_dir();
        if self.task.round > 1 {
            self.ground = self.find()?.map(|found| (found.repository, found.base));
        }
        let base = self
            .ground
            .as_ref()
            .and_then(|(_, base)| base.as_ref())
            .map(|base| (base, git_dir.as_path()));
        let (calls, earlier) = (self.calls()?, self.rounds_before()?);
        let brief = Brief {
            repo: &self.repo,
            started_at: self.run.started_at,
            base,
            calls: &calls,
            earlier: &earlier,
            scan: &self.setup.scan,
            judge: None,
        };
        generate::prompt(&self.setup.world, self.task, &self.setup.generate, &brief)
    }

    fn commit(&mut self) -> Result<Commit> {
        self.enter(Stage::Commit);
        let app = self
            .app
            .as_ref()
            .ok_or_else(|| Error::new(Code::Internal, "nothing was generated"))?;
        let (setup, task, git_dir, description) =
            (self.setup, self.task, self.git_dir(), self.description());
        let lost = |commit: &Step<Commit>| !setup.world.git.has(&git_dir, &commit.value.sha);
        if self.journal.get(step::COMMIT)?.is_some_and(|c| lost(&c)) {
            self.journal.forget(&state::from(Stage::Commit))?;
        }
        let mut made = false;
        let step = self.journal.step(step::COMMIT, || {
            made = true;
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
        let (progress, sha) = (&setup.world.progress, step.value.sha.as_str());
        if made {
            progress.done(Stage::Commit, sha);
        } else {
            progress.reused(Stage::Commit, head(sha, 7), true);
        }
        Ok(step.value)
    }

    fn record_push(&mut self, push: &Push, started: Instant) -> Result<()> {
        if push.recovered.is_some() {
            let commit = self.journal.get(step::COMMIT)?;
            if commit.is_none_or(|c| c.value.sha != push.sha) {
                // What was made here is not what was pushed.
                self.journal.forget(&state::from(Stage::Generate))?;
                self.app = None;
            }
            self.resumed_from.get_or_insert(Stage::Deploy);
        }
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.journal.put(step::PUSH, ms, push.clone()).map(drop)
    }
}

/// Whom the calls that are kept were made for.
#[derive(Serialize, Deserialize)]
struct Conversation {
    wish: asked::Wish,
    /// Below the folder of the calls; none for the first.
    folder: Option<String>,
}

/// After the push an app is made no more: another would need another commit.
fn refused(asked: &str, record: &generate::Record) -> Error {
    let how = asked::how(&record.generator);
    Error::new(
        Code::InvalidTask,
        format!("{asked}: this run was pushed with another app, made {how}"),
    )
    .hint("publish another with --fresh, or as the next round")
}
