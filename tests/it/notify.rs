//! The notification: what counts as delivered, how it is tried again, which redirects are followed, how it is sent again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::run::Bench;
use crate::world::{EvalAnswer, Fault, Kind, Match};

#[test]
fn tried_again_until_accepted_with_doubling_pauses() {
    let bench = Bench::new();
    bench.world.configure(|s| {
        s.eval = [500, 404, 429, 503, 400].map(EvalAnswer::status).to_vec();
        s.eval_default = EvalAnswer::status(202);
    });
    let result = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("LLMDEPLOY_RETRY_BASE_MS", "20")],
        )
        .exits(0)
        .json();
    assert_eq!(result["notification"]["attempts"], 6);
    assert_eq!(result["notification"]["http_status"], 202);
    let times: Vec<_> = bench
        .world
        .matching(&Match::notify())
        .iter()
        .map(|e| e.at)
        .collect();
    for (n, pair) in times.windows(2).enumerate() {
        let (pause, wanted) = (pair[1] - pair[0], Duration::from_millis(20 << n));
        assert!(
            pause >= wanted && pause < wanted + Duration::from_secs(2),
            "pause {n}: {pause:?}, wanted {wanted:?}"
        );
    }
    let bodies: Vec<_> = bench
        .world
        .matching(&Match::notify())
        .iter()
        .map(|e| e.body.clone())
        .collect();
    assert!(bodies.windows(2).all(|b| b[0] == b[1]));
}

#[test]
fn retry_after_is_honoured() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval = vec![EvalAnswer::status(503).header("Retry-After", "1")]);
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    let times: Vec<_> = bench
        .world
        .matching(&Match::notify())
        .iter()
        .map(|e| e.at)
        .collect();
    assert!(times[1] - times[0] >= Duration::from_secs(1));
}

/// A server that is down and says "at once" is not flooded.
#[test]
fn no_wait_at_all_is_not_taken_at_its_word() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(503).header("Retry-After", "0"));
    let env = [("LLMDEPLOY_RETRY_BASE_MS", "100")];
    bench
        .go_env("run", &bench.task(json!({})), &["--notify-for", "1"], &env)
        .fails(75, "notify_pending");
    assert!(
        bench.world.count(&Match::notify()) <= 5,
        "{}",
        bench.world.count(&Match::notify())
    );
}

#[test]
fn no_answer_counts_as_a_failed_attempt() {
    let bench = Bench::new();
    bench.world.fault(Fault::once(
        Match::notify(),
        Kind::Hang(Duration::from_secs(30)),
    ));
    bench.world.fault(Fault::once(Match::notify(), Kind::Reset));
    bench
        .world
        .fault(Fault::once(Match::notify(), Kind::Html502));
    let result = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("LLMDEPLOY_TIMEOUT_MS", "300")],
        )
        .exits(0)
        .json();
    assert_eq!(result["notification"]["attempts"], 4);
}

#[test]
fn redirects_that_keep_the_post_are_followed() {
    for status in [307, 308] {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.eval = vec![EvalAnswer::redirect(status, "/eval?moved=1")]);
        let result = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
        assert_eq!(result["notification"]["attempts"], 1);
        let posts = bench.world.matching(&Match::notify());
        assert_eq!(posts.len(), 2);
        assert_eq!(posts[0].body, posts[1].body);
        assert_eq!(posts[1].query, "moved=1");
    }
}

#[test]
fn other_redirects_are_an_error_that_says_so() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::redirect(302, "/elsewhere"));
    let document = bench
        .go("run", &bench.task(json!({})), &["--notify-for", "0"])
        .fails(75, "notify_pending");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("302") && message.contains("redirect"),
        "{message}"
    );
    assert!(bench.world.log().iter().all(|e| e.path != "/elsewhere"));
}

#[test]
fn from_http_to_https_of_the_same_host() {
    let bench = Bench::new();
    let target = bench.world.tls_answer("/eval", 200, &[], b"ok".to_vec());
    bench
        .world
        .configure(|s| s.eval = vec![EvalAnswer::redirect(301, &target)]);
    let task = bench
        .task(json!({"evaluation_url": bench.world.eval_url().replace("127.0.0.1", "localhost")}));
    let authority = bench.world.ca_file();
    bench
        .go_env(
            "run",
            &task,
            &[],
            &[("SSL_CERT_FILE", authority.to_str().unwrap())],
        )
        .exits(0);
    assert!(bench.world.log().iter().any(|e| e.method == "POST"
        && target.ends_with(&e.path)
        && e.path == "/eval"
        && e.header("host").is_some_and(|h| target.contains(h))));
}

#[test]
fn only_allowed_hosts_are_told() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let document = bench
        .go_env(
            "run",
            &task,
            &[],
            &[("LLMDEPLOY_NOTIFY_HOSTS", "eval.example, other.example")],
        )
        .fails(2, "invalid_task");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("evaluation_url")
    );
    assert!(bench.world.log().is_empty());
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::redirect(307, "http://localhost:1/eval"));
    let here = bench.world.eval_url();
    let here = here.trim_start_matches("http://").trim_end_matches("/eval");
    for hosts in [
        "127.0.0.1".to_owned(),
        format!("other.example,{here}"),
        "localhost, 127.0.0.1".to_owned(),
    ] {
        let document = bench
            .go_env(
                "run",
                &task,
                &["--notify-for", "0"],
                &[("LLMDEPLOY_NOTIFY_HOSTS", &hosts)],
            )
            .fails(75, "notify_pending");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains("a redirect to another host"), "{message}");
    }
    // The same host at a port that is not listed.
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::redirect(307, "http://127.0.0.1:1/eval"));
    let document = bench
        .go_env(
            "run",
            &task,
            &["--notify-for", "0"],
            &[("LLMDEPLOY_NOTIFY_HOSTS", here)],
        )
        .fails(75, "notify_pending");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("127.0.0.1:1 is not in LLMDEPLOY_NOTIFY_HOSTS"),
        "{message}"
    );
}

/// Tasks that a shared secret admits come from others, who could have this machine's neighbours called.
#[test]
fn others_tasks_have_public_hosts_told_only() {
    let bench = Bench::new();
    let port = bench.world.eval_url();
    let port = port
        .trim_start_matches("http://127.0.0.1:")
        .trim_end_matches("/eval");
    let shared = ("LLMDEPLOY_SECRET", "s3cr3t-of-the-course");
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::]",
        "evaluator",
        "x.localhost",
        "10.0.0.1",
        "169.254.169.254",
        "metadata.google.internal",
        "me@127.0.0.1",
        "%31%32%37.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/eval");
        let task = bench.task(json!({"secret": shared.1, "evaluation_url": url}));
        let document = bench
            .go_env("run", &task, &[], &[shared])
            .fails(2, "invalid_task");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("evaluation_url: "), "{host}: {message}");
    }
    assert!(bench.world.log().is_empty() && !bench.state().exists());
    // A list says that this one may be told; one that is empty says nothing, and is no list.
    let task = bench.task(json!({"secret": shared.1}));
    for nothing in ["", " ", " , "] {
        bench
            .go_env(
                "run",
                &task,
                &[],
                &[shared, ("LLMDEPLOY_NOTIFY_HOSTS", nothing)],
            )
            .fails(2, "config");
    }
    bench
        .go_env(
            "run",
            &task,
            &[],
            &[shared, ("LLMDEPLOY_NOTIFY_HOSTS", "https://127.0.0.1")],
        )
        .fails(2, "config");
    let listed = format!("evaluator.example:443,127.0.0.1:{port}");
    let hosts = ("LLMDEPLOY_NOTIFY_HOSTS", listed.as_str());
    bench.go_env("run", &task, &[], &[shared, hosts]).exits(0);
    assert_eq!(bench.world.notifications().len(), 1);
    // What is kept for later is judged anew.
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    let task = bench.task(json!({"secret": shared.1, "nonce": "later"}));
    bench
        .go_env("run", &task, &["--notify-for", "0"], &[shared, hosts])
        .fails(75, "notify_pending");
    let asked = bench.world.count(&Match::notify());
    let mut command = bench.command(["notify", "--retry"]);
    command.envs([shared]);
    let refused = crate::run::finish(command).exits(75).json();
    assert_eq!(refused[0]["error"]["code"], "config");
    assert_eq!(bench.world.count(&Match::notify()), asked);
}

#[test]
fn nobody_to_tell_is_success() {
    let bench = Bench::new();
    let result = bench
        .go("run", &bench.task(json!({"evaluation_url": null})), &[])
        .exits(0)
        .json();
    assert_eq!(
        (result["status"].as_str(), &result["notification"]),
        (Some("deployed"), &Value::Null)
    );
    let result = bench
        .go(
            "run",
            &bench.task(json!({"nonce": "n-2"})),
            &["--no-notify"],
        )
        .exits(0)
        .json();
    assert_eq!(result["status"], "deployed");
    assert!(bench.world.notifications().is_empty());
}

#[test]
fn sent_again_when_asked() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let unknown = bench.go("notify", &task, &[]).fails(1, "state");
    assert!(unknown["error"]["hint"].as_str().unwrap().contains("run"));
    let result = bench.go("run", &task, &[]).exits(0).json();
    let again = bench.go("notify", &task, &[]).exits(0).json();
    assert_eq!(again["status"], "notified");
    assert_eq!(again["notification"]["attempts"], 2);
    let told = bench.world.notifications();
    assert_eq!((told.len(), &told[0]), (2, &told[1]));

    // From the result alone, without state.
    let file = bench.path("result.json");
    std::fs::write(&file, result.to_string()).unwrap();
    std::fs::remove_dir_all(bench.state()).unwrap();
    let third = bench
        .go("notify", &task, &["--result", file.to_str().unwrap()])
        .exits(0)
        .json();
    assert_eq!(third["status"], "notified");
    assert_eq!(third["commit_sha"], result["commit_sha"]);
    assert_eq!(bench.world.notifications()[2], told[0]);
    assert!(!bench.state().exists());

    let other = bench.task(json!({"nonce": "other"}));
    bench
        .go("notify", &other, &["--result", file.to_str().unwrap()])
        .fails(2, "usage");
    // What was accepted before says nothing of this time.
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    let refused = bench
        .go(
            "notify",
            &task,
            &["--result", file.to_str().unwrap(), "--notify-for", "0"],
        )
        .fails(75, "notify_pending");
    assert_eq!(
        (
            &refused["notification"]["delivered_at"],
            &refused["notification"]["http_status"]
        ),
        (&Value::Null, &json!(500))
    );
    std::fs::write(&file, "{}").unwrap();
    let bad = bench
        .go("notify", &task, &["--result", file.to_str().unwrap()])
        .fails(2, "usage");
    assert_eq!(
        (bad["email"].as_str(), bad["status"].as_str()),
        (Some("student@example.com"), Some("failed"))
    );
}

#[test]
fn a_page_on_this_machine_is_told_to_evaluators_on_it_only() {
    let bench = Bench::new();
    let sites = bench.path("sites");
    let local = ["--local", sites.to_str().unwrap()];
    // A name of documentation (RFC 2606): nobody answers there.
    for (n, host) in ["evaluator.invalid", "192.0.2.1", "[2001:db8::1]"]
        .into_iter()
        .enumerate()
    {
        let url = format!("https://{host}/notify");
        let task = bench.task(json!({"nonce": format!("n{n}"), "evaluation_url": url}));
        let ended = bench.go("run", &task, &local).exits(0);
        let result = ended.json();
        assert_eq!(
            (&result["status"], &result["notification"]),
            (&json!("deployed"), &serde_json::Value::Null)
        );
        assert!(
            ended.stderr.contains("the notification was not sent"),
            "{}",
            ended.stderr
        );
        let insisted = bench.go(
            "run",
            &task,
            &["--local", local[1], "--notify", "--notify-for", "0"],
        );
        let result = insisted.exits(75).json();
        assert_eq!(result["error"]["code"], "notify_pending");
    }
    let here = bench.task(json!({"nonce": "here"}));
    let result = bench.go("run", &here, &local).exits(0).json();
    assert_eq!(result["status"], "notified");
}
