//! The verdict on each check of the task, before anybody else looks.
//!
//! ```text
//! classify → files                         what files decide
//!          → page (in the browser, served as Pages would)  → evidence
//! ```
//!
//! [`judge`] takes an app as files and the address it is going to have; it neither knows nor minds where the files came from.

mod classify;
mod code;
mod evidence;
pub(crate) mod files;
mod harmless;
mod page;
mod serve;
mod table;
#[cfg(test)]
mod words {
    mod tests;
}

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::browser;
use crate::ports::browser::session::Browser;
use crate::ports::browser::tab::Tab;
use crate::request::required::Wanted;
use crate::request::task::{Check, Task};
use crate::text::{VALUE, percent_encoded};
use crate::values::RelPath;
use classify::Way;
pub use evidence::Page;
use page::{Item, State};
use serve::Site;

/// `--checks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Auto,
    Require,
    Off,
}

/// What the user wants of this stage.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub mode: Mode,
    pub browser: browser::Options,
    /// `--check-timeout`: how long the checks of a page are given.
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub check: String,
    pub kind: Kind,
    pub status: Status,
    pub detail: Option<String>,
    /// The verdict on the deployed page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Status>,
    /// The earlier round that the check comes from; `None`: it is the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// No page can pass it; the detail says why. Not on record: only who mends the app wants to know.
    #[serde(skip)]
    pub unsatisfiable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Js,
    File,
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passed,
    Failed,
    Unknown,
    Skipped,
}

impl Verdict {
    /// Whether it failed for a reason that another app could mend.
    #[must_use]
    pub fn is_mendable(&self) -> bool {
        self.status == Status::Failed && !self.unsatisfiable
    }
}

/// A check of an earlier round, as that round's journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub round: u64,
    pub check: Check,
}

/// What is judged.
pub struct Case<'a> {
    pub task: &'a Task,
    /// Checks of earlier rounds, which should still pass.
    pub earlier: &'a [Earlier],
    /// All files of the site.
    pub files: &'a BTreeMap<RelPath, &'a [u8]>,
    /// The address it has or is going to have, ending in a slash.
    pub url: &'a str,
    /// Open the page even where no check needs it, for what it tells.
    pub look: bool,
    /// The page is there: ask for it rather than serving the files.
    pub live: bool,
    /// Why the browser did not start a moment ago; it is not tried again.
    pub no_browser: Option<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The task's checks in its order, then those of earlier rounds.
    pub verdicts: Vec<Verdict>,
    /// `None` where the page was not opened.
    pub page: Option<Page>,
    /// What is wrong with the page beside its checks, in plain lines, for whoever mends it.
    pub faults: Vec<String>,
    /// What the page tried and was not let do: dialogs, windows, downloads, leaving. A check may have made it do so.
    pub attempts: Vec<String>,
    /// A host that could not be reached; faults may come of that.
    pub cut_off: Option<String>,
    /// PNG, 1280 × 800.
    pub desktop: Option<Vec<u8>>,
    /// PNG, 390 × 844.
    pub phone: Option<Vec<u8>>,
    /// Why there was no browser, where one was needed, or what became of it.
    pub no_browser: Option<String>,
    /// Whether it started.
    pub started: bool,
}

impl Report {
    /// How many of the task's checks passed, and how many of earlier rounds'.
    #[must_use]
    pub fn passed(&self) -> (usize, usize) {
        let passed = |own: bool| {
            self.verdicts
                .iter()
                .filter(|v| v.round.is_none() == own && v.status == Status::Passed)
                .count()
        };
        (passed(true), passed(false))
    }
}

/// What `--checks require` and the command `check` make of verdicts.
///
/// # Errors
/// `checks_failed` where one failed, or where the browser that one needs is missing.
pub fn require(verdicts: &[Verdict], no_browser: Option<&str>) -> Result<()> {
    let failed: Vec<&Verdict> = verdicts
        .iter()
        .filter(|v| v.status == Status::Failed)
        .collect();
    // What is unknown for want of a host is no fault; for want of a browser it is what `require` is there for.
    let lost = |v: &Verdict| {
        v.status == Status::Skipped || v.status == Status::Unknown && no_browser.is_some()
    };
    let unjudged = verdicts
        .iter()
        .filter(|v| v.kind == Kind::Js && lost(v))
        .count();
    if let Some(first) = failed.first() {
        let detail = first.detail.as_deref().unwrap_or_default();
        let message = format!(
            "{} of {} checks failed, the first: {} ({detail})",
            failed.len(),
            verdicts.len(),
            first.check
        );
        return Err(Error::new(Code::ChecksFailed, message)
            .hint("llmdeploy check TASK shows what is wrong; --checks auto deploys all the same"));
    }
    if unjudged > 0 {
        let message = format!(
            "{unjudged} of {} checks need a browser: {}",
            verdicts.len(),
            no_browser.unwrap_or("there is none")
        );
        return Err(Error::new(Code::ChecksFailed, message)
            .hint("install Chrome or Chromium, or say where it is with LLMDEPLOY_BROWSER; --checks auto deploys without"));
    }
    Ok(())
}

/// The checks of a run whose verdicts are lost, or that are off.
#[must_use]
pub fn unjudged(task: &Task, off: bool) -> Vec<Verdict> {
    let wanted = Wanted::new(task);
    let verdict = |check: &Check| {
        let kind = classify::way(check, &wanted, "").kind();
        let (status, detail) = match kind {
            _ if off => (Status::Skipped, "checks are off"),
            Kind::Manual => (Status::Skipped, MANUAL),
            _ => (Status::Unknown, "no verdict on record"),
        };
        Verdict {
            status,
            detail: Some(detail.to_owned()),
            ..blank(check, kind, None)
        }
    };
    task.checks.iter().map(verdict).collect()
}

/// What the page may take to tell of itself and to be pictured, all in all, when its checks are done.
const EVIDENCE: Duration = Duration::from_secs(4);

const MANUAL: &str = "for a person to judge";

fn blank(check: &Check, kind: Kind, round: Option<u64>) -> Verdict {
    let check = check.text().to_owned();
    Verdict {
        check,
        kind,
        status: Status::Skipped,
        detail: None,
        live: None,
        round,
        unsatisfiable: false,
    }
}

/// Judges an app.
#[must_use]
pub fn judge(world: &World, case: &Case<'_>, options: &Options) -> Report {
    if options.mode == Mode::Off {
        return Report {
            verdicts: unjudged(case.task, true),
            ..Report::default()
        };
    }
    let own = case.task.checks.iter().map(|c| (c, None));
    let wanted = Wanted::new(case.task);
    let all = own.chain(case.earlier.iter().map(|e| (&e.check, Some(e.round))));
    let judged = all.map(|(check, round)| (check, round, classify::way(check, &wanted, case.url)));
    // What a person was to judge in an earlier round is not asked of anybody again.
    let (all, mut ways): (Vec<(&Check, Option<u64>)>, Vec<Way>) = judged
        .filter(|(_, round, way)| round.is_none() || *way != Way::Person)
        .map(|(check, round, way)| ((check, round), way))
        .unzip();
    let mut report = Report {
        verdicts: all
            .iter()
            .zip(&ways)
            .map(|((c, round), way)| blank(c, way.kind(), *round))
            .collect(),
        ..Report::default()
    };
    let needed = ways.iter().any(|w| w.kind() == Kind::Js);
    if case.look || needed {
        let site = Site::new(case.files, case.url, options.browser.offline, case.live);
        let start = browser::Options {
            allowed: site.direct(),
            ..options.browser.clone()
        };
        let browser = match &case.no_browser {
            Some(why) => Err(anyhow::anyhow!("{why}")),
            None => Browser::start(&start),
        };
        report.started = browser.is_ok();
        if let Err(e) = browser.and_then(|mut browser| {
            in_browser(
                &mut browser,
                case,
                options,
                &site,
                (&wanted, &mut ways),
                &mut report,
            )
        }) {
            let why = format!("{e:#}");
            let started = report.started;
            for (verdict, _) in report
                .verdicts
                .iter_mut()
                .zip(&ways)
                .filter(|(v, way)| way.kind() == Kind::Js && v.status == Status::Skipped)
            {
                // A browser that is not there is no verdict; one that died under the page may have died of it.
                verdict.status = if started {
                    Status::Unknown
                } else {
                    Status::Skipped
                };
                verdict.detail = Some(why.clone());
            }
            let what = if needed {
                "the checks that need a browser were not made"
            } else {
                "the page was not opened"
            };
            world.progress.warn(&format!("{what}: {why}"));
            report.no_browser = Some(why);
        }
    }
    for ((verdict, way), (check, _)) in report.verdicts.iter_mut().zip(&ways).zip(&all) {
        let wrong = match way {
            Way::Files(claims) => files::decide(claims, case.files, case.task),
            Way::Person => None,
            Way::Js { .. } | Way::Shown { .. } => continue,
        };
        match wrong {
            Some(wrong) => {
                verdict.kind = Kind::File;
                verdict.status = if wrong.is_empty() {
                    Status::Passed
                } else {
                    Status::Failed
                };
                verdict.detail = (!wrong.is_empty()).then(|| wrong.join("; "));
            }
            None => {
                *verdict = Verdict {
                    detail: Some(MANUAL.to_owned()),
                    ..blank(check, Kind::Manual, verdict.round)
                }
            }
        }
    }
    report
}

/// A failed check in plain words.
#[must_use]
pub fn finding(verdict: &Verdict) -> String {
    let whose = verdict
        .round
        .map(|n| format!(" of round {n}, which should still hold,"))
        .unwrap_or_default();
    format!(
        "check{whose} failed: {}\n  {}",
        verdict.check,
        verdict.detail.as_deref().unwrap_or_default()
    )
}

/// One page per address: the plain one, and one for each parameter that a check is about.
fn in_browser(
    browser: &mut Browser,
    case: &Case<'_>,
    options: &Options,
    site: &Site<'_>,
    (wanted, ways): (&Wanted<'_>, &mut [Way]),
    report: &mut Report,
) -> anyhow::Result<()> {
    let plain: Vec<usize> = (0..ways.len())
        .filter(|n| matches!(ways.get(*n), Some(Way::Js { .. })))
        .collect();
    let mut items: Vec<Item> = plain
        .iter()
        .filter_map(|n| ways.get(*n))
        .filter_map(code_of)
        .map(|code| Item::new(&code))
        .collect();
    let mut scene = Scene {
        case,
        options,
        site,
        url: case.url.to_owned(),
        first: true,
    };
    let verdicts = scene.play(browser, &mut items, report)?;
    for ((n, item), judged) in plain.iter().zip(&items).zip(verdicts) {
        let (Some(way), Some(verdict)) = (ways.get_mut(*n), report.verdicts.get_mut(*n)) else {
            continue;
        };
        match (&item.state, &way) {
            // It only looked like code.
            (State::Invalid(_), Way::Js { said: false, .. }) => {
                *way = classify::plain(&verdict.check, wanted, case.url);
            }
            (_, Way::Js { said: false, .. }) if item.is_about_nothing() => {
                *way = classify::plain(&verdict.check, wanted, case.url);
            }
            _ => judged.into_verdict(verdict),
        }
    }
    for n in 0..ways.len() {
        let Some(Way::Shown { parameter, value }) = ways.get(n) else {
            continue;
        };
        let mut items: Vec<Item> = ways
            .get(n)
            .and_then(code_of)
            .map(|code| Item::new(&code))
            .into_iter()
            .collect();
        let value = percent_encoded(value, VALUE);
        scene = Scene {
            url: format!("{}?{parameter}={value}", case.url),
            first: false,
            ..scene
        };
        let verdict = scene.play(browser, &mut items, report)?.pop();
        if let (Some(target), Some(judged)) = (report.verdicts.get_mut(n), verdict) {
            judged.into_verdict(target);
        }
    }
    Ok(())
}

fn code_of(way: &Way) -> Option<String> {
    match way {
        Way::Js { code, .. } => Some(code.clone()),
        Way::Shown { value, .. } => {
            let value = serde_json::Value::from(value.as_str());
            let elements = "[...document.querySelectorAll('img,a,source,input,embed,iframe')]";
            Some(format!(
                "document.body.innerText.includes({value}) || {elements}.some(e => [e.src, e.href, e.value].includes({value}))"
            ))
        }
        Way::Files(_) | Way::Person => None,
    }
}

/// What came of a check in the browser.
struct Judged {
    status: Status,
    detail: Option<String>,
    unsatisfiable: bool,
}

impl Judged {
    fn into_verdict(self, verdict: &mut Verdict) {
        (verdict.status, verdict.detail, verdict.unsatisfiable) =
            (self.status, self.detail, self.unsatisfiable);
    }
}

struct Scene<'a> {
    case: &'a Case<'a>,
    options: &'a Options,
    site: &'a Site<'a>,
    url: String,
    /// The page itself, whose evidence and pictures are wanted.
    first: bool,
}

impl Scene<'_> {
    /// Opens the page and gives the verdicts on the items.
    fn play(
        &self,
        browser: &mut Browser,
        items: &mut [Item],
        report: &mut Report,
    ) -> anyhow::Result<Vec<Judged>> {
        let name = format!("_{}", random_word()?);
        let script = format!("{}({name:?});", include_str!("watch.js").trim_end());
        let mut tab = Tab::open(browser, self.site, &script)?;
        page::compile(&mut tab, items)?;
        let blocked = page::look(&mut tab, &self.url, &name, items, self.options.timeout)?;
        let reachable = tab.record.gone.is_none() && !blocked;
        let values = if reachable {
            page::values(&mut tab, items)?
        } else {
            Vec::new()
        };
        let until = Instant::now() + EVIDENCE;
        let content = if reachable {
            evidence::content(&mut tab, until)?
        } else {
            evidence::Content::default()
        };
        if self.first && reachable {
            report.desktop = evidence::screenshot(&mut tab, false, until)?;
            report.phone = evidence::screenshot(&mut tab, true, until)?;
        }
        let waiting: Vec<(String, String)> = tab
            .unanswered()
            .map(|(u, r)| (u.to_owned(), r.to_owned()))
            .collect();
        let record = tab.close()?;
        if self.first {
            let dead = evidence::dead_links(&content, self.site);
            let page = evidence::page(&record, &dead, blocked);
            report.faults = evidence::faults(&record, &page);
            report.attempts = record
                .attempts
                .told()
                .into_iter()
                .map(|what| format!("the page tried: {what}"))
                .collect();
            report.cut_off = evidence::cut_off(&record);
            report.page = Some(page);
        }
        let verdict = |(n, item): (usize, &Item)| {
            if item.state == State::Passed {
                return Judged {
                    status: Status::Passed,
                    detail: None,
                    unsatisfiable: false,
                };
            }
            let reason = page::reason(item, record.gone.as_deref(), blocked);
            let never = match &item.state {
                State::Invalid(why) => Some(why.clone()),
                _ => evidence::unsatisfiable(&item.code, &reason),
            };
            if let Some(why) = never {
                return Judged {
                    status: Status::Failed,
                    detail: Some(format!("unsatisfiable: {why}")),
                    unsatisfiable: true,
                };
            }
            let mut parts = vec![reason];
            parts.extend(values.get(n).cloned().flatten());
            parts.extend(
                evidence::missing_ids(&item.code, &content)
                    .into_iter()
                    .filter(|_| reachable),
            );
            parts.extend(
                record
                    .left_for
                    .iter()
                    .map(|url| format!("the page left for {url}")),
            );
            if let Some(host) =
                evidence::unreachable(&item.code, &record, &waiting, self.case.files)
            {
                parts.insert(0, format!("{host} could not be reached"));
                return Judged {
                    status: Status::Unknown,
                    detail: Some(parts.join("; ")),
                    unsatisfiable: false,
                };
            }
            Judged {
                status: Status::Failed,
                detail: Some(parts.join("; ")),
                unsatisfiable: false,
            }
        };
        Ok(items.iter().enumerate().map(verdict).collect())
    }
}

/// A name that no page can know.
fn random_word() -> anyhow::Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no random numbers: {e}"))?;
    Ok(crate::values::hex(&bytes))
}
