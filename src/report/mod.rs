//! The only file that prints. Standard output carries one JSON document; progress and errors go to standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::{Color, Global};
use crate::error::{Code, Error};
use crate::progress::{Progress, Stage};
use crate::run::document::{self, Failure};
use crate::stages::check::{Kind, Status, Verdict};
use crate::text::plain;

/// Standard output with its one document. It is the command's, or, when a signal ends the process first, that one's.
#[derive(Default)]
pub struct Out {
    whose: AtomicU8,
    /// What the document says should a signal end the process.
    so_far: Mutex<Map<String, Value>>,
    /// It could not be written.
    broken: AtomicBool,
}

const NOBODY: u8 = 0;
const COMMAND: u8 = 1;
const SIGNAL: u8 = 2;
/// A reader that takes nothing must not keep the process from ending.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Out {
    fn take(&self, whose: u8) -> Result<(), u8> {
        self.whose
            .compare_exchange(NOBODY, whose, Ordering::SeqCst, Ordering::SeqCst)
            .map(drop)
    }

    /// Sets the keys with which a document that a signal cuts off begins.
    pub fn begin(&self, empty: Map<String, Value>) {
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = empty;
    }

    /// Puts what is known by now at those of its keys that the document has.
    pub fn known(&self, values: Map<String, Value>) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in values {
            if let Some(place) = so_far.get_mut(&key) {
                *place = value;
            }
        }
    }

    /// Prints the one document.
    pub fn document<T: Serialize>(&self, value: &T) {
        let terminal = on_terminal();
        self.print(&|out| {
            if terminal {
                serde_json::to_writer_pretty(&mut *out, value)?;
            } else {
                serde_json::to_writer(&mut *out, value)?;
            }
            out.write_all(b"\n")
        });
    }

    /// Prints the document so far with this error, where the command could not print its own.
    pub fn failed(&self, failure: &Failure) {
        let mut document =
            std::mem::take(&mut *self.so_far.lock().unwrap_or_else(PoisonError::into_inner));
        document.insert("error".to_owned(), json!(failure));
        self.document(&document);
    }

    /// Prints text in the document's place.
    pub fn text(&self, text: &str) {
        self.print(&|out| out.write_all(text.as_bytes()));
    }

    /// Prints the verdicts: a table on a terminal, otherwise the document.
    pub fn checks<T: Serialize>(&self, value: &T, verdicts: &[Verdict], color: Color) {
        if on_terminal() && !verdicts.is_empty() {
            self.text(&table(verdicts, coloured(color, true)));
        } else {
            self.document(value);
        }
    }

    fn print(&self, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) {
        match self.take(COMMAND) {
            Ok(()) => self.write(write),
            // The process is about to be gone; what has gone wrong by now has done so because of that.
            Err(SIGNAL) => loop {
                std::thread::park();
            },
            Err(_) => {}
        }
    }

    /// A reader that has gone away is no error of ours; a full disk is one.
    fn write(&self, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if write(&mut out)
            .and_then(|()| out.flush())
            .is_err_and(|e| e.kind() != io::ErrorKind::BrokenPipe)
        {
            self.broken.store(true, Ordering::SeqCst);
        }
    }

    /// Whether all that was printed could be written.
    ///
    /// # Errors
    /// `state` where it could not.
    pub fn require_written(&self) -> crate::error::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(
                Error::new(Code::State, "standard output could not be written")
                    .hint("is the disk full? the run itself is on record: llmdeploy status"),
            );
        }
        Ok(())
    }

    /// Said when a signal ends the process: the document so far, with this error, unless another is out already.
    pub fn interrupted(self: &Arc<Self>, failure: Failure) {
        let (done, is_done) = mpsc::channel();
        let this = Arc::clone(self);
        std::thread::spawn(move || {
            if this.take(SIGNAL).is_ok() {
                let mut so_far = std::mem::take(
                    &mut *this.so_far.lock().unwrap_or_else(PoisonError::into_inner),
                );
                if let Some(status) = so_far.get_mut("status") {
                    *status = json!(document::Status::Pending);
                }
                so_far.insert("error".to_owned(), json!(failure));
                this.write(&|out| writeln!(out, "{}", Value::Object(so_far.clone())));
            } else {
                // Half a document is none.
                drop(io::stdout().lock());
            }
            let _ = done.send(());
        });
        let _ = is_done.recv_timeout(LAST_WORDS);
        say("\ninterrupted; run the same command again and it goes on from here");
    }
}

fn table(verdicts: &[Verdict], colour: bool) -> String {
    let mut table = String::new();
    for verdict in verdicts {
        let (code, word) = match verdict.status {
            Status::Passed => ("32", "passed"),
            Status::Failed => ("31", "failed"),
            Status::Unknown => ("33", "unknown"),
            Status::Skipped => ("2", "skipped"),
        };
        let status = if colour {
            format!("\x1b[{code}m{word:<7}\x1b[0m")
        } else {
            format!("{word:<7}")
        };
        let kind = match verdict.kind {
            Kind::Js => "js",
            Kind::File => "file",
            Kind::Manual => "manual",
        };
        let round = verdict
            .round
            .map(|n| format!(" (round {n})"))
            .unwrap_or_default();
        let _ = writeln!(
            table,
            "{status}  {kind:<6}  {}{round}",
            plain(&verdict.check)
        );
        if let Some(detail) = verdict
            .detail
            .as_deref()
            .filter(|_| verdict.status != Status::Skipped)
        {
            let _ = writeln!(table, "{:17}{}", "", plain(detail));
        }
    }
    table
}

/// Whether somebody reads along on a terminal.
#[must_use]
pub fn on_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints what was wrong with the command line, in clap's words.
pub fn usage(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Says what to type next.
pub fn next(command: &str) {
    say(&format!("next: {}", plain(command)));
}

/// Whether what goes to standard output is coloured, which is a terminal.
#[must_use]
pub fn coloured_output(color: Color) -> bool {
    coloured(color, on_terminal())
}

/// Whether a stream is coloured.
fn coloured(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal
                && std::env::var_os("NO_COLOR").is_none()
                && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// `error: what failed`, `  caused by: why`, `hint: what to do`.
pub fn error(error: &Error, color: Color) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(told(error, coloured(color, out.is_terminal())).as_bytes());
}

fn told(error: &Error, colour: bool) -> String {
    let paint = |code: &str, word: &str| {
        if colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    };
    let mut causes = error.source.chain();
    let mut text = format!(
        "{} {}\n",
        paint("1;31", "error:"),
        indented(&causes.next().map(ToString::to_string).unwrap_or_default())
    );
    for cause in causes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {} {}",
            paint("31", "caused by:"),
            indented(&cause.to_string())
        );
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(text, "{} {}", paint("1;36", "hint:"), indented(hint));
    }
    text
}

/// Text of more than one line below something else, free of control characters.
fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(plain)
        .collect::<Vec<_>>()
        .join("\n    ")
}

fn warning(text: &str) -> String {
    format!("warning: {}", indented(text))
}

/// How much is said on the way.
#[must_use]
pub fn progress(global: &Global) -> Arc<dyn Progress> {
    if global.quiet {
        Arc::new(Quiet)
    } else if io::stderr().is_terminal() && !global.verbose {
        Arc::new(Bars {
            color: coloured(global.color, io::stderr().is_terminal()),
            bar: Mutex::new(None),
        })
    } else {
        Arc::new(Lines {
            verbose: global.verbose,
            begun: Mutex::new((None, Instant::now())),
        })
    }
}

struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: Stage) {}
    fn detail(&self, _: &str) {}
    fn done(&self, _: Stage, _: &str) {}
    fn warn(&self, _: &str) {}
    fn trace(&self, _: &str) {}
}

/// One line per stage; under `-v` everything.
struct Lines {
    verbose: bool,
    begun: Mutex<(Option<Stage>, Instant)>,
}

fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

impl Progress for Lines {
    fn begin(&self, stage: Stage) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.0 != Some(stage) {
            *begun = (Some(stage), Instant::now());
        }
    }

    fn detail(&self, text: &str) {
        if self.verbose {
            say(&format!("  {}", indented(text)));
        }
    }

    fn done(&self, stage: Stage, outcome: &str) {
        let since = self.begun.lock().unwrap_or_else(PoisonError::into_inner).1;
        say(&format!(
            "{stage}: {} ({})",
            indented(outcome),
            seconds(since.elapsed())
        ));
    }

    fn reused(&self, stage: Stage, what: &str) {
        say(&format!("{stage}: {}, made before", indented(what)));
    }

    fn warn(&self, text: &str) {
        say(&warning(text));
    }

    fn trace(&self, text: &str) {
        if self.verbose {
            say(&format!("  > {}", indented(text)));
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
        self.with(|slot| {
            let took = slot.take().map(|(_, since, bar)| {
                bar.finish_and_clear();
                since.elapsed()
            });
            let mark = if self.color {
                "\x1b[32m✓\x1b[0m"
            } else {
                "✓"
            };
            let _ = writeln!(
                io::stderr().lock(),
                "{mark} {stage:<8} {} ({})",
                indented(outcome),
                seconds(took.unwrap_or_default())
            );
        });
    }

    fn reused(&self, stage: Stage, what: &str) {
        self.with(|slot| {
            if let Some((_, _, bar)) = slot.take() {
                bar.finish_and_clear();
            }
            let what = indented(what);
            let _ = writeln!(io::stderr().lock(), "✓ {stage:<8} {what}, made before");
        });
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

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const HOSTILE: &str = "a\x1b]0;title\x07\u{9b}2J\rb\tc";
    const HARMLESS: &str = "a ]0;title  2J b c";

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let error = Error::new(Code::Usage, format!("{HOSTILE}\nmore"))
            .context(HOSTILE)
            .hint(HOSTILE);
        let told = told(&error, false);
        assert_eq!(
            told,
            format!("error: {HARMLESS}\n  caused by: {HARMLESS}\n    more\nhint: {HARMLESS}\n")
        );
        assert_eq!(
            warning(&format!("{HOSTILE}\r\nmore\n")),
            format!("warning: {HARMLESS}\n    more")
        );
        let verdict = |status| Verdict {
            check: HOSTILE.to_owned(),
            kind: Kind::File,
            status,
            detail: Some(HOSTILE.to_owned()),
            live: None,
            unsatisfiable: false,
            round: None,
        };
        assert!(
            !table(&[verdict(Status::Failed)], false)
                .contains(|c: char| c.is_control() && c != '\n')
        );
        assert!(
            table(&[verdict(Status::Failed)], true)
                .starts_with("\x1b[31mfailed \x1b[0m  file    a ]0;")
        );
    }

    #[test]
    fn never_and_always_are_meant() {
        assert!(
            !coloured(Color::Never, true)
                && coloured(Color::Always, false)
                && !coloured(Color::Auto, false)
        );
    }
}
