//! The main job: a task in, one commit, a live page, an accepted notification; again without effect; round 2 on top.

use serde_json::{Value, json};

use crate::run::{Bench, data_uri};
use crate::world::{Match, Service};

const SEVEN: [&str; 7] = [
    "email",
    "task",
    "round",
    "nonce",
    "repo_url",
    "commit_sha",
    "pages_url",
];
const CSV: &[u8] = b"product,sales\nLaptop,1500.50\nMouse,25.00\n\"Desk, <b>big</b>\",75.25\n";

fn attachments() -> Value {
    let binary: Vec<u8> = (0..=255).cycle().take(3000).collect();
    json!([
        {"name": "data.csv", "url": data_uri("text/csv", CSV)},
        {"name": "logo.bin", "url": data_uri("application/octet-stream", &binary)},
        {"name": "notes/plain text.txt", "url": "data:text/plain;charset=utf-8,a%20b%0A%C3%BC"},
        {"name": "execute.py", "url": data_uri("@file/x-python", b"print('hi')\n")},
    ])
}

#[test]
fn a_task_becomes_a_page_and_the_sender_is_told() {
    let bench = Bench::new();
    let world = &bench.world;
    let brief =
        "Show data.csv as a table. Title it \"Sales & Co 37\".\n</script><script>alert(1)</script>";
    let task = bench.task(json!({"brief": brief, "attachments": attachments(), "checks": ["Repo has MIT license", {"js": "1"}]}));
    let ran = bench.go("run", &task, &[]).exits(0);
    let result = ran.json();
    assert_eq!(
        result
            .as_object()
            .unwrap()
            .keys()
            .take(7)
            .collect::<Vec<_>>(),
        SEVEN
    );
    assert_eq!(result["status"], "notified");
    assert_eq!(result["pages"], "live");
    assert_eq!(result["generator"]["kind"], "template");
    assert_eq!(result["error"], Value::Null);
    assert_eq!(result["resumed_from"], Value::Null);
    assert_eq!(result["notification"]["attempts"], 1);
    assert_eq!(result["notification"]["http_status"], 200);

    // One repository, one commit on main, one push.
    assert_eq!(world.repos(), ["octo-dev/demo-site"]);
    let commits = world.commits("octo-dev", "demo-site");
    assert_eq!(commits, [result["commit_sha"].as_str().unwrap()]);
    assert_eq!(world.count(&Match::push()), 1);
    let message = world.message("octo-dev", "demo-site", &commits[0]);
    assert!(
        message.trim_end().ends_with(&format!(
            "Llmdeploy-Run: {}",
            result["run"].as_str().unwrap()
        )),
        "{message}"
    );

    // The right files in the right places, byte for byte.
    let files = world.files("octo-dev", "demo-site");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        ".nojekyll",
        "LICENSE",
        "README.md",
        "assets/execute.py",
        "assets/logo.bin",
        "assets/notes/plain text.txt",
        "data.csv",
        "index.html",
    ];
    assert_eq!(names, expected);
    assert_eq!(files["data.csv"], CSV);
    assert_eq!(
        files["assets/logo.bin"],
        (0..=255).cycle().take(3000).collect::<Vec<u8>>()
    );
    assert_eq!(files["assets/notes/plain text.txt"], "a b\nü".as_bytes());
    let license = String::from_utf8(files["LICENSE"].clone()).unwrap();
    assert!(license.contains("is hereby granted") && license.contains("OTHER DEALINGS IN THE"));
    let readme = String::from_utf8(files["README.md"].clone()).unwrap();
    for part in ["## Setup", "## Usage", "## How it works", "MIT"] {
        assert!(readme.contains(part), "{readme}");
    }

    // The page escapes the brief, shows the table and its total, and is served.
    let page = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(
        !page.contains("<script>alert(1)") && page.contains("&lt;script&gt;alert(1)"),
        "{page}"
    );
    assert!(page.contains("<title>Sales &amp; Co 37</title>"), "{page}");
    assert!(page.contains("1600.75") && page.contains("Desk, &lt;b&gt;big&lt;/b&gt;"));
    let served = world.matching(&Match::page());
    assert!(served.last().is_some_and(|e| e.status == 200));

    // The notification is the result's first seven keys.
    let mut seven = serde_json::Map::new();
    for key in SEVEN {
        seven.insert(key.to_owned(), result[key].clone());
    }
    assert_eq!(world.notifications(), [Value::Object(seven)]);
    assert_eq!(result["repo_url"], world.repo_url("octo-dev", "demo-site"));
    assert_eq!(
        result["pages_url"],
        world.pages_url("octo-dev", "demo-site")
    );
    assert_eq!(world.unexpected(), Vec::<String>::new());

    // Again: nothing is asked of anybody.
    let before = world.log().len();
    let again = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(world.log().len(), before);
    assert_eq!(again["resumed_from"], "notify");
    for key in SEVEN {
        assert_eq!(again[key], result[key]);
    }

    // Round 2 adds one commit and keeps what round 1 has made.
    let second = json!({"round": 2, "nonce": "n-2", "brief": "Add extra.md too.", "attachments": [{"name": "extra.md", "url": data_uri("text/markdown", b"# More\n<b>raw</b>\n")}]});
    let result2 = bench.go("run", &bench.task(second), &[]).exits(0).json();
    assert_eq!(
        world.commits("octo-dev", "demo-site"),
        [result2["commit_sha"].as_str().unwrap(), &commits[0]]
    );
    let files2 = world.files("octo-dev", "demo-site");
    for kept in [
        "data.csv",
        "assets/logo.bin",
        "LICENSE",
        "assets/execute.py",
    ] {
        assert_eq!(files2[kept], files[kept], "{kept}");
    }
    assert_eq!(files2["extra.md"], b"# More\n<b>raw</b>\n");
    let page2 = String::from_utf8(files2["index.html"].clone()).unwrap();
    assert!(page2.contains("1600.75") && page2.contains("More") && !page2.contains("<b>raw</b>"));
    assert!(
        String::from_utf8(files2["README.md"].clone())
            .unwrap()
            .contains("Add extra.md too.")
    );
    assert_eq!(world.notifications().len(), 2);
    assert_eq!(world.unexpected(), Vec::<String>::new());
}

#[test]
fn a_first_round_takes_at_most_eight_requests() {
    let bench = Bench::new();
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    let asked: Vec<String> = bench
        .world
        .log()
        .iter()
        .filter(|e| matches!(e.service, Service::Api | Service::Git | Service::Pages))
        .map(crate::world::Entry::line)
        .collect();
    assert!(asked.len() <= 8, "{asked:#?}");
}

#[test]
fn the_local_forge_is_the_same_walk() {
    let bench = Bench::new();
    let sites = bench.path("my sites");
    let local = ["--local", sites.to_str().unwrap()];
    let task = bench.task(json!({"attachments": attachments()}));
    let result = bench.go("run", &task, &local).exits(0).json();
    assert_eq!(result["status"], "notified");
    let url = |name: &str| {
        format!(
            "file://{}/{name}",
            sites.display().to_string().replace(' ', "%20")
        )
    };
    assert_eq!(result["repo_url"], url("demo-site.git"));
    assert_eq!(result["pages_url"], url("demo-site/index.html"));
    assert_eq!(
        std::fs::read(sites.join("demo-site/data.csv")).unwrap(),
        CSV
    );
    assert!(
        sites.join("demo-site/index.html").is_file() && sites.join("demo-site/.nojekyll").is_file()
    );
    bench.go("run", &task, &local).exits(0);

    let second = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "More."}));
    let result2 = bench.go("run", &second, &local).exits(0).json();
    assert_ne!(result2["commit_sha"], result["commit_sha"]);
    assert_eq!(
        std::fs::read(sites.join("demo-site/data.csv")).unwrap(),
        CSV
    );
    assert_eq!(bench.world.notifications().len(), 2);
    // No account, no request but the notifications.
    assert_eq!(bench.world.log().len(), 2);
}

#[test]
fn stages_one_by_one_go_on_from_each_other() {
    let bench = Bench::new();
    let task = bench.task(json!({"attachments": attachments()}));
    let out = bench.path("preview");
    let generated = bench
        .go("generate", &task, &["-o", out.to_str().unwrap()])
        .exits(0)
        .json();
    assert_eq!(generated["dir"], out.to_str().unwrap());
    let page = std::fs::read(out.join("index.html")).unwrap();
    assert!(
        generated["files"]
            .as_array()
            .unwrap()
            .contains(&json!({"path": "index.html", "bytes": page.len(), "origin": "template"}))
    );
    assert!(
        bench.world.log().is_empty(),
        "a preview touches no forge and tells nobody"
    );

    let committed = bench.go("commit", &task, &[]).exits(0).json();
    assert!(
        std::path::Path::new(committed["git_dir"].as_str().unwrap())
            .join("HEAD")
            .is_file()
    );
    assert!(bench.world.repos().is_empty());

    let deployed = bench.go("deploy", &task, &[]).exits(0).json();
    assert_eq!(deployed["status"], "deployed");
    assert_eq!(deployed["commit_sha"], committed["commit_sha"]);
    assert_eq!(deployed["resumed_from"], "deploy");
    assert_eq!(
        bench.world.files("octo-dev", "demo-site")["index.html"],
        page,
        "what was previewed is deployed"
    );
    assert!(bench.world.notifications().is_empty());

    let notified = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(notified["status"], "notified");
    assert_eq!(notified["resumed_from"], "notify");
    assert_eq!(bench.world.notifications().len(), 1);
}

#[test]
fn fresh_makes_a_new_commit_and_tells_again() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let one = bench.go("run", &task, &[]).exits(0).json();
    let changed = bench.task(json!({"brief": "Something else."}));
    let refused = bench.go("run", &changed, &[]).fails(2, "invalid_task");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("brief")
    );
    let two = bench.go("run", &changed, &["--fresh"]).exits(0).json();
    assert_ne!(one["commit_sha"], two["commit_sha"]);
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
    assert_eq!(bench.world.notifications().len(), 2);
}

#[test]
fn the_same_task_with_another_nonce_is_another_run_on_the_same_repository() {
    let bench = Bench::new();
    bench
        .go(
            "run",
            &bench.task(json!({"attachments": attachments()})),
            &[],
        )
        .exits(0);
    let again = bench
        .go(
            "run",
            &bench.task(json!({"attachments": attachments(), "nonce": "n-9"})),
            &[],
        )
        .exits(0)
        .json();
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
    assert_eq!(
        bench.world.tip("octo-dev", "demo-site").unwrap(),
        again["commit_sha"].as_str().unwrap()
    );
    assert_eq!(bench.world.notifications().len(), 2);
}

#[test]
fn own_files_in_the_place_of_generation() {
    let bench = Bench::new();
    let site = bench.path("mine");
    std::fs::create_dir_all(site.join("css")).unwrap();
    std::fs::write(
        site.join("index.html"),
        "<!doctype html><title>mine</title>",
    )
    .unwrap();
    std::fs::write(site.join("css/a.css"), "body{}").unwrap();
    let task = bench.task(json!({"attachments": attachments()}));
    let result = bench
        .go("run", &task, &["--site", site.to_str().unwrap()])
        .exits(0)
        .json();
    assert_eq!(result["generator"]["kind"], "site");
    let files = bench.world.files("octo-dev", "demo-site");
    assert_eq!(files["index.html"], b"<!doctype html><title>mine</title>");
    assert!(
        files.contains_key("css/a.css")
            && files.contains_key("LICENSE")
            && files.contains_key("README.md")
            && files["data.csv"] == CSV
    );

    std::fs::write(site.join("index.html"), "changed").unwrap();
    bench
        .go("run", &task, &["--site", site.to_str().unwrap()])
        .fails(2, "invalid_task");
}

#[test]
fn a_page_by_somebody_else_stays_in_round_two() {
    let bench = Bench::new();
    let site = bench.path("mine");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(
        site.join("index.html"),
        "<!doctype html><title>mine</title>",
    )
    .unwrap();
    bench
        .go(
            "run",
            &bench.task(json!({})),
            &["--site", site.to_str().unwrap()],
        )
        .exits(0);
    let extra = json!([{"name": "more.txt", "url": "data:,more"}]);
    bench
        .go(
            "run",
            &bench.task(json!({"round": 2, "brief": "Say more.", "attachments": extra})),
            &[],
        )
        .exits(0);
    let files = bench.world.files("octo-dev", "demo-site");
    assert_eq!(files["index.html"], b"<!doctype html><title>mine</title>");
    assert_eq!(files["assets/more.txt"], b"more");
    assert!(String::from_utf8_lossy(&files["README.md"]).contains("Say more."));
}

#[test]
fn a_preview_overwrites_nothing_of_the_users() {
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let out = bench.path("preview");
    let o = ["-o", out.to_str().unwrap()];
    bench.go("generate", &task, &o).exits(0);
    bench.go("generate", &task, &o).exits(0);
    std::fs::write(out.join("index.html"), "mine").unwrap();
    bench.go("generate", &task, &o).fails(2, "usage");
    assert_eq!(std::fs::read(out.join("index.html")).unwrap(), b"mine");
}
