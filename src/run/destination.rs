//! Where a run goes to: the forge, and the name of the repository.
//!
//! The name is the task id where it can be, and once found it stays on record: for this run, and for later rounds of the same
//! task. `--repo` goes before everything.

use super::state::{self, RunState};
use super::{Walk, step};
use crate::error::{Code, Error, Result};
use crate::progress::Stage;
use crate::request::{name, place};
use crate::stages::deploy::{self, Found};
use crate::stages::remote;

/// Hexadecimal digits of the run's id in the name of a new repository.
const DIGITS: usize = 8;

impl Walk<'_> {
    /// The name that this run, or else the latest round before it, has gone to at this forge.
    pub(super) fn name_on_record(&self) -> Result<Option<String>> {
        if self.setup.repo.is_some() {
            return Ok(None);
        }
        let at = format!("{} ", self.setup.forge.key());
        let name = |destination: String| destination.strip_prefix(&at).map(ToOwned::to_owned);
        let own = self.journal.read::<String>(step::DESTINATION)?;
        if let Some(known) = own.and_then(name) {
            return Ok(Some(known));
        }
        let before = self.rounds_before()?;
        let mut destinations = before.into_iter().rev().filter_map(|r| r.destination);
        Ok(destinations.find_map(name))
    }

    /// The name for a run that has none on record, where the task id is not it.
    pub(super) fn choose_name(&mut self) -> Result<()> {
        let (world, forge) = (&self.setup.world, &self.setup.forge);
        if self.setup.repo.is_some() || self.name_on_record()?.is_some() {
            return Ok(());
        }
        // Before anybody is asked.
        place::require_room(self.task)?;
        if forge.is_special(world, &self.repo)? {
            self.repo = name::slug(&self.task.task);
        }
        if !self.setup.new_repo {
            return Ok(());
        }
        if self.task.round > 1 {
            world.progress.warn(
                "--new-repo is for round 1: a later round goes on where the earlier ones went",
            );
        } else if !self.is_free()? {
            let id = self.task.id();
            let ending = id.as_str().get(..DIGITS).unwrap_or_default();
            self.repo = name::with_ending(&self.repo, ending);
        }
        Ok(())
    }

    /// Whether nothing stands at this name but what this very run has put there.
    fn is_free(&self) -> Result<bool> {
        let (world, git_dir) = (&self.setup.world, self.git_dir());
        let Some(repository) = self.setup.forge.find(world, &self.repo)? else {
            return Ok(true);
        };
        if remote::require_usable(&repository).is_err() {
            return Ok(false);
        }
        let base = remote::survey(world, &repository, &git_dir)?;
        if let Some(base) = base {
            return Ok(base.commit_of(&self.task.id()).is_some());
        }
        match remote::may_build(world, &repository, None, "", false, &git_dir) {
            Err(e) if e.code == Code::NameTaken => Ok(false),
            other => other,
        }
    }

    /// What is on the remote, at a name whose runs are not another sender's.
    pub(super) fn find(&mut self) -> Result<Option<Found>> {
        loop {
            let (git_dir, description) = (self.git_dir(), self.description());
            let target = self.target(&git_dir, &description);
            let found = deploy::look(&self.setup.world, self.task, &target)?;
            if found.as_ref().is_some_and(|f| f.other_sender) {
                self.leave_to_other_sender()?;
            } else {
                return Ok(found);
            }
        }
    }

    /// The repository of this name belongs to another sender of the same task id: this one gets its own.
    pub(super) fn leave_to_other_sender(&mut self) -> Result<()> {
        let own = name::of_sender(&self.task.task, &self.task.email);
        if self.repo == own {
            return Err(Error::new(
                Code::NameTaken,
                format!("{own} holds runs of another sender"),
            )
            .hint("choose another name with --repo"));
        }
        self.setup.world.progress.warn(&format!(
            "{} holds runs of another e-mail address: this one goes to {own}",
            self.repo
        ));
        self.repo = own;
        self.bind_destination()
    }

    /// Where the run goes to. One that goes elsewhere now keeps what was generated and begins anew from the commit on.
    pub(super) fn bind_destination(&mut self) -> Result<()> {
        let destination = format!("{} {}", self.setup.forge.key(), self.repo);
        match self.journal.read::<String>(step::DESTINATION)? {
            Some(known) if known == destination => return Ok(()),
            Some(_) => {
                let record = self.journal.get(step::GENERATE)?;
                let on_other_ground = record.is_some_and(|r| r.value.base.is_some());
                self.journal.forget(&state::from(if on_other_ground {
                    Stage::Generate
                } else {
                    Stage::Commit
                }))?;
                self.resumed_from = RunState::load(&self.journal)?.resumed_from();
            }
            None => {}
        }
        self.journal.write(step::DESTINATION, &destination)
    }
}
