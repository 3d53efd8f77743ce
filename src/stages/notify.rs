//! The evaluator is told.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::clock::rfc3339_now;
use crate::error::{Code, Error, OrCode, Result};
use crate::ports::address::PrivateAddress;
use crate::ports::http::Url;
use crate::ports::{World, evaluator, retry};
use crate::progress::Progress;
use crate::request::task::Admission;
use crate::values::Sha;

/// The notification: exactly these seven keys, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub email: String,
    pub task: String,
    pub round: u64,
    pub nonce: String,
    pub repo_url: String,
    pub commit_sha: String,
    pub pages_url: String,
}

/// What became of the notification so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// All attempts, those of earlier processes included.
    pub attempts: u32,
    /// Of the last answer.
    pub http_status: Option<u16>,
    /// RFC 3339.
    pub delivered_at: Option<String>,
    /// RFC 3339: when the user ended it, for it will never be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up_at: Option<String>,
    /// The commit that it is or was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<Sha>,
    /// Accepted notifications of commits that a rescue commit has replaced since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Delivery>,
}

/// An accepted notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub commit_sha: Sha,
    /// RFC 3339.
    pub delivered_at: String,
}

impl Receipt {
    /// Nothing is left to be sent of this commit.
    #[must_use]
    pub fn is_over(&self, commit: &Sha) -> bool {
        self.has_told(commit) || self.given_up_at.is_some()
    }

    /// Whether the evaluator has accepted the notification of this commit. Receipts of earlier versions name none: there was
    /// one commit a run.
    #[must_use]
    pub fn has_told(&self, commit: &Sha) -> bool {
        self.delivered_at.is_some() && self.commit_sha.as_ref().is_none_or(|told| told == commit)
    }

    /// The notification is going to be about this commit.
    pub fn begin(&mut self, commit: &Sha) {
        if let Some(told) = self.commit_sha.take_if(|told| told != commit)
            && let Some(delivered_at) = self.delivered_at.take()
        {
            self.earlier.push(Delivery {
                commit_sha: told,
                delivered_at,
            });
        }
        self.commit_sha = Some(commit.clone());
    }
}

/// How one attempt ended.
#[derive(Debug)]
pub enum Tried {
    Accepted,
    /// Why not, and how long the evaluator asks to wait.
    Refused {
        why: anyhow::Error,
        wait: Option<Duration>,
    },
}

/// Sends the notification once, and brings the receipt up to date.
///
/// # Errors
/// `internal`.
pub fn attempt(
    world: &World,
    url: &Url,
    payload: &Payload,
    admission: &Admission,
    receipt: &mut Receipt,
) -> Result<Tried> {
    let body = serde_json::to_vec(payload)
        .context("writing JSON")
        .or_code(Code::Internal)?;
    receipt.attempts += 1;
    world.progress.detail(&format!(
        "waiting for {} to answer, at most {:.0} s",
        url.authority,
        world.clock.answer.as_secs_f64().ceil()
    ));
    let answer = evaluator::post(&world.http, url, &body, world.clock.answer, &|target| {
        admission.reach(target)
    });
    receipt.http_status = answer.as_ref().ok().map(|r| r.status);
    Ok(match answer {
        Ok(response) if response.is_success() => {
            receipt.delivered_at = Some(rfc3339_now());
            receipt.given_up_at = None;
            Tried::Accepted
        }
        Ok(response) => Tried::Refused {
            why: anyhow::anyhow!("{} answered {}", url.authority, response.status),
            wait: retry::retry_after(&response),
        },
        Err(why) => Tried::Refused { why, wait: None },
    })
}

/// Sends the notification until it is accepted, for at most `window`. The receipt is brought up to date with each attempt.
///
/// # Errors
/// `notify_pending` when the window is over.
pub fn send(
    world: &World,
    url: &Url,
    payload: &Payload,
    admission: &Admission,
    window: Duration,
    receipt: &mut Receipt,
) -> Result<()> {
    let until = Instant::now() + window;
    let mut failures = 0;
    loop {
        let Tried::Refused { why, wait } = attempt(world, url, payload, admission, receipt)? else {
            return Ok(());
        };
        if PrivateAddress::is_cause_of(&why) {
            return Err(Error {
                code: Code::NotifyPending,
                source: why.context(format!("{} was not told", url.authority)),
                hint: Some(format!(
                    "it is kept: if {0} is to be told, run the same command again with LLMDEPLOY_NOTIFY_HOSTS={0}",
                    url.authority
                )),
            });
        }
        failures += 1;
        let pause = wait.unwrap_or_else(|| retry::pause(world.clock.unit, failures));
        if pause >= until.saturating_duration_since(Instant::now()) {
            let source = why.context(format!(
                "the notification was not accepted in {} attempts",
                receipt.attempts
            ));
            let hint = "it is kept: run the same command again, or `llmdeploy notify --retry`, when the evaluator is back";
            return Err(Error {
                code: Code::NotifyPending,
                source,
                hint: Some(hint.to_owned()),
            });
        }
        say(world.progress.as_ref(), &why, pause);
        std::thread::sleep(pause);
    }
}

fn say(progress: &dyn Progress, why: &anyhow::Error, pause: Duration) {
    progress.detail(&format!(
        "{why:#}; waiting {} to try again",
        humantime::format_duration(Duration::from_secs_f64(pause.as_secs_f64().ceil()))
    ));
}
