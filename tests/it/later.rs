//! What is asked and done after the walk, or while it goes on: `status`, `notify --retry`, `run --detach`, `prune`, signals.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Bench, Ran, finish};
use crate::world::{EvalAnswer, Fault, Handle, Kind, Match};

fn status(bench: &Bench, args: &[&str]) -> Ran {
    bench.run([&["status"], args].concat())
}

/// A run whose notification nobody has taken.
fn pending(bench: &Bench, task: &str, evaluator: &str) -> Value {
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    let task = bench.task(json!({"task": task, "evaluation_url": evaluator}));
    let result = bench
        .go("run", &task, &["--notify-for", "0"])
        .fails(75, "notify_pending");
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(200));
    result
}

#[test]
fn status_of_one_and_of_all() {
    let bench = Bench::new();
    assert_eq!(status(&bench, &[]).exits(0).json(), json!([]));
    let task = bench.task(json!({}));
    let file = bench.write_task("task.json", &task).display().to_string();
    assert_eq!(
        status(&bench, &[&file]).exits(1).json()["error"]["code"],
        "state"
    );

    let result = bench.go("run", &task, &[]).exits(0);
    assert_eq!(
        status(&bench, &[&file]).exits(0).json(),
        result.json(),
        "status says what was printed"
    );
    let email = task["email"].as_str().unwrap();
    let by_key = status(
        &bench,
        &["--email", email, "--task", "demo-site", "--nonce", "n-1"],
    )
    .exits(0);
    assert_eq!(by_key.json(), result.json());
    status(
        &bench,
        &[
            "--email",
            email,
            "--task",
            "demo-site",
            "--nonce",
            "n-1",
            "--round",
            "2",
        ],
    )
    .exits(1);

    let late = pending(&bench, "late", &bench.world.eval_url());
    let all = status(&bench, &[]).exits(75).json();
    // Both may have begun in the same second.
    let of = |all: &Value, run: &Value| {
        all.as_array()
            .unwrap()
            .iter()
            .find(|r| r["run"] == *run)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (all.as_array().unwrap().len(), of(&all, &late["run"])),
        (2, late)
    );

    bench.world.configure(|s| s.push_protection = true);
    let failed = bench
        .go("run", &bench.task(json!({"task": "refused"})), &[])
        .fails(1, "push_rejected");
    let all = status(&bench, &[]).exits(1).json();
    assert_eq!(of(&all, &failed["run"]), failed);

    let page = bench.path("dashboard.html");
    bench
        .run(["status", "--html", &page.display().to_string()])
        .exits(1);
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("1 finished") && page.contains("1 on the way") && page.contains("1 failed"),
        "{page}"
    );
    assert!(
        page.contains(result.json()["pages_url"].as_str().unwrap()),
        "{page}"
    );
}

#[test]
fn status_of_a_run_that_is_killed_or_under_way() {
    let bench = Bench::new();
    let file = bench
        .write_task("task.json", &bench.task(json!({})))
        .display()
        .to_string();
    let (reached, was_reached) = mpsc::channel();
    bench.world.before(Match::create(), 1, move |_: &Handle| {
        reached.send(()).unwrap();
    });
    bench.world.fault(Fault::once(
        Match::create(),
        Kind::Delay(Duration::from_secs(2)),
    ));
    let mut child = bench
        .command(["run", &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    was_reached.recv_timeout(Duration::from_secs(20)).unwrap();
    let seen = status(&bench, &[&file]).exits(75).json();
    assert_eq!(
        (&seen["status"], &seen["error"]["code"]),
        (&json!("pending"), &json!("busy"))
    );
    assert!(
        seen["error"]["message"]
            .as_str()
            .unwrap()
            .contains(&child.id().to_string()),
        "{seen}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = status(&bench, &[&file]).exits(75).json();
    assert_eq!(
        (&seen["status"], &seen["error"], &seen["task"]),
        (&json!("pending"), &Value::Null, &json!("demo-site"))
    );
    let result = bench.run(["run", &file]).exits(0).json();
    assert_eq!(
        seen.as_object().unwrap().keys().collect::<Vec<_>>(),
        result.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    assert_eq!(status(&bench, &[&file]).exits(0).json(), result);
}

#[test]
fn retry_delivers_what_is_pending_oldest_first() {
    let bench = Bench::new();
    assert_eq!(bench.run(["notify", "--retry"]).exits(0).json(), json!([]));
    let elsewhere = bench.world.eval_url().replace("127.0.0.1", "localhost");
    let results = [
        pending(&bench, "a", &bench.world.eval_url()),
        pending(&bench, "b", &elsewhere),
        pending(&bench, "c", &bench.world.eval_url()),
    ];
    bench
        .go("run", &bench.task(json!({"task": "other"})), &[])
        .exits(0);

    let before = bench.world.log().len();
    let told = bench.run(["notify", "--retry"]).exits(0).json();
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 3, "what is not pending is not looked at");
    for (told, earlier) in told.iter().zip(&results) {
        assert_eq!(
            (&told["status"], &told["run"], &told["error"]),
            (&json!("notified"), &earlier["run"], &Value::Null)
        );
        assert_eq!(
            told["notification"]["attempts"],
            earlier["notification"]["attempts"].as_u64().unwrap() + 1
        );
    }
    assert_eq!(
        bench.world.log().len(),
        before + 3,
        "three POSTs and nothing else"
    );
    let order: Vec<_> = bench
        .world
        .notifications()
        .iter()
        .map(|n| n["task"].clone())
        .filter(|t| t != "b" && t != "other")
        .collect();
    assert_eq!(order, ["a", "c"]);
    assert_eq!(bench.run(["notify", "--retry"]).exits(0).json(), json!([]));
    status(&bench, &[]).exits(0);
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn retry_goes_on_past_one_that_fails() {
    let bench = Bench::new();
    // Nobody listens there.
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    pending(&bench, "a", &format!("http://{dead}/eval"));
    pending(&bench, "b", &bench.world.eval_url());
    pending(&bench, "c", &bench.world.eval_url());
    // Of one host, the first is refused and the second is not.
    bench.world.fault(
        Fault::once(
            Match::notify().body("\"b\""),
            Kind::Status(400, vec![], String::new()),
        )
        .times(100),
    );
    let ran = bench
        .run(["notify", "--retry", "--notify-for", "1"])
        .exits(75);
    let told = ran.json();
    let statuses: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["status"].clone())
        .collect();
    assert_eq!(statuses, ["pending", "pending", "notified"], "{told:#}");
    assert_eq!(
        (
            &told[0]["error"]["code"],
            &told[1]["notification"]["http_status"]
        ),
        (&json!("notify_pending"), &json!(400))
    );
    assert!(ran.stderr.contains("2 of 3"), "{}", ran.stderr);
    bench.world.clear_faults();
    assert_eq!(
        bench
            .run(["notify", "--retry", "--notify-for", "0"])
            .exits(75)
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(bench.world.notifications().len(), 2);
}

#[test]
fn retry_honours_retry_after_and_the_allowed_hosts() {
    let bench = Bench::new();
    pending(&bench, "a", &bench.world.eval_url());
    let mut command = bench.command(["notify", "--retry"]);
    command.env("LLMDEPLOY_NOTIFY_HOSTS", "example.com");
    let refused = finish(command).exits(75).json();
    assert_eq!(refused[0]["error"]["code"], "config");
    let asked = bench.world.count(&Match::notify());
    bench
        .world
        .fault(Fault::once(Match::notify(), Kind::RetryAfter503(1)));
    assert_eq!(
        bench.run(["notify", "--retry"]).exits(0).json()[0]["status"],
        "notified"
    );
    let posts = bench.world.matching(&Match::notify());
    assert_eq!(posts.len(), asked + 2);
    assert!(posts[asked + 1].at.duration_since(posts[asked].at) >= Duration::from_secs(1));
}

/// A number that no clock holds ends neither the program nor what others are told.
#[test]
fn retry_outlives_what_one_evaluator_asks_for() {
    let bench = Bench::new();
    pending(&bench, "a", &bench.world.eval_url());
    let never = Kind::Status(
        503,
        vec![("Retry-After", u64::MAX.to_string())],
        String::new(),
    );
    bench.world.fault(Fault::once(Match::notify(), never));
    let told = bench.run(["notify", "--retry"]).exits(75).json();
    assert_eq!(told[0]["notification"]["http_status"], 503, "{told:#}");
}

#[test]
fn retry_leaves_a_run_that_is_taken() {
    let bench = Bench::new();
    let result = pending(&bench, "a", &bench.world.eval_url());
    let lock = bench
        .state()
        .join("runs")
        .join(result["run"].as_str().unwrap())
        .join("lock");
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let told = bench.run(["notify", "--retry"]).exits(75).json();
    assert_eq!(told[0]["error"]["code"], "busy");
    drop(held);
    bench.run(["notify", "--retry"]).exits(0);
}

#[test]
fn detached_runs_go_on_by_themselves() {
    let bench = Bench::new();
    let secret = "s3cr3t-of-the-course";
    let (go, wait) = mpsc::channel::<()>();
    bench.world.configure(|s| s.secrets.push(secret.to_owned()));
    bench.world.before(Match::user(), 1, move |_: &Handle| {
        let _ = wait.recv_timeout(Duration::from_secs(30));
    });
    let task = bench.task(json!({"secret": secret}));
    let detached = || {
        bench.go_env(
            "run",
            &task,
            &["--detach"],
            &[
                ("LLMDEPLOY_SECRET", secret),
                ("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1"),
            ],
        )
    };
    let started = Instant::now();
    let accepted = detached().exits(0);
    println!("accepted after {} ms", started.elapsed().as_millis());
    let accepted = accepted.json();
    assert_eq!(
        (&accepted["status"], accepted.as_object().unwrap().len()),
        (&json!("accepted"), 3)
    );
    let file = bench.path("task.json").display().to_string();
    let seen = status(&bench, &[&file]).exits(75).json();
    assert_eq!(
        (&seen["run"], &seen["error"]["code"]),
        (&accepted["run"], &json!("busy"))
    );

    // Nothing secret is in the environment or the arguments of the process that goes on.
    let pid: String = seen["error"]["message"]
        .as_str()
        .unwrap()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    if cfg!(target_os = "linux") {
        for what in ["environ", "cmdline"] {
            let text = fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
            assert!(
                text.contains("llmdeploy") || text.contains("LLMDEPLOY"),
                "{text}"
            );
            assert!(
                !text.contains(secret) && !text.contains(&bench.world.token()),
                "{what}: {text}"
            );
        }
    }
    // Taken already.
    detached().fails(75, "busy");
    go.send(()).unwrap();
    assert!(
        bench
            .world
            .wait_for(&Match::notify(), 1, Duration::from_secs(30))
    );
    let ended = Instant::now() + Duration::from_secs(30);
    while status(&bench, &[&file]).status == 75 && Instant::now() < ended {}
    let result = status(&bench, &[&file]).exits(0).json();
    assert_eq!(result["status"], "notified");
    assert_eq!(bench.world.notifications().len(), 1);
    let state = String::from_utf8_lossy(&bench.state_text()).into_owned();
    assert!(
        state.contains("generate: ")
            && !state.contains(secret)
            && !state.contains(&bench.world.token()),
        "the log is there, no secret is"
    );
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_detached_run_is_said_at_once() {
    let bench = Bench::new();
    bench
        .go_env(
            "run",
            &bench.task(json!({"secret": "wrong"})),
            &["--detach"],
            &[("LLMDEPLOY_SECRET", "right")],
        )
        .fails(4, "unauthorized");
    bench
        .go("run", &bench.task(json!({"brief": ""})), &["--detach"])
        .fails(2, "invalid_task");
    bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &["--detach"],
            &[("GH_TOKEN", "")],
        )
        .fails(4, "missing_token");
    assert!(bench.world.log().is_empty());
}

#[test]
fn prune_drops_what_is_over_and_nothing_else() {
    let bench = Bench::new();
    let done = bench
        .go("run", &bench.task(json!({"task": "done"})), &[])
        .exits(0)
        .json();
    let late = pending(&bench, "late", &bench.world.eval_url());
    bench
        .go("generate", &bench.task(json!({"task": "previewed"})), &[])
        .exits(0);
    let old = bench.run(["prune", "--older-than", "30d"]).exits(0).json();
    assert_eq!(old, json!({"v": 1, "pruned": [], "kept": 3, "error": null}));

    let lock = bench
        .state()
        .join("runs")
        .join(done["run"].as_str().unwrap())
        .join("lock");
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    assert_eq!(
        bench.run(["prune", "--older-than", "0s"]).exits(0).json()["kept"],
        3
    );
    drop(held);
    let pruned = bench.run(["prune", "--older-than", "0s"]).exits(0).json();
    assert_eq!(
        pruned,
        json!({"v": 1, "pruned": [done["run"]], "kept": 2, "error": null})
    );
    assert_eq!(fs::read_dir(bench.state().join("runs")).unwrap().count(), 2);

    // What was dropped is found on the remote; what is pending is delivered.
    let again = bench
        .go("run", &bench.task(json!({"task": "done"})), &[])
        .exits(0)
        .json();
    assert_eq!(again["commit_sha"], done["commit_sha"]);
    assert_eq!(
        bench.run(["notify", "--retry"]).exits(0).json()[0]["run"],
        late["run"]
    );
    bench.run(["prune", "--older-than", "soon"]).exits(2);
}

/// Waits for its end; how long that took.
#[cfg(unix)]
fn ended(child: &mut Child) -> (i32, Duration) {
    let started = Instant::now();
    (
        child.wait().unwrap().code().unwrap_or(-1),
        started.elapsed(),
    )
}

#[cfg(unix)]
#[test]
fn signals_end_it_at_once_with_its_children() {
    use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
    use std::io::Read as _;
    use std::os::unix::process::CommandExt as _;

    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for on in [Match::push(), Match::build_status(), Match::notify()] {
            let bench = Bench::new();
            let file = bench.write_task("task.json", &bench.task(json!({})));
            let (reached, was_reached) = mpsc::channel();
            bench
                .world
                .before(on.clone(), 1, move |_: &Handle| reached.send(()).unwrap());
            bench
                .world
                .fault(Fault::once(on.clone(), Kind::Hang(Duration::from_secs(60))));
            let mut command: Command = bench.command(["run".as_ref(), file.as_os_str()]);
            command
                .env("LLMDEPLOY_TIMEOUT_MS", "60000")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .process_group(0);
            let mut child = command.spawn().unwrap();
            was_reached.recv_timeout(Duration::from_secs(20)).unwrap();
            let pid = Pid::from_child(&child);
            kill_process(pid, signal).unwrap();
            let (status, took) = ended(&mut child);
            assert_eq!(status, code, "{on:?}");
            assert!(took < Duration::from_secs(2), "{on:?}: {took:?}");
            let mut said = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said)
                .unwrap();
            assert!(said.contains("run the same command again"), "{said}");
            let patience = Instant::now() + Duration::from_secs(5);
            while test_kill_process_group(pid).is_ok() {
                assert!(Instant::now() < patience, "{on:?}: a child is left");
                std::thread::yield_now();
            }
            bench.world.clear_faults();
            bench.run(["run".as_ref(), file.as_os_str()]).exits(0);
            assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
        }
    }
}

/// What `status`, `status TASK` and `notify --retry` cost does not grow with all runs ever made.
#[test]
fn ten_thousand_runs() {
    let bench = Bench::new();
    let done = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
    let runs = bench.state().join("runs");
    let id = done["run"].as_str().unwrap();
    let kept = fs::read(runs.join(id).join("result.json")).unwrap();
    let sheet: Value = serde_json::from_slice(&kept).unwrap();
    for n in 0..9_999_u64 {
        let dir = runs.join(format!("{n:016x}"));
        fs::create_dir(&dir).unwrap();
        let value = sheet["value"].to_string().replace(id, &format!("{n:016x}"));
        let sha256 = llmdeploy::values::sha256_hex(value.as_bytes());
        let text = format!(r#"{{"version":1,"sha256":"{sha256}","value":{value}}}"#);
        fs::write(dir.join("result.json"), text).unwrap();
    }
    pending(&bench, "late", &bench.world.eval_url());
    let file = bench.path("task.json").display().to_string();
    let timed = |args: &[&str]| {
        let started = Instant::now();
        let ran = bench.run(args);
        (ran, started.elapsed())
    };
    let (all, of_all) = timed(&["status"]);
    assert_eq!(all.exits(75).json().as_array().unwrap().len(), 10_001);
    let (one, of_one) = timed(&["status", &file]);
    assert_eq!(one.exits(75).json()["task"], "late");
    let (told, retry) = timed(&["notify", "--retry"]);
    assert_eq!(told.exits(0).json().as_array().unwrap().len(), 1);
    println!("10,001 runs: status of all {of_all:?}, of one {of_one:?}, notify --retry {retry:?}");
}
