//! No token, key or shared secret in argv, an environment, a URL, a config, a file, a log, an error or a commit.

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use serde_json::json;

use crate::run::{Bench, data_uri, finish};
use crate::world::Service;

const SHARED: &str = "the-shared-secret-77";

/// A key in the shape of the real ones, put together here so that scanners of this repository find nothing.
fn llm_key() -> String {
    ["sk", "-proj-", &"Ab1".repeat(16)].concat()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|w| w == needle.as_bytes())
}

#[test]
fn nothing_secret_is_seen_anywhere() {
    let bench = Bench::new();
    let world = &bench.world;
    let (token, key) = (world.token(), llm_key());
    world.configure(|s| s.secrets = vec![SHARED.to_owned(), key.clone()]);
    // A git before the real one writes down what every call of ours is given.
    let bin = bench.path("bin");
    let seen = bench.path("seen");
    std::fs::create_dir_all(&bin).unwrap();
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|d| d.join("git"))
        .find(|p| p.is_file())
        .unwrap();
    let script = format!(
        "#!/bin/sh\n{{ echo \"argv: $*\"; env; }} >> {}\nexec {} \"$@\"\n",
        seen.display(),
        real.display()
    );
    std::fs::write(bin.join("git"), script).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let attachments = json!([{"name": "data.csv", "url": data_uri("text/csv", b"a,b\n1,2\n")}]);
    for round in [1, 2] {
        let task = bench.task(json!({"secret": SHARED, "round": round, "nonce": format!("n-{round}"), "attachments": attachments}));
        let file = bench.write_task("task.json", &task);
        let mut command = bench.command([
            "run".as_ref(),
            file.as_os_str(),
            "-v".as_ref(),
            "--no-llm".as_ref(),
        ]);
        command
            .env("PATH", &path)
            .env("LLMDEPLOY_SECRET", SHARED)
            .env("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1")
            .env("OPENAI_API_KEY", &key)
            .env("GIT_TRACE", "1")
            .env("GIT_DIR", "/nowhere");
        let ran = finish(command).exits(0);
        for secret in [token.as_str(), SHARED, key.as_str()] {
            assert!(
                !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                "{ran:?}"
            );
        }
        assert!(
            ran.stderr.contains("git push"),
            "-v shows the commands: {}",
            ran.stderr
        );
    }
    let seen = std::fs::read(&seen).unwrap();
    let text = String::from_utf8_lossy(&seen);
    assert!(
        text.contains("argv: push") && text.contains("argv: fetch"),
        "{text}"
    );
    let state = bench.state_text();
    for secret in [token.as_str(), SHARED, key.as_str()] {
        for form in [
            secret.to_owned(),
            base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{secret}")),
        ] {
            assert!(!holds(&seen, &form), "a child of ours was given a secret");
            assert!(!holds(&state, &form), "the state directory holds a secret");
        }
    }
    assert!(
        !text.contains("GIT_TRACE")
            && !text.contains("/nowhere")
            && !text.contains("GH_TOKEN")
            && !text.contains("OPENAI")
    );
    // The token went to the API and to git, and in no URL. The double notes every secret that stands where it does not belong.
    for entry in world.log() {
        assert!(!entry.path.contains(&token) && !entry.query.contains(&token));
        if matches!(entry.service, Service::Pages | Service::Eval) {
            assert!(entry.header("authorization").is_none());
        }
    }
    assert_eq!(world.unexpected(), Vec::<String>::new());
    for bytes in world.files("octo-dev", "demo-site").values() {
        assert!(!holds(bytes, SHARED));
    }
}

#[test]
fn a_commit_with_a_secret_is_stopped() {
    let bench = Bench::new();
    let token = bench.world.token();
    let other = ["gh", "p_", &"Zx9".repeat(12)].concat();
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("user:{token}"));
    let hex: String = SHARED.bytes().map(|b| format!("{b:02x}")).collect();
    for (n, (text, place)) in [
        (format!("one\ntwo\nkey = {other}\n"), "notes.txt:3"),
        (format!("{token}\n"), "notes.txt:1"),
        (format!("a\n{encoded}\n"), "notes.txt:2"),
        (format!("{hex}\n"), "notes.txt:1"),
    ]
    .into_iter()
    .enumerate()
    {
        let attachments =
            json!([{"name": "notes.txt", "url": data_uri("text/plain", text.as_bytes())}]);
        let task = bench
            .task(json!({"secret": SHARED, "nonce": format!("n-{n}"), "attachments": attachments}));
        let ran = bench.go_env(
            "run",
            &task,
            &[],
            &[
                ("LLMDEPLOY_SECRET", SHARED),
                ("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1"),
            ],
        );
        for secret in [token.as_str(), other.as_str(), SHARED, encoded.as_str()] {
            assert!(
                !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                "{ran:?}"
            );
        }
        let document = ran.fails(1, "secret_found");
        assert!(
            document["error"]["message"]
                .as_str()
                .unwrap()
                .contains(place),
            "{document:#}"
        );
    }
    assert!(bench.world.repos().is_empty(), "nothing was pushed");
}

#[test]
fn the_repositorys_description_is_searched_too() {
    let bench = Bench::new();
    let site = bench.path("mine");
    std::fs::create_dir_all(&site).unwrap();
    for name in ["index.html", "README.md"] {
        std::fs::write(site.join(name), "nothing of the brief").unwrap();
    }
    let task = bench.task(json!({"secret": SHARED, "brief": format!("Use {SHARED} to log in.")}));
    let document = bench
        .go_env(
            "run",
            &task,
            &["--site", site.to_str().unwrap()],
            &[
                ("LLMDEPLOY_SECRET", SHARED),
                ("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1"),
            ],
        )
        .fails(1, "secret_found");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("description"),
        "{document:#}"
    );
    assert!(bench.world.repos().is_empty());
}

#[test]
fn a_known_shape_may_be_allowed_by_its_digest() {
    let bench = Bench::new();
    let other = ["gh", "p_", &"Zx9".repeat(12)].concat();
    let task = bench.task(json!({"attachments": [{"name": "notes.txt", "url": data_uri("text/plain", other.as_bytes())}]}));
    let document = bench.go("run", &task, &[]).fails(1, "secret_found");
    let hint = document["error"]["hint"].as_str().unwrap();
    let digest = hint.rsplit(' ').next().unwrap();
    bench.go("run", &task, &["--allow-secret", digest]).exits(0);
    bench
        .go(
            "run",
            &bench.task(json!({"nonce": "n-3"})),
            &["--allow-secret", "nonsense"],
        )
        .fails(2, "usage");
}

/// Nobody's, in the shape of a real one.
fn found_by_shape() -> String {
    ["gh", "p_", "4fJ0qZ9wXl2RtY7uIo3PaSd5FgHj6KmNxCvB"].concat()
}

/// A page that shows this text.
fn page_with(text: &str) -> String {
    crate::model::PAGE.replacen("</body>", &format!("<p>{text}</p></body>"), 1)
}

#[test]
fn a_secret_of_the_models_is_told_to_it_and_then_the_template_is_used() {
    use crate::model::{Asked, PAGE, script, turn};
    let other = found_by_shape();
    for mends in [true, false] {
        let bench = Bench::new();
        let bad = page_with(&other);
        let answer =
            |page: String| turn(move |asked: &Asked| asked.files(&[("index.html", &page)]));
        let second = if mends {
            PAGE.to_owned()
        } else {
            page_with(&format!("{other} again"))
        };
        script(
            &bench,
            vec![answer(bad), answer(second.clone()), answer(second)],
        );
        let env = [
            ("OPENAI_BASE_URL", bench.world.llm_url()),
            ("LLMDEPLOY_BROWSER", crate::model::NO_BROWSER.to_owned()),
        ];
        let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let document = bench
            .go_env("run", &bench.task(json!({})), &[], &env)
            .exits(0)
            .json();
        let kind = if mends { "llm" } else { "template" };
        assert_eq!(document["generator"]["kind"], kind, "{document:#}");
        let asked = bench.world.requests(Service::Llm);
        let told = asked[1].text();
        assert!(
            told.contains("index.html:") && told.contains("GitHub token"),
            "{told}"
        );
        assert!(!document.to_string().contains(&other));
        for bytes in bench.world.files("octo-dev", "demo-site").values() {
            assert!(!holds(bytes, &other));
        }
    }
}

#[test]
fn previews_and_what_a_task_says_of_itself_are_searched_too() {
    let bench = Bench::new();
    let attachments =
        json!([{"name": "notes.txt", "url": data_uri("text/plain", found_by_shape().as_bytes())}]);
    let task = bench.task(json!({"attachments": attachments}));
    bench
        .go("generate", &task, &["-o", "out"])
        .fails(1, "secret_found");
    assert!(!bench.path("out").exists());
    for field in ["nonce", "email", "task"] {
        let task = bench.task(json!({"secret": SHARED, field: SHARED, "evaluation_url": null}));
        let ran = bench.go_env("run", &task, &[], &[("LLMDEPLOY_SECRET", SHARED)]);
        assert!(
            !ran.stdout.contains(SHARED) && !ran.stderr.contains(SHARED),
            "{ran:?}"
        );
        let document = ran.fails(1, "secret_found");
        assert!(
            document["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(field)
        );
        assert!(!holds(&bench.state_text(), SHARED));
    }
    assert!(bench.world.log().is_empty());
}
