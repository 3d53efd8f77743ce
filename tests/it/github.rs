//! GitHub as it really behaves: slow, forgetful for seconds, stale, shared with others.

use std::time::Duration;

use serde_json::json;

use crate::run::Bench;
use crate::world::{Fault, Kind, Match};

#[test]
fn a_young_repository_that_is_not_seen_yet() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.fresh_404 = Duration::from_millis(300));
    bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("LLMDEPLOY_RETRY_BASE_MS", "50")],
        )
        .exits(0);
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
}

#[test]
fn a_page_that_is_built_late_and_served_stale() {
    let bench = Bench::new();
    bench.world.configure(|s| {
        s.pages_build_polls = 3;
        s.pages_stale = Duration::from_millis(200);
    });
    for round in [1, 2] {
        let task = bench.task(json!({"round": round, "nonce": format!("n-{round}"), "brief": format!("Round {round}.")}));
        bench.go("run", &task, &[]).exits(0);
        let served = bench.world.matching(&Match::page());
        assert_eq!(served.last().unwrap().status, 200);
        let files = bench.world.files("octo-dev", "demo-site");
        assert!(String::from_utf8_lossy(&files["index.html"]).contains(&format!("Round {round}.")));
    }
    // Each look asks with a query of its own, or a cached 404 would be seen for minutes.
    let mut queries: Vec<_> = bench
        .world
        .matching(&Match::page())
        .iter()
        .map(|e| e.query.clone())
        .collect();
    let all = queries.len();
    queries.sort();
    queries.dedup();
    assert_eq!(queries.len(), all);
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn pages_by_workflow_is_left_to_the_workflow() {
    let bench = Bench::new();
    bench.world.configure(|s| s.pages_workflow = true);
    let result = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
    assert_eq!(result["pages"], "live");
    assert!(bench.world.count(&Match::deployments()) > 0);
}

#[test]
fn pages_on_another_branch_is_pointed_at_main() {
    let bench = Bench::new();
    let world = &bench.world;
    world.make_repo("octo-dev", "demo-site", &[("old.txt", b"old")], "By hand");
    world.git("octo-dev", "demo-site", &["branch", "gh-pages", "main"]);
    world.enable_pages_on("octo-dev", "demo-site", "gh-pages");
    let result = bench
        .go("run", &bench.task(json!({})), &["--adopt"])
        .exits(0)
        .json();
    assert_eq!(result["pages"], "live");
    assert_eq!(
        (
            world.count(&Match::pages_update()),
            world.count(&Match::build_request())
        ),
        (1, 1)
    );
    assert_eq!(world.unexpected(), Vec::<String>::new());
}

#[test]
fn pages_that_is_on_already_is_read() {
    let bench = Bench::new();
    // Somebody turns it on between our push and our request: 409.
    bench.world.before(Match::pages_enable(), 1, |w| {
        w.enable_pages("octo-dev", "demo-site");
    });
    let result = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
    assert_eq!(
        result["pages_url"],
        bench.world.pages_url("octo-dev", "demo-site")
    );
    assert_eq!(bench.world.count(&Match::pages_get()), 1);
}

#[test]
fn the_loser_of_a_race_commits_on_the_new_tip() {
    let bench = Bench::new();
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    bench.world.before(Match::push(), 3, |w| {
        w.push_foreign(
            "octo-dev",
            "demo-site",
            &[("other.txt", b"other")],
            &format!("faster {}", w.count(&Match::push())),
        );
    });
    let result = bench
        .go(
            "run",
            &bench.task(json!({"round": 2, "nonce": "n-2", "brief": "More."})),
            &[],
        )
        .exits(0)
        .json();
    let commits = bench.world.commits("octo-dev", "demo-site");
    assert_eq!(commits[0], result["commit_sha"].as_str().unwrap());
    let ours = commits
        .iter()
        .filter(|c| {
            bench
                .world
                .message("octo-dev", "demo-site", c)
                .contains(result["run"].as_str().unwrap())
        })
        .count();
    assert_eq!((ours, commits.len()), (1, 5));
    assert_eq!(
        bench.world.files("octo-dev", "demo-site")["other.txt"],
        b"other"
    );
}

#[test]
fn a_race_that_never_ends_is_busy() {
    let bench = Bench::new();
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    bench.world.before(Match::push(), 100, |w| {
        w.push_foreign(
            "octo-dev",
            "demo-site",
            &[("other.txt", b"other")],
            &format!("faster {}", w.count(&Match::push())),
        );
    });
    let second = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "More."}));
    bench.go("run", &second, &[]).fails(75, "busy");
    assert!(bench.world.count(&Match::push()) <= 7);
}

#[test]
fn an_organisation_as_owner() {
    let bench = Bench::new();
    bench.world.configure(|s| s.orgs = vec!["lab".to_owned()]);
    let result = bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("GITHUB_OWNER", "lab")],
        )
        .exits(0)
        .json();
    assert_eq!(result["repo_url"], bench.world.repo_url("lab", "demo-site"));
    let other = bench
        .go_env(
            "run",
            &bench.task(json!({"nonce": "n-2"})),
            &["--owner", "octo-dev"],
            &[("GITHUB_OWNER", "lab")],
        )
        .exits(0)
        .json();
    assert_eq!(
        other["repo_url"],
        bench.world.repo_url("octo-dev", "demo-site")
    );
}

#[test]
fn names_and_descriptions_that_github_takes() {
    let bench = Bench::new();
    for (n, id) in ["ünï cödé / task", "x.git", "..", &"long-".repeat(40)]
        .into_iter()
        .enumerate()
    {
        let brief = format!("Line one\nline\ttwo \u{7} {}", "word ".repeat(200));
        let task = bench.task(json!({"task": id, "nonce": format!("n-{n}"), "brief": brief}));
        let result = bench.go("run", &task, &[]).exits(0).json();
        assert!(
            result["repo_url"].as_str().unwrap().len() < 200,
            "{result:#}"
        );
    }
    for entry in bench.world.matching(&Match::create()) {
        let description = entry.json()["description"].as_str().unwrap().to_owned();
        assert!(description.chars().count() <= 350 && !description.contains(char::is_control));
        assert_eq!(entry.json()["private"], false);
    }
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn the_author_is_the_accounts_noreply_address() {
    let bench = Bench::new();
    bench.world.configure(|s| s.private_email = true);
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    let author = bench.world.git(
        "octo-dev",
        "demo-site",
        &["log", "-1", "--format=%an <%ae> %cn <%ce>", "main"],
    );
    assert_eq!(
        author.trim(),
        "octo-dev <583231+octo-dev@users.noreply.github.com> octo-dev <583231+octo-dev@users.noreply.github.com>"
    );
}

#[test]
fn a_lost_state_directory_is_made_up_for_by_the_remote() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let one = bench.go("run", &task, &[]).exits(0).json();
    std::fs::remove_dir_all(bench.state()).unwrap();
    let two = bench.go("run", &task, &[]).exits(0).json();
    for key in ["repo_url", "commit_sha", "pages_url", "run"] {
        assert_eq!(one[key], two[key]);
    }
    assert_eq!(
        (
            two["resumed_from"].as_str(),
            two["generator"]["kind"].as_str()
        ),
        (Some("deploy"), Some("template"))
    );
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
    assert_eq!(bench.world.count(&Match::push()), 1);
    let told = bench.world.notifications();
    assert_eq!(told[0], told[1]);
    // And the same run with other content is noticed without any state.
    std::fs::remove_dir_all(bench.state()).unwrap();
    let document = bench
        .go("run", &bench.task(json!({"brief": "Other."})), &[])
        .fails(2, "invalid_task");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("brief")
    );
}

#[test]
fn slow_answers_are_given_up_and_asked_for_again() {
    let bench = Bench::new();
    bench.world.fault(Fault::once(
        Match::user(),
        Kind::Hang(Duration::from_secs(60)),
    ));
    bench
        .go_env(
            "run",
            &bench.task(json!({})),
            &[],
            &[("LLMDEPLOY_TIMEOUT_MS", "500")],
        )
        .exits(0);
}

#[test]
fn attachments_from_the_web() {
    let bench = Bench::new();
    let good = bench.world.tls_file("/data.csv", b"a,b\n1,2\n".to_vec());
    let large = bench.world.tls_file("/large.bin", vec![7; (25 << 20) + 1]);
    let authority = bench.world.ca_file();
    // The double is on this machine: its host is listed, as a private one has to be.
    let env = [
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
        ("LLMDEPLOY_FETCH_HOSTS", "localhost"),
    ];
    let task = |name: &str, url: &str| {
        bench.task(json!({"nonce": name, "attachments": [{"name": "data.csv", "url": url}]}))
    };
    bench.go_env("run", &task("a", &good), &[], &env).exits(0);
    assert_eq!(
        bench.world.files("octo-dev", "demo-site")["data.csv"],
        b"a,b\n1,2\n"
    );
    let document = bench
        .go_env("run", &task("b", &large), &[], &env)
        .fails(2, "invalid_task");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("attachments[0].url"),
        "{document:#}"
    );
    let missing = good.replace("data.csv", "missing.csv");
    bench
        .go_env("run", &task("c", &missing), &[], &env)
        .fails(2, "invalid_task");
    // Without the certificate the host is not believed.
    bench
        .go_env("run", &task("d", &good), &[], &env[1..])
        .fails(75, "network");
}
