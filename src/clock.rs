//! The time a walk has, and the units it waits in.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Waiting times, adjustable from outside, and the one deadline that all retries and waits keep to.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The first pause of every back-off, 1 s by default (`LLMDEPLOY_RETRY_BASE_MS`).
    pub unit: Duration,
    /// The first pause between two looks at a build or a page, 2 s by default (`LLMDEPLOY_POLL_MS`).
    pub poll: Duration,
    /// The longest wait for one answer, 15 s by default (`LLMDEPLOY_TIMEOUT_MS`).
    pub answer: Duration,
    /// When the walk should have told the evaluator (`--deadline` after the start of the process).
    pub deadline: Instant,
    /// When work on the app should end, so that deploying and telling have their time before the deadline.
    pub work_until: Instant,
}

impl Clock {
    /// What is left until `until` or the deadline, whichever comes first.
    #[must_use]
    pub fn left(&self, until: Option<Instant>) -> Duration {
        until
            .map_or(self.deadline, |u| u.min(self.deadline))
            .saturating_duration_since(Instant::now())
    }

    /// What is left for work on the app, beside what deploying and telling take.
    #[must_use]
    pub fn spare(&self) -> Duration {
        self.left(Some(self.work_until))
    }

    /// Sleeps for `pause` if that leaves time before the deadline; says whether it did.
    #[must_use]
    pub fn pause(&self, pause: Duration) -> bool {
        let fits = pause < self.left(None);
        if fits {
            std::thread::sleep(pause);
        }
        fits
    }

    /// The pause before the next look: half as long again each time, at most five times the first (10 s by default). A
    /// Pages build takes seconds mostly, so the first looks are close together.
    #[must_use]
    pub fn next_poll(&self, last: Option<Duration>) -> Duration {
        last.map_or(self.poll, |d| (d + d / 2).min(self.poll * 5))
    }
}

/// Seconds since 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// `2026-11-22T10:00:00Z` (RFC 3339).
#[must_use]
pub fn rfc3339_now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
