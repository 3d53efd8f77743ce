//! Looks at a page until its checks are settled.
//!
//! All open checks are asked together, again and again, until all have passed, the page has nothing left to do, or the time is
//! up: one after the other, forty that fail would take minutes. What passed is looked at once more at the end.

mod item;
mod turns;

use std::time::{Duration, Instant};

use serde_json::json;

use super::code::{self, Form, Look};
use crate::ports::browser::tab::Tab;
pub use item::{Item, State, reason};
use turns::{again, confirm, one_by_one, round, slow};

/// Code of a check that runs longer without a pause is cut, in milliseconds.
const CODE_LIMIT: u64 = 1_000;
/// The page's script that lets nobody in for so long is cut; long work on loading a page is below that.
const BLOCKED: Duration = Duration::from_secs(8);
/// So long nothing may be in hand before a page is idle: work beside the main thread (decoding, hashing) cannot be seen.
const QUIET: Duration = Duration::from_secs(1);
/// Wait for the load event; what hangs there is not waited for.
const LOAD: Duration = Duration::from_secs(4);
/// Reading the code of all checks, which takes a browser milliseconds.
const COMPILE: Duration = Duration::from_secs(20);
/// All values behind comparisons together.
const VALUES: Duration = Duration::from_secs(2);
/// Between two rounds, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(250));

/// Finds the form in which each code is evaluated. To be called on an empty page.
///
/// # Errors
/// The browser has ended or hangs.
pub fn compile(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    let until = Instant::now() + COMPILE;
    let mut asked = Vec::new();
    for item in items.iter() {
        // Top-level await is none of a plain script, so a script is looked at twice.
        let sources = [
            Form::Expression.wrapped(item.expression()),
            Form::Body.wrapped(&item.code),
            item.code.clone(),
        ];
        let mut ids = Vec::new();
        for source in sources {
            let script =
                json!({"expression": source, "sourceURL": "check", "persistScript": false});
            ids.push(tab.post("Runtime.compileScript", &script)?);
        }
        asked.push(ids);
    }
    for (item, ids) in items.iter_mut().zip(asked) {
        let mut errors = ids.into_iter().map(|id| error_of(tab, id, until));
        let (expression, body) = (
            errors.next().transpose()?.flatten(),
            errors.next().transpose()?.flatten(),
        );
        let script = errors.next().transpose()?.flatten();
        let returns = || {
            code::bare(&item.code)
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .any(|w| w == "return")
        };
        match (expression, body, script) {
            _ if item.code.is_empty() => item.state = State::Invalid("there is no code".to_owned()),
            // What begins with a brace is a block to whoever evaluates it, not an object.
            (None, ..) if !item.code.starts_with('{') => {
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
            anyhow::bail!(
                "the browser does not read the checks in {} s",
                COMPILE.as_secs()
            );
        }
    }
}

/// Opens the page and looks at it until the checks are settled or the time is up. Gives back whether the page's own script had to
/// be cut, or lets nobody in.
///
/// # Errors
/// The browser has ended.
pub fn look(
    tab: &mut Tab<'_>,
    url: &str,
    watch: &str,
    items: &mut [Item],
    limit: Duration,
) -> anyhow::Result<bool> {
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
            let idle =
                all_asked && tab.loaded && !tab.is_busy() && next > left.as_secs_f64() * 1000.0;
            quiet_since = if idle {
                quiet_since.or(Some(heard))
            } else {
                None
            };
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
    if tab.record.gone.is_none()
        && ask_watch(tab, watch, Instant::now() + Duration::from_secs(1))?.is_none()
    {
        blocked = true;
    } else if tab.record.gone.is_none() {
        again(
            tab,
            items,
            Instant::now() + Duration::from_millis(CODE_LIMIT + 500),
        )?;
    }
    Ok(blocked)
}

/// Milliseconds until the page does something by itself; `None` when it does not answer for a while.
fn ask_watch(tab: &mut Tab<'_>, watch: &str, deadline: Instant) -> anyhow::Result<Option<f64>> {
    let limit = Duration::from_millis(600).min(deadline.saturating_duration_since(Instant::now()));
    let expression = format!("globalThis[{watch:?}]?.()");
    let answer = tab.call(
        "Runtime.evaluate",
        &json!({"expression": expression, "returnByValue": true}),
        limit,
    )?;
    Ok(match answer {
        None => None,
        // Between two documents.
        Some(Err(_)) => Some(0.0),
        // Where the watch is not there, there is no script of the page's either: an error page.
        Some(Ok(v)) => Some(v["result"]["value"].as_f64().unwrap_or(f64::INFINITY)),
    })
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
                let value = answer.and_then(Result::ok).filter(|a| a.get("exceptionDetails").is_none()).map(|a| code::told(&a["result"]));
                value.map(|v| format!("{subject} is {v}"))
            }
            None => None,
        });
    }
    Ok(told)
}
