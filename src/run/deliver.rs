//! From the push to the accepted notification.

use std::time::Instant;

use super::{Walk, outcome, step};
use crate::error::{Code, Error, Result};
use crate::journal::outbox;
use crate::journal::record::Step;
use crate::ports::http::is_loopback;
use crate::progress::Stage;
use crate::stages::deploy::{self, Deployment, Push};
use crate::stages::notify::{self, Receipt};

impl Walk<'_> {
    pub(super) fn wait_for_page(&mut self, push: &Push) -> Result<Deployment> {
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
        let before = known.as_ref().map_or(0, |k| k.ms);
        let record = |deployment: Deployment| {
            let ms = before + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.journal.write(
                step::DEPLOY,
                &Step {
                    ms,
                    value: deployment,
                },
            )
        };
        let pages_url = match &known {
            Some(known) => known.value.pages_url.clone(),
            None => {
                let pages_url = self.setup.forge.enable(world, &push.name, push.has_pages)?;
                let reason = Some("Pages was just turned on".to_owned());
                record(Deployment {
                    pages_url: pages_url.clone(),
                    live: false,
                    reason,
                })?;
                pages_url
            }
        };
        // What is generated here may not be what was found on the remote.
        let made = self
            .app
            .as_ref()
            .filter(|_| push.recovered.is_none())
            .map(|app| (app, self.task));
        let until = Instant::now() + self.setup.pages_timeout;
        let deployment = deploy::wait_live(
            world,
            &target,
            push,
            &pages_url,
            made,
            known.is_some(),
            until,
        )?;
        record(deployment.clone())?;
        if deployment.live {
            world.progress.done(Stage::Deploy, &deployment.pages_url);
        }
        Ok(deployment)
    }

    /// Tells the evaluator, unless it was told; `again`: even then.
    pub(super) fn notify(&mut self, again: bool) -> Result<()> {
        self.stage = Stage::Notify;
        let (setup, id) = (self.setup, self.task.id());
        let Some(url) = &self.task.evaluation_url else {
            return Ok(());
        };
        let (push, deployment) = match (
            self.journal.read::<Step<Push>>(step::PUSH)?,
            self.journal.read::<Step<Deployment>>(step::DEPLOY)?,
        ) {
            (Some(push), Some(deployment)) => (push.value, deployment.value),
            _ => {
                return Err(
                    Error::new(Code::State, "this run has no page yet to tell of")
                        .hint("llmdeploy run TASK"),
                );
            }
        };
        let known = self.journal.read::<Step<Receipt>>(step::NOTIFY)?;
        if !again
            && known
                .as_ref()
                .is_some_and(|k| k.value.delivered_at.is_some())
        {
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
        let payload = outcome::payload(&self.run, push, deployment);
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
        self.journal.write(
            step::NOTIFY,
            &Step {
                ms,
                value: receipt.clone(),
            },
        )?;
        if receipt.delivered_at.is_some() {
            outbox::remove(&setup.state, &id)?;
        }
        sent?;
        setup.world.progress.done(Stage::Notify, "accepted");
        Ok(())
    }
}
