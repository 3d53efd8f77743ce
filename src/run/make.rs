//! Generate, check, commit and push: what is made, and made anew when the branch has moved meanwhile.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Goal, Walk, step};
use crate::error::{Code, Error, Result};
use crate::journal::briefs;
use crate::journal::record::Step;
use crate::ports::forge::Repository;
use crate::progress::Stage;
use crate::stages::check as checks;
use crate::stages::commit::{self, Commit};
use crate::stages::deploy::{self, Outcome, Push};
use crate::stages::generate::llm::{Draft, Earlier, Judge};
use crate::stages::generate::{self, App, Brief};
use crate::stages::remote::Base;
use crate::text::head;

/// Bytes of a brief that a later round is told.
const KEPT_BRIEF: usize = 100_000;

/// How often a commit is made anew because the branch has moved.
const REDO: u32 = 5;

impl Walk<'_> {
    /// Generate, check, commit and push, again if the branch has moved meanwhile. `None` where the goal comes before the push.
    pub(super) fn make(&mut self) -> Result<Option<Step<Push>>> {
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
                Outcome::Pushed(push) => return self.record_push(push, started).map(Some),
                Outcome::Moved(repository, base) => self.start_over(repository, base)?,
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

    /// Looks at the remote before anything is made, where what is there matters for making it.
    pub(super) fn look_first(&mut self) -> Result<Option<Push>> {
        // What a language model makes costs something: a run that was pushed before the state directory was lost is not made
        // again. One request where there is no repository yet.
        let costly = self.setup.adopt || self.setup.generate.model.is_some();
        let needed = self.task.round > 1 || costly && self.goal > Goal::Check;
        if !needed
            || self
                .journal
                .read::<Step<generate::Record>>(step::GENERATE)?
                .is_some()
        {
            return Ok(None);
        }
        self.enter(Stage::Generate);
        self.setup
            .world
            .progress
            .detail("looking at what is on the remote");
        let (git_dir, description) = (self.git_dir(), self.description());
        let found = deploy::look(
            &self.setup.world,
            self.task,
            &self.target(&git_dir, &description),
        )?;
        let Some(deploy::Found {
            repository,
            base,
            push,
        }) = found
        else {
            return Ok(None);
        };
        self.ground = Some((repository, base));
        Ok(push)
    }

    /// The branch has moved. The template is rendered on the new ground; files that cost something are kept as they are.
    fn start_over(&mut self, repository: Repository, base: Option<Base>) -> Result<()> {
        self.setup
            .world
            .progress
            .detail("the branch has moved; committing on top of it");
        self.journal.forget(&[step::COMMIT, step::CHECK])?;
        match self.app.take() {
            Some(app) if app.record.generator.kind != generate::Kind::Template => {
                let git_dir = self.git_dir();
                let base = base.as_ref().map(|b| (b, git_dir.as_path()));
                let brief = Brief {
                    repo: &self.repo,
                    started_at: self.run.started_at,
                    base,
                    calls: Path::new(""),
                    earlier: &[],
                    judge: None,
                };
                let app = generate::onto(&self.setup.world, self.task, &app, &brief)?;
                let ms = self
                    .journal
                    .read::<Step<generate::Record>>(step::GENERATE)?
                    .map_or(0, |s| s.ms);
                self.journal.store_files(&app.stored)?;
                self.journal.write(
                    step::GENERATE,
                    &Step {
                        ms,
                        value: &app.record,
                    },
                )?;
                self.journal.keep_files(&app.record.stored)?;
            }
            _ => self.journal.forget(&[step::GENERATE])?,
        }
        self.ground = Some((repository, base));
        Ok(())
    }

    pub(super) fn generate(&mut self) -> Result<()> {
        self.enter(Stage::Generate);
        let mut record = self
            .journal
            .read::<Step<generate::Record>>(step::GENERATE)?;
        if let (Some(known), Some(dir)) = (&record, &self.setup.generate.site)
            && !generate::same_site(&known.value, dir)?
        {
            self.journal
                .forget(&[step::COMMIT, step::CHECK, step::GENERATE])?;
            record = None;
        }
        let app = if let Some(Step { value: record, .. }) = record {
            let stored = self.journal.load_files(&record.stored)?;
            App { record, stored }
        } else {
            let (setup, task, git_dir) = (self.setup, self.task, self.git_dir());
            let base = self
                .ground
                .as_ref()
                .and_then(|(_, base)| base.as_ref())
                .map(|base| (base, git_dir.as_path()));
            let (calls, earlier) = (self.calls(), self.earlier()?);
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
                judge,
            };
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
        self.setup.world.progress.done(
            Stage::Generate,
            &format!("{} files, by {by}", app.record.files.len()),
        );
        self.app = Some(app);
        Ok(())
    }

    fn calls(&self) -> PathBuf {
        self.journal.dir().join("llm")
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

    fn rounds_before(&self) -> Result<Vec<Earlier>> {
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
            let description = self.description();
            let found = deploy::look(
                &self.setup.world,
                self.task,
                &self.target(&git_dir, &description),
            )?;
            self.ground = found.map(|found| (found.repository, found.base));
        }
        let base = self
            .ground
            .as_ref()
            .and_then(|(_, base)| base.as_ref())
            .map(|base| (base, git_dir.as_path()));
        let (calls, earlier) = (self.calls(), self.rounds_before()?);
        let brief = Brief {
            repo: &self.repo,
            started_at: self.run.started_at,
            base,
            calls: &calls,
            earlier: &earlier,
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
        if self
            .journal
            .read::<Step<Commit>>(step::COMMIT)?
            .is_some_and(|c| lost(&c))
        {
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
        setup
            .world
            .progress
            .done(Stage::Commit, step.value.sha.as_str());
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
    pub(super) fn require_pushed_site(&self) -> Result<()> {
        let (Some(dir), Some(record)) = (
            &self.setup.generate.site,
            self.journal
                .read::<Step<generate::Record>>(step::GENERATE)?,
        ) else {
            return Ok(());
        };
        if generate::same_site(&record.value, dir)? {
            return Ok(());
        }
        let message = format!(
            "--site {}: this run was pushed with other files",
            dir.display()
        );
        Err(Error::new(Code::InvalidTask, message)
            .hint("publish these with --fresh, or as a new round"))
    }
}
