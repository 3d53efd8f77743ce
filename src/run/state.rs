//! What is known of one run: one typed value per stage. Its result, the stage at which it was taken up again and what has to
//! be made anew are derived from it here, without a disk.
//!
//! What was pushed decides: an app, verdicts and a commit that are on record for another commit than the one that is deployed
//! are nothing that is known of this run.

use super::document::{Pages, RunDocument, Status, Timings};
use super::step;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::journal::record::Step;
use crate::progress::Stage;
use crate::stages::check::Verdict;
use crate::stages::commit::Commit;
use crate::stages::deploy::{Deployment, Push};
use crate::stages::generate::{self, Generator};
use crate::stages::notify::Receipt;

/// All steps of a run.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    pub app: Option<Step<generate::Record>>,
    pub report: Option<Step<Vec<Verdict>>>,
    pub commit: Option<Step<Commit>>,
    pub push: Option<Step<Push>>,
    pub site: Option<Step<Deployment>>,
    pub told: Option<Step<Receipt>>,
}

impl RunState {
    /// # Errors
    /// `state` for a record that does not read.
    pub fn load(journal: &Journal) -> Result<Self> {
        let state = Self {
            app: journal.get(step::GENERATE)?,
            report: journal.get(step::CHECK)?,
            commit: journal.get(step::COMMIT)?,
            push: journal.get(step::PUSH)?,
            site: journal.get(step::DEPLOY)?,
            told: journal.get(step::NOTIFY)?,
        };
        Ok(state.of_what_is_pushed())
    }

    /// An earlier version left what was made here beside a push that was found on the remote. A commit of our own that a
    /// rescue commit took the place of has the same files.
    fn of_what_is_pushed(self) -> Self {
        let another =
            (self.commit.as_ref())
                .zip(self.push.as_ref())
                .is_some_and(|(commit, push)| {
                    push.value.recovered.is_some() && commit.value.sha != push.value.sha
                });
        if !another {
            return self;
        }
        Self {
            app: None,
            report: None,
            commit: None,
            ..self
        }
    }

    /// The first stage without a record, where an earlier process got past the first; the last if nothing is open.
    #[must_use]
    pub fn resumed_from(&self) -> Option<Stage> {
        let live = self.site.as_ref().is_some_and(|site| site.value.live);
        match (&self.push, &self.app) {
            (Some(_), _) if live => Some(Stage::Notify),
            (Some(_), _) => Some(Stage::Deploy),
            (None, None) => None,
            _ if self.report.is_none() => Some(Stage::Check),
            _ if self.commit.is_none() => Some(Stage::Commit),
            _ => Some(Stage::Deploy),
        }
    }

    /// How the app came to be, as far as that is known.
    fn generator(&self) -> Option<Generator> {
        match (&self.app, &self.push) {
            (Some(app), _) => Some(app.value.generator.clone()),
            (None, Some(push)) => Generator::from_trailer(push.value.recovered.as_deref()?),
            (None, None) => None,
        }
    }

    /// Puts what is known into the document. `unjudged`: what to say of the checks where there is no verdict.
    pub fn describe(self, document: &mut RunDocument, unjudged: impl FnOnce() -> Vec<Verdict>) {
        fn ms<T>(step: Option<&Step<T>>) -> Option<u64> {
            step.map(|step| step.ms)
        }
        document.timings_ms = Timings {
            generate: ms(self.app.as_ref()),
            check: ms(self.report.as_ref()),
            commit: ms(self.commit.as_ref()),
            deploy: ms(self.push.as_ref()).map(|push| push + ms(self.site.as_ref()).unwrap_or(0)),
            notify: ms(self.told.as_ref()),
        };
        document.generator = self.generator();
        document.checks = self.report.map_or_else(unjudged, |step| step.value);
        if let Some(Step { value: push, .. }) = self.push {
            document.repo_url = Some(push.repo_url);
            document.commit_sha = Some(push.sha.into());
        }
        if let Some(Step { value: site, .. }) = self.site {
            document.pages = Some(if site.live {
                Pages::Live
            } else {
                Pages::Pending
            });
            document.pages_url = Some(site.pages_url);
        }
        document.notification = self.told.map(|step| step.value);
    }
}

/// How a walk ended that has left this of the notification.
#[must_use]
pub fn status(told: Option<&Receipt>, error: Option<&Error>) -> Status {
    let accepted = told.is_some_and(|receipt| receipt.delivered_at.is_some());
    match error {
        Some(e) if e.code.is_pending() => Status::Pending,
        Some(_) => Status::Failed,
        None if accepted => Status::Notified,
        None => Status::Deployed,
    }
}

/// The records that stand on what a stage makes, its own included: the last first, so that a process that dies in between
/// leaves none without what it stands on.
#[must_use]
pub fn from(stage: Stage) -> Vec<&'static str> {
    [
        (Stage::Notify, step::NOTIFY.name()),
        (Stage::Deploy, step::REMEDIES),
        (Stage::Deploy, step::DEPLOY.name()),
        (Stage::Deploy, step::PUSH.name()),
        (Stage::Commit, step::COMMIT.name()),
        (Stage::Check, step::CHECK.name()),
        (Stage::Generate, step::GENERATE.name()),
    ]
    .into_iter()
    .filter(|(of, _)| *of >= stage)
    .map(|(_, name)| name)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::stages::generate::App;
    use crate::values::Sha;

    fn sha(digit: char) -> Sha {
        Sha::parse(&digit.to_string().repeat(40)).unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "a field of the state")]
    fn step<T>(value: T) -> Option<Step<T>> {
        Some(Step { ms: 2, value })
    }

    fn app(by: &str) -> Option<Step<generate::Record>> {
        step(App::committed(&sha('9'), &[], by).record)
    }

    fn commit(digit: char) -> Option<Step<Commit>> {
        step(Commit {
            sha: sha(digit),
            parent: None,
        })
    }

    fn push(digit: char, found: Option<&str>) -> Option<Step<Push>> {
        step(Push {
            name: "r".to_owned(),
            repo_url: "https://example.com/o/r".to_owned(),
            sha: sha(digit),
            has_pages: false,
            recovered: found.map(ToOwned::to_owned),
        })
    }

    fn site(live: bool) -> Option<Step<Deployment>> {
        step(Deployment {
            pages_url: "https://o.example.com/r/".to_owned(),
            live,
            reason: None,
            failed: false,
            off: false,
        })
    }

    fn described(state: RunState) -> RunDocument {
        let mut document = RunDocument::default();
        state.describe(&mut document, Vec::new);
        document
    }

    #[test]
    fn a_run_is_taken_up_at_its_first_open_stage() {
        let mut state = RunState::default();
        assert_eq!(state.resumed_from(), None);
        state.app = app("template");
        assert_eq!(state.resumed_from(), Some(Stage::Check));
        state.report = step(vec![]);
        assert_eq!(state.resumed_from(), Some(Stage::Commit));
        state.commit = commit('1');
        assert_eq!(state.resumed_from(), Some(Stage::Deploy));
        state.push = push('1', None);
        assert_eq!(state.resumed_from(), Some(Stage::Deploy));
        state.site = site(false);
        assert_eq!(state.resumed_from(), Some(Stage::Deploy));
        state.site = site(true);
        assert_eq!(state.resumed_from(), Some(Stage::Notify));
        // Found on the remote, nothing else is known.
        let found = RunState {
            push: push('1', Some("llm")),
            ..RunState::default()
        };
        assert_eq!(found.resumed_from(), Some(Stage::Deploy));
    }

    #[test]
    fn the_result_is_of_what_is_pushed() {
        let made = RunState {
            app: app("template"),
            report: step(vec![]),
            commit: commit('1'),
            push: push('1', None),
            site: site(true),
            told: step(Receipt::default()),
        };
        let document = described(made.clone().of_what_is_pushed());
        assert_eq!(document.commit_sha, Some(sha('1').into()));
        assert_eq!(document.generator.unwrap().name(), "template");
        assert_eq!(document.timings_ms.deploy, Some(4));
        assert_eq!(document.pages, Some(Pages::Live));
        // Pushed from elsewhere meanwhile: what was made here is another app.
        let found = RunState {
            push: push('2', Some("llm")),
            ..made.clone()
        };
        let document = described(found.of_what_is_pushed());
        assert_eq!(document.commit_sha, Some(sha('2').into()));
        let generator = document.generator.unwrap();
        assert_eq!((generator.name(), generator.attempts), ("llm", None));
        assert_eq!(document.timings_ms.generate, None);
        // Our own, found again after a kill.
        let again = RunState {
            push: push('1', Some("template")),
            ..made
        };
        let document = described(again.of_what_is_pushed());
        assert_eq!(document.timings_ms.generate, Some(2));
        // A trailer that says nothing says nothing.
        let silent = RunState {
            push: push('1', Some("")),
            ..RunState::default()
        };
        assert!(described(silent).generator.is_none());
    }

    #[test]
    fn what_stands_on_a_stage_goes_with_it() {
        assert_eq!(from(Stage::Notify), ["notify"]);
        assert_eq!(
            from(Stage::Deploy),
            ["notify", "remedies", "deploy", "push"]
        );
        assert_eq!(from(Stage::Commit).last(), Some(&"commit"));
        assert_eq!(from(Stage::Check).last(), Some(&"check"));
        assert_eq!(from(Stage::Generate).len(), 7);
    }

    #[test]
    fn the_status_is_what_the_exit_status_says() {
        let told = Receipt {
            delivered_at: Some("now".to_owned()),
            ..Receipt::default()
        };
        let pending = Error::new(Code::Network, "x");
        let failed = Error::new(Code::GitFailed, "x");
        assert_eq!(status(None, None), Status::Deployed);
        assert_eq!(status(Some(&told), None), Status::Notified);
        assert_eq!(status(Some(&told), Some(&pending)), Status::Pending);
        assert_eq!(status(None, Some(&failed)), Status::Failed);
        let given_up = Receipt {
            given_up_at: Some("now".to_owned()),
            ..Receipt::default()
        };
        assert_eq!(status(Some(&given_up), None), Status::Deployed);
    }
}
