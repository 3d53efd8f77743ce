//! A running browser: calls with a deadline, and the events between them.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::{ANSWER, Options, START, find, gate, launch, pipe};

/// How many bytes may be on their way to the browser, and how long is waited for it to take them in.
const UNSENT: usize = 32 << 20;
const DRAIN: Duration = Duration::from_millis(500);

pub struct Browser {
    pipe: pipe::Pipe,
    process: launch::Process,
    last: u64,
    /// When it last would not take more.
    waited: Option<Instant>,
}

/// What comes from the browser.
#[derive(Debug)]
pub enum Incoming {
    /// The result of a call, or why there is none.
    Answer {
        id: u64,
        result: Result<Value, String>,
    },
    /// `session` is empty for the browser itself.
    Event {
        session: String,
        method: String,
        params: Value,
    },
}

impl Browser {
    /// Finds and starts the browser and waits until it answers.
    ///
    /// # Errors
    /// There is none, or it does not start; with what it said.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let program = find::browser(options.path.as_deref())?;
        let gate = if options.offline {
            None
        } else {
            Some(gate::open(options.proxy.as_deref())?)
        };
        let try_once = |sandbox: bool| -> anyhow::Result<Result<Self, anyhow::Error>> {
            let (process, stdin, stdout) = launch::start(&program, options, gate, sandbox)?;
            let mut browser = Self {
                pipe: pipe::Pipe::open(stdin, stdout),
                process,
                last: 0,
                waited: None,
            };
            let until = Instant::now() + START;
            let started = browser.call_browser("Browser.getVersion", &json!({}), until);
            let Err(error) = started else {
                return Ok(Ok(browser));
            };
            let error = error.context(format!("{} does not start", program.display()));
            // Containers and some kernels forbid what the sandbox needs; there is no exit status that says so.
            let refused = sandbox
                && browser
                    .process
                    .said()
                    .iter()
                    .any(|l| l.to_ascii_lowercase().contains("sandbox"));
            if refused { Ok(Err(error)) } else { Err(error) }
        };
        match try_once(!launch::sandbox_is_refused())? {
            Ok(browser) => Ok(browser),
            Err(_) => try_once(false)?,
        }
    }

    /// Sends a call and gives its number. `session` is empty for the browser itself.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn send(&mut self, session: &str, method: &str, params: &Value) -> anyhow::Result<u64> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !session.is_empty() {
            message["sessionId"] = json!(session);
        }
        self.pipe
            .send(&message)
            .map_err(|pipe::Closed| self.ended())?;
        Ok(self.last)
    }

    /// Whether the browser can take in more. It is waited for, but not again and again: a page that asks for more than the browser
    /// can take would hold up everything else.
    pub fn takes_more(&mut self) -> bool {
        let start = Instant::now();
        if self
            .waited
            .is_none_or(|last| start.duration_since(last) > 2 * DRAIN)
        {
            while self.pipe.unsent() > UNSENT && start.elapsed() < DRAIN {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let takes = self.pipe.unsent() <= UNSENT;
        if !takes {
            self.waited = Some(Instant::now());
        }
        takes
    }

    /// What comes next, or `None` when nothing has come until then.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn receive(&mut self, until: Instant) -> anyhow::Result<Option<Incoming>> {
        let Some(mut message) = self
            .pipe
            .receive(until)
            .map_err(|pipe::Closed| self.ended())?
        else {
            return Ok(None);
        };
        if let Some(id) = message["id"].as_u64() {
            let result = match message.get("error") {
                Some(error) => Err(error["message"]
                    .as_str()
                    .unwrap_or("no reason given")
                    .to_owned()),
                None => Ok(message["result"].take()),
            };
            return Ok(Some(Incoming::Answer { id, result }));
        }
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let (session, method) = (text(&message["sessionId"]), text(&message["method"]));
        Ok(Some(Incoming::Event {
            session,
            method,
            params: message["params"].take(),
        }))
    }

    /// A call to the browser itself while nothing else goes on; events are dropped.
    fn call_browser(
        &mut self,
        method: &str,
        params: &Value,
        until: Instant,
    ) -> anyhow::Result<Value> {
        let asked = self.send("", method, params)?;
        loop {
            match self.receive(until)? {
                Some(Incoming::Answer { id, result }) if id == asked => {
                    return result.map_err(|e| anyhow!("{method}: {e}"));
                }
                Some(_) => {}
                None => bail!("the browser does not answer"),
            }
        }
    }

    /// For the error of a browser that hangs.
    #[must_use]
    pub fn hung(&self, method: &str) -> anyhow::Error {
        anyhow!(
            "the browser does not answer ({method}, {} s)",
            ANSWER.as_secs()
        )
    }

    fn ended(&self) -> anyhow::Error {
        let said = self.process.said();
        // What broke it comes first; else a line that names an error says more than the last.
        let line = said.iter().find(|l| l.contains("FATAL")).or_else(|| {
            said.iter()
                .find(|l| l.to_ascii_lowercase().contains("error"))
        });
        let line = line.or(said.last());
        match line {
            Some(line) => anyhow!("the browser has ended: {line}"),
            None => anyhow!("the browser has ended"),
        }
    }
}
