//! Looks at a page until its checks are settled.
//!
//! All open checks are asked together, again and again, until all have passed, the page has nothing left to do, or the time is
//! up: one after the other, forty that fail would take minutes. What passed is looked at once more at the end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::code::{self, Form, Look};
use super::harmless::{self, Second};
use crate::ports::browser::tab::Tab;

/// Code of a check that runs longer without a pause is cut, in milliseconds.
const CODE_LIMIT: u64 = 1_000;
/// What was cut may be slow and no more: when the others have had their turn, all of it together is given so long.
const SLOW: Duration = Duration::from_secs(6);
/// The page's script that lets nobody in for so long is cut; long work on loading a page is below that.
const BLOCKED: Duration = Duration::from_secs(8);
/// So long nothing may be in hand before a page is idle: work beside the main thread (decoding, hashing) cannot be seen.
const QUIET: Duration = Duration::from_secs(1);
/// Wait for the load event; what hangs there is not waited for.
const LOAD: Duration = Duration::from_secs(4);
/// A round of all checks; who does not come up in it comes first in the next.
const ROUND: Duration = Duration::from_millis(300);
/// Reading the code of all checks, which takes a browser milliseconds.
const COMPILE: Duration = Duration::from_secs(20);
/// All values behind comparisons together.
const VALUES: Duration = Duration::from_secs(2);
/// Between two rounds, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(250));

/// A check in the browser.
pub struct Item {
    pub code: String,
    form: Form,
    /// The evaluation that is under way. It is not asked for anew while it is: it may be in the middle of acting.
    asked: Option<u64>,
    looks: u32,
    /// It was cut, and waits until the others have had their turn.
    slow: bool,
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
    /// Whether there is something to wait for: not where the page cannot change the verdict, or where it has to wait for the others.
    fn is_waited_for(&self) -> bool {
        self.state == State::Open && !self.slow
    }

    /// The code as an expression has it: a semicolon at its end is none of it.
    fn expression(&self) -> &str {
        self.code.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
    }

    /// Whether it names something that is not there, and not as what is called: "accuracy >= 0.8" is for a person.
    #[must_use]
    pub fn is_about_nothing(&self) -> bool {
        let Some(Look::Threw(what)) = self.seen.as_ref().filter(|_| self.state != State::Passed) else { return false };
        let name = what.strip_prefix("ReferenceError: ").and_then(|r| r.strip_suffix(" is not defined"));
        name.is_some_and(|name| !["document", "window"].iter().any(|w| self.code.contains(w)) && !self.code.contains(&format!("{name}(")))
    }

    #[must_use]
    pub fn new(code: &str) -> Self {
        let code = code.trim().to_owned();
        Self { code, form: Form::Expression, asked: None, looks: 0, slow: false, state: State::Open, seen: None }
    }
}

/// Finds the form in which each code is evaluated. To be called on an empty page.
///
/// # Errors
/// The browser has ended or hangs.
pub fn compile(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    let until = Instant::now() + COMPILE;
    let mut asked = Vec::new();
    for item in items.iter() {
        // Top-level await is none of a plain script, so a script is looked at twice.
        let sources = [Form::Expression.wrapped(item.expression()), Form::Body.wrapped(&item.code), item.code.clone()];
        let mut ids = Vec::new();
        for source in sources {
            let script = json!({"expression": source, "sourceURL": "check", "persistScript": false});
            ids.push(tab.post("Runtime.compileScript", &script)?);
        }
        asked.push(ids);
    }
    for (item, ids) in items.iter_mut().zip(asked) {
        let mut errors = ids.into_iter().map(|id| error_of(tab, id, until));
        let (expression, body) = (errors.next().transpose()?.flatten(), errors.next().transpose()?.flatten());
        let script = errors.next().transpose()?.flatten();
        let returns = || code::bare(&item.code).split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).any(|w| w == "return");
        match (expression, body, script) {
            _ if item.code.is_empty() => item.state = State::Invalid("there is no code".to_owned()),
            (None, ..) => {
                item.code = item.expression().to_owned();
                item.form = Form::Expression;
            }
            (_, Some(why), _) => item.state = State::Invalid(why),
            // Every `return` in it is a function's.
            (_, None, None) => item.form = Form::Script,
            // With `await`, which hides what is said of a `return` behind it.
            (_, None, Some(why)) => {
                let own = why.contains("Illegal return") || returns();
                item.form = if own { Form::Body } else { Form::Script };
            }
        }
    }
    Ok(())
}

fn error_of(tab: &mut Tab<'_>, id: u64, until: Instant) -> anyhow::Result<Option<String>> {
    loop {
        if let Some(answer) = tab.take(id) {
            let details = answer.ok().and_then(|a| a.get("exceptionDetails").cloned());
            return Ok(details.map(|d| code::first_line(&d["exception"]["description"])));
        }
        if !tab.pump(until)? {
            tab.require_browser()?;
            anyhow::bail!("the browser does not read the checks in {} s", COMPILE.as_secs());
        }
    }
}

/// Opens the page and looks at it until the checks are settled or the time is up. Gives back whether the page's own script had to
/// be cut, or lets nobody in.
///
/// # Errors
/// The browser has ended.
pub fn look(tab: &mut Tab<'_>, url: &str, watch: &str, items: &mut [Item], limit: Duration) -> anyhow::Result<bool> {
    let deadline = Instant::now() + limit;
    let patience = BLOCKED.min(limit / 2);
    let mut blocked = false;
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
            // While a check has the page, and before each has had its first turn, that nothing stirs says nothing.
            let all_asked = items.iter().all(|i| i.state != State::Open || i.looks > 0);
            let idle = all_asked && tab.loaded && !tab.is_busy() && next > left.as_secs_f64() * 1000.0;
            quiet_since = if idle { quiet_since.or(Some(heard)) } else { None };
        } else if heard.elapsed() >= patience {
            tab.require_browser()?;
            tab.send("Runtime.terminateExecution", &json!({}))?;
            blocked |= !one_by_one(tab, items, deadline)?;
            heard = Instant::now();
            continue;
        } else {
            continue;
        }
        round(tab, items, deadline)?;
        if !items.iter().any(Item::is_waited_for) {
            confirm(tab, items, watch, deadline)?;
            if items.iter().all(|i| i.state != State::Open) {
                return Ok(blocked);
            }
            if !items.iter().any(Item::is_waited_for) {
                break;
            }
        }
        if quiet_since.is_some_and(|since| heard.duration_since(since) >= QUIET) {
            break;
        }
        let until = (Instant::now() + pause).min(deadline);
        while tab.record.gone.is_none() && tab.pump(until)? {}
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
    slow(tab, items)?;
    // Those that passed are looked at once more, and those that are open get their last chance.
    if tab.record.gone.is_none() && ask_watch(tab, watch, Instant::now() + Duration::from_secs(1))?.is_none() {
        blocked = true;
    } else if tab.record.gone.is_none() {
        again(tab, items, Instant::now() + Duration::from_millis(CODE_LIMIT + 500))?;
    }
    Ok(blocked)
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

/// Asks the open checks, those first that were asked least, and takes what answers come in a moment. One is asked only when the one
/// before it gives way: what queues up behind a slow one would look like a page that lets nobody in.
fn round(tab: &mut Tab<'_>, items: &mut [Item], deadline: Instant) -> anyhow::Result<()> {
    let until = deadline.min(Instant::now() + ROUND);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|n| items.get(*n).map_or(0, |i| i.looks));
    for n in order {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open) else { continue };
        if item.asked.is_some() || item.slow {
            continue;
        }
        if Instant::now() >= until {
            break;
        }
        ask(tab, item, CODE_LIMIT)?;
        // It is cut at its limit, so that the page is free again soon after.
        if tab.call("Runtime.evaluate", &json!({"expression": "0"}), Duration::from_millis(CODE_LIMIT + 500))?.is_err() {
            break;
        }
        collect(tab, items)?;
    }
    loop {
        collect(tab, items)?;
        let waiting = items.iter().any(|i| i.is_waited_for() && i.asked.is_some());
        if !waiting || tab.record.gone.is_some() || !tab.pump(until)? {
            return Ok(());
        }
    }
}

/// What was cut in its first turn, one after the other, as long as there is time for it. Each has its share of that: an endless
/// one would take it all.
fn slow(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    let until = Instant::now() + SLOW;
    let mut waiting = u32::try_from(items.iter().filter(|i| i.state == State::Open && i.slow).count()).unwrap_or(u32::MAX);
    for n in 0..items.len() {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open && i.slow) else { continue };
        let share = (until.saturating_duration_since(Instant::now()) / waiting.max(1)).max(Duration::from_millis(1));
        waiting = waiting.saturating_sub(1);
        ask(tab, item, u64::try_from(share.as_millis()).unwrap_or(CODE_LIMIT))?;
        // Its work is done when the page answers; what it may wait for then takes nobody's turn.
        let _ = tab.call("Runtime.evaluate", &json!({"expression": "0"}), share + Duration::from_millis(500))?;
        collect(tab, items)?;
    }
    while items.iter().any(|i| i.slow && i.asked.is_some()) && tab.record.gone.is_none() && tab.pump(until)? {
        collect(tab, items)?;
    }
    // Without an answer it stays what it was: cut.
    for item in items.iter_mut().filter(|i| i.state == State::Open && i.slow) {
        item.state = State::Cut;
    }
    Ok(())
}

/// A check that goes on after an `await` is beyond its own limit: which one blocks the page is found by asking them singly. Whether
/// it was one of them.
fn one_by_one(tab: &mut Tab<'_>, items: &mut [Item], deadline: Instant) -> anyhow::Result<bool> {
    // Who has answered is none of them, and is not asked again.
    collect(tab, items)?;
    let suspects: Vec<usize> = (0..items.len()).filter(|n| items.get(*n).is_some_and(|i| i.asked.is_some())).collect();
    let mut found = false;
    for item in items.iter_mut() {
        item.asked = None;
    }
    for n in suspects {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open) else { continue };
        if Instant::now() >= deadline || tab.record.gone.is_some() {
            break;
        }
        ask(tab, item, CODE_LIMIT)?;
        let limit = Duration::from_millis(CODE_LIMIT + 500);
        // Two turns of the page's own: the first may come before the check goes on.
        let wait = json!({"expression": "new Promise(r => setTimeout(r))", "awaitPromise": true});
        if tab.call("Runtime.evaluate", &wait, limit)?.is_err_and(|e| e == "no answer") {
            tab.send("Runtime.terminateExecution", &json!({}))?;
            item.asked = None;
            item.state = State::Cut;
            found = true;
        }
        collect(tab, items)?;
    }
    Ok(found)
}

fn ask(tab: &mut Tab<'_>, item: &mut Item, limit: u64) -> anyhow::Result<()> {
    item.asked = Some(tab.post("Runtime.evaluate", &item.form.evaluation(&item.code, limit))?);
    item.looks += 1;
    Ok(())
}

/// Takes the answers that are there.
fn collect(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    for item in items {
        if let Some(answer) = item.asked.and_then(|id| tab.take(id)) {
            item.asked = None;
            settle(tab, item, code::look(&answer))?;
        }
    }
    Ok(())
}

fn settle(tab: &mut Tab<'_>, item: &mut Item, look: Look) -> anyhow::Result<()> {
    match look {
        Look::True => item.state = State::Passed,
        Look::Lost => {}
        Look::Cut if !item.slow => item.slow = true,
        Look::Cut => {
            item.state = State::Cut;
            item.seen = Some(Look::Cut);
        }
        // The code is a function: what it gives is meant, not that it is there.
        Look::Function(source) if item.form == Form::Expression && source.trim() == item.code.trim() => {
            item.form = Form::Function;
            ask(tab, item, CODE_LIMIT)?;
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

/// Looks once more at what passed, and at what is open. Without an answer the last one holds.
///
/// What passed is only looked at in a way in which it cannot change anything, and only where none of the checks can: the page may be
/// otherwise by now because one of them has clicked.
fn again(tab: &mut Tab<'_>, items: &mut [Item], until: Instant) -> anyhow::Result<()> {
    let until = until.min(Instant::now() + Duration::from_millis(2 * CODE_LIMIT));
    let mut asked = Vec::new();
    for (n, item) in items.iter().enumerate().filter(|(_, i)| matches!(i.state, State::Passed | State::Open)) {
        asked.push((n, tab.post("Runtime.evaluate", &harmless::evaluation(item.form, &item.code, CODE_LIMIT))?));
    }
    let is_open = |tab: &Tab<'_>| asked.iter().any(|(_, id)| !tab.has(*id));
    while is_open(tab) && tab.record.gone.is_none() && tab.pump(until)? {}
    let mut seen = Vec::new();
    for (n, id) in asked {
        let answer = tab.take(id);
        seen.push((n, items.get(n).map_or(Second::MayAct, |i| harmless::second(&i.code, answer.as_ref()))));
    }
    let none_acts = seen.iter().all(|(_, second)| *second != Second::MayAct);
    for (n, second) in seen {
        let Some(item) = items.get_mut(n) else { continue };
        match second {
            Second::Saw(Look::False(_) | Look::Threw(_)) if item.state == State::Passed && none_acts => {
                item.state = State::Open;
                item.seen = Some(Look::False("false, after it had been true".to_owned()));
            }
            Second::Saw(Look::True) if item.state == State::Open => item.state = State::Passed,
            _ => {}
        }
    }
    // What acts gets its last chance as it is.
    for item in items.iter_mut().filter(|i| i.is_waited_for() && i.asked.is_none()) {
        ask(tab, item, CODE_LIMIT)?;
    }
    // What came in while something else was waited for is there already.
    collect(tab, items)?;
    while items.iter().any(|i| i.asked.is_some()) && tab.record.gone.is_none() && tab.pump(until)? {
        collect(tab, items)?;
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
        _ if item.asked.is_some() => "the promise never settles".to_owned(),
        _ => "no answer from the page".to_owned(),
    }
}

/// The value behind a comparison that is false, where it can be had without changing the page.
///
/// # Errors
/// The browser has ended.
pub fn values(tab: &mut Tab<'_>, items: &[Item]) -> anyhow::Result<Vec<Option<String>>> {
    let mut told = Vec::new();
    let until = Instant::now() + VALUES;
    for item in items {
        let subject = match (&item.state, &item.seen) {
            (State::Open, Some(Look::False(_))) => code::subject(&item.code),
            _ => None,
        };
        told.push(match subject {
            Some(subject) => {
                let wanted = json!({"expression": format!("({subject}\n)"), "throwOnSideEffect": true, "timeout": 500, "silent": true});
                let answer = tab.call("Runtime.evaluate", &wanted, until.saturating_duration_since(Instant::now()))?;
                let value = answer.ok().filter(|a| a.get("exceptionDetails").is_none()).map(|a| code::told(&a["result"]));
                value.map(|v| format!("{subject} is {v}"))
            }
            None => None,
        });
    }
    Ok(told)
}
