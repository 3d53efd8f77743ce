//! The allowance that all processes of a token share: GitHub takes 80 content-creating requests a minute and 500 an hour, and
//! answers 403 to whoever goes beyond. Processes that share a state directory take turns instead.
//!
//! Each request books the first moment at which it fits, in one file that is locked only for the booking, and then waits for
//! that moment. So nobody polls, whoever came first goes first, and the booking of a process that dies is lost and no more.
//! Source: "Rate limits for the REST API", docs.github.com.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::error::{Code, OrCode, Result};
use crate::journal::files;
use crate::values::sha256_hex;

const A_MINUTE: usize = 80;
const AN_HOUR: usize = 500;
/// What a clock may be off by, and what a request is on its way.
const MARGIN: u64 = 250;

pub struct Allowance {
    file: PathBuf,
    /// A minute, except in tests.
    minute: Duration,
}

impl Allowance {
    /// Kept in this state directory.
    #[must_use]
    pub fn new(state: &Path, minute: Duration) -> Self {
        Self {
            file: state.join("allowance"),
            minute,
        }
    }

    /// Books the next request of a token and says how long to wait for its turn; `None` where that is longer than `at_most`,
    /// with nothing booked.
    pub(super) fn book(&self, token: &str, at_most: Duration) -> Result<Result<Duration, Duration>> {
        self.try_book(token, at_most)
            .with_context(|| format!("the allowance in {}", self.file.display()))
            .or_code(Code::State)
    }

    fn try_book(&self, token: &str, at_most: Duration) -> anyhow::Result<Result<Duration, Duration>> {
        let mut file = self.open()?;
        file.lock()?;
        let mut text = String::new();
        (&file).take(1 << 20).read_to_string(&mut text)?;
        let whose = &sha256_hex(token.as_bytes())[..16];
        let (minute, now) = (millis(self.minute), now());
        let all: Vec<(&str, u64)> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(whose, at)| Some((whose, at.parse().ok()?)))
            // Never beyond what can have been booked, if a clock was set back.
            .filter(|(_, at)| now < at + 60 * minute && *at < now + 120 * minute)
            .collect();
        let mut ours: Vec<u64> = all.iter().filter(|(w, _)| *w == whose).map(|(_, at)| *at).collect();
        ours.sort_unstable();
        let at = turn(&ours, now, minute);
        let wait = Duration::from_millis(at - now);
        if wait > at_most {
            return Ok(Err(wait));
        }
        let lines = all.iter().map(|(whose, at)| format!("{whose} {at}\n"));
        let text: String = lines.chain([format!("{whose} {at}\n")]).collect();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        Ok(Ok(wait))
    }

    fn open(&self) -> anyhow::Result<File> {
        if let Some(dir) = self.file.parent() {
            files::make_dir(dir)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.mode(0o600).custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(&self.file)?;
        anyhow::ensure!(file.metadata()?.is_file(), "it is not a regular file");
        Ok(file)
    }
}

/// The first moment, in milliseconds, at which one more fits between those that are booked, which are in ascending order.
fn turn(booked: &[u64], now: u64, minute: u64) -> u64 {
    let after = |limit: usize, window: u64| {
        let nth = booked.len().checked_sub(limit).and_then(|n| booked.get(n));
        nth.map_or(0, |at| at + window + MARGIN)
    };
    now.max(after(A_MINUTE, minute)).max(after(AN_HOUR, 60 * minute))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 1000)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_than_its_share() {
        let minute = 60_000;
        let mut booked = vec![];
        for n in 0..1200 {
            let at = turn(&booked, 1_000_000 + n, minute);
            booked.push(at);
        }
        assert!(booked.is_sorted());
        for (window, limit) in [(minute, A_MINUTE), (60 * minute, AN_HOUR)] {
            for (n, at) in booked.iter().enumerate() {
                let within = booked[..=n].iter().filter(|b| **b + window > *at).count();
                assert!(within <= limit, "{within} in {window} ms");
            }
        }
        // As many as may go, at once.
        assert_eq!(booked[A_MINUTE - 1], 1_000_000 + A_MINUTE as u64 - 1);
        assert!(booked[A_MINUTE] >= 1_000_000 + minute);
    }

    #[test]
    fn processes_share_one_file_and_tokens_do_not_share_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let allowance = || Allowance::new(dir.path(), Duration::from_secs(60));
        for _ in 0..A_MINUTE {
            let wait = allowance().book("one", Duration::ZERO).unwrap();
            assert_eq!(wait, Ok(Duration::ZERO));
        }
        assert!(allowance().book("one", Duration::ZERO).unwrap().is_err());
        assert_eq!(allowance().book("two", Duration::ZERO).unwrap(), Ok(Duration::ZERO));
        let wait = allowance().book("one", Duration::from_secs(90)).unwrap().unwrap();
        assert!(wait > Duration::from_secs(50), "{wait:?}");
        // What a crash left of the file is no reason to stop.
        std::fs::write(dir.path().join("allowance"), "half a li").unwrap();
        assert_eq!(allowance().book("one", Duration::ZERO).unwrap(), Ok(Duration::ZERO));
        assert!(!std::fs::read_to_string(dir.path().join("allowance")).unwrap().contains("one"));
    }
}
