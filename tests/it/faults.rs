//! Whatever a call meets - refused for the moment, cut off, lost, hanging - the walk or a plain rerun ends well; what is
//! permanent ends at once. Every call of the walk, every fault, once and three times.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::model::{Asked, PAGE, script, turn};
use crate::run::{Bench, Ran, finish};
use crate::world::{Fault, Kind, Match};

/// Walks at a time: most of them wait for a time-out or a `Retry-After`.
const WORKERS: usize = 8;

type Call = (&'static str, fn() -> Match);
type Trouble = (&'static str, fn() -> Kind);

const CALLS: [Call; 9] = [
    ("LLM", Match::llm),
    ("user", Match::user),
    ("create", Match::create),
    ("refs", Match::refs),
    ("push", Match::push),
    ("enable", Match::pages_enable),
    ("build status", Match::build_status),
    ("page", Match::page),
    ("notify", Match::notify),
];

const TROUBLES: [Trouble; 9] = [
    ("500", || Kind::Status(500, vec![], String::new())),
    ("502 with HTML", || Kind::Html502),
    ("503 with Retry-After", || Kind::RetryAfter503(1)),
    ("429", || Kind::TooMany429 { retry_after: 1 }),
    ("403 secondary limit", || Kind::Secondary403 {
        retry_after: Some(1),
    }),
    ("reset", || Kind::Reset),
    ("cut off", || Kind::CutOff),
    ("lost answer", || Kind::LostAnswer),
    ("hang", || Kind::Hang(Duration::from_secs(60))),
];

/// git does not show the body of a 403, so a limit looks like a missing right there, which is permanent.
fn is_told_apart(call: &str, trouble: &str) -> bool {
    !(matches!(call, "refs" | "push") && trouble == "403 secondary limit")
}

fn walk(bench: &Bench, options: &[&str]) -> Ran {
    let file = bench.write_task("task.json", &bench.task(json!({})));
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    command
        .args(options)
        .env("LLMDEPLOY_TIMEOUT_MS", "1000")
        .env("LLMDEPLOY_MODEL_TIMEOUT_MS", "1000")
        .env("OPENAI_BASE_URL", bench.world.llm_url());
    command.env("LLMDEPLOY_BROWSER", crate::model::NO_BROWSER);
    finish(command)
}

fn try_entry(call: Call, trouble: Trouble, times: usize) -> Result<(), String> {
    let bench = Bench::new();
    bench
        .world
        .fault(Fault::once(call.1(), trouble.1()).times(times));
    script(
        &bench,
        (0..5)
            .map(|_| turn(|asked: &Asked| asked.files(&[("index.html", PAGE)])))
            .collect(),
    );
    let options: &[&str] = if call.0 == "LLM" { &[] } else { &["--no-llm"] };
    let mut ran = walk(&bench, options);
    for _ in 0..2 {
        if ran.status == 75 {
            ran = walk(&bench, options);
        }
    }
    let world = &bench.world;
    let commits = world.commits("octo-dev", "demo-site");
    let told = world.notifications();
    // An answer that was not seen is asked for again.
    let unseen = if call.0 == "notify" && trouble.0 == "lost answer" {
        times
    } else {
        0
    };
    let wrong = if ran.status != 0 {
        format!("exit status {}", ran.status)
    } else if world.repos().len() != 1
        || commits.len() != 1
        || ran.json()["commit_sha"] != commits[0].as_str()
    {
        format!("{:?}, commits {commits:?}", world.repos())
    } else if told.len() != 1 + unseen
        || told.iter().any(|n| *n != told[0])
        || told[0]["commit_sha"] != commits[0].as_str()
    {
        format!("told {told:?}")
    } else if !world.unexpected().is_empty() {
        format!("unexpected {:?}", world.unexpected())
    } else {
        return Ok(());
    };
    Err(format!(
        "{} × {} × {times}: {wrong}\n  {ran:?}",
        call.0, trouble.0
    ))
}

#[test]
fn every_call_survives_every_fault() {
    let mut queue = Vec::new();
    for call in CALLS {
        for trouble in TROUBLES {
            if is_told_apart(call.0, trouble.0) {
                queue.extend([(call, trouble, 1), (call, trouble, 3)]);
            }
        }
    }
    let mut queue = crate::run::share(queue);
    // Served from its end: what takes longest comes first.
    queue.sort_by_key(|(_, trouble, times)| (trouble.0 == "hang", *times));
    let tried = queue.len();
    let (queue, failed, slowest) = (
        Mutex::new(queue),
        Mutex::new(Vec::new()),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((call, trouble, times)) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    let started = Instant::now();
                    if let Err(why) = try_entry(call, trouble, times) {
                        failed.lock().unwrap().push(why);
                    }
                    slowest.fetch_max(
                        usize::try_from(started.elapsed().as_millis()).unwrap(),
                        Ordering::SeqCst,
                    );
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "{tried} entries of calls × faults tried, {} wrong, the slowest took {} ms",
        failed.len(),
        slowest.into_inner()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_is_permanent_ends_at_once() {
    let rule = r#"{"message":"Repository creation failed.","errors":[{"message":"A rule forbids public repositories"}]}"#;
    let unauthorized = || Kind::Status(401, vec![], r#"{"message":"Bad credentials"}"#.to_owned());
    let not_found = || Kind::Status(404, vec![], r#"{"message":"Not Found"}"#.to_owned());
    let table: Vec<(Match, Kind, i32, &str)> = vec![
        (Match::user(), unauthorized(), 4, "bad_token"),
        (Match::create(), unauthorized(), 4, "bad_token"),
        (Match::pages_enable(), unauthorized(), 4, "bad_token"),
        (Match::build_status(), unauthorized(), 4, "bad_token"),
        (Match::refs(), unauthorized(), 4, "bad_token"),
        (Match::create(), not_found(), 4, "forbidden"),
        (
            Match::create(),
            Kind::Status(422, vec![], rule.to_owned()),
            4,
            "forbidden",
        ),
    ];
    for (on, kind, status, code) in table {
        let bench = Bench::new();
        bench
            .world
            .fault(Fault::once(on.clone(), kind.clone()).times(100));
        let ran = walk(&bench, &["--no-llm"]);
        assert_eq!(
            (ran.status, ran.json()["error"]["code"].as_str()),
            (status, Some(code)),
            "{on:?} {kind:?}: {ran:?}"
        );
        assert_eq!(bench.world.count(&on), 1, "{on:?} {kind:?} was tried again");
        assert!(!ran.json()["error"]["hint"].is_null(), "{ran:?}");
    }
}

#[test]
fn a_limit_that_ends_after_the_deadline_is_not_waited_for() {
    let bench = Bench::new();
    bench.world.fault(
        Fault::once(
            Match::create(),
            Kind::Primary403 {
                reset_in_secs: 3000,
            },
        )
        .times(100),
    );
    let started = Instant::now();
    walk(&bench, &["--no-llm"]).fails(75, "rate_limited");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(bench.world.count(&Match::create()), 1);
}

/// The same budget holds for retries, for waiting for Pages and for a call that hangs: the evaluator is told in time.
#[test]
fn one_time_budget() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.pages_build = Duration::from_secs(3600));
    let started = Instant::now();
    let ran = walk(&bench, &["--no-llm", "--deadline", "4"]).fails(75, "pages_pending");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(ran["pages"], "pending");
    assert_eq!(bench.world.notifications().len(), 1);
    let told = bench.world.matching(&Match::notify())[0].at;
    assert!(
        told.duration_since(started) < Duration::from_secs(4),
        "told after {:?}",
        told.duration_since(started)
    );

    // Pages is late; a rerun only waits for it.
    bench.world.configure(|s| s.pages_build = Duration::ZERO);
    let again = Bench::new();
    again
        .world
        .fault(Fault::once(Match::build_status(), Kind::Hang(Duration::from_secs(60))).times(100));
    let started = Instant::now();
    walk(&again, &["--no-llm", "--deadline", "3"]).fails(75, "pages_pending");
    let told = again.world.matching(&Match::notify())[0].at;
    assert!(
        told.duration_since(started) < Duration::from_secs(4),
        "told after {:?}",
        told.duration_since(started)
    );
    again.world.clear_faults();
    let result = walk(&again, &[]).exits(0).json();
    assert_eq!(
        (&result["pages"], &result["resumed_from"]),
        (&json!("live"), &json!("deploy"))
    );
    assert_eq!(again.world.notifications().len(), 1);

    let stuck = Bench::new();
    stuck
        .world
        .fault(Fault::once(Match::push(), Kind::Status(500, vec![], String::new())).times(100));
    let started = Instant::now();
    walk(&stuck, &["--no-llm", "--deadline", "2"]).fails(75, "network");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}
