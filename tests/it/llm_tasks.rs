//! Whole tasks, from JSON to pushed commit, with a model that first does it wrong in the ways seen in practice.

use serde_json::{Value, json};

use crate::model::{PAGE, calls, go, kind, pushed, script, task, text_of, turn};
use crate::run::{Bench, data_uri};
use crate::world::{LlmAnswer, Match};
use crate::xlsx;

const NINE: &str = "\
Publish these files as a site:

- island.txt: Write a 20-30 word story about an island.
- choice.json: Which road should be taken?
  Fill in {roads: 2, first: {taken: bool, reason: str}}
- me.md: Describe yourself in three words.
- heron.svg: Draw a heron.
- cafe.json: Recommend a cafe in Oslo. Fill in `{city: \"Oslo\", lat: float, long: float, name: str}`
- forecast.json: A forecast. Fill in `{rate: float (0-1, e.g. 0.04), reason: str}`
- index.html: A homepage that links to all files above
- LICENSE: An MIT license file.
- uid.txt: Upload the uid attachment as-is
";

#[test]
fn nine_files() {
    let bench = Bench::new();
    let checks = json!([
        "Each required file exists",
        "uid.txt matches the attached uid.txt",
        "me.md contains exactly three words",
        "heron.svg is valid SVG"
    ]);
    let task = task(
        &bench,
        json!({"brief": NINE, "checks": checks, "attachments": [{"name": "uid.txt", "url": data_uri("text/plain", b"10663")}]}),
    );
    let links = "<!DOCTYPE html><html><body><a href=\"island.txt\">1</a><a href=\"choice.json\">2</a><a href=\"me.md\">3</a><a href=\"heron.svg\">4</a><a href=\"cafe.json\">5</a>\
                 <a href=\"forecast.json\">6</a><a href=\"LICENSE\">7</a><a href=\"uid.txt\">8</a></body></html>";
    let story = "word ".repeat(25);
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"4\"/></svg>";
    let cafe = "{\"city\": \"Oslo\", \"lat\": 59.9, \"long\": 10.7, \"name\": \"A\"}";
    let fine = story.clone();
    let asked = script(
        &bench,
        vec![
            // The page alone, in a fence, linking to what is not there; its own uid.txt.
            turn(move |a| {
                LlmAnswer::text(&format!(
                    "{}<<<FILE uid.txt {w}>>>\n1\n<<<END {w}>>>",
                    a.blocks(&[("index.html", &format!("```html\n{links}\n```"))]),
                    w = a.word
                ))
            }),
            // All files, most of them wrong.
            turn(move |a| {
                a.files(&[
                    ("island.txt", "An island."),
                    ("choice.json", "{\"roads\": 2}"),
                    ("me.md", "helpful and honest and kind"),
                    (
                        "heron.svg",
                        "<svg xmlns=\"http://www.w3.org/2000/svg\"><g></svg>",
                    ),
                    ("cafe.json", &format!("Here is the file:\n{cafe}")),
                    ("forecast.json", "{\"rate\": 0.04, \"reason\": \"r\",}"),
                ])
            }),
            turn(move |a| {
                a.files(&[
                    ("island.txt", &fine),
                    (
                        "choice.json",
                        "{\"roads\": 2, \"first\": {\"taken\": true, \"reason\": \"r\"}}",
                    ),
                    ("me.md", "helpful, honest, kind"),
                    ("heron.svg", svg),
                    ("cafe.json", cafe),
                    ("forecast.json", "{\"rate\": 0.04, \"reason\": \"r\"}"),
                ])
            }),
        ],
    );
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 3), "{result:#}");
    let files = pushed(&bench);
    let names = [
        ".nojekyll",
        "LICENSE",
        "README.md",
        "cafe.json",
        "choice.json",
        "forecast.json",
        "heron.svg",
        "index.html",
        "island.txt",
        "me.md",
        "uid.txt",
    ];
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(
        (
            files["uid.txt"].as_str(),
            files["me.md"].as_str(),
            files["island.txt"].trim()
        ),
        ("10663", "helpful, honest, kind\n", story.trim())
    );
    assert!(files["index.html"].starts_with("<!DOCTYPE html>"));
    let asked = asked.lock().unwrap();
    for part in [
        "island.txt is missing",
        "forecast.json is missing",
        "heron.svg is missing",
    ] {
        assert!(asked[1].last.contains(part), "{part}: {}", asked[1].last);
    }
    for part in [
        "island.txt has 2 words; the brief asks for 20 to 30",
        "choice.json lacks the key \"first\"",
        "me.md has 5 words",
        "heron.svg is not valid SVG",
        "cafe.json is not valid JSON",
        "forecast.json is not valid JSON",
    ] {
        assert!(asked[2].last.contains(part), "{part}: {}", asked[2].last);
    }
}

#[test]
fn facts_come_from_their_source() {
    let bench = Bench::new();
    let url = bench.world.tls_file(
        "/facts.json",
        br#"{"entityName": "Acme", "val": 1234567}"#.to_vec(),
    );
    let host = url
        .split('/')
        .nth(2)
        .unwrap()
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    let task = task(
        &bench,
        json!({"brief": format!("Fetch {url} and save data.json with its entityName and val."), "checks": ["data.json has 'val' field"]}),
    );
    let (fetch, again) = (url.clone(), url.clone());
    let turns = move || {
        let (fetch, again) = (fetch.clone(), again.clone());
        vec![
            turn(move |a| {
                assert!(a.last.contains("<<<FETCH"), "the way to ask is told");
                LlmAnswer::text(&format!(
                    "<<<FETCH {fetch} {w}>>>\n<<<FETCH https://169.254.169.254/latest/meta-data {w}>>>\n<<<FETCH file:///etc/passwd {w}>>>",
                    w = a.word
                ))
            }),
            turn(move |a| {
                let value = if a.last.contains("{\"entityName\":\"Acme\",\"val\":1234567}") {
                    1_234_567
                } else {
                    0
                };
                assert!(a.last.contains(&format!("begin {again}")) || value == 0);
                a.files(&[
                    ("index.html", PAGE),
                    (
                        "data.json",
                        &json!({"entityName": "Acme", "val": value}).to_string(),
                    ),
                ])
            }),
        ]
    };
    let asked = script(&bench, turns());
    let (ca, llm) = (bench.world.ca_file(), bench.world.llm_url());
    let env = [
        ("OPENAI_BASE_URL", llm.as_str()),
        ("LLMDEPLOY_FETCH_HOSTS", host.as_str()),
        ("SSL_CERT_FILE", ca.to_str().unwrap()),
    ];
    let result = bench.go_env("run", &task, &[], &env).exits(0).json();
    assert_eq!(kind(&result), "llm", "{result:#}");
    assert!(pushed(&bench)["data.json"].contains("1234567"));
    let told = asked.lock().unwrap()[1].last.clone();
    assert!(
        told.contains("meta-data could not be fetched: 169.254.169.254 is not among the hosts")
            && told.contains("passwd could not be fetched: not an http"),
        "{told}"
    );

    // On tape, with what stood at the addresses: no network, and the source may have changed or be gone.
    let tape = bench.path("tape");
    let record = ["--record", tape.to_str().unwrap(), "--fresh"];
    script(&bench, turns());
    bench.go_env("generate", &task, &record, &env).exits(0);
    bench.world.tls_file("/facts.json", b"gone".to_vec());
    let replay = [
        "--replay",
        tape.to_str().unwrap(),
        "--fresh",
        "-o",
        "replayed",
    ];
    let seen = bench.world.log().len();
    let result = bench
        .go_env(
            "generate",
            &task,
            &replay,
            &[("LLMDEPLOY_FETCH_HOSTS", &host)],
        )
        .exits(0)
        .json();
    assert_eq!(
        (kind(&result), bench.world.log().len()),
        ("replay", seen),
        "{result:#}"
    );
    assert!(
        std::fs::read_to_string(bench.path("replayed/data.json"))
            .unwrap()
            .contains("1234567")
    );
    std::fs::remove_dir_all(tape.join("facts")).unwrap();
    let failed = bench
        .go_env("generate", &task, &replay, &[])
        .fails(1, "llm_failed");
    assert!(
        failed["error"]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("what stands at {url} was not recorded")),
        "{failed:#}"
    );

    // Without the list the very same host is a private one, and nothing but https to the public is tried.
    let asked = script(&bench, turns());
    let env = [
        ("OPENAI_BASE_URL", llm.as_str()),
        ("SSL_CERT_FILE", ca.to_str().unwrap()),
    ];
    bench.go_env("generate", &task, &["--fresh"], &env).exits(0);
    let told = asked.lock().unwrap()[1].last.clone();
    assert_eq!(told.matches("its address is private").count(), 2, "{told}");
}

#[test]
fn no_fetch_is_kept_to() {
    let bench = Bench::new();
    let asked = script(
        &bench,
        vec![
            turn(|a| {
                assert!(!a.last.contains("<<<FETCH"));
                LlmAnswer::text(&format!("<<<FETCH https://example.org/a {}>>>", a.word))
            }),
            turn(|a| a.files(&[("index.html", PAGE)])),
        ],
    );
    let result = go(
        &bench,
        "generate",
        &task(&bench, json!({"brief": "A page"})),
        &["--no-fetch"],
    )
    .exits(0)
    .json();
    assert!(
        kind(&result) == "llm"
            && asked.lock().unwrap()[1]
                .last
                .contains("Nothing more can be fetched")
    );
}

#[test]
fn a_fixed_script_a_converted_sheet_and_a_workflow() {
    let bench = Bench::new();
    let book = xlsx::book(&[
        &["date", "region", "units", "price"],
        &["d:45658", "North, A", "3", "19.99"],
        &["d:45659", "South", "10", "2.5"],
    ]);
    let brief = "You are given execute.py and data.xlsx.\n\n- Commit execute.py after fixing the error in it.\n- Convert data.xlsx to data.csv and commit it.\n\
                 - Add a GitHub Actions push workflow at .github/workflows/ci.yml that runs: python execute.py > result.json\n- Do not commit result.json; it is generated in CI.";
    let checks = json!([
        "execute.py, data.csv, and .github/workflows/ci.yml exist",
        "result.json is NOT committed",
        "data.csv content equals data.xlsx (attachment)"
    ]);
    let attachments = json!([
        {"name": "execute.py", "url": data_uri("@file/x-python", b"print(revenew)\n")},
        {"name": "data.xlsx", "url": data_uri("@file/zip", &book)},
    ]);
    let task = task(
        &bench,
        json!({"brief": brief, "checks": checks, "attachments": attachments}),
    );
    let workflow = "on: push\njobs: {}\n";
    let asked = script(
        &bench,
        vec![
            // Figures typed by hand, the result made up, nothing fixed.
            turn(|a| {
                a.files(&[
                    ("index.html", PAGE),
                    ("data.csv", "date,region\n1,2\n"),
                    ("result.json", "{}"),
                    ("data.xlsx", "x"),
                ])
            }),
            turn(move |a| {
                let files = a.blocks(&[
                    ("execute.py", "print(revenue)"),
                    (".github/workflows/ci.yml", workflow),
                ]);
                LlmAnswer::text(&format!(
                    "{files}<<<CONVERT data.xlsx data.csv {w}>>>\n<<<DELETE result.json {w}>>>\n",
                    w = a.word
                ))
            }),
        ],
    );
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(
        (kind(&result), &result["generator"]["changed_attachments"]),
        ("llm", &json!(["execute.py"])),
        "{result:#}"
    );
    let files = bench.world.files("octo-dev", "demo-site");
    assert_eq!(
        files["data.csv"],
        b"date,region,units,price\n2025-01-01,\"North, A\",3,19.99\n2025-01-02,South,10,2.5\n"
    );
    assert_eq!(
        (
            files["execute.py"].as_slice(),
            files["data.xlsx"].as_slice()
        ),
        (b"print(revenue)\n".as_slice(), book.as_slice())
    );
    assert_eq!(files[".github/workflows/ci.yml"], workflow.as_bytes());
    assert!(!files.contains_key("result.json"));
    let statuses: Vec<_> = result["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {}", c["kind"], c["status"]))
        .collect();
    assert_eq!(statuses, vec!["\"file\" \"passed\""; 3], "{result:#}");
    let asked = asked.lock().unwrap();
    assert!(
        asked[0]
            .last
            .contains("date,region,units,price\n2025-01-01,\"North, A\",3,19.99")
            && asked[0].last.contains("print(revenew)"),
        "{}",
        asked[0].last
    );
    for part in [
        "execute.py is missing",
        ".github/workflows/ci.yml is missing",
        "result.json must not be committed",
    ] {
        assert!(asked[1].last.contains(part), "{part}: {}", asked[1].last);
    }
}

#[test]
fn a_file_whose_name_ends_like_one_to_be_fixed_is_not_to_be_changed() {
    let bench = Bench::new();
    let attachment =
        |name: &str| json!({"name": name, "url": data_uri("text/x-python", b"print(1)")});
    let attachments = json!([attachment("data.py"), attachment("my_data.py")]);
    let brief = "Fix data.py. Also show my_data.py unchanged.";
    let prompt = bench
        .go(
            "generate",
            &task(&bench, json!({"brief": brief, "attachments": attachments})),
            &["--print-prompt"],
        )
        .exits(0)
        .stdout;
    assert!(
        prompt.contains(
            "- my_data.py (from the brief): attached, in the site already; do not send it"
        ),
        "{prompt}"
    );
    assert!(
        !prompt
            .contains("- data.py (from the brief): attached, in the site already; do not send it"),
        "{prompt}"
    );
}

/// Between its two cells lie 17 billion empty ones, which nobody has memory for.
#[test]
fn a_sheet_that_claims_the_whole_grid_does_not_end_the_program() {
    let bench = Bench::new();
    let book = xlsx::corners();
    assert!(book.len() < 4_000);
    let attachments = json!([{"name": "data.xlsx", "url": data_uri("@file/zip", &book)}]);
    let ran = bench.go(
        "generate",
        &task(
            &bench,
            json!({"brief": "Show data.xlsx", "attachments": attachments}),
        ),
        &["--print-prompt"],
    );
    let prompt = ran.exits(0).stdout;
    assert!(
        prompt.contains("it does not read: sheet \"Sales\" has more than 5000000 cells"),
        "{prompt}"
    );
}

fn round(bench: &Bench, n: u64, brief: &str, check: &str) -> Value {
    task(
        bench,
        json!({"round": n, "nonce": format!("n-{n}"), "brief": brief, "checks": [{"js": check}]}),
    )
}

#[test]
fn round_three_is_told_of_round_one() {
    for lose_state in [false, true] {
        let bench = Bench::new();
        let page = |parts: &str| format!("<!DOCTYPE html>\n<html><body>{parts}</body></html>");
        let (one, two, three) = (
            page("<p id=\"total\">1</p>"),
            page("<p id=\"total\">1</p><table></table>"),
            page("<p id=\"total\">1</p><table></table><button></button>"),
        );
        let rounds = [
            ("Show #total.", "total()", one),
            ("Add a table.", "table()", two),
            ("Add a button.", "button()", three),
        ];
        for (n, (brief, check, html)) in rounds.into_iter().enumerate() {
            if lose_state {
                let _ = std::fs::remove_dir_all(bench.state());
            }
            let task = round(&bench, n as u64 + 1, brief, check);
            let extra = format!("round {}", n + 1);
            let asked = script(
                &bench,
                vec![turn(move |a| {
                    a.files(&[
                        ("index.html", &html),
                        (if n == 2 { "b.js" } else { "a.js" }, &extra),
                        ("README.md", "# Mine"),
                    ])
                })],
            );
            let result = go(&bench, "run", &task, &[]).exits(0).json();
            assert_eq!(kind(&result), "llm", "{result:#}");
            let told = &asked.lock().unwrap()[0].last;
            assert!(told.contains(brief));
            if n == 2 {
                // The page as deployed, the briefs and - where the state is there - the checks of both rounds before.
                for part in [
                    "Show #total.",
                    "Add a table.",
                    "<p id=\"total\">1</p><table></table>",
                    "Deployed now",
                ] {
                    assert!(told.contains(part), "{part}: {told}");
                }
                assert_eq!(
                    (
                        told.contains("- check: total()"),
                        told.contains("- check: table()")
                    ),
                    (!lose_state, !lose_state),
                    "{told}"
                );
            }
        }
        let files = pushed(&bench);
        assert!(
            files["index.html"].contains("id=\"total\"")
                && files["index.html"].contains("<button>")
        );
        assert_eq!(
            (files["a.js"].as_str(), files["b.js"].as_str()),
            ("round 2\n", "round 3\n"),
            "files that were not mentioned stay"
        );
        assert!(
            files["README.md"].starts_with("# Mine")
                && files["README.md"].contains("Round 1")
                && files["README.md"].contains("Round 3"),
            "{}",
            files["README.md"]
        );
        assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 3);
    }
}

#[test]
fn a_page_of_the_template_is_replaced_and_files_can_go() {
    let bench = Bench::new();
    bench
        .go("run", &task(&bench, json!({"brief": "Show a one."})), &[])
        .exits(0);
    bench.world.push_foreign(
        "octo-dev",
        "demo-site",
        &[("old.js", b"x"), ("keep.js", b"y")],
        "by hand",
    );
    let asked = script(
        &bench,
        vec![turn(|a| {
            LlmAnswer::text(&format!(
                "{}<<<DELETE old.js {w}>>>\n<<<DELETE LICENSE {w}>>>",
                a.blocks(&[("index.html", PAGE)]),
                w = a.word
            ))
        })],
    );
    let two = task(
        &bench,
        json!({"round": 2, "nonce": "n-2", "brief": "Make it better."}),
    );
    let result = go(&bench, "run", &two, &[]).exits(0).json();
    assert_eq!(kind(&result), "llm", "{result:#}");
    assert!(
        asked.lock().unwrap()[0]
            .last
            .contains("made by a plain template")
            && asked.lock().unwrap()[0].last.contains("Show a one.")
    );
    let files = pushed(&bench);
    assert_eq!(
        files.keys().map(String::as_str).collect::<Vec<_>>(),
        [".nojekyll", "LICENSE", "README.md", "index.html", "keep.js"]
    );
    assert_eq!(files["index.html"], PAGE);
}

#[test]
fn what_is_said_holds_no_secret() {
    let bench = Bench::new();
    let (secret, key) = (
        "hush-hush-4711".to_owned(),
        ["sk", "-0123456789abcdefghij"].concat(),
    );
    let (hidden, tail) = ("aHVzaC1odXNoLTQ3MTE=", "aHVzaC1odXNoLTQ3MT");
    let note = format!("my key {key} and {secret}, in base64 {hidden}");
    let with = json!({"secret": secret, "nonce": "nonce-0815", "brief": "Show note.txt", "attachments": [{"name": "note.txt", "url": data_uri("text/plain", note.as_bytes())}]});
    bench
        .world
        .configure(|s| s.llm = vec![LlmAnswer::text(PAGE)]);
    let url = bench.world.llm_url();
    let env = [
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", key.as_str()),
        ("LLMDEPLOY_SECRET", secret.as_str()),
        ("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1"),
    ];
    let recorded = bench.path("rec");
    let task = task(&bench, with);
    let printed = bench
        .go_env("generate", &task, &["--print-prompt"], &env)
        .exits(0)
        .stdout;
    bench
        .go_env(
            "generate",
            &task,
            &["--record", recorded.to_str().unwrap()],
            &env,
        )
        // The attachment itself stays what it is, and a preview is not written with a secret in it.
        .fails(1, "secret_found");
    let request = bench.world.matching(&Match::llm())[0].clone();
    let said: String = request.json()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(text_of)
        .collect();
    let kept = String::from_utf8_lossy(&bench.state_text()).into_owned();
    let files: String = std::fs::read_dir(recorded)
        .unwrap()
        .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    for text in [&said, &files, &printed] {
        assert!(text.contains("my key (redacted) and (redacted)"));
        for private in [
            secret.as_str(),
            key.as_str(),
            tail,
            "student@example.com",
            "nonce-0815",
        ] {
            assert!(!text.contains(private), "{private}");
        }
    }
    assert!(!kept.contains(&key) && !kept.contains(&secret));
}
