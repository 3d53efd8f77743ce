//! Looks at a page until its checks are settled.
//!
//! All open checks are asked together, again and again, until all have passed, the page has nothing left to do, or the time is
//! up: one after the other, forty that fail would take minutes. What passed is looked at once more at the end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::code::{self, Form, Look};
use crate::ports::browser::tab::Tab;

/// Code of a check that runs longer without a pause is cut.
const CODE_LIMIT: u64 = 1_000;
/// The page's script that lets nobody in for so long is cut; long work on loading a page is below that.
const BLOCKED: Duration = Duration::from_secs(5);
/// A promise that is open for so long is asked for anew; the old one still counts.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many promises of one check may be open.
const OPEN: usize = 4;
/// So long nothing may be in hand before a page is idle: work beside the main thread (decoding, hashing) cannot be seen.
const QUIET: Duration = Duration::from_secs(1);
/// Wait for the load event; what hangs there is not waited for.
const LOAD: Duration = Duration::from_secs(4);
/// Between two rounds, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(250));

/// A check in the browser.
pub struct Item {
    pub code: String,
    form: Form,
    asked: Vec<(u64, Instant)>,
    looks: u32,
    pub state: State,
    /// The best thing to tell of the last look that failed.
    pub seen: Option<Look>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Passed,
    /// It cannot be evaluated at all: the syntax error.
    Invalid(String),
    /// It was cut, so it is not asked again.
    Cut,
}

impl Item {
    #[must_use]
    pub fn new(code: &str) -> Self {
        let code = code.trim().to_owned();
        Self { code, form: Form::Expression, asked: Vec::new(), looks: 0, state: State::Open, seen: None }
    }
}

/// How the look at a page went, beside its checks.
#[derive(Debug, Default)]
pub struct Ending {
    /// The page's own script had to be cut, or lets nobody in.
    pub blocked: bool,
    /// It was idle before the time was up.
    pub idle: bool,
}

/// Finds the form in which each code is evaluated. To be called on an empty page.
///
/// # Errors
/// The browser has ended.
pub fn compile(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    let mut asked = Vec::new();
    for item in items.iter() {
        let mut post = |form: Form| {
            // Top-level await is none of a plain script.
            let source = if form == Form::Script { format!("async()=>{{{}\n}}", item.code) } else { form.wrapped(&item.code) };
            tab.post("Runtime.compileScript", &json!({"expression": source, "sourceURL": "check", "persistScript": false}))
        };
        asked.push((post(Form::Expression)?, post(Form::Body)?));
    }
    for (item, (expression, body)) in items.iter_mut().zip(asked) {
        let expression = error_of(tab, expression)?;
        let body = error_of(tab, body)?;
        let returns = code::bare(&item.code).split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).any(|w| w == "return");
        match (expression, body) {
            _ if item.code.is_empty() => item.state = State::Invalid("there is no code".to_owned()),
            (None, _) => item.form = Form::Expression,
            (Some(_), None) => item.form = if returns { Form::Body } else { Form::Script },
            (Some(why), Some(_)) => item.state = State::Invalid(why),
        }
    }
    Ok(())
}

fn error_of(tab: &mut Tab<'_>, id: u64) -> anyhow::Result<Option<String>> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(answer) = tab.take(id) {
            let details = answer.ok().and_then(|a| a.get("exceptionDetails").cloned());
            return Ok(details.map(|d| code::first_line(&d["exception"]["description"])));
        }
        if !tab.pump(until)? {
            return Ok(None);
        }
    }
}

/// Opens the page and looks at it until the checks are settled or the time is up.
///
/// # Errors
/// The browser has ended.
pub fn look(tab: &mut Tab<'_>, url: &str, watch: &str, items: &mut [Item], limit: Duration) -> anyhow::Result<Ending> {
    let deadline = Instant::now() + limit;
    let blocked = BLOCKED.min(limit / 2);
    let mut ending = Ending::default();
    let navigation = tab.post("Page.navigate", &json!({"url": url}))?;
    let loaded_by = Instant::now() + LOAD.min(limit / 3);
    let mut there = false;
    while !(there && tab.loaded) && tab.record.gone.is_none() && tab.pump(loaded_by)? {
        there |= tab.take(navigation).is_some();
    }
    let mut pause = PAUSE.0;
    let (mut heard, mut quiet_since) = (Instant::now(), None::<Instant>);
    while tab.record.gone.is_none() && Instant::now() < deadline {
        // Asked before the checks: what they start themselves is not the page's.
        let hand = ask_watch(tab, watch, deadline)?;
        if let Some(next) = hand {
            heard = Instant::now();
            let left = deadline.saturating_duration_since(heard);
            let idle = tab.loaded && !tab.is_busy() && next > left.as_secs_f64() * 1000.0;
            quiet_since = if idle { quiet_since.or(Some(heard)) } else { None };
        } else if heard.elapsed() >= blocked {
            tab.require_browser()?;
            ending.blocked = true;
            tab.send("Runtime.terminateExecution", &json!({}))?;
            if items.iter().any(|i| !i.asked.is_empty()) {
                one_by_one(tab, items, deadline)?;
            }
            heard = Instant::now();
            continue;
        } else {
            continue;
        }
        round(tab, items, deadline)?;
        if items.iter().all(|i| i.state != State::Open) {
            confirm(tab, items, watch, deadline)?;
            if items.iter().all(|i| i.state != State::Open) {
                return Ok(ending);
            }
        }
        if quiet_since.is_some_and(|since| since.elapsed() >= QUIET) {
            ending.idle = true;
            break;
        }
        let until = (Instant::now() + pause).min(deadline);
        while tab.record.gone.is_none() && tab.pump(until)? {}
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
    // Those that passed are looked at once more, and those that are open get their last chance.
    if tab.record.gone.is_none() && ask_watch(tab, watch, Instant::now() + Duration::from_secs(1))?.is_none() {
        ending.blocked = true;
    } else if tab.record.gone.is_none() {
        again(tab, items, Instant::now() + Duration::from_millis(CODE_LIMIT + 500))?;
    }
    Ok(ending)
}

/// Milliseconds until the page does something by itself; `None` when it does not answer for a while.
fn ask_watch(tab: &mut Tab<'_>, watch: &str, deadline: Instant) -> anyhow::Result<Option<f64>> {
    let limit = Duration::from_millis(600).min(deadline.saturating_duration_since(Instant::now()));
    let expression = format!("globalThis[{watch:?}]?.()");
    let answer = tab.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}), limit)?;
    Ok(match answer {
        Err(e) if e == "no answer" => None,
        // Between two documents.
        Err(_) => Some(0.0),
        // Where the watch is not there, there is no script of the page's either: an error page.
        Ok(v) => Some(v["result"]["value"].as_f64().unwrap_or(f64::INFINITY)),
    })
}

/// Asks every open check and takes what answers come in a moment.
fn round(tab: &mut Tab<'_>, items: &mut [Item], deadline: Instant) -> anyhow::Result<()> {
    for item in items.iter_mut().filter(|i| i.state == State::Open) {
        let due = item.asked.last().is_none_or(|(_, at)| at.elapsed() >= PATIENCE && item.asked.len() < OPEN);
        if due {
            ask(tab, item)?;
        }
    }
    // One that runs to its limit holds up those behind it, so that a round may take as long as all limits together.
    let until = deadline.min(Instant::now() + Duration::from_millis(300));
    loop {
        collect(tab, items)?;
        let waiting = items.iter().any(|i| i.state == State::Open && i.asked.len() == 1);
        if !waiting || tab.record.gone.is_some() || !tab.pump(until)? {
            return Ok(());
        }
    }
}

/// A check that goes on after an `await` is beyond its own limit: which one blocks the page is found by asking them singly.
fn one_by_one(tab: &mut Tab<'_>, items: &mut [Item], deadline: Instant) -> anyhow::Result<()> {
    for item in items.iter_mut() {
        item.asked.clear();
    }
    for n in 0..items.len() {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open) else { continue };
        if Instant::now() >= deadline || tab.record.gone.is_some() {
            return Ok(());
        }
        ask(tab, item)?;
        let limit = Duration::from_millis(CODE_LIMIT + 500);
        // Two turns of the page's own: the first may come before the check goes on.
        let wait = json!({"expression": "new Promise(r => setTimeout(r))", "awaitPromise": true});
        if tab.call("Runtime.evaluate", &wait, limit)?.is_err_and(|e| e == "no answer") {
            tab.send("Runtime.terminateExecution", &json!({}))?;
            item.asked.clear();
            item.state = State::Cut;
        }
        collect(tab, items)?;
    }
    Ok(())
}

fn ask(tab: &mut Tab<'_>, item: &mut Item) -> anyhow::Result<()> {
    let id = tab.post("Runtime.evaluate", &item.form.evaluation(&item.code, CODE_LIMIT))?;
    item.asked.push((id, Instant::now()));
    item.looks += 1;
    Ok(())
}

/// Takes the answers that are there.
fn collect(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    for item in items.iter_mut().filter(|i| !i.asked.is_empty()) {
        let asked = std::mem::take(&mut item.asked);
        for (id, at) in asked {
            match tab.take(id) {
                None => item.asked.push((id, at)),
                Some(answer) => settle(tab, item, code::look(&answer))?,
            }
        }
        // What is still under way does not matter any more.
        if item.state != State::Open {
            item.asked.clear();
        }
    }
    Ok(())
}

fn settle(tab: &mut Tab<'_>, item: &mut Item, look: Look) -> anyhow::Result<()> {
    match look {
        Look::True => item.state = State::Passed,
        Look::Lost => {}
        Look::Cut => {
            item.state = State::Cut;
            item.seen = Some(Look::Cut);
        }
        // The code is a function: what it gives is meant, not that it is there.
        Look::Function(source) if item.form == Form::Expression && source.trim() == item.code.trim_end_matches(';').trim() => {
            item.form = Form::Function;
            ask(tab, item)?;
        }
        Look::Function(source) => item.seen = Some(Look::False(format!("a function: {}", code::first_line(&Value::from(source))))),
        Look::False(_) | Look::Threw(_) => item.seen = Some(look),
    }
    Ok(())
}

/// All have passed: what the page still has in hand is given a moment, then all are looked at once more.
fn confirm(tab: &mut Tab<'_>, items: &mut [Item], watch: &str, deadline: Instant) -> anyhow::Result<()> {
    let until = deadline.min(Instant::now() + Duration::from_millis(300));
    while Instant::now() < until {
        match ask_watch(tab, watch, deadline)? {
            Some(next) if !tab.is_busy() && next > 300.0 => break,
            None => break,
            Some(_) => while tab.pump(until.min(Instant::now() + PAUSE.0))? {},
        }
    }
    again(tab, items, deadline.max(Instant::now() + Duration::from_millis(CODE_LIMIT)))
}

/// Looks once more at what passed, unless looking changes the page, and at what is open. Without an answer the last one holds.
fn again(tab: &mut Tab<'_>, items: &mut [Item], until: Instant) -> anyhow::Result<()> {
    let until = until.min(Instant::now() + Duration::from_millis(2 * CODE_LIMIT));
    let mut asked = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let repeatable = match item.state {
            State::Passed => !code::acts(&item.code),
            State::Open => item.asked.is_empty(),
            State::Invalid(_) | State::Cut => false,
        };
        if repeatable {
            asked.push((n, tab.post("Runtime.evaluate", &item.form.evaluation(&item.code, CODE_LIMIT))?));
        }
    }
    while !asked.is_empty() && tab.record.gone.is_none() {
        let mut open = Vec::new();
        for (n, id) in asked {
            let (Some(item), Some(answer)) = (items.get_mut(n), tab.take(id)) else {
                open.push((n, id));
                continue;
            };
            match code::look(&answer) {
                Look::False(_) | Look::Threw(_) if item.state == State::Passed => {
                    item.state = State::Open;
                    item.seen = Some(Look::False("false, after it had been true".to_owned()));
                }
                Look::Cut | Look::Function(_) if item.state == State::Passed => {}
                look => settle(tab, item, look)?,
            }
        }
        asked = open;
        if asked.is_empty() || !tab.pump(until)? {
            break;
        }
    }
    Ok(())
}

/// Why a check in this state is not passed, in words.
#[must_use]
pub fn reason(item: &Item, gone: Option<&str>, blocked: bool) -> String {
    let page = gone.map(str::to_owned).or_else(|| blocked.then(|| "the page's script does not come to an end".to_owned()));
    match (&item.state, &item.seen) {
        (State::Invalid(why), _) => why.clone(),
        (State::Cut, _) => "the check does not come to an end".to_owned(),
        (_, Some(Look::Threw(what))) => what.clone(),
        (_, Some(Look::False(value))) => value.clone(),
        _ if page.is_some() => page.unwrap_or_default(),
        _ if !item.asked.is_empty() => "the promise never settles".to_owned(),
        _ => "no answer from the page".to_owned(),
    }
}

/// The value behind a comparison that is false, where it can be had without changing the page.
///
/// # Errors
/// The browser has ended.
pub fn values(tab: &mut Tab<'_>, items: &[Item]) -> anyhow::Result<Vec<Option<String>>> {
    let mut told = Vec::new();
    for item in items {
        let subject = match (&item.state, &item.seen) {
            (State::Open, Some(Look::False(_))) if !code::acts(&item.code) => code::subject(&item.code),
            _ => None,
        };
        told.push(match subject {
            Some(subject) => {
                let wanted = json!({"expression": format!("({subject}\n)"), "throwOnSideEffect": true, "timeout": 500, "silent": true});
                let answer = tab.call("Runtime.evaluate", &wanted, Duration::from_secs(1))?;
                let value = answer.ok().filter(|a| a.get("exceptionDetails").is_none()).map(|a| code::told(&a["result"]));
                value.map(|v| format!("{subject} is {v}"))
            }
            None => None,
        });
    }
    Ok(told)
}
