//! The only room that prints. Standard output carries one JSON document, or what a person on a terminal wants to see of it;
//! progress and errors go to standard error.

mod actions;
mod progress;
mod terminal;
pub mod view;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::progress::progress;
use self::terminal::coloured;
pub use self::terminal::{Terminal, command_line};
use self::view::View;
use crate::cli::{Color, Global};
use crate::error::{Code, Error};
use crate::run::document::{self, Failure};
use crate::text::plain;

/// Standard output with its one document. It is the command's, or, when a signal ends the process first, that one's.
#[derive(Default)]
pub struct Out {
    /// `--json`: the document also where a person reads it.
    json: bool,
    color: Color,
    detached: bool,
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
    /// As the command line asks for; `None`: it does not parse, but it may have been asked for the document all the same.
    #[must_use]
    pub fn new(global: Option<&Global>, detached: bool) -> Self {
        let json = || std::env::args_os().any(|arg| arg == "--json");
        Self {
            json: global.map_or_else(json, |g| g.json),
            color: global.map(|g| g.color).unwrap_or_default(),
            detached,
            ..Self::default()
        }
    }

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

    /// Whether a person reads standard output, who wants to see what matters rather than the document.
    #[must_use]
    pub fn is_for_a_person(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    #[must_use]
    pub fn terminal(&self) -> Terminal {
        Terminal::of_output(self.color)
    }

    /// Prints the one document; for a person, what `view` makes of it.
    pub fn show<T: Serialize>(&self, document: &T, view: View) {
        let value = serde_json::to_value(document).unwrap_or_default();
        if self.is_for_a_person() {
            let text = view(&value, &self.terminal());
            self.print(&|out| out.write_all(text.as_bytes()));
        } else {
            self.json(document);
        }
        self.tell_actions(&value);
    }

    /// Prints the one document where there is nothing better for a person.
    pub fn document<T: Serialize>(&self, document: &T) {
        self.json(document);
        self.tell_actions(&serde_json::to_value(document).unwrap_or_default());
    }

    fn json<T: Serialize>(&self, value: &T) {
        let terminal = io::stdout().is_terminal();
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
        self.show(&document, view::nothing);
    }

    /// The process that goes on after `--detach` belongs to no step any more.
    fn tell_actions(&self, document: &Value) {
        if !self.detached {
            actions::document(document);
        }
    }

    /// Prints text in the document's place.
    pub fn text(&self, text: &str) {
        self.print(&|out| out.write_all(text.as_bytes()));
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
                let document = Value::Object(so_far);
                if !this.is_for_a_person() {
                    // Not on the line of a terminal that shows `^C`.
                    let begin = if io::stdout().is_terminal() { "\n" } else { "" };
                    this.write(&|out| writeln!(out, "{begin}{document}"));
                }
                this.tell_actions(&document);
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

/// Prints what was wrong with the command line, in clap's words.
pub fn usage(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Says what to type next.
pub fn next(command: &str) {
    say(&format!("next: {}", plain(command)));
}

/// As an annotation of a step of GitHub Actions, where this is one.
pub fn annotate(error: &Error) {
    actions::error(error);
}

/// `error: what failed`, `  caused by: why`, `hint: what to do`.
pub fn error(error: &Error, color: Color) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(told(error, coloured(color, out.is_terminal())).as_bytes());
    drop(out);
    actions::error(error);
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

fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
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
    }
}
