//! What a walk says on standard error while it goes on: a spinner on a terminal, otherwise a line a stage. Nobody is left to
//! guess what is waited for: where there is no spinner, a stage that takes long says once a minute what it is at.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Mark, coloured, is_dumb};
use super::{indented, say};
use crate::cli::Global;
use crate::clock::rfc3339_now;
use crate::progress::{Progress, Stage};
use crate::text::plain;

/// A stage that is at something for so long says so the first time, and then again after so long.
const FIRST_WORD: Duration = Duration::from_secs(10);
const NEXT_WORD: Duration = Duration::from_secs(60);
/// Columns of a stage's name.
const NAME: usize = 9;

/// How much is said on the way. `stamped`: for a log, each line with its time.
#[must_use]
pub fn progress(global: &Global, stamped: bool) -> Arc<dyn Progress> {
    if global.quiet {
        Arc::new(Quiet)
    } else if io::stderr().is_terminal() && !global.verbose && !is_dumb() {
        Arc::new(Bars {
            color: coloured(global.color, io::stderr().is_terminal()),
            bar: Mutex::new(None),
        })
    } else {
        Arc::new(Lines::new(global.verbose, stamped))
    }
}

struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: Stage) {}
    fn detail(&self, _: &str) {}
    fn done(&self, _: Stage, _: &str) {}
    fn reused(&self, _: Stage, _: &str, _: bool) {}
    fn partly(&self, _: Stage, _: &str) {}
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn trace(&self, _: &str) {}
}

/// One line per stage; under `-v` everything.
struct Lines {
    verbose: bool,
    stamped: bool,
    at: Arc<(Mutex<At>, Condvar)>,
    ticker: Option<JoinHandle<()>>,
}

/// What a walk is at.
#[derive(Default)]
struct At {
    stage: Option<(Stage, Instant)>,
    detail: Option<String>,
    /// When it was said last, of this stage.
    said: Option<Instant>,
    over: bool,
}

impl At {
    /// When the next word is due, if there is something to say.
    fn due(&self) -> Option<Instant> {
        let (_, since) = self.stage?;
        self.detail.as_ref()?;
        Some(self.said.map_or(since + FIRST_WORD, |at| at + NEXT_WORD))
    }

    fn word(&self) -> Option<String> {
        let ((stage, since), detail) = (self.stage?, self.detail.as_ref()?);
        let so_far = humantime::format_duration(Duration::from_secs(since.elapsed().as_secs()));
        Some(format!(
            "{} {stage}: {} ({so_far} so far)",
            rfc3339_now(),
            indented(detail)
        ))
    }
}

impl Lines {
    fn new(verbose: bool, stamped: bool) -> Self {
        let at = Arc::<(Mutex<At>, Condvar)>::default();
        let shared = Arc::clone(&at);
        let ticker = std::thread::spawn(move || tick(&shared));
        Self {
            verbose,
            stamped,
            at,
            ticker: Some(ticker),
        }
    }

    fn change(&self, change: impl FnOnce(&mut At)) {
        change(&mut self.at.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.at.1.notify_all();
    }

    fn say(&self, text: &str) {
        if self.stamped {
            say(&format!("{} {text}", rfc3339_now()));
        } else {
            say(text);
        }
    }

    fn end(&self, stage: Stage, outcome: &str) {
        let mut since = None;
        self.change(|at| {
            since = at.stage.take();
            at.detail = None;
        });
        self.say(&format!(
            "{:NAME$} {} ({})",
            format!("{stage}:"),
            indented(outcome),
            seconds(since.map_or(Duration::ZERO, |(_, since)| since.elapsed()))
        ));
    }
}

/// Says what is at hand whenever it is due.
fn tick(shared: &(Mutex<At>, Condvar)) {
    let mut at = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !at.over {
        let now = Instant::now();
        match at.due() {
            Some(due) if due <= now => {
                if let Some(word) = at.word() {
                    say(&word);
                }
                at.said = Some(now);
            }
            due => {
                let pause = due.map_or(NEXT_WORD, |due| due - now);
                at = shared
                    .1
                    .wait_timeout(at, pause)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.change(|at| at.over = true);
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
    }
}

impl Progress for Lines {
    fn begin(&self, stage: Stage) {
        self.change(|at| {
            if at.stage.is_none_or(|(s, _)| s != stage) {
                *at = At {
                    stage: Some((stage, Instant::now())),
                    ..At::default()
                };
            }
        });
    }

    fn detail(&self, text: &str) {
        self.change(|at| at.detail = Some(text.to_owned()));
        if self.verbose {
            self.say(&format!("  {}", indented(text)));
        }
    }

    fn done(&self, stage: Stage, outcome: &str) {
        self.end(stage, outcome);
    }

    fn reused(&self, stage: Stage, what: &str, _: bool) {
        self.change(|at| *at = At::default());
        self.say(&format!(
            "{:NAME$} {}, made before",
            format!("{stage}:"),
            indented(what)
        ));
    }

    fn partly(&self, stage: Stage, outcome: &str) {
        self.end(stage, outcome);
    }

    fn note(&self, text: &str) {
        self.say(&indented(text));
    }

    fn warn(&self, text: &str) {
        self.say(&warning(text));
    }

    fn trace(&self, text: &str) {
        if self.verbose {
            self.say(&format!("  > {}", indented(text)));
        }
    }
}

/// A spinner with the time a stage has taken, on a terminal.
struct Bars {
    color: bool,
    bar: Mutex<Option<(Stage, Instant, ProgressBar)>>,
}

impl Bars {
    fn with(&self, act: impl FnOnce(&mut Option<(Stage, Instant, ProgressBar)>)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn print(&self, text: &str) {
        self.with(|bar| match bar {
            Some((_, _, bar)) => bar.println(text),
            None => drop(writeln!(io::stderr().lock(), "{text}")),
        });
    }

    fn end(&self, mark: Mark, stage: Stage, outcome: &str) {
        self.with(|slot| {
            let took = slot.take().map(|(_, since, bar)| {
                bar.finish_and_clear();
                since.elapsed()
            });
            say(&format!(
                "{} {stage:<8} {} ({})",
                mark.painted(self.color),
                indented(outcome),
                seconds(took.unwrap_or_default())
            ));
        });
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage) {
        self.with(|slot| {
            if slot.as_ref().is_some_and(|(s, ..)| *s == stage) {
                return;
            }
            if let Some((_, _, old)) = slot.take() {
                old.finish_and_clear();
            }
            let template = if self.color {
                "{spinner:.cyan} {prefix:.bold} {elapsed} {wide_msg:.dim}"
            } else {
                "{spinner} {prefix} {elapsed} {wide_msg}"
            };
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(format!("{stage:<8}"));
            bar.enable_steady_tick(Duration::from_millis(100));
            *slot = Some((stage, Instant::now(), bar));
        });
    }

    fn detail(&self, text: &str) {
        self.with(|slot| {
            if let Some((_, _, bar)) = slot {
                bar.set_message(plain(text));
            }
        });
    }

    fn done(&self, stage: Stage, outcome: &str) {
        self.end(Mark::Good, stage, outcome);
    }

    fn reused(&self, stage: Stage, what: &str, whole: bool) {
        let mark = if whole { Mark::Good } else { Mark::Open };
        self.with(|slot| {
            if let Some((_, _, bar)) = slot.take() {
                bar.finish_and_clear();
            }
            let (mark, what) = (mark.painted(self.color), indented(what));
            say(&format!("{mark} {stage:<8} {what}, made before"));
        });
    }

    fn partly(&self, stage: Stage, outcome: &str) {
        self.end(Mark::Open, stage, outcome);
    }

    fn note(&self, text: &str) {
        self.print(&indented(text));
    }

    fn warn(&self, text: &str) {
        self.print(&warning(text));
    }

    fn trace(&self, _: &str) {}
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.with(|slot| {
            if let Some((_, _, bar)) = slot.take() {
                bar.finish_and_clear();
            }
        });
    }
}

fn warning(text: &str) -> String {
    format!("warning: {}", indented(text))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_is_said_at_first_and_once_a_minute() {
        let began = Instant::now();
        let mut at = At::default();
        assert_eq!(at.due(), None);
        at.stage = Some((Stage::Deploy, began));
        assert_eq!(at.due(), None, "there is nothing to say yet");
        at.detail = Some("waiting for Pages\nnow".to_owned());
        assert_eq!(at.due(), Some(began + FIRST_WORD));
        at.said = Some(began + FIRST_WORD);
        assert_eq!(at.due(), Some(began + FIRST_WORD + NEXT_WORD));
        let word = at.word().unwrap();
        assert!(
            word.ends_with("Z deploy: waiting for Pages\n    now (0s so far)"),
            "{word}"
        );
    }

    #[test]
    fn warnings_obey_nobody() {
        assert_eq!(
            warning("a\x1b]0;title\x07\u{9b}2J\rb\tc\r\nmore\n"),
            "warning: a ]0;title  2J b c\n    more"
        );
    }
}
