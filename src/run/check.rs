//! The check stage of a walk: what is judged, what is kept of it, and the command that does nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::document::CheckDocument;
use super::shown::Count;
use super::{Goal, Setup, Walk, part_of_the_way, preview, step, told};
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::record::Step;
use crate::journal::{briefs, files};
use crate::ports::local;
use crate::progress::Stage;
use crate::request::task::Task;
use crate::stages::check::{self, Case, Earlier, Kind, Mode, Report, Verdict};
use crate::stages::generate;
use crate::stages::generate::llm::{self, Draft, Finding, Judgement};
use crate::stages::scan;
use crate::values::{FileSet, RelPath};

/// Judges the app, or with `live` the deployed page, whether it was judged before or not.
#[must_use]
pub fn check(setup: &Setup, task: &Task, live: bool) -> (CheckDocument, Option<Error>) {
    let mut document = CheckDocument {
        run: Some(task.id().to_string()),
        ..CheckDocument::default()
    };
    let ended = part_of_the_way(setup, task, Goal::Check, |walk| {
        walk.check_only(live, &mut document)
    });
    let (failure, error) = told(ended);
    document.error = failure;
    (document, error)
}

/// The record of the check stage: a step, and how it was made.
#[derive(Serialize, Deserialize)]
struct Judged {
    ms: u64,
    value: Vec<Verdict>,
    /// Not known of verdicts by an earlier version.
    #[serde(default)]
    under: Option<Conditions>,
}

/// For want of a browser, or because the checks were off.
fn unjudged(verdict: &Verdict) -> bool {
    verdict.kind != Kind::Manual && verdict.status == check::Status::Skipped
}

/// What flags say of how to judge.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Conditions {
    /// `--offline`.
    offline: bool,
    /// `--check-timeout`.
    seconds: u64,
}

impl Conditions {
    /// Whether verdicts made under `then` are what is asked for now: without the network if that is said, with as much time.
    fn are_met_by(self, then: Self) -> bool {
        (then.offline || !self.offline) && then.seconds >= self.seconds
    }
}

impl Walk<'_> {
    fn check_only(&mut self, live: bool, document: &mut CheckDocument) -> Result<()> {
        let report = if live {
            self.enter(Stage::Check);
            self.live_report(true)?
        } else {
            // With files of the user's own there is nothing to look for on the remote.
            if self.setup.generate.site.is_none() {
                if self.task.round > 1 {
                    self.bind_destination()?;
                }
                self.pushed_before()?;
            }
            self.generate()?;
            self.enter(Stage::Check);
            let report = self.judge(true)?;
            // A run that has gone on is not judged anew behind its back.
            if self.journal.get(step::PUSH)?.is_none() {
                self.journal.put(step::CHECK, 0, report.verdicts.clone())?;
            }
            report
        };
        self.done(&report.verdicts);
        document.checks = report.verdicts;
        document.page = report.page;
        if self.setup.checks.mode == Mode::Off {
            Ok(())
        } else {
            check::require(&document.checks, report.no_browser.as_deref())
        }
    }

    /// Whether the verdicts on record are what is asked for.
    pub(super) fn verdicts_stand(&self) -> Result<bool> {
        let mode = self.setup.checks.mode;
        // What is on record may have been judged under another mode, or without a browser that is there now; `require` wants a
        // verdict of its own, and a picture is taken of the page as it is looked at.
        let known = self.journal.read::<Judged>(step::CHECK)?;
        let now = self.conditions();
        Ok(known.is_some_and(|known| {
            let auto = mode == Mode::Auto
                && !known.value.iter().any(unjudged)
                && known.under.is_none_or(|then| now.are_met_by(then));
            (mode == Mode::Off || auto) && self.setup.screenshot.is_none()
        }))
    }

    fn conditions(&self) -> Conditions {
        let options = &self.setup.checks;
        Conditions {
            offline: options.browser.offline,
            seconds: options.timeout.as_secs(),
        }
    }

    /// The verdicts on record, or new ones.
    pub(super) fn check(&mut self) -> Result<()> {
        self.enter(Stage::Check);
        let known = self.journal.get(step::CHECK)?;
        if let Some(Step { value, .. }) = &known
            && self.verdicts_stand()?
        {
            let (count, progress) = (counted(value), &self.setup.world.progress);
            progress.reused(Stage::Check, &count.sentence(), count.is_clean());
            return Ok(());
        }
        let started = Instant::now();
        let report = self.judge(false)?;
        // Without a browser, or with the checks off, what was seen before is worth more. Why nothing was seen then is not.
        let worse = report.no_browser.is_some() || self.setup.checks.mode == Mode::Off;
        let verdicts = match known {
            Some(known)
                if worse
                    && self.setup.checks.mode != Mode::Require
                    && !known.value.iter().any(unjudged) =>
            {
                known.value
            }
            _ => report.verdicts,
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let judged = Judged {
            ms,
            value: verdicts,
            under: Some(self.conditions()),
        };
        self.journal.write(step::CHECK, &judged)?;
        let verdicts = judged.value;
        self.done(&verdicts);
        if self.setup.checks.mode == Mode::Require {
            check::require(&verdicts, report.no_browser.as_deref())
        } else {
            Ok(())
        }
    }

    fn done(&self, verdicts: &[Verdict]) {
        let count = counted(verdicts);
        let progress = &self.setup.world.progress;
        if count.is_clean() {
            progress.done(Stage::Check, &count.sentence());
        } else {
            progress.partly(Stage::Check, &count.sentence());
        }
    }

    /// What is wrong with an app that a model has drafted: its failed checks are grave, what the page did beside them is not.
    pub(super) fn judge_draft(&self, draft: &Draft<'_>) -> Result<Judgement> {
        let (world, git_dir) = (&self.setup.world, self.git_dir());
        let mut deployed: Vec<(RelPath, Vec<u8>)> = Vec::new();
        if let Some((_, Some(base))) = &self.ground {
            let paths: Vec<&str> = base.files.iter().map(|f| f.path.as_str()).collect();
            let contents = base.read(world, &git_dir, &paths)?;
            let parsed = paths
                .iter()
                .zip(contents)
                .filter_map(|(path, bytes)| Some((RelPath::parse(path).ok()?, bytes?)));
            deployed = parsed
                .filter(|(path, _)| !draft.deleted.contains(path))
                .collect();
        }
        let mut all: BTreeMap<RelPath, &[u8]> = deployed
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()))
            .collect();
        all.extend(
            draft
                .files
                .iter()
                .map(|(path, bytes)| (path.clone(), *bytes)),
        );
        // What the tool adds after the model. Its README is not made yet: what a check says of that is left for later.
        let licence = generate::mit(&self.repo, self.run.started_at);
        let own_readme = all.keys().any(|p| p.as_str() == "README.md");
        for (path, bytes) in [
            ("LICENSE", licence.as_bytes()),
            (".nojekyll", b""),
            ("README.md", b"#"),
        ] {
            if let Ok(path) = RelPath::parse(path) {
                all.entry(path).or_insert(bytes);
            }
        }
        let report = self.judge_files(&all, true)?;
        let failed = report.verdicts.iter().filter(|v| {
            v.is_mendable() && (own_readme || v.kind != Kind::File || !v.check.contains("README"))
        });
        let mut findings: Vec<Finding> =
            failed.map(|v| Finding::grave(check::finding(v))).collect();
        // Where the network is missing the page may be as good as can be; a model cannot put that right.
        if !findings.is_empty() || report.cut_off.is_none() {
            findings.extend(report.faults.iter().map(Finding::minor));
        }
        if !findings.is_empty() {
            findings.extend(report.attempts.iter().map(Finding::minor));
        }
        let (passed, kept) = report.passed();
        // A picture of a page that holds a secret would carry it to the model; the commit will be stopped anyway.
        let picture = report
            .desktop
            .filter(|_| scan::require_clean(&all, &[], &self.setup.scan).is_ok());
        Ok(Judgement {
            findings,
            passed,
            kept,
            provisional: report.no_browser.is_some(),
            picture,
        })
    }

    fn judge(&self, look: bool) -> Result<Report> {
        let app = self
            .app
            .as_ref()
            .ok_or_else(|| Error::new(Code::Internal, "nothing was generated"))?;
        let (world, git_dir) = (&self.setup.world, self.git_dir());
        let kept = preview::kept(world, app, &git_dir)?;
        let mut all: BTreeMap<RelPath, &[u8]> = kept
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()))
            .collect();
        all.extend(app.files(self.task)?);
        let report = self.judge_files(&all, look || self.setup.screenshot.is_some())?;
        self.keep(&report)?;
        Ok(report)
    }

    fn judge_files(&self, all: &BTreeMap<RelPath, &[u8]>, look: bool) -> Result<Report> {
        let world = &self.setup.world;
        let url = self.setup.forge.address(
            world,
            &self.repo,
            self.goal >= Goal::Deploy && self.needs_address(),
        );
        let earlier = self.earlier_checks()?;
        let mut options = self.setup.checks.clone();
        // With little time left a short look is better than none.
        options.timeout = options
            .timeout
            .min(world.clock.spare().max(Duration::from_secs(2)));
        let no_browser = self.no_browser.borrow().clone();
        let case = Case {
            task: self.task,
            earlier: &earlier,
            files: all,
            url: &url,
            look,
            live: false,
            no_browser,
        };
        let report = check::judge(world, &case, &options);
        if !report.started {
            self.no_browser.borrow_mut().clone_from(&report.no_browser);
        }
        Ok(report)
    }

    fn needs_address(&self) -> bool {
        self.setup.checks.mode != Mode::Off
            && check::unjudged(self.task, false)
                .iter()
                .any(|v| v.kind == Kind::Js)
    }

    /// Pictures and evidence, beside the journal; the desktop's where the user wants it.
    fn keep(&self, report: &Report) -> Result<()> {
        let dir = self.journal.dir().join("check");
        if report.page.is_some() {
            files::make_dir(&dir)?;
            let failed = report
                .verdicts
                .iter()
                .filter(|v| v.is_mendable())
                .map(check::finding);
            let lines: Vec<String> = failed
                .chain(report.faults.iter().chain(&report.attempts).cloned())
                .collect();
            files::write(&dir.join("findings.txt"), lines.join("\n").as_bytes())?;
        }
        for (name, picture) in [
            ("desktop.png", &report.desktop),
            ("phone.png", &report.phone),
        ] {
            if let Some(picture) = picture {
                files::write(&dir.join(name), picture)?;
            }
        }
        match (&self.setup.screenshot, &report.desktop) {
            (Some(file), Some(picture)) => fs::write(file, picture)
                .with_context(|| format!("--screenshot {}", file.display()))
                .or_code(Code::Usage),
            (Some(file), None) => {
                let why = report.no_browser.as_deref().unwrap_or("the page gave none");
                self.setup.world.progress.warn(&format!(
                    "--screenshot {}: no picture was taken: {why}",
                    file.display()
                ));
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    /// What earlier rounds of this task are judged by, where they were worked on here and went to the same place.
    fn earlier_checks(&self) -> Result<Vec<Earlier>> {
        let destination: Option<String> = self.journal.read(step::DESTINATION)?;
        let elsewhere = |round: &llm::Earlier| matches!((&round.destination, &destination), (Some(there), Some(here)) if there != here);
        let rounds: Vec<llm::Earlier> = briefs::before(
            &self.setup.state,
            &self.task.email,
            &self.task.task,
            self.task.round,
        )?;
        let all = rounds.into_iter().filter(|round| !elsewhere(round));
        let all = all.flat_map(|llm::Earlier { round, checks, .. }| {
            checks
                .into_iter()
                .map(move |check| Earlier { round, check })
        });
        let mut known: BTreeSet<String> = self
            .task
            .checks
            .iter()
            .map(|c| c.text().to_owned())
            .collect();
        Ok(all
            .filter(|e| known.insert(e.check.text().to_owned()))
            .collect())
    }

    /// The deployed page, looked at once; what differs from the verdict before is told. Nobody waits for it: the evaluator
    /// knows already, and no failure here is one of the run.
    pub(super) fn check_live(&self) -> Result<()> {
        let Some(mut step) = self.journal.read::<Judged>(step::CHECK)? else {
            return Ok(());
        };
        let judged = |v: &Verdict| {
            v.kind == Kind::Js && v.round.is_none() && !matches!(v.status, check::Status::Skipped)
        };
        let wanted = self.setup.checks.mode != Mode::Off
            && step.value.iter().any(|v| judged(v) && v.live.is_none());
        if !wanted || self.no_browser.borrow().is_some() {
            return Ok(());
        }
        let report = match self.live_report(false) {
            Ok(report) => report,
            Err(e) => {
                self.setup
                    .world
                    .progress
                    .warn(&format!("the live page was not looked at: {e}"));
                return Ok(());
            }
        };
        for (verdict, live) in step.value.iter_mut().zip(&report.verdicts) {
            if judged(verdict)
                && live.check == verdict.check
                && live.status != check::Status::Skipped
            {
                verdict.live = Some(live.status);
                if verdict.status != live.status {
                    let detail = live
                        .detail
                        .as_ref()
                        .map(|d| format!(" ({d})"))
                        .unwrap_or_default();
                    let text = format!(
                        "on the live page a check came out otherwise: {}{detail}",
                        verdict.check
                    );
                    self.setup.world.progress.warn(&text);
                }
            }
        }
        self.journal.write(step::CHECK, &step)
    }

    fn live_report(&self, look: bool) -> Result<Report> {
        let deployment = self.journal.get(step::DEPLOY)?.map(|s| s.value);
        let Some(deployment) = deployment else {
            return Err(Error::new(
                Code::State,
                format!("nothing is known here of a page of run {}", self.task.id()),
            )
            .hint("llmdeploy deploy TASK"));
        };
        let mut live = true;
        // A folder is no server: its files are answered as Pages would.
        let folder = local::folder(&deployment.pages_url);
        let mut contents = FileSet::new();
        let mut url = deployment.pages_url.clone();
        if let Some(folder) = &folder {
            live = false;
            url = self
                .setup
                .forge
                .address(&self.setup.world, &self.repo, false);
            read_folder(folder, "", &mut contents)
                .with_context(|| format!("reading {}", folder.display()))
                .or_code(Code::State)?;
        }
        let mut all: BTreeMap<RelPath, &[u8]> = contents
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()))
            .collect();
        // Only who asks for all verdicts is given those that files decide.
        let fetched = if folder.is_some() || !look {
            FileSet::new()
        } else {
            self.committed()
        };
        all.extend(
            fetched
                .iter()
                .map(|(path, bytes)| (path.clone(), bytes.as_slice())),
        );
        let case = Case {
            task: self.task,
            earlier: &[],
            files: &all,
            url: &url,
            look,
            live,
            no_browser: None,
        };
        let report = check::judge(&self.setup.world, &case, &self.setup.checks);
        if look {
            self.keep(&report)?;
        }
        Ok(report)
    }

    /// What was committed, for the checks that files decide: the page itself need not serve LICENSE or a workflow. Nothing
    /// where it is not here any more.
    fn committed(&self) -> FileSet {
        let Ok(Some(push)) = self.journal.get(step::PUSH) else {
            return FileSet::new();
        };
        let (world, git_dir) = (&self.setup.world, self.git_dir());
        let Ok(tree) = world.git.tree(&git_dir, push.value.sha.as_str()) else {
            return FileSet::new();
        };
        let entries = tree
            .into_iter()
            .filter_map(|e| Some((RelPath::parse(&e.path).ok()?, e.blob)));
        let (paths, blobs): (Vec<RelPath>, Vec<String>) = entries.unzip();
        let contents = world.git.blobs(
            &git_dir,
            &blobs.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        paths
            .into_iter()
            .zip(contents.unwrap_or_default())
            .collect()
    }
}

/// So many of so many.
fn counted(verdicts: &[Verdict]) -> Count {
    let count = |status| verdicts.iter().filter(|v| v.status == status).count();
    Count {
        all: verdicts.len(),
        passed: count(check::Status::Passed),
        failed: count(check::Status::Failed),
        unknown: count(check::Status::Unknown),
        skipped: count(check::Status::Skipped),
    }
}

fn read_folder(dir: &Path, prefix: &str, files: &mut FileSet) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{name}/"), files)?;
        } else if let Ok(path) = RelPath::parse(&name) {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}
