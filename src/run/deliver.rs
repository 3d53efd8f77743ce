//! From the push to the accepted notification.

use std::time::Instant;

use super::{Goal, Walk, outcome, step};
use crate::error::{Code, Error, Result};
use crate::journal::outbox;
use crate::journal::record::Step;
use crate::ports::http::is_loopback;
use crate::progress::Stage;
use crate::stages::deploy::{self, Deployment, Push, Wait, Waited};
use crate::stages::notify::{self, Receipt};
use crate::stages::rescue::{self, Next, Remedies};

/// The share of the waiting time after which a build that has not moved is stuck.
const STUCK_SHARE: u32 = 3;

impl Walk<'_> {
    /// Waits for the page and tells the evaluator, who hears of the repository whatever becomes of the page.
    pub(super) fn deliver(&mut self, push: Push) -> Result<()> {
        let page = self.wait_for_page(push);
        let known = self.journal.get(step::DEPLOY)?;
        let told =
            if known.is_some() && self.goal == Goal::Notify && self.setup.notify_for.is_some() {
                self.notify(false)
            } else if self.goal == Goal::Notify && self.setup.notify_for.is_none() {
                // It is not wanted any more, so nobody else shall send it either.
                outbox::remove(&self.setup.state, &self.task.id())
            } else {
                Ok(())
            };
        if page.is_err() {
            self.stage = Stage::Deploy;
        }
        let page = page?;
        told?;
        if page.live {
            self.check_live()?;
        }
        self.require_live()
    }

    fn wait_for_page(&mut self, push: Push) -> Result<Deployment> {
        let known = self.journal.get(step::DEPLOY)?;
        if let Some(Step { value, .. }) = &known
            && value.live
        {
            return Ok(value.clone());
        }
        self.enter(Stage::Deploy);
        let started = Instant::now();
        let before = known.as_ref().map_or(0, |k| k.ms);
        let record = |deployment: &Deployment| {
            let ms = before + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let step = Step {
                ms,
                value: deployment,
            };
            self.journal.write(step::DEPLOY, &step)
        };
        let (world, name) = (&self.setup.world, &push.name);
        let pages_url = match &known {
            Some(Step { value, .. }) if !value.off => value.pages_url.clone(),
            _ => match self.setup.forge.enable(world, name, push.has_pages) {
                Ok(pages_url) => pages_url,
                Err(why) => {
                    let address = self.setup.forge.address(world, name, true);
                    record(&Deployment {
                        failed: true,
                        off: true,
                        ..Deployment::pending(&address, why.one_line())
                    })?;
                    return Err(why);
                }
            },
        };
        if known.as_ref().is_none_or(|k| k.value.off) {
            record(&Deployment::pending(
                &pages_url,
                "Pages was just turned on".to_owned(),
            ))?;
        }
        let deployment = self.see_page_live(push, &pages_url)?;
        record(&deployment)?;
        if deployment.live {
            self.setup
                .world
                .progress
                .done(Stage::Deploy, &deployment.pages_url);
        }
        Ok(deployment)
    }

    /// Another commit of the run is the one to wait for.
    fn note_push(&self, push: &Push) -> Result<()> {
        let ms = self.journal.get(step::PUSH)?.map_or(0, |s| s.ms);
        self.journal.write(step::PUSH, &Step { ms, value: push })
    }

    /// Waits, and does what can be done where GitHub cannot build the page.
    fn see_page_live(&self, mut push: Push, pages_url: &str) -> Result<Deployment> {
        let (world, git_dir, description) = (&self.setup.world, self.git_dir(), self.description());
        let target = self.target(&git_dir, &description);
        // What is generated here may not be what was found on the remote.
        let made = self
            .app
            .as_ref()
            .filter(|_| push.recovered.is_none())
            .map(|app| (app, self.task));
        let mut remedies = self
            .journal
            .read::<Remedies>(step::REMEDIES)?
            .unwrap_or_default();
        let save = |remedies: &Remedies| self.journal.write(step::REMEDIES, remedies);
        let until = Instant::now() + self.setup.pages_timeout;
        // A queue may take long, so of one that stands still only one thing is tried in one walk.
        let mut begins = true;
        let mut stuck_at = Some(Instant::now() + world.clock.left(Some(until)) / STUCK_SHARE);
        loop {
            let sha = push.sha.clone();
            let wait = Wait {
                pages_url,
                made,
                failed: remedies.failed_before(&sha),
                stuck_at,
                until,
            };
            let trouble = match deploy::wait_live(world, self.task, &target, &push, &wait)? {
                Waited::Live => {
                    return Ok(Deployment {
                        live: true,
                        reason: None,
                        ..Deployment::pending(pages_url, String::new())
                    });
                }
                Waited::Pending(reason) => return Ok(Deployment::pending(pages_url, reason)),
                Waited::Newer(sha) => {
                    push.sha = sha;
                    self.note_push(&push)?;
                    continue;
                }
                Waited::Trouble(trouble) => trouble,
            };
            let is_stuck = trouble.build.is_none();
            if is_stuck {
                stuck_at = None;
            }
            let failed = Deployment {
                failed: !is_stuck,
                ..Deployment::pending(pages_url, trouble.reason.clone())
            };
            let next = rescue::next(
                world,
                self.task,
                &target,
                &push,
                &trouble,
                begins,
                &mut remedies,
                &save,
            );
            begins = false;
            match next {
                Ok(Next::Wait) => {}
                Ok(Next::Commit(sha)) => {
                    push.sha = sha;
                    self.note_push(&push)?;
                }
                Ok(Next::GiveUp) if is_stuck => {}
                Ok(Next::GiveUp) => return Ok(failed),
                Err(e) if e.code == Code::State => return Err(e),
                // The remedy may be had at another time; the evaluator hears of the commit that is there.
                Err(e) => {
                    let reason = format!("{}; {}", trouble.reason, e.one_line());
                    return Ok(Deployment {
                        reason: Some(reason),
                        ..failed
                    });
                }
            }
            if world.clock.left(Some(until)).is_zero() {
                return Ok(failed);
            }
        }
    }

    /// Tells the evaluator, unless it was told; `again`: even then.
    pub(super) fn notify(&mut self, again: bool) -> Result<()> {
        self.stage = Stage::Notify;
        let (setup, id) = (self.setup, self.task.id());
        let Some(url) = &self.task.evaluation_url else {
            return Ok(());
        };
        let (push, deployment) = match (
            self.journal.get(step::PUSH)?,
            self.journal.get(step::DEPLOY)?,
        ) {
            (Some(push), Some(deployment)) => (push.value, deployment.value),
            _ => {
                return Err(
                    Error::new(Code::State, "this run has no page yet to tell of")
                        .hint("llmdeploy run TASK"),
                );
            }
        };
        let known = self.journal.get(step::NOTIFY)?;
        if !again && known.as_ref().is_some_and(|k| k.value.is_over(&push.sha)) {
            return Ok(());
        }
        let is_local = deployment.pages_url.starts_with("file:");
        if !again && is_local && !setup.notify_elsewhere && !is_loopback(&url.host) {
            setup.world.progress.warn(&format!(
                "the notification was not sent: {} cannot open a page on this machine; --notify sends it all the same",
                url.host
            ));
            return Ok(());
        }
        self.enter(Stage::Notify);
        let started = Instant::now();
        let Step {
            ms,
            value: mut receipt,
        } = known.unwrap_or(Step {
            ms: 0,
            value: Receipt::default(),
        });
        receipt.begin(&push.sha);
        let payload = outcome::payload(&self.run, push, deployment);
        // Whoever sends it again has not given it up.
        receipt.given_up_at = None;
        if receipt.delivered_at.is_none() {
            outbox::add(&setup.state, &id)?;
        }
        let sent = notify::send(
            &setup.world,
            url,
            &payload,
            &setup.admission,
            setup.notify_for.unwrap_or_default(),
            &mut receipt,
        );
        let ms = ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.journal.put(step::NOTIFY, ms, receipt.clone())?;
        if receipt.delivered_at.is_some() {
            outbox::remove(&setup.state, &id)?;
        }
        sent?;
        setup.world.progress.done(Stage::Notify, "accepted");
        Ok(())
    }
}
