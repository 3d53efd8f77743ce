//! `notify --retry`: every notification that was not accepted yet, from the journal alone.
//!
//! ```text
//! host a │ oldest → next → …  ── pause ──  those that are left, oldest first → …
//! host b │ oldest → …
//! ```
//!
//! Hosts are served side by side, and each host's notifications one after another, so that one evaluator that is down holds
//! up nobody else's and none is overrun. A run is locked for one attempt only: a walk of it can come in between.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;

use super::document::{Pages, RunDocument};
use super::{outcome, step};
use crate::error::{Code, Error, Result};
use crate::journal::record::Step;
use crate::journal::{Journal, Run, files, outbox};
use crate::ports::http::Url;
use crate::ports::{World, retry as policy};
use crate::progress::Stage;
use crate::request::task::Admission;
use crate::stages::notify::{self, Receipt, Tried};
use crate::values::RunId;

/// Hosts served at a time.
const HOSTS: usize = 32;

/// What is needed to go round.
pub struct Errands {
    pub state: PathBuf,
    pub admission: Admission,
    pub world: World,
    /// How long to go on trying.
    pub window: Duration,
}

/// A notification to deliver, with its place in the outbox.
struct Errand {
    place: usize,
    id: RunId,
    host: String,
    identity: RunDocument,
}

/// What became of a run's notification; the error where it is not delivered.
struct Account {
    document: RunDocument,
    error: Option<Error>,
}

/// Delivers all that is pending, oldest first. One document per run, in that order; an error if something is left.
///
/// # Errors
/// `state`: the outbox cannot be read.
pub fn retry(errands: &Errands) -> Result<(Vec<RunDocument>, Option<Error>)> {
    let until = Instant::now() + errands.window;
    let mut accounts: BTreeMap<usize, Account> = BTreeMap::new();
    let mut hosts: BTreeMap<String, VecDeque<Errand>> = BTreeMap::new();
    for (place, id) in outbox::pending(&errands.state)?.into_iter().enumerate() {
        let file = (errands.state.join("runs").join(id.as_str())).join("run.json");
        let run = files::read_json::<Run<IgnoredAny>>(&file);
        let run = run.and_then(|run| match run {
            Some(run) => run.require(&id, &file).map(|()| Some(run)),
            None => Ok(None),
        });
        match run {
            Ok(Some(run)) => {
                // Whether it is a URL is looked at again, with the run in hand.
                let host = run
                    .evaluation_url
                    .as_deref()
                    .and_then(|u| Url::parse(u).ok())
                    .map_or_else(String::new, |u| u.authority);
                let identity = outcome::identity_on_record(&run, &id);
                hosts.entry(host.clone()).or_default().push_back(Errand {
                    place,
                    id,
                    host,
                    identity,
                });
            }
            Ok(None) => {
                errands.world.progress.warn(&format!(
                    "nothing is known here of run {id} any more: its notification is dropped"
                ));
                if let Err(error) = outbox::remove(&errands.state, &id) {
                    errands.world.progress.warn(&error.one_line());
                }
            }
            Err(error) => {
                let document = RunDocument {
                    run: Some(id.to_string()),
                    ..RunDocument::default()
                };
                accounts.insert(place, account(document, Some(error)));
            }
        }
    }
    let (queue, done) = (
        Mutex::new(hosts.into_values().collect::<VecDeque<_>>()),
        Mutex::new(accounts),
    );
    errands.world.progress.begin(Stage::Notify);
    std::thread::scope(|scope| {
        for _ in 0..HOSTS.min(queue.lock().unwrap_or_else(PoisonError::into_inner).len()) {
            scope.spawn(|| {
                loop {
                    let Some(host) = queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front()
                    else {
                        return;
                    };
                    let served = serve(errands, host, until);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(served);
                }
            });
        }
    });
    let accounts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let left = accounts
        .values()
        .filter(|a| {
            a.document
                .notification
                .as_ref()
                .is_none_or(|n| n.delivered_at.is_none() && n.given_up_at.is_none())
        })
        .count();
    let error = (left > 0).then(|| {
        let first = accounts
            .values()
            .find_map(|a| a.error.as_ref())
            .map(Error::one_line)
            .unwrap_or_default();
        Error::new(
            Code::NotifyPending,
            format!(
                "{left} of {} notifications are not delivered yet: {first}",
                accounts.len()
            ),
        )
        .hint("run the same command again later, e.g. from cron")
    });
    Ok((accounts.into_values().map(|a| a.document).collect(), error))
}

/// All that one host is to be told: each once, then again those that it did not take, with growing pauses.
fn serve(
    errands: &Errands,
    mut queue: VecDeque<Errand>,
    until: Instant,
) -> BTreeMap<usize, Account> {
    let mut done = BTreeMap::new();
    let mut not_before: Option<Instant> = None;
    let mut rounds = 0;
    loop {
        let mut left = VecDeque::new();
        while let Some(errand) = queue.pop_front() {
            // The first is tried in any case: with a window of nothing, each host is asked once.
            let time_is_up = not_before.is_some_and(|at| at > until)
                || Instant::now() > until && !done.is_empty();
            if time_is_up {
                done.entry(errand.place)
                    .or_insert_with(|| account(errand.identity.clone(), Some(not_yet(not_before))));
                left.push_back(errand);
                continue;
            }
            pause_for(errands, &errand.host, remaining(not_before));
            let (result, again) = attempt(errands, &errand);
            done.insert(errand.place, result);
            if let Again::In(asked) = again {
                not_before = asked.map(|wait| Instant::now() + wait).or(not_before);
                left.push_back(errand);
            }
        }
        rounds += 1;
        let pause = policy::pause(errands.world.clock.unit, rounds).max(remaining(not_before));
        if left.is_empty() || pause >= until.saturating_duration_since(Instant::now()) {
            return done;
        }
        if let Some(first) = left.front() {
            pause_for(errands, &first.host, pause);
        }
        queue = left;
    }
}

fn pause_for(errands: &Errands, host: &str, pause: Duration) {
    if !pause.is_zero() {
        let time = Duration::from_secs(pause.as_secs());
        errands.world.progress.detail(&format!(
            "waiting {} before {host} is asked again",
            humantime::format_duration(time)
        ));
    }
    std::thread::sleep(pause);
}

fn remaining(not_before: Option<Instant>) -> Duration {
    not_before.map_or(Duration::ZERO, |at| {
        at.saturating_duration_since(Instant::now())
    })
}

fn not_yet(not_before: Option<Instant>) -> Error {
    let message = match remaining(not_before).as_secs() {
        0 => "the evaluator takes too long to answer for others".to_owned(),
        wait => format!("the evaluator asks to wait {wait} s more"),
    };
    Error::new(Code::NotifyPending, message).hint("run the same command again later")
}

/// Whether to try again, and what the host has asked for.
enum Again {
    In(Option<Duration>),
    No,
}

fn attempt(errands: &Errands, errand: &Errand) -> (Account, Again) {
    let mut document = errand.identity.clone();
    // One record at which we fail must not stop the others.
    let delivered = catch_unwind(AssertUnwindSafe(|| {
        deliver(errands, &errand.id, &mut document)
    }));
    let fault = |_| {
        Err(Error::new(
            Code::Internal,
            "this is a fault of llmdeploy itself",
        ))
    };
    match delivered.unwrap_or_else(fault) {
        Ok(Tried::Accepted) => {
            let error = page_pending(&document);
            (account(document, error), Again::No)
        }
        Ok(Tried::Refused { why, wait }) => {
            let error = Error {
                code: Code::NotifyPending,
                source: why,
                hint: Some("run the same command again later".to_owned()),
            };
            (account(document, Some(error)), Again::In(wait))
        }
        Err(error) => (account(document, Some(error)), Again::No),
    }
}

/// The evaluator knows, but the run is not over: its page was not live when it was looked at last.
fn page_pending(document: &RunDocument) -> Option<Error> {
    matches!(document.pages, Some(Pages::Pending)).then(|| {
        Error::new(Code::PagesPending, "the page is not live yet")
            .hint("llmdeploy run TASK waits for it")
    })
}

fn account(mut document: RunDocument, error: Option<Error>) -> Account {
    outcome::conclude(&mut document, error.as_ref(), Stage::Notify);
    Account { document, error }
}

/// One attempt, on record before the run is let go.
fn deliver(errands: &Errands, id: &RunId, document: &mut RunDocument) -> Result<Tried> {
    let unfinished = || {
        Error::new(Code::State, "this run has no page yet to tell of").hint("llmdeploy run TASK")
    };
    let journal = Journal::take(&errands.state, id)?.ok_or_else(unfinished)?;
    let run = journal
        .read::<Run<IgnoredAny>>("run")?
        .ok_or_else(unfinished)?;
    run.require(id, &journal.dir().join("run.json"))?;
    outcome::fill(&journal, Vec::new, document)?;
    let push = journal.get(step::PUSH)?.ok_or_else(unfinished)?.value;
    let deployment = journal.get(step::DEPLOY)?.ok_or_else(unfinished)?.value;
    let Step {
        ms,
        value: mut receipt,
    } = journal.get(step::NOTIFY)?.unwrap_or(Step {
        ms: 0,
        value: Receipt::default(),
    });
    let mut tried = Tried::Accepted;
    if !receipt.is_over(&push.sha) {
        receipt.begin(&push.sha);
        let url = run
            .evaluation_url
            .as_deref()
            .and_then(|u| Url::parse(u).ok())
            .ok_or_else(unfinished)?;
        errands.admission.reach(&url).map_err(|why| {
            Error::new(Code::Config, why).hint(format!(
                "if it is to be told, list it: LLMDEPLOY_NOTIFY_HOSTS={}",
                url.authority
            ))
        })?;
        let started = Instant::now();
        let payload = outcome::payload(&run, push, deployment);
        tried = notify::attempt(
            &errands.world,
            &url,
            &payload,
            &errands.admission,
            &mut receipt,
        )?;
        let ms = ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        journal.put(step::NOTIFY, ms, receipt.clone())?;
        document.timings_ms.notify = Some(ms);
        document.notification = Some(receipt);
    }
    let error = match &tried {
        Tried::Accepted => {
            outbox::remove(&errands.state, id)?;
            page_pending(document)
        }
        Tried::Refused { why, .. } => Some(
            Error::new(Code::NotifyPending, format!("{why:#}")).hint("llmdeploy notify --retry"),
        ),
    };
    outcome::conclude(document, error.as_ref(), Stage::Notify);
    outcome::keep(&journal, run.started_at, document)?;
    Ok(tried)
}
