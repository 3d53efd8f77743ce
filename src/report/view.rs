//! What a person sees at the end of a command, from the document that a script would get.

use std::ffi::OsString;
use std::fmt::Write as _;

use serde::Deserialize as _;
use serde_json::Value;

use textwrap::core::display_width;

use super::terminal::{Mark, Terminal, command_line, fitted, padded};
use crate::run::shown::{Check, Count, Generator, Notification, Shown, plural};
use crate::run::status::{Seen, Standing};
use crate::text::plain;

/// Columns of a label, and where what it labels begins.
const LABEL: usize = 12;
/// Below this width what is labelled stands on a line of its own.
const NARROW: usize = 60;
/// How many lines the name of a check may take, and its evidence.
const NAME_LINES: usize = 3;
const EVIDENCE_LINES: usize = 2;

/// Makes text of a document.
pub type View = fn(&Value, &Terminal) -> String;

/// For a command that has nothing to show but its error.
#[must_use]
pub fn nothing(_: &Value, _: &Terminal) -> String {
    String::new()
}

/// `run`, `deploy`, `notify`: the page, the checks, how it was made, what the evaluator got, the next command.
#[must_use]
pub fn result(document: &Value, terminal: &Terminal) -> String {
    let shown = read(document);
    let mut text = run(&shown, terminal);
    match next(&shown, terminal) {
        Some(command) if !text.is_empty() => text.push_str(&row(terminal, "next", &command)),
        _ => {}
    }
    text
}

/// `status` of one run: the same, with what went wrong, which is on standard error at the end of a run.
#[must_use]
pub fn status(document: &Value, terminal: &Terminal) -> String {
    let shown = read(document);
    let mut text = run(&shown, terminal);
    if let Some(error) = &shown.error {
        let said = format!("{}: {}", error.code, error.message);
        text.push_str(&row(terminal, "error", &said));
        if let Some(hint) = &error.hint {
            text.push_str(&row(terminal, "hint", hint));
        }
    }
    text
}

/// `generate`: what was written, and what would deploy it.
#[must_use]
pub fn generated(document: &Value, terminal: &Terminal) -> String {
    let shown = read(document);
    let Some(dir) = document["dir"].as_str() else {
        return String::new();
    };
    let count = Count::of(&shown.checks);
    let files = document["files"].as_array().map_or(0, Vec::len);
    let mark = if count.is_clean() {
        Mark::Good
    } else {
        Mark::Open
    };
    let mut text = format!(
        "{} {} in {}\n",
        terminal.mark(mark),
        plural(files, "file"),
        plain(dir)
    );
    for file in document["files"].as_array().into_iter().flatten() {
        let name = plain(file["path"].as_str().unwrap_or_default());
        let size = plural(
            usize::try_from(file["bytes"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX),
            "byte",
        );
        let line = format!("{name}  {}", terminal.paint("2", &size));
        let _ = writeln!(text, "    {line}");
    }
    text.push_str(&judged(&shown.checks, terminal));
    text.push_str(&made(&shown, terminal));
    text.push_str(&row(
        terminal,
        "next",
        &deploying(terminal, "run", &["-o", "--output"]),
    ));
    text
}

/// `commit`.
#[must_use]
pub fn committed(document: &Value, terminal: &Terminal) -> String {
    let (Some(sha), Some(dir)) = (
        document["commit_sha"].as_str(),
        document["git_dir"].as_str(),
    ) else {
        return String::new();
    };
    let mut text = format!("{} commit {}\n", terminal.mark(Mark::Open), plain(sha));
    text.push_str(&row(terminal, "in", dir));
    text.push_str(&row(terminal, "next", &deploying(terminal, "deploy", &[])));
    text
}

/// `check`: every verdict with its evidence.
#[must_use]
pub fn checked(document: &Value, terminal: &Terminal) -> String {
    let shown = read(document);
    if shown.checks.is_empty() {
        return String::new();
    }
    let mut text: String = shown.checks.iter().map(|c| verdict(c, terminal)).collect();
    let count = Count::of(&shown.checks);
    let _ = writeln!(
        text,
        "{} {}",
        terminal.mark(mark_of(&count)),
        count.sentence()
    );
    text
}

/// `notify --retry`: one line a run.
#[must_use]
pub fn retried(document: &Value, terminal: &Terminal) -> String {
    let all: Vec<Shown> = document
        .as_array()
        .into_iter()
        .flatten()
        .map(read)
        .collect();
    if all.is_empty() {
        return "no notification is pending\n".to_owned();
    }
    let mut text = String::new();
    for shown in all {
        let (mark, said) = notification(shown.notification.as_ref());
        let name = shown.task.as_deref().or(shown.run.as_deref());
        let line = format!("{}: {said}", name.unwrap_or_default());
        let _ = writeln!(
            text,
            "{} {}",
            terminal.mark(mark),
            terminal.wrapped(&line, 2, 4, usize::MAX)
        );
    }
    text
}

/// `prune`.
#[must_use]
pub fn pruned(document: &Value, _: &Terminal) -> String {
    let dropped = document["pruned"].as_array().map_or(0, Vec::len);
    let kept = usize::try_from(document["kept"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    if document["error"].is_null() || dropped > 0 {
        format!("{} dropped, {kept} kept\n", plural(dropped, "run"))
    } else {
        String::new()
    }
}

/// `new`. The next command is said on standard error, where it stands for scripts too.
#[must_use]
pub fn written(document: &Value, terminal: &Terminal) -> String {
    let Some(file) = document["file"].as_str() else {
        return String::new();
    };
    let mut text = format!("{} {}\n", terminal.mark(Mark::Good), plain(file));
    for key in ["task", "email", "round", "nonce", "run"] {
        let value = match &document[key] {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(n) => n.to_string(),
            _ => continue,
        };
        text.push_str(&row(terminal, key, &value));
    }
    text
}

/// `run --detach`.
#[must_use]
pub fn accepted(document: &Value, terminal: &Terminal) -> String {
    let Some(run) = document["run"]
        .as_str()
        .filter(|_| document["status"] == "accepted")
    else {
        return result(document, terminal);
    };
    let mut text = format!(
        "{} run {} goes on in the background\n",
        terminal.mark(Mark::Open),
        plain(run)
    );
    text.push_str(&row(terminal, "next", &command_line(["status", run])));
    text
}

fn read(document: &Value) -> Shown {
    Shown::deserialize(document).unwrap_or_default()
}

/// `status` of all runs: one line a run, and below it where the page is or what went wrong. `now`: seconds since 1970.
#[must_use]
pub fn table(seen: &[Seen], now: u64, terminal: &Terminal) -> String {
    if seen.is_empty() {
        return "no runs\n".to_owned();
    }
    let rows: Vec<Row> = seen.iter().map(|seen| Row::of(seen, now)).collect();
    let mut widths = COLUMNS.map(display_width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = display_width(cell).max(*width);
        }
    }
    widths[1] = widths[1].min(LONGEST_TASK);
    let mut shown = [true; COLUMNS.len()];
    let needed = |shown: &[bool], widths: &[usize]| -> usize {
        let columns = widths.iter().zip(shown).filter(|(_, shown)| **shown);
        2 + columns.map(|(width, _)| width + 2).sum::<usize>()
    };
    for column in DISPENSABLE {
        if needed(&shown, &widths) > terminal.width {
            shown[column] = false;
        }
    }
    let excess = needed(&shown, &widths).saturating_sub(terminal.width);
    widths[1] = widths[1].saturating_sub(excess).max(COLUMNS[1].len());
    let line = |cells: &[String; COLUMNS.len()]| -> String {
        let cells = cells
            .iter()
            .zip(widths)
            .zip(shown)
            .filter(|(_, shown)| *shown);
        cells
            .map(|((cell, width), _)| padded(&fitted(cell, width), width) + "  ")
            .collect::<String>()
            .trim_end()
            .to_owned()
    };
    let mut text = format!(
        "  {}\n",
        terminal.paint("1", &line(&COLUMNS.map(Into::into)))
    );
    for row in &rows {
        let _ = writeln!(text, "{} {}", terminal.mark(row.mark), line(&row.cells));
        match &row.place {
            Place::Page(url) => {
                let _ = writeln!(text, "    {}", terminal.link(url));
            }
            Place::Trouble(said) => {
                let said = terminal.wrapped(said, 4, 4, EVIDENCE_LINES);
                let _ = writeln!(text, "    {}", terminal.paint("2", &said));
            }
            Place::Nowhere => {}
        }
    }
    text
}

const COLUMNS: [&str; 8] = [
    "RUN", "TASK", "ROUND", "AGE", "STATUS", "CHECKS", "MADE BY", "NOTIFIED",
];
/// Those that a narrow terminal can do without, the first to go first.
const DISPENSABLE: [usize; 4] = [7, 6, 2, 3];
const LONGEST_TASK: usize = 40;

struct Row {
    mark: Mark,
    cells: [String; COLUMNS.len()],
    place: Place,
}

enum Place {
    Page(String),
    Trouble(String),
    Nowhere,
}

impl Row {
    fn of(seen: &Seen, now: u64) -> Self {
        let shown: Shown = seen.document.read();
        let count = Count::of(&shown.checks);
        let mark = match seen.standing {
            Standing::Finished => standing(&count),
            Standing::OnTheWay => Mark::None,
            Standing::Failed => Mark::Bad,
        };
        let place = match (shown.error, shown.pages_url) {
            (Some(error), _) => Place::Trouble(format!("{}: {}", error.code, error.message)),
            (None, Some(url)) => Place::Page(url),
            (None, None) if seen.standing == Standing::OnTheWay => {
                Place::Trouble("interrupted; run the same command again".to_owned())
            }
            (None, None) => Place::Nowhere,
        };
        let checks = match count.all {
            0 => String::new(),
            all => format!("{}/{all}", count.passed),
        };
        let made = shown.generator.map_or_else(String::new, |g| {
            let kind = g.kind.unwrap_or_default();
            if kind == "llm" {
                g.model.unwrap_or(kind)
            } else {
                kind
            }
        });
        let notified = shown.notification.map_or("", |n| {
            if n.delivered_at.is_some() {
                "yes"
            } else {
                "not yet"
            }
        });
        let run: String = shown.run.unwrap_or_default().chars().take(8).collect();
        let cells = [
            run,
            shown.task.unwrap_or_default(),
            shown.round.map_or_else(String::new, |n| n.to_string()),
            age(seen.started_at, now),
            shown.status.unwrap_or_default(),
            checks,
            made,
            notified.to_owned(),
        ];
        Self {
            mark,
            cells: cells.map(|cell| plain(&cell)),
            place,
        }
    }
}

/// How long ago, in its largest unit: `3d`.
fn age(at: u64, now: u64) -> String {
    if at == 0 {
        return String::new();
    }
    let ago = now.saturating_sub(at);
    match ago {
        0..60 => format!("{ago}s"),
        60..3600 => format!("{}m", ago / 60),
        3600..86_400 => format!("{}h", ago / 3600),
        _ => format!("{}d", ago / 86_400),
    }
}

/// All that is known of a run but its error; nothing where nothing was made yet.
fn run(shown: &Shown, terminal: &Terminal) -> String {
    let mut text = String::new();
    if let Some(url) = &shown.pages_url {
        let mark = match (shown.status.as_deref(), shown.pages.as_deref()) {
            (Some("notified" | "deployed"), Some("live")) => standing(&Count::of(&shown.checks)),
            (Some("failed"), _) => Mark::Bad,
            _ => Mark::Open,
        };
        let waiting = match shown.pages.as_deref() {
            Some("live") => "",
            _ => "  (not live yet)",
        };
        let _ = writeln!(
            text,
            "{} {}{waiting}",
            terminal.mark(mark),
            terminal.link(url)
        );
    }
    text.push_str(&judged(&shown.checks, terminal));
    text.push_str(&made(shown, terminal));
    if shown.pages_url.is_some() {
        let (_, said) = notification(shown.notification.as_ref());
        text.push_str(&row(terminal, "evaluator", &said));
    }
    if let Some(url) = &shown.repo_url {
        text.push_str(&address(terminal, "repository", url));
    }
    if let Some(sha) = &shown.commit_sha {
        text.push_str(&row(terminal, "commit", sha));
    }
    text
}

/// A page that is live stands well where all checks passed.
fn standing(count: &Count) -> Mark {
    if count.is_clean() {
        Mark::Good
    } else {
        Mark::Open
    }
}

fn mark_of(count: &Count) -> Mark {
    match count {
        c if c.failed > 0 => Mark::Bad,
        c if c.is_clean() => Mark::Good,
        _ => Mark::None,
    }
}

/// How many checks passed, and those that did not, with their evidence.
fn judged(checks: &[Check], terminal: &Terminal) -> String {
    let count = Count::of(checks);
    if count.all == 0 {
        return String::new();
    }
    let (column, mut text) = place(terminal, "checks");
    let sentence = terminal.wrapped(&count.sentence(), column + 2, column + 2, usize::MAX);
    let _ = writeln!(text, "{} {sentence}", terminal.mark(mark_of(&count)));
    let open = |c: &&Check| c.is_verdict() && !c.is_passed() && c.status != "skipped";
    for check in checks.iter().filter(open) {
        text.push_str(&verdict(check, terminal));
    }
    text
}

fn verdict(check: &Check, terminal: &Terminal) -> String {
    let (mark, word) = match check.status.as_str() {
        _ if check.is_passed() => (Mark::Good, ""),
        "passed" => (
            Mark::Bad,
            " (passed before it was deployed, fails on the live page)",
        ),
        "failed" => (Mark::Bad, ""),
        "skipped" => (Mark::None, " (skipped)"),
        _ => (Mark::Open, " (unknown)"),
    };
    let round = check
        .round
        .map_or_else(String::new, |n| format!(" (round {n})"));
    let name = format!("{}{round}{word}", check.text);
    let mut text = format!(
        "    {} {}\n",
        terminal.mark(mark),
        terminal.wrapped(&name, 6, 6, NAME_LINES)
    );
    let detail = check
        .detail
        .as_deref()
        .filter(|d| !d.trim().is_empty() && check.status != "skipped");
    if let Some(detail) = detail {
        let detail = terminal.wrapped(detail, 8, 8, EVIDENCE_LINES);
        let _ = writeln!(text, "        {}", terminal.paint("2", &detail));
    }
    text
}

fn made(shown: &Shown, terminal: &Terminal) -> String {
    shown
        .generator
        .as_ref()
        .map_or_else(String::new, |generator| {
            row(terminal, "made by", &maker(generator))
        })
}

/// Who made the app, in so many words.
fn maker(generator: &Generator) -> String {
    let model = generator.model.as_deref();
    match generator.kind.as_deref() {
        Some("template") => {
            let why = generator
                .fallback_reason
                .as_deref()
                .map_or_else(String::new, |why| format!(": {why}"));
            format!("the template, no language model{why}")
        }
        Some("site") => "yourself (--site)".to_owned(),
        kind => {
            let model = model.unwrap_or("a language model");
            let recorded = if kind == Some("replay") {
                ", from a recording"
            } else {
                ""
            };
            let tokens = generator
                .usage
                .as_ref()
                .and_then(|u| u.total_tokens)
                .map_or_else(String::new, |n| format!(", {n} tokens"));
            let why = generator
                .fallback_reason
                .as_deref()
                .map_or_else(String::new, |why| format!(" ({why})"));
            format!("{model}{recorded}{tokens}{why}")
        }
    }
}

fn notification(notification: Option<&Notification>) -> (Mark, String) {
    let Some(notification) = notification else {
        return (Mark::None, "was not notified".to_owned());
    };
    let attempts = usize::try_from(notification.attempts).unwrap_or(usize::MAX);
    let answer = notification
        .http_status
        .map_or_else(|| "no answer".to_owned(), |s| format!("HTTP {s}"));
    let tries = plural(attempts, "attempt");
    match &notification.delivered_at {
        Some(at) => (
            Mark::Good,
            format!("accepted the notification at {at} ({answer}, {tries})"),
        ),
        None => (
            Mark::Open,
            format!("has not accepted the notification yet ({answer}, {tries})"),
        ),
    }
}

/// What to type next; what an error says of it comes behind it on standard error.
fn next(shown: &Shown, terminal: &Terminal) -> Option<String> {
    match shown.status.as_deref()? {
        "pending" => Some(terminal.command()),
        "notified" | "deployed" => {
            let without_key = shown
                .generator
                .as_ref()
                .and_then(|g| g.fallback_reason.as_deref())
                .is_some_and(|why| why.contains("OPENAI_API_KEY is not set"));
            let run = shown.run.as_deref().unwrap_or_default();
            Some(if without_key && !Count::of(&shown.checks).is_clean() {
                format!("set OPENAI_API_KEY, then {} --fresh", terminal.command())
            } else {
                command_line(["status", run])
            })
        }
        _ => None,
    }
}

/// The command line of this process with another subcommand, and without an option that only the old one has.
fn deploying(terminal: &Terminal, subcommand: &str, without: &[&str]) -> String {
    let mut args = terminal.args.iter();
    let mut line: Vec<OsString> = Vec::new();
    let mut replaced = false;
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let (name, value) = text
            .split_once('=')
            .map_or((&*text, None), |(n, v)| (n, Some(v)));
        if without.contains(&name) {
            if value.is_none() {
                args.next();
            }
        } else if !replaced && ["generate", "commit"].contains(&&*text) {
            replaced = true;
            line.push(subcommand.into());
        } else {
            line.push(arg.clone());
        }
    }
    command_line(line)
}

/// A label and what it labels.
fn row(terminal: &Terminal, label: &str, value: &str) -> String {
    let (column, text) = place(terminal, label);
    let value = terminal.wrapped(value, column, column, usize::MAX);
    format!("{text}{value}\n")
}

/// As [`row`], of an address: it is never broken.
fn address(terminal: &Terminal, label: &str, url: &str) -> String {
    format!("{}{}\n", place(terminal, label).1, terminal.link(url))
}

fn place(terminal: &Terminal, label: &str) -> (usize, String) {
    if terminal.width < NARROW {
        (4, format!("  {}\n    ", terminal.paint("1", label)))
    } else {
        let label = terminal.paint("1", &padded(label, LABEL));
        (LABEL + 2, format!("  {label}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::status::Document;
    use serde_json::json;

    fn terminal(width: usize) -> Terminal {
        Terminal {
            width,
            colour: false,
            links: false,
            args: ["run", "a task.json"].map(Into::into).to_vec(),
        }
    }

    fn finished(checks: &Value) -> Value {
        json!({"email": "e", "task": "demo", "round": 1, "nonce": "", "repo_url": "https://github.com/me/demo",
            "commit_sha": "9124d7d0", "pages_url": "https://me.github.io/demo/", "status": "notified", "run": "0123456789abcdef",
            "pages": "live", "generator": {"kind": "template", "model": null, "fallback_reason": "OPENAI_API_KEY is not set"},
            "checks": checks, "notification": {"attempts": 2, "http_status": 200, "delivered_at": "2026-11-22T10:00:00Z"},
            "error": null})
    }

    #[test]
    fn the_end_of_a_run_names_what_failed_with_its_evidence() {
        let checks = json!([
            {"check": "document.title.length > 0", "kind": "js", "status": "passed", "detail": null},
            {"check": "data.json has max", "kind": "file", "status": "failed", "detail": "there is no data.json"},
            {"check": "looks nice", "kind": "manual", "status": "skipped", "detail": "for a person"},
            {"check": "guess", "kind": "derived", "status": "failed", "detail": "a model's"}]);
        assert_eq!(
            result(&finished(&checks), &terminal(80)),
            "! https://me.github.io/demo/\n\
             \x20 checks      ✗ 1 of 3 checks passed, 1 failed, 1 skipped\n\
             \x20   ✗ data.json has max\n\
             \x20       there is no data.json\n\
             \x20 made by     the template, no language model: OPENAI_API_KEY is not set\n\
             \x20 evaluator   accepted the notification at 2026-11-22T10:00:00Z (HTTP 200, 2\n\
             \x20             attempts)\n\
             \x20 repository  https://github.com/me/demo\n\
             \x20 commit      9124d7d0\n\
             \x20 next        set OPENAI_API_KEY, then llmdeploy run 'a task.json' --fresh\n"
        );
    }

    #[test]
    fn success_is_marked_only_where_every_check_passed() {
        let check = |status: &str| json!({"check": "c", "kind": "js", "status": status});
        let first = |checks: Value, change: fn(&mut Value)| {
            let mut document = finished(&checks);
            change(&mut document);
            result(&document, &terminal(80)).chars().next().unwrap()
        };
        assert_eq!(first(json!([check("passed")]), |_| ()), '✓');
        for other in ["failed", "unknown", "skipped"] {
            assert_eq!(
                first(json!([check("passed"), check(other)]), |_| ()),
                '!',
                "{other}"
            );
        }
        assert_eq!(
            first(json!([check("passed")]), |d| d["pages"] = json!("pending")),
            '!'
        );
        assert_eq!(
            first(json!([check("passed")]), |d| d["checks"][0]["live"] =
                json!("failed")),
            '!'
        );
        assert_eq!(
            first(json!([check("passed")]), |d| d["status"] = json!("failed")),
            '✗'
        );
    }

    #[test]
    fn nothing_is_said_of_a_run_that_made_nothing() {
        let document =
            json!({"status": "failed", "checks": [], "error": {"code": "usage", "message": "m"}});
        assert_eq!(result(&document, &terminal(80)), "");
        assert_eq!(status(&document, &terminal(80)), "  error       usage: m\n");
    }

    #[test]
    fn a_narrow_terminal_is_kept_to() {
        let checks = json!([{"check": "日本語 ".repeat(30), "kind": "js", "status": "failed", "detail": "word ".repeat(60)}]);
        for width in [40, 80] {
            let text = result(&finished(&checks), &terminal(width));
            for line in text.lines().filter(|l| !l.contains("https://")) {
                assert!(display_width(line) <= width, "{width}: {line}");
            }
            assert!(text.contains('…') && text.contains('\n'), "{text}");
        }
    }

    fn seen(standing: Standing, document: Value) -> Seen {
        Seen {
            started_at: 1000,
            standing,
            document: Document::Made(document),
        }
    }

    #[test]
    fn a_table_has_no_success_where_checks_failed_and_obeys_nobody() {
        let checks = json!([{"check": "a", "kind": "js", "status": "failed"}, {"check": "b", "kind": "js", "status": "passed"}]);
        let mut hostile = finished(&checks);
        hostile["task"] = "\u{1b}[2Jx\ny".into();
        hostile["error"] = json!({"code": "state", "message": "m"});
        let all = [
            seen(Standing::Finished, finished(&checks)),
            seen(Standing::Finished, finished(&json!([]))),
            seen(Standing::Failed, hostile),
        ];
        let text = table(&all, 1000 + 7200, &terminal(100));
        assert_eq!(
            text,
            "  RUN       TASK     ROUND  AGE  STATUS    CHECKS  MADE BY   NOTIFIED\n\
             ! 01234567  demo     1      2h   notified  1/2     template  yes\n    https://me.github.io/demo/\n\
             ✓ 01234567  demo     1      2h   notified          template  yes\n    https://me.github.io/demo/\n\
             ✗ 01234567   [2Jx y  1      2h   notified  1/2     template  yes\n    state: m\n"
        );
        let narrow = table(&all, 1000 + 7200, &terminal(40));
        assert!(narrow.lines().all(|l| display_width(l) <= 40), "{narrow}");
        assert!(
            narrow.contains("1/2") && narrow.contains("STATUS"),
            "{narrow}"
        );
        assert_eq!(table(&[], 0, &terminal(80)), "no runs\n");
    }

    #[test]
    fn the_command_that_goes_on_keeps_the_options() {
        let mut terminal = terminal(80);
        terminal.args = ["--quiet", "generate", "t.json", "-o", "dir", "--no-llm"]
            .map(Into::into)
            .to_vec();
        assert_eq!(
            deploying(&terminal, "run", &["-o", "--output"]),
            "llmdeploy --quiet run t.json --no-llm"
        );
        terminal.args = ["commit", "commit", "--local=x"].map(Into::into).to_vec();
        assert_eq!(
            deploying(&terminal, "deploy", &[]),
            "llmdeploy deploy commit --local=x"
        );
    }
}
