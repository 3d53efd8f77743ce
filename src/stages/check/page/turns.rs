//! Who is asked when: all checks share one page, and none may keep the others from it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::code::{self, Form, Look};
use super::super::harmless::{self, Second};
use super::{CODE_LIMIT, Item, PAUSE, State, ask_watch};
use crate::ports::browser::tab::Tab;

/// What was cut may be slow and no more: when the others have had their turn, all of it together is given so long.
const SLOW: Duration = Duration::from_secs(6);
/// A round of all checks; who does not come up in it comes first in the next.
const ROUND: Duration = Duration::from_millis(300);

/// Asks the open checks, those first that were asked least, and takes what answers come in a moment. One is asked only when the one
/// before it gives way: what queues up behind a slow one would look like a page that lets nobody in.
pub(super) fn round(
    tab: &mut Tab<'_>,
    items: &mut [Item],
    deadline: Instant,
) -> anyhow::Result<()> {
    let until = deadline.min(Instant::now() + ROUND);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|n| items.get(*n).map_or(0, |i| i.looks));
    for n in order {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open) else {
            continue;
        };
        if item.asked.is_some() || item.slow {
            continue;
        }
        if Instant::now() >= until {
            break;
        }
        ask(tab, item, CODE_LIMIT)?;
        // It is cut at its limit, so that the page is free again soon after.
        if tab
            .call(
                "Runtime.evaluate",
                &json!({"expression": "0"}),
                Duration::from_millis(CODE_LIMIT + 500),
            )?
            .and_then(Result::ok)
            .is_none()
        {
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
pub(super) fn slow(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    let until = Instant::now() + SLOW;
    let mut waiting = u32::try_from(
        items
            .iter()
            .filter(|i| i.state == State::Open && i.slow)
            .count(),
    )
    .unwrap_or(u32::MAX);
    for n in 0..items.len() {
        let Some(item) = items
            .get_mut(n)
            .filter(|i| i.state == State::Open && i.slow)
        else {
            continue;
        };
        let share = (until.saturating_duration_since(Instant::now()) / waiting.max(1))
            .max(Duration::from_millis(1));
        waiting = waiting.saturating_sub(1);
        ask(
            tab,
            item,
            u64::try_from(share.as_millis()).unwrap_or(CODE_LIMIT),
        )?;
        // Its work is done when the page answers; what it may wait for then takes nobody's turn.
        let _ = tab.call(
            "Runtime.evaluate",
            &json!({"expression": "0"}),
            share + Duration::from_millis(500),
        )?;
        collect(tab, items)?;
    }
    while items.iter().any(|i| i.slow && i.asked.is_some())
        && tab.record.gone.is_none()
        && tab.pump(until)?
    {
        collect(tab, items)?;
    }
    // Without an answer it stays what it was: cut.
    for item in items
        .iter_mut()
        .filter(|i| i.state == State::Open && i.slow)
    {
        item.state = State::Cut;
    }
    Ok(())
}

/// A check that goes on after an `await` is beyond its own limit: which one blocks the page is found by asking them singly. Whether
/// it was one of them.
pub(super) fn one_by_one(
    tab: &mut Tab<'_>,
    items: &mut [Item],
    deadline: Instant,
) -> anyhow::Result<bool> {
    // Who has answered is none of them, and is not asked again.
    collect(tab, items)?;
    let suspects: Vec<usize> = (0..items.len())
        .filter(|n| items.get(*n).is_some_and(|i| i.asked.is_some()))
        .collect();
    let mut found = false;
    for item in items.iter_mut() {
        item.asked = None;
    }
    for n in suspects {
        let Some(item) = items.get_mut(n).filter(|i| i.state == State::Open) else {
            continue;
        };
        if Instant::now() >= deadline || tab.record.gone.is_some() {
            break;
        }
        ask(tab, item, CODE_LIMIT)?;
        let limit = Duration::from_millis(CODE_LIMIT + 500);
        // Two turns of the page's own: the first may come before the check goes on.
        let wait = json!({"expression": "new Promise(r => setTimeout(r))", "awaitPromise": true});
        if tab.call("Runtime.evaluate", &wait, limit)?.is_none() {
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
    item.awaited = false;
    Ok(())
}

/// Takes the answers that are there.
fn collect(tab: &mut Tab<'_>, items: &mut [Item]) -> anyhow::Result<()> {
    for item in items {
        if let Some(answer) = item.asked.and_then(|id| tab.take(id)) {
            // A script's value is waited for only where it is a promise of the language's own.
            if let Some(call) =
                code::awaiting(&answer).filter(|_| item.form == Form::Script && !item.awaited)
            {
                item.awaited = true;
                item.asked = Some(tab.post("Runtime.callFunctionOn", &call)?);
                continue;
            }
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
        Look::Function(source)
            if item.form == Form::Expression && source.trim() == item.code.trim() =>
        {
            item.form = Form::Function;
            ask(tab, item, CODE_LIMIT)?;
        }
        Look::Function(source) => {
            item.seen = Some(Look::False(format!(
                "a function: {}",
                code::first_line(&Value::from(source))
            )));
        }
        Look::False(_) | Look::Threw(_) => item.seen = Some(look),
    }
    Ok(())
}

/// All have passed: what the page still has in hand is given a moment, then all are looked at once more.
pub(super) fn confirm(
    tab: &mut Tab<'_>,
    items: &mut [Item],
    watch: &str,
    deadline: Instant,
) -> anyhow::Result<()> {
    let until = deadline.min(Instant::now() + Duration::from_millis(300));
    while Instant::now() < until {
        match ask_watch(tab, watch, deadline)? {
            Some(next) if !tab.is_busy() && next > 300.0 => break,
            None => break,
            Some(_) => while tab.pump(until.min(Instant::now() + PAUSE.0))? {},
        }
    }
    again(
        tab,
        items,
        deadline.max(Instant::now() + Duration::from_millis(CODE_LIMIT)),
    )
}

/// Looks once more at what passed, and at what is open. Without an answer the last one holds.
///
/// What passed is only looked at in a way in which it cannot change anything, and only where none of the checks can: the page may be
/// otherwise by now because one of them has clicked.
pub(super) fn again(tab: &mut Tab<'_>, items: &mut [Item], until: Instant) -> anyhow::Result<()> {
    let until = until.min(Instant::now() + Duration::from_millis(2 * CODE_LIMIT));
    let mut asked = Vec::new();
    for (n, item) in items
        .iter()
        .enumerate()
        .filter(|(_, i)| matches!(i.state, State::Passed | State::Open))
    {
        asked.push((
            n,
            tab.post(
                "Runtime.evaluate",
                &harmless::evaluation(item.form, &item.code, CODE_LIMIT),
            )?,
        ));
    }
    let is_open = |tab: &Tab<'_>| asked.iter().any(|(_, id)| !tab.has(*id));
    while is_open(tab) && tab.record.gone.is_none() && tab.pump(until)? {}
    let mut seen = Vec::new();
    for (n, id) in asked {
        let answer = tab.take(id);
        seen.push((
            n,
            items.get(n).map_or(Second::MayAct, |i| {
                harmless::second(&i.code, answer.as_ref())
            }),
        ));
    }
    let none_acts = seen.iter().all(|(_, second)| *second != Second::MayAct);
    for (n, second) in seen {
        let Some(item) = items.get_mut(n) else {
            continue;
        };
        match second {
            Second::Saw(Look::False(_) | Look::Threw(_))
                if item.state == State::Passed && none_acts =>
            {
                item.state = State::Open;
                item.seen = Some(Look::False("false, after it had been true".to_owned()));
            }
            Second::Saw(Look::True) if item.state == State::Open => item.state = State::Passed,
            _ => {}
        }
    }
    // What acts gets its last chance as it is.
    for item in items
        .iter_mut()
        .filter(|i| i.is_waited_for() && i.asked.is_none())
    {
        ask(tab, item, CODE_LIMIT)?;
    }
    // What came in while something else was waited for is there already.
    collect(tab, items)?;
    while items.iter().any(|i| i.asked.is_some()) && tab.record.gone.is_none() && tab.pump(until)? {
        collect(tab, items)?;
    }
    Ok(())
}
