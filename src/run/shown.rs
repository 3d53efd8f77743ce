//! What of a result document is shown to a person: at the end of a run, in the table of runs, on the dashboard. Everything may
//! be missing: of a run that has only begun, in a document of another command or of another version.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    pub run: Option<String>,
    pub email: Option<String>,
    pub task: Option<String>,
    pub round: Option<u64>,
    pub nonce: Option<String>,
    pub status: Option<String>,
    pub pages: Option<String>,
    pub repo_url: Option<String>,
    pub pages_url: Option<String>,
    pub commit_sha: Option<String>,
    pub generator: Option<Generator>,
    #[serde(deserialize_with = "or_default")]
    pub checks: Vec<Check>,
    pub notification: Option<Notification>,
    #[serde(deserialize_with = "or_default")]
    pub timings_ms: BTreeMap<String, Option<u64>>,
    pub error: Option<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Generator {
    pub kind: Option<String>,
    pub model: Option<String>,
    pub usage: Option<Usage>,
    pub fallback_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub total_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Check {
    #[serde(rename = "check")]
    pub text: String,
    pub kind: String,
    pub status: String,
    pub detail: Option<String>,
    /// The earlier round it comes from.
    pub round: Option<u64>,
    /// The verdict on the deployed page.
    pub live: Option<String>,
}

impl Check {
    /// Whether it is a verdict. An assertion or an opinion of a model's is evidence, and never counted.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        !matches!(self.kind.as_str(), "derived" | "rubric")
    }

    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.status == "passed" && self.live.as_deref() != Some("failed")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Notification {
    pub attempts: u64,
    pub http_status: Option<u16>,
    pub delivered_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trouble {
    pub stage: Option<String>,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

/// `null` as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// How the checks of a run came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub all: usize,
    pub passed: usize,
    pub failed: usize,
    pub unknown: usize,
    pub skipped: usize,
}

impl Count {
    #[must_use]
    pub fn of(checks: &[Check]) -> Self {
        let mut count = Self::default();
        for check in checks.iter().filter(|c| c.is_verdict()) {
            count.all += 1;
            match check.status.as_str() {
                _ if check.is_passed() => count.passed += 1,
                "failed" | "passed" => count.failed += 1,
                "skipped" => count.skipped += 1,
                _ => count.unknown += 1,
            }
        }
        count
    }

    /// `7 of 9 checks passed, 1 failed, 1 skipped`
    #[must_use]
    pub fn sentence(&self) -> String {
        let noun = if self.all == 1 { "check" } else { "checks" };
        let mut text = format!("{} of {} {noun} passed", self.passed, self.all);
        for (n, word) in [
            (self.failed, "failed"),
            (self.unknown, "unknown"),
            (self.skipped, "skipped"),
        ] {
            if n > 0 {
                // Writing to a String cannot fail.
                let _ = write!(text, ", {n} {word}");
            }
        }
        text
    }

    /// Nothing is marked as a success unless every check passed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.passed == self.all
    }
}

/// `1 file`, `2 files`
#[must_use]
pub fn plural(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}
