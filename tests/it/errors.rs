//! Every error code that this part of the tool can end with: exit status, JSON, hint, and nothing touched that should not be.

use serde_json::{Value, json};

use crate::run::{Bench, bare, finish, finish_with_input};
use crate::world::{EvalAnswer, Fault, Kind, Lacking, Match, TokenKind};

fn hint(document: &Value) -> String {
    document["error"]["hint"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn message(document: &Value) -> String {
    document["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn usage() {
    let bench = Bench::new();
    let no_such = bench.run(["run", "no-such-file.json"]).fails(2, "usage");
    assert!(message(&no_such).contains("no-such-file.json"));
    for args in [
        &["run", "--no-such-option"][..],
        &["no-such-command"],
        &[],
        &["run", "--checks", "maybe"],
        &["run", "-q", "-v"],
        &["run", "--deadline", "18446744073709551615"],
    ] {
        let ran = bench.run(args).exits(2);
        assert_eq!(ran.json()["error"]["code"], "usage", "{args:?}");
        assert!(!ran.stderr.is_empty());
    }
    // The document has the shape of the command even then.
    let document = bench.run(["run", "--no-such-option"]).json();
    assert_eq!(
        document.as_object().unwrap().keys().next().unwrap(),
        "email"
    );
    assert_eq!(document["status"], "failed");
    // Whatever stands before it, and whatever cannot be read.
    let behind = bench
        .run(["--state-dir", "run", "commit", "--no-such-option"])
        .exits(2)
        .json();
    assert!(
        behind.as_object().unwrap().contains_key("git_dir"),
        "{behind:#}"
    );
    #[cfg(unix)]
    {
        let unreadable = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"--\xff");
        let mut command = bench.command(["run".as_ref(), unreadable]);
        command.stdin(std::process::Stdio::null());
        assert_eq!(finish(command).exits(2).json()["error"]["code"], "usage");
    }
    let file = bench.write_task("t.json", &bench.task(json!({})));
    let named = bench
        .run(["run", file.to_str().unwrap(), "--repo", "a b"])
        .fails(2, "usage");
    assert!(message(&named).contains("--repo"));
    assert!(bench.world.log().is_empty());
}

#[test]
fn invalid_task() {
    let bench = Bench::new();
    for (text, said) in [
        ("", "the task is empty"),
        ("{}", "email: missing"),
        ("not json", "not a task"),
        (
            r#"{"email":"e","task":"t","brief":"b","round":"x"}"#,
            "round: ",
        ),
        (
            r#"{"email":"e","task":"t","brief":"b","attachments":[{"name":"a","url":"data:,a"},{"name":"b","url":"ftp://x"}]}"#,
            "attachments[1].url: not a data: or https: URL",
        ),
    ] {
        let ran = finish_with_input(bench.command(["run", "-"]), text.as_bytes());
        let document = ran.fails(2, "invalid_task");
        assert!(message(&document).contains(said), "{document:#}");
        assert!(!hint(&document).is_empty());
    }
    let conflict = json!({"attachments": [{"name": "README.md/x", "url": "data:,x"}], "brief": "see README.md/x"});
    let document = bench
        .go("run", &bench.task(conflict), &[])
        .fails(2, "invalid_task");
    assert!(message(&document).contains("README.md"));
    assert!(bench.world.log().is_empty());
}

#[test]
fn too_large_a_task() {
    let bench = Bench::new();
    let mut text = br#"{"email":"e","task":"t","brief":""#.to_vec();
    text.resize((64 << 20) + 1, b'x');
    let document = finish_with_input(bench.command(["run"]), &text).fails(2, "invalid_task");
    assert!(message(&document).contains("64 MiB"));
}

#[test]
fn config() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    for (name, value) in [
        ("GITHUB_API_URL", "http://api.example.com"),
        ("GITHUB_API_URL", "not a url"),
        ("GITHUB_OWNER", "a/b"),
        ("LLMDEPLOY_POLL_MS", "soon"),
        ("SSL_CERT_FILE", "/no/such/file"),
    ] {
        let document = bench
            .go_env("run", &task, &[], &[(name, value)])
            .fails(2, "config");
        assert!(message(&document).contains(name), "{document:#}");
    }
    std::fs::write(
        bench.path(".env"),
        "GH_TOKEN=one\nthis is 'no line: s3cret-value\n",
    )
    .unwrap();
    let ran = bench.go("run", &task, &[]);
    assert!(
        !ran.stderr.contains("s3cret-value") && !ran.stdout.contains("s3cret-value"),
        "{ran:?}"
    );
    let document = ran.fails(2, "config");
    assert!(message(&document).contains(".env, line 2"), "{document:#}");
    assert!(bench.world.log().is_empty());
}

#[test]
fn unauthorized() {
    let bench = Bench::new();
    let (with, without) = (
        bench.task(json!({"secret": "shared-secret-1"})),
        bench.task(json!({})),
    );
    bench.go("run", &with, &[]).fails(4, "unauthorized");
    bench
        .go_env("run", &with, &[], &[("LLMDEPLOY_SECRET", "another-secret")])
        .fails(4, "unauthorized");
    bench
        .go_env("run", &without, &[], &[("secret", "shared-secret-1")])
        .fails(4, "unauthorized");
    // LLMDEPLOY_SECRET beats `secret`.
    let both = [("LLMDEPLOY_SECRET", "other"), ("secret", "shared-secret-1")];
    bench
        .go_env("run", &with, &[], &both)
        .fails(4, "unauthorized");
    assert!(
        bench.world.log().is_empty() && !bench.state().exists(),
        "nothing is touched"
    );
    bench
        .go_env(
            "run",
            &with,
            &["--no-notify"],
            &[
                ("secret", "shared-secret-1"),
                ("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1"),
            ],
        )
        .exits(0);
}

#[test]
fn missing_token() {
    let bench = Bench::new();
    for subcommand in ["run", "deploy"] {
        let document = bench
            .go_env(subcommand, &bench.task(json!({})), &[], &[("GH_TOKEN", "")])
            .fails(4, "missing_token");
        assert!(hint(&document).contains("GH_TOKEN") && hint(&document).contains("--local"));
    }
    // Two stages that need none.
    bench
        .go_env("generate", &bench.task(json!({})), &[], &[("GH_TOKEN", "")])
        .exits(0);
    bench
        .go_env("commit", &bench.task(json!({})), &[], &[("GH_TOKEN", "")])
        .exits(0);
    assert!(bench.world.log().is_empty());
}

#[test]
fn bad_token() {
    let bench = Bench::new();
    let document = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("GH_TOKEN", "nonsense-token")],
        )
        .fails(4, "bad_token");
    assert!(hint(&document).contains("GH_TOKEN"));
    assert_eq!(
        bench.world.count(&Match::user()),
        1,
        "a 401 is not tried again"
    );
    // Proved before anything is generated.
    let env = [
        ("GH_TOKEN", "nonsense-token"),
        ("REQUIRE_GITHUB_TOKEN_ON_STARTUP", "true"),
    ];
    let document = bench
        .go_env("run", &bench.task(json!({"nonce": "n-2"})), &[], &env)
        .fails(4, "bad_token");
    assert_eq!(document["generator"], Value::Null);
}

#[test]
fn forbidden_names_the_right_that_is_missing() {
    let bench = Bench::new();
    let world = &bench.world;
    world.configure(|s| s.scopes = vec!["gist".to_owned()]);
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(4, "forbidden");
    assert!(message(&document).contains("repo"), "{document:#}");

    world.configure(|s| s.scopes = vec!["repo".to_owned()]);
    let document = bench
        .go("run", &bench.task(json!({})), &["--owner", "no-such-org"])
        .fails(4, "forbidden");
    assert!(hint(&document).contains("no-such-org"), "{document:#}");

    let lacking = |on: Match, accepted: &str| TokenKind::FineGrained {
        lacking: vec![Lacking {
            on,
            accepted: accepted.to_owned(),
        }],
    };
    let fine = world.fine_token();
    world.configure(|s| s.token_kind = lacking(Match::create(), "administration=write"));
    let document = bench
        .go_env(
            "run",
            &bench.task(json!({"nonce": "a"})),
            &[],
            &[("GH_TOKEN", &fine)],
        )
        .fails(4, "forbidden");
    assert!(
        hint(&document).contains("administration=write"),
        "{document:#}"
    );
    world.configure(|s| {
        s.token_kind = lacking(Match::pages_enable(), "pages=write,administration=write");
    });
    let document = bench
        .go_env(
            "run",
            &bench.task(json!({"nonce": "b"})),
            &[],
            &[("GH_TOKEN", &fine)],
        )
        .fails(4, "forbidden");
    assert!(hint(&document).contains("pages=write"), "{document:#}");
}

#[test]
fn single_sign_on_is_named() {
    let bench = Bench::new();
    bench.world.configure(|s| {
        s.orgs = vec!["corp".to_owned()];
        s.sso = Some("corp".to_owned());
    });
    let document = bench
        .go("run", &bench.task(json!({})), &["--owner", "corp"])
        .fails(4, "forbidden");
    assert!(
        hint(&document).contains("single sign-on") && hint(&document).contains("http"),
        "{document:#}"
    );
}

#[test]
fn name_taken() {
    let bench = Bench::new();
    bench.world.make_repo(
        "octo-dev",
        "demo-site",
        &[("mine.txt", b"mine")],
        "My own work",
    );
    let task = bench.task(json!({}));
    let document = bench.go("run", &task, &[]).fails(1, "name_taken");
    assert!(hint(&document).contains("--adopt"), "{document:#}");
    assert_eq!(
        bench.world.commits("octo-dev", "demo-site").len(),
        1,
        "nothing was pushed"
    );
    let adopted = bench.go("run", &task, &["--adopt"]).exits(0).json();
    let files = bench.world.files("octo-dev", "demo-site");
    assert_eq!(files["mine.txt"], b"mine");
    assert!(files.contains_key("index.html"));
    assert_eq!(
        bench.world.commits("octo-dev", "demo-site")[0],
        adopted["commit_sha"].as_str().unwrap()
    );
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
}

#[test]
fn name_taken_locally() {
    let bench = Bench::new();
    let sites = bench.path("sites");
    std::fs::create_dir_all(sites.join("demo-site")).unwrap();
    std::fs::write(sites.join("demo-site/mine.txt"), "mine").unwrap();
    bench
        .go(
            "run",
            &bench.task(json!({})),
            &["--local", sites.to_str().unwrap()],
        )
        .fails(1, "name_taken");
    assert_eq!(
        std::fs::read(sites.join("demo-site/mine.txt")).unwrap(),
        b"mine"
    );
}

#[test]
fn an_empty_repository_is_adopted() {
    let bench = Bench::new();
    bench.world.make_repo("octo-dev", "demo-site", &[], "");
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
}

#[test]
fn git_missing() {
    let bench = Bench::new();
    let empty = bench.path("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let document = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("PATH", empty.to_str().unwrap())],
        )
        .fails(1, "git_missing");
    assert!(hint(&document).contains("install git"));
}

#[test]
fn git_failed() {
    let bench = Bench::new();
    let file = bench.path("a-file");
    std::fs::write(&file, "").unwrap();
    let document = bench
        .go(
            "run",
            &bench.task(json!({})),
            &["--local", file.to_str().unwrap()],
        )
        .fails(1, "git_failed");
    assert!(message(&document).contains("a-file"));
}

#[test]
fn push_rejected_by_push_protection() {
    let bench = Bench::new();
    bench.world.configure(|s| s.push_protection = true);
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(1, "push_rejected");
    assert!(
        message(&document).contains("GH013") && hint(&document).contains("secret"),
        "{document:#}"
    );
    assert_eq!(bench.world.tip("octo-dev", "demo-site"), None);
}

#[test]
fn git_authentication_is_told_apart() {
    let bench = Bench::new();
    bench.world.configure(|s| s.push_auth_fail = true);
    bench
        .go("run", &bench.task(json!({})), &[])
        .fails(4, "bad_token");
    bench.world.configure(|s| {
        s.push_auth_fail = false;
        s.push_403 = true;
    });
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(4, "forbidden");
    assert!(hint(&document).contains("Contents: write"), "{document:#}");
    bench.world.configure(|s| s.push_403 = false);
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
}

#[test]
fn llm_failed_without_fallback() {
    let bench = Bench::new();
    let document = bench
        .go(
            "run",
            &bench.task(json!({})),
            &["--no-llm", "--no-fallback"],
        )
        .fails(1, "llm_failed");
    assert!(!hint(&document).is_empty());
    assert!(bench.world.repos().is_empty());
}

#[test]
fn rate_limited_beyond_the_deadline() {
    let bench = Bench::new();
    bench.world.fault(Fault::once(
        Match::create(),
        Kind::Primary403 {
            reset_in_secs: 3000,
        },
    ));
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(75, "rate_limited");
    assert_eq!(document["status"], "pending");
    assert!(hint(&document).contains("again in"), "{document:#}");
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
}

#[test]
fn short_rate_limits_are_sat_out() {
    let bench = Bench::new();
    bench.world.fault(Fault::once(
        Match::create(),
        Kind::TooMany429 { retry_after: 1 },
    ));
    bench.world.fault(Fault::once(
        Match::pages_enable(),
        Kind::Secondary403 {
            retry_after: Some(1),
        },
    ));
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
}

#[test]
fn network() {
    let bench = Bench::new();
    let document = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("GITHUB_API_URL", "http://127.0.0.1:9")],
        )
        .fails(75, "network");
    assert_eq!(document["status"], "pending");
    assert!(hint(&document).contains("same command"));
}

#[test]
fn pages_pending_is_told_and_then_only_waited_for() {
    let bench = Bench::new();
    bench.world.configure(|s| s.pages_build_polls = 100_000);
    let task = bench.task(json!({}));
    let document = bench
        .go("run", &task, &["--pages-timeout", "1"])
        .fails(75, "pages_pending");
    assert_eq!(
        (document["status"].as_str(), document["pages"].as_str()),
        (Some("pending"), Some("pending"))
    );
    assert_eq!(
        bench.world.notifications().len(),
        1,
        "the notification does not wait for the page"
    );
    // Told again, it is still not over.
    bench.go("notify", &task, &[]).fails(75, "pages_pending");
    assert_eq!(
        bench.run(["status"]).exits(75).json()[0]["status"],
        "pending"
    );
    assert_eq!(bench.world.notifications().len(), 2);
    assert!(document["notification"]["delivered_at"].is_string());
    bench.world.configure(|s| s.pages_build_polls = 0);
    let pushes = bench.world.count(&Match::push());
    let done = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(
        (
            done["status"].as_str(),
            done["pages"].as_str(),
            done["resumed_from"].as_str()
        ),
        (Some("notified"), Some("live"), Some("deploy"))
    );
    assert_eq!(
        (
            bench.world.notifications().len(),
            bench.world.count(&Match::push())
        ),
        (2, pushes)
    );
}

#[test]
fn notify_pending_is_kept() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    let task = bench.task(json!({}));
    let document = bench
        .go("run", &task, &["--notify-for", "0"])
        .fails(75, "notify_pending");
    assert_eq!(document["status"], "pending");
    assert_eq!(
        (
            document["notification"]["attempts"].as_u64(),
            document["notification"]["http_status"].as_u64()
        ),
        (Some(1), Some(500))
    );
    assert_eq!(document["notification"]["delivered_at"], Value::Null);
    assert_eq!(
        std::fs::read_dir(bench.state().join("outbox"))
            .unwrap()
            .count(),
        1
    );
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(204));
    let before = bench.world.log().len();
    let done = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(
        (
            done["notification"]["attempts"].as_u64(),
            done["notification"]["http_status"].as_u64()
        ),
        (Some(2), Some(204))
    );
    assert_eq!(
        bench.world.log().len(),
        before + 1,
        "only the notification was left to do"
    );
    assert_eq!(
        std::fs::read_dir(bench.state().join("outbox"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn busy_says_who() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    bench.go("generate", &task, &[]).exits(0);
    let run = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .open(run.join("lock"))
        .unwrap();
    lock.lock().unwrap();
    std::fs::write(run.join("lock"), "4242").unwrap();
    let document = bench.go("run", &task, &[]).fails(75, "busy");
    assert!(message(&document).contains("4242"));
    drop(lock);
    bench.go("run", &task, &[]).exits(0);
}

#[test]
fn state() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    bench.go("commit", &task, &[]).exits(0);
    let run = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(run.join("commit.json"), "{\"version\":1,").unwrap();
    let document = bench.go("run", &task, &[]).fails(1, "state");
    assert!(
        message(&document).contains("commit.json") && hint(&document).contains("remove"),
        "{document:#}"
    );
    std::fs::remove_dir_all(&run).unwrap();
    bench.go("run", &task, &[]).exits(0);

    let file = bench.path("not-a-directory");
    std::fs::write(&file, "").unwrap();
    let document = bench
        .go_env(
            "run",
            &task,
            &[],
            &[("LLMDEPLOY_STATE_DIR", file.to_str().unwrap())],
        )
        .fails(1, "state");
    assert!(hint(&document).contains("--state-dir"));
}

#[test]
fn require_pushes_nothing_when_a_check_cannot_pass() {
    let bench = Bench::new();
    let task = bench.task(json!({"checks": [{"js": "document.title === 'never'"}]}));
    let document = bench
        .go("run", &task, &["--checks", "require"])
        .fails(3, "checks_failed");
    assert!(!hint(&document).is_empty());
    assert!(bench.world.repos().is_empty());
}

#[test]
fn a_foreign_clone_url_gets_no_token() {
    let bench = Bench::new();
    bench.world.configure(|s| {
        s.clone_url_override = Some("http://localhost:1/{owner}/{name}.git".to_owned());
    });
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(4, "forbidden");
    assert!(message(&document).contains("clone URL"), "{document:#}");
}

#[test]
fn help_and_version_are_text() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["generate", "-h"],
        &["notify", "--help"],
    ] {
        let ran = finish(bare(args)).exits(0);
        assert!(ran.stderr.is_empty() && !ran.stdout.starts_with('{'));
        if args.len() == 2 {
            assert!(
                ran.stdout.contains("Example:") && ran.stdout.contains("75"),
                "{}",
                ran.stdout
            );
        }
    }
}
