//! The verdict on each check: pages with known verdicts, judged by the real binary in a real browser.
//!
//! One browser looks at a page for all its checks, so they are grouped by page.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Bench, Ran, data_uri, finish};

/// `false` where there is no browser to test with; CI has one.
pub fn browser() -> bool {
    let there = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| {
        [
            "chromium",
            "google-chrome",
            "google-chrome-stable",
            "chromium-browser",
        ]
        .iter()
        .any(|n| d.join(n).is_file())
    });
    assert!(
        there || std::env::var_os("CI").is_none(),
        "CI needs Chromium"
    );
    if !there {
        eprintln!("skipped: there is no Chromium here");
    }
    there
}

/// Writes a site below the bench.
fn site(bench: &Bench, files: &[(&str, &str)]) -> PathBuf {
    let dir = bench.path("site");
    for (name, text) in files {
        let file = dir.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    dir
}

fn check(bench: &Bench, files: &[(&str, &str)], with: Value, options: &[&str]) -> Ran {
    let dir = site(bench, files);
    let task = bench.task(with);
    let mut all = vec!["--site", dir.to_str().unwrap(), "--offline"];
    all.extend(options);
    let temp = bench.path("tmp");
    std::fs::create_dir_all(&temp).unwrap();
    let ran = bench.go_env("check", &task, &all, &[("TMPDIR", temp.to_str().unwrap())]);
    assert_eq!(processes_of(&temp), vec![], "processes of the browser stay");
    assert_eq!(
        std::fs::read_dir(&temp).unwrap().count(),
        0,
        "the profile stays"
    );
    ran
}

/// The processes, on Linux, that name a path in their command line, as those of a browser name their profile.
fn processes_of(path: &Path) -> Vec<(String, String)> {
    let needle = path.to_string_lossy().into_owned();
    let line = |p: std::fs::DirEntry| {
        let line = std::fs::read(p.path().join("cmdline")).ok()?;
        Some((
            p.file_name().to_string_lossy().into_owned(),
            String::from_utf8_lossy(&line).replace('\0', " "),
        ))
    };
    let lines = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(line);
    lines.filter(|(_, line)| line.contains(&needle)).collect()
}

/// Judges the checks on a page and compares each verdict: `passed`, `failed`, `unknown`, `skipped`, or `unsatisfiable`.
#[track_caller]
fn verdicts(files: &[(&str, &str)], with: &Value, expected: &[(&str, &str)]) -> Value {
    let bench = Bench::new();
    let mut task = with.clone();
    task["checks"] = expected.iter().map(|(check, _)| json!(check)).collect();
    let document = check(&bench, files, task, &["--check-timeout", "10"]).json();
    let seen: Vec<(String, String)> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(verdict)
        .collect();
    let wanted: Vec<(String, String)> = expected
        .iter()
        .map(|(check, v)| {
            (
                check.trim_start_matches("js:").trim().to_owned(),
                (*v).to_owned(),
            )
        })
        .collect();
    for (seen, wanted) in seen.iter().zip(&wanted) {
        assert_eq!(seen, wanted, "{document:#}");
    }
    assert_eq!(seen.len(), wanted.len());
    document
}

fn verdict(check: &Value) -> (String, String) {
    let unsatisfiable = check["detail"]
        .as_str()
        .is_some_and(|d| d.starts_with("unsatisfiable"));
    let status = if unsatisfiable {
        "unsatisfiable"
    } else {
        check["status"].as_str().unwrap()
    };
    (
        check["check"].as_str().unwrap().to_owned(),
        status.to_owned(),
    )
}

#[test]
fn values_as_playwright_takes_them() {
    if !browser() {
        return;
    }
    let page = "<!doctype html><title>Values</title><h1 id=h>Hello</h1><script>function add(a, b) { return a + b }</script>";
    verdicts(
        &[("index.html", page)],
        &json!({}),
        &[
            ("js: true", "passed"),
            ("js: 1", "passed"),
            ("js: 'x'", "passed"),
            ("js: ({})", "passed"),
            ("js: []", "passed"),
            ("js: 1n", "passed"),
            ("js: -Infinity", "passed"),
            ("js: document.querySelector('#h')", "passed"),
            ("js: '\\ud83d'", "passed"),
            ("js: new Date(0)", "passed"),
            ("js: Promise.resolve(1)", "passed"),
            ("js: await Promise.resolve('x')", "passed"),
            ("js: return document.title === 'Values'", "passed"),
            ("js: const t = document.title; t === 'Values'", "passed"),
            ("js: document.title === 'Values';", "passed"),
            ("js: document.title === 'Values' // the title", "passed"),
            ("js: () => document.title === 'Values'", "passed"),
            (
                "js: (() => { if (document.title) { return true } })()",
                "passed",
            ),
            ("js: add(2, 3) === 5", "passed"),
            ("typeof add === 'function'", "passed"),
            ("add(2, 3) == 5", "passed"),
            ("js: false", "failed"),
            ("js: 0", "failed"),
            ("js: -0", "failed"),
            ("js: NaN", "failed"),
            ("js: 0n", "failed"),
            ("js: ''", "failed"),
            ("js: null", "failed"),
            ("js: undefined", "failed"),
            ("js: Symbol('x')", "failed"),
            ("js: add", "failed"),
            ("js: document.all", "failed"),
            ("js: ({ toJSON() { return 0 } })", "passed"),
            ("js: Promise.resolve(0)", "failed"),
            // A library's promise is waited for as well.
            (
                "js: ({ then(done) { setTimeout(() => done(1), 50) } })",
                "passed",
            ),
            ("js: ({ then(done) { done(0) } })", "failed"),
            ("js: const p = { then(done) { done(1) } }; p", "passed"),
            ("js: const p = { then(done) { done(0) } }; p", "failed"),
            ("js: const p = { a: 1 }; p", "passed"),
            // A block, whose value is its last expression's.
            ("js: { ok: document.title === 'Other' }", "failed"),
            ("js: { ok: document.title === 'Values' }", "passed"),
            ("js: {}", "failed"),
            // As whoever sits before a desktop's screen has it.
            (
                "js: matchMedia('(hover: hover) and (pointer: fine)').matches",
                "passed",
            ),
            (
                "js: [innerWidth, innerHeight, screen.width].join() === '1280,720,1280'",
                "passed",
            ),
            ("js: Promise.reject(new Error('no'))", "failed"),
            ("js: const t = document.title; t === 'Other'", "failed"),
            ("js: () => document.title === 'Other'", "failed"),
            ("js: subtract(2, 3) === -1", "failed"),
            ("js: document.querySelector('#nope').textContent", "failed"),
            ("js: throw new Error('x')", "failed"),
            ("js: document.title ===", "unsatisfiable"),
            ("js: this is English", "unsatisfiable"),
            ("js: !!document.querySelector('#a@b.c')", "unsatisfiable"),
            ("js: document.title === 'Sales ${seed}'", "unsatisfiable"),
            ("js: document.title === `Sales ${seed}`", "unsatisfiable"),
        ],
    );
}

/// What graders' checks trip over.
#[test]
fn graders_traps() {
    if !browser() {
        return;
    }
    let page = r#"<!doctype html><html><head><title>Sales</title>
<script src="https://cdn.example.com/bootstrap.js"></script>
<link rel="stylesheet" href="https://cdn.example.com/bootstrap.css"></head><body>
<span id="total-sales">$1,234</span><span id="comma">1,234</span><span id="plain">1234.50</span>
<p id="late"></p><p id="fetched"></p><p id="cdn"></p><p id="later"></p>
<script>
setTimeout(() => { document.querySelector('#late').textContent = 'here' }, 700);
fetch('data.csv').then(r => r.text()).then(t => { document.querySelector('#fetched').textContent = t });
fetch('https://api.example.com/users/octocat').then(r => r.json()).then(u => { document.querySelector('#cdn').textContent = u.created_at });
addEventListener('click', () => { document.querySelector('#later').textContent = 'clicked' });
</script></body></html>"#;
    let document = verdicts(
        &[("index.html", page)],
        &json!({"brief": "Sum data.csv", "attachments": [{"name": "data.csv", "url": data_uri("text/csv", b"a,b\n1,2\n")}]}),
        &[
            // The first script is the CDN's.
            (
                "js: document.querySelector('script').textContent.includes('fetch')",
                "failed",
            ),
            (
                "js: !!document.querySelector(\"script[src*='bootstrap']\")",
                "passed",
            ),
            (
                "js: !!document.querySelector(\"link[href*='bootstrap']\")",
                "passed",
            ),
            // `$1,234` is not a number, and `1,234` is 1.
            (
                "js: parseFloat(document.querySelector('#plain').textContent) === 1234.5",
                "passed",
            ),
            (
                "js: parseFloat(document.querySelector('#comma').textContent) === 1",
                "passed",
            ),
            (
                "js: isNaN(parseFloat(document.querySelector('#total-sales').textContent))",
                "passed",
            ),
            (
                "js: document.querySelector('#late').textContent === 'here'",
                "passed",
            ),
            (
                "js: document.querySelector('#fetched').textContent.includes('1,2')",
                "passed",
            ),
            (
                "js: document.querySelector('#cdn').textContent.includes('20')",
                "unknown",
            ),
            // Nothing in the app makes this element, host or no host.
            (
                "js: document.querySelector('#github-created-at').textContent.includes('20')",
                "failed",
            ),
            (
                "js: document.querySelector('#total-sale').textContent === '1'",
                "failed",
            ),
            ("README.md is professional", "skipped"),
            ("Repo has MIT license", "passed"),
        ],
    );
    let detail = |n: usize| document["checks"][n]["detail"].as_str().unwrap().to_owned();
    assert!(
        detail(8).contains("api.example.com") || detail(8).contains("cdn.example.com"),
        "{}",
        detail(8)
    );
    assert!(detail(10).contains("#total-sales"), "{}", detail(10));
    let failed = document["page"]["failed_requests"].to_string();
    assert!(
        failed.contains("https://cdn.example.com/bootstrap.js (ERR_INTERNET_DISCONNECTED)"),
        "{failed}"
    );
}

#[test]
fn the_page_is_under_its_own_address() {
    if !browser() {
        return;
    }
    let page = r#"<!doctype html><title>Own</title><a href="gone.html">dead</a><a href="docs/">alive</a><a href="https://x.example/">out</a>
<script>
console.error('logged', 7);
window.got = {};
for (const path of ['docs', 'docs/', 'Docs/', 'about', 'data.json', '../other/', 'nope.txt', 'img.svg'])
  fetch(path).then(async r => { got[path] = [r.status, r.headers.get('content-type'), r.redirected, (await r.text()).trim()] });
for (const url of ['http://127.0.0.1:1/', 'http://localhost:1/', 'http://192.168.1.1/', 'https://[::1]/', 'file:///etc/hostname'])
  fetch(url, {mode: 'no-cors'}).then(() => got[url] = 'reached', () => got[url] = 'refused');
setTimeout(() => nowhere(), 10);
</script>"#;
    let files = [
        ("index.html", page),
        ("docs/index.html", "docs"),
        ("about.html", "about"),
        ("data.json", "{\"a\":1}"),
        ("404.html", "lost"),
        ("img.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ];
    let document = verdicts(
        &files,
        &json!({}),
        &[
            (
                "js: location.href === 'https://owner.github.io/demo-site/'",
                "passed",
            ),
            (
                "js: isSecureContext && navigator.serviceWorker !== undefined",
                "passed",
            ),
            (
                "js: got['docs'][0] === 200 && got['docs'][2] && got['docs'][3] === 'docs'",
                "passed",
            ),
            ("js: got['docs/'][3] === 'docs'", "passed"),
            (
                "js: got['Docs/'][0] === 404 && got['Docs/'][3] === 'lost'",
                "passed",
            ),
            ("js: got['about'][3] === 'about'", "passed"),
            (
                "js: got['data.json'][1].startsWith('application/json')",
                "passed",
            ),
            ("js: got['img.svg'][1] === 'image/svg+xml'", "passed"),
            (
                "js: got['../other/'][0] === 404 && got['../other/'][3] !== 'lost'",
                "passed",
            ),
            ("js: got['nope.txt'][0] === 404", "passed"),
            (
                "js: Object.values(got).filter(v => v === 'refused').length === 5",
                "passed",
            ),
            ("js: Object.values(got).includes('reached')", "failed"),
        ],
    );
    let page = &document["page"];
    assert_eq!(
        page["dead_links"],
        json!(["https://owner.github.io/demo-site/gone.html"])
    );
    assert_eq!(page["console"][0], "logged 7", "{page:#}");
    assert!(
        page["exceptions"][0]
            .as_str()
            .unwrap()
            .contains("nowhere is not defined"),
        "{page:#}"
    );
    assert!(
        page["failed_requests"]
            .to_string()
            .contains("nope.txt (404)"),
        "{page:#}"
    );
}

#[test]
fn checks_that_do_not_end_do_not_hold_up_the_others() {
    if !browser() {
        return;
    }
    verdicts(
        &[(
            "index.html",
            "<!doctype html><title>T</title><p id=n>0</p><script>document.querySelector('#n').textContent = 1</script>",
        )],
        &json!({}),
        &[
            ("js: new Promise(() => {})", "failed"),
            ("js: while (true) {}", "failed"),
            ("js: (() => { for (;;); })()", "failed"),
            ("js: document.title === 'T'", "passed"),
            (
                "js: new Promise(resolve => setTimeout(() => resolve(true), 800))",
                "passed",
            ),
            (
                "js: document.querySelector('#n').textContent === '1'",
                "passed",
            ),
            // Those that were cut get their second turn when what waits has come to its end.
            (
                "js: new Promise(r => { const t = Date.now(); setTimeout(() => r(Date.now() - t < 3000), 900) })",
                "passed",
            ),
            // What waits for ever after its work takes nobody's turn.
            (
                "js: (async () => { for (const t = Date.now(); Date.now() - t < 1050;); await new Promise(() => {}) })()",
                "failed",
            ),
            // Slow, not endless: the endless ones leave it a share.
            (
                "js: (() => { let n = 0; for (const t = Date.now(); Date.now() - t < 1020; n++); return n > 0 })()",
                "passed",
            ),
        ],
    );
}

/// What only held for a moment has not passed, unless a check has changed the page; what a check does it does once.
#[test]
fn passed_means_at_the_end() {
    if !browser() {
        return;
    }
    let page = "<!doctype html><title>First</title><button onclick=\"document.body.classList.toggle('dark')\">b</button><p id=x></p>
<script>setTimeout(() => { document.title = 'Second'; document.querySelector('#x').textContent = 'y' }, 1200)</script>";
    verdicts(
        &[("index.html", page)],
        &json!({}),
        &[
            ("js: document.title === 'First'", "failed"),
            (
                "js: document.querySelector('#x').textContent === 'y'",
                "passed",
            ),
            (
                "js: [...document.querySelectorAll('button')].map(b => b.textContent).join() === 'b'",
                "passed",
            ),
            ("js: await fetch('index.html').then(r => r.ok)", "passed"),
        ],
    );
    let page = "<!doctype html><title>t</title><button id=b>b</button><p id=n>0</p><script>
      const add = () => { n.textContent = +n.textContent + 1 };
      b.onclick = () => document.body.classList.toggle('dark');
    </script>";
    verdicts(
        &[("index.html", page)],
        &json!({}),
        &[
            ("js: !document.body.classList.contains('dark')", "passed"),
            (
                "js: document.querySelector('#n').textContent === '0'",
                "passed",
            ),
            (
                "js: (document.querySelector('#b').click(), document.body.classList.contains('dark'))",
                "passed",
            ),
            (
                "js: (add(), document.querySelector('#n').textContent === '1')",
                "passed",
            ),
            (
                "js: (async () => { add(); await new Promise(r => setTimeout(r, 3500)); return document.querySelector('#n').textContent === '2' })();",
                "passed",
            ),
        ],
    );
}

/// Codes as people write them: a semicolon at the end, a `return` that is a function's, work that takes its time.
#[test]
fn code_as_people_write_it() {
    if !browser() {
        return;
    }
    verdicts(
        &[(
            "index.html",
            "<!doctype html><title>T</title><ul><li>a<li>b</ul>",
        )],
        &json!({}),
        &[
            (
                "js: (() => {\n  const a = document.title;\n  return a === 'T';\n})();",
                "passed",
            ),
            (
                "js: (function () { return document.title === 'T'; })();",
                "passed",
            ),
            (
                "js: (async () => { return (await fetch('index.html')).ok })();",
                "passed",
            ),
            ("js: !!(() => { return true })();", "passed"),
            (
                "js: const a = [...document.querySelectorAll('li')].map(l => { return l.textContent }); a.join('') === 'ab'",
                "passed",
            ),
            (
                "js: let s = 0; [1, 2].forEach(x => { s += x; return; }); s === 3",
                "passed",
            ),
            (
                "js: /* return */ const t = document.title; t === 'T'",
                "passed",
            ),
            (
                "js: const r = await fetch('index.html'); return r.ok",
                "passed",
            ),
            ("js: const r = await fetch('index.html'); r.ok", "passed"),
            (
                "js: const ok = document.title === 'T'; // return\nok",
                "passed",
            ),
            (
                "js: (() => { const t = Date.now(); while (Date.now() - t < 1500); return true })()",
                "passed",
            ),
            (
                "js: fetch('index.html').then(r => +r.headers.get('content-length') > 0)",
                "passed",
            ),
            ("accuracy >= 0.8", "skipped"),
            ("Submit => success", "skipped"),
            ("js: (() => { return document.title === 'U' })();", "failed"),
        ],
    );
}

#[test]
fn plain_language_is_decided_from_files() {
    let bench = Bench::new();
    let task: Value = serde_json::from_str(
        &json!({
            "brief": "Publish:\n- ashravan.txt: a story\n- about.md: three words\n- pelican.svg: a pelican\n- data.json: figures\n- index.html: links to all the above\n- LICENSE: MIT\n- uid.txt: the attachment as-is",
            "attachments": [{"name": "uid.txt", "url": "data:,4711"}],
            "checks": [
                "Each required file exists on GitHub", "uid.txt matches the attached uid.txt", "LICENSE contains the MIT License text",
                "index.html links to all required assets", "about.md contains exactly three words", "pelican.svg is valid SVG",
                "data.json exists and is valid JSON", "data.json has 'max' object with 'val' (number) and 'fy' (string) fields",
                "ashravan.txt is 300-400 words", "ashravan.txt meets content requirements", "pelican.svg is rated by an LLM", 7
            ]
        })
        .to_string(),
    )
    .unwrap();
    let files = [
        (
            "index.html",
            "<title>t</title><a href=ashravan.txt>a</a><a href='about.md'>b</a><a href=\"pelican.svg\">c</a><a href='./data.json'>d</a>",
        ),
        ("ashravan.txt", "short"),
        ("about.md", "calm, curious, exact\n"),
        (
            "pelican.svg",
            "<svg xmlns='http://www.w3.org/2000/svg'><g></svg>",
        ),
        ("data.json", "{\"max\":{\"val\":3,\"fy\":\"2021\"}}"),
    ];
    // No browser is needed, so none is missed.
    let dir = site(&bench, &files);
    let ran = bench.go_env(
        "run",
        &bench.task(task),
        &[
            "--site",
            dir.to_str().unwrap(),
            "--local",
            "sites",
            "--no-notify",
        ],
        &[("LLMDEPLOY_BROWSER", "/nowhere")],
    );
    let document = ran.exits(0).json();
    let seen: Vec<String> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {}", c["kind"], c["status"]).replace('"', ""))
        .collect();
    let (passed, failed, manual) = ("file passed", "file failed", "manual skipped");
    assert_eq!(
        seen,
        [
            passed, passed, passed, passed, passed, failed, passed, passed, failed, manual, manual,
            manual
        ],
        "{document:#}"
    );
    assert!(
        document["checks"][5]["detail"]
            .as_str()
            .unwrap()
            .contains("</svg> where </g> is due"),
        "{document:#}"
    );
}

#[test]
fn a_parameter_in_the_address_is_tried_with_the_attachment() {
    if !browser() {
        return;
    }
    let page = "<!doctype html><title>c</title><p id=u></p><script>
document.querySelector('#u').textContent = new URLSearchParams(location.search).get('url') || 'default'</script>";
    let with = json!({"attachments": [{"name": "sample.png", "url": "data:image/png;base64,iVBORw0KGgo="}]});
    verdicts(
        &[("index.html", page)],
        &with,
        &[
            ("Page displays captcha URL passed at ?url=...", "passed"),
            (
                "Page displays solved captcha text within 15 seconds",
                "skipped",
            ),
            (
                "js: document.querySelector('#u').textContent === 'default'",
                "passed",
            ),
        ],
    );
}

/// Looks at a page that means no good: a verdict within the time, and no process left. Gives back the document, and what is noted
/// of the page beside the journal.
fn hostile(name: &str, page: &str, check_that_fails: &str) -> (Value, String) {
    let bench = Bench::new();
    let started = Instant::now();
    let with = json!({"task": name, "checks": [format!("js: {check_that_fails}")]});
    let files = [
        ("index.html", page),
        ("sw.js", "onfetch = e => { while (true) {} }"),
    ];
    let ran = check(&bench, &files, with, &["--check-timeout", "4"]);
    let took = started.elapsed();
    let document = ran.exits(3).json();
    assert_ne!(
        document["checks"][0]["status"], "passed",
        "{name}: {document:#}"
    );
    assert!(took < Duration::from_secs(30), "{name} took {took:?}");
    let run = bench
        .state()
        .join("runs")
        .join(document["run"].as_str().unwrap());
    (
        document,
        std::fs::read_to_string(run.join("check/findings.txt")).unwrap(),
    )
}

fn flood(page: &str) {
    let bench = Bench::new();
    let started = Instant::now();
    let files = [("index.html", page), ("big.txt", &"x".repeat(3 << 20))];
    let document = check(
        &bench,
        &files,
        json!({"checks": ["js: document.title === 'x'"]}),
        &["--check-timeout", "4"],
    )
    .exits(3)
    .json();
    assert_ne!(document["checks"][0]["status"], "passed", "{document:#}");
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "it took {:?}",
        started.elapsed()
    );
}

#[test]
fn endless_loops_and_floods() {
    if !browser() {
        return;
    }
    let (document, _) = hostile(
        "loop",
        "<!doctype html><title>t</title><script>while (true) {}</script>",
        "document.title === 'x'",
    );
    let told = document["page"]["exceptions"].to_string();
    assert!(told.contains("did not come to an end"), "{told}");
    hostile(
        "later-loop",
        "<!doctype html><title>t</title><script>setTimeout(() => { while (true) {} }, 50)</script>",
        "document.title === 'x'",
    );
    let (document, _) = hostile(
        "console",
        "<!doctype html><title>t</title><script>for (let i = 0; i < 10000; i++) console.error('line ' + i)</script>",
        "document.title === 'x'",
    );
    let console = document["page"]["console"].as_array().unwrap();
    assert!(
        console.len() <= 51 && console.last().unwrap().as_str().unwrap().contains("more"),
        "{}",
        console.len()
    );
    // More than the browser can bear: it may not come to an answer, but we do.
    flood(
        "<!doctype html><title>t</title><script>let n = 0; setInterval(() => { for (let i = 0; i < 200; i++) fetch('big.txt?' + n++) }, 5)</script>",
    );
    let (_, noted) = hostile(
        "alerts",
        "<!doctype html><title>t</title><script>for (;;) alert('x')</script>",
        "document.title === 'x'",
    );
    assert!(noted.contains("the page tried: alert: x"), "{noted}");
    hostile(
        "dialogs",
        "<!doctype html><title>t</title><script>document.title = String(confirm('?')) + prompt('?')</script>",
        "document.title === 'true'",
    );
}

#[test]
fn pages_that_want_out() {
    if !browser() {
        return;
    }
    let (document, _) = hostile(
        "away",
        "<!doctype html><title>t</title><script>location.href = 'https://elsewhere.example/'</script>",
        "document.title === 't'",
    );
    assert!(
        document["checks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("https://elsewhere.example/"),
        "{document:#}"
    );
    hostile(
        "reload",
        "<!doctype html><title>t</title><script>location.reload()</script>",
        "document.title === 'x'",
    );
    hostile(
        "closes",
        "<!doctype html><title>t</title><script>close(); location = 'about:blank'</script>",
        "document.title === 'x'",
    );
    let (_, noted) = hostile(
        "windows",
        "<!doctype html><title>t</title><script>function all() { for (let i = 0; i < 20; i++) open('https://x.example/' + i) }; all(); open('file:///etc/passwd')</script>",
        "all()",
    );
    assert!(
        noted.contains("the page tried: window: https://x.example/19"),
        "{noted}"
    );
    let (_, noted) = hostile(
        "download",
        "<!doctype html><title>t</title><a id=a download=x href='data:application/octet-stream,x'>d</a><script>a.click()</script>",
        "document.title === 'x'",
    );
    assert!(
        noted.contains("the page tried: download of data:"),
        "{noted}"
    );
    hostile(
        "service-worker",
        "<!doctype html><title>t</title><script>navigator.serviceWorker.register('sw.js').then(() => navigator.serviceWorker.ready).then(() => { if (!location.hash) { location.hash = 'x'; location.reload() } })</script>",
        "document.title === 'x'",
    );
}

#[test]
fn a_gigabyte() {
    if !browser() {
        return;
    }
    hostile(
        "memory",
        "<!doctype html><title>t</title><script>const all = []; for (let i = 0; i < 64; i++) all.push(new Array(2 ** 21).fill(i))</script>",
        "document.title === 'x'",
    );
}

#[test]
fn how_long_it_takes() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let page = "<!doctype html><title>Quick</title><p id=p>1</p>";
    let started = Instant::now();
    let checks: Vec<String> = (0..40)
        .map(|n| format!("js: document.title === 'Slow {n}'"))
        .collect();
    let ran = check(
        &bench,
        &[("index.html", page)],
        json!({"checks": checks}),
        &[],
    );
    ran.fails(3, "checks_failed");
    // The page has nothing left to do: nobody waits fifteen seconds for it.
    assert!(
        started.elapsed() < Duration::from_secs(14),
        "{:?}",
        started.elapsed()
    );

    let bench = Bench::new();
    let checks: Vec<String> = (0..16)
        .map(|n| format!("js: document.title.length + {n} > {n}"))
        .collect();
    let started = Instant::now();
    check(
        &bench,
        &[("index.html", page)],
        json!({"checks": checks}),
        &[],
    )
    .exits(0);
    // Under a second with the machine to itself; two are promised, and here twenty tests run beside it.
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
}

/// Checks that each take their time, and together longer than a page may be blocked: it is not the page, and none of them, that hangs.
#[test]
fn slow_checks_are_not_taken_for_a_blocked_page() {
    if !browser() {
        return;
    }
    let page = "<!doctype html><title>t</title><script>function slow(ms) { const end = performance.now() + ms; while (performance.now() < end); return true }</script>";
    let checks: Vec<String> = (0..16)
        .map(|n| format!("js: slow(400) && {n} >= 0"))
        .collect();
    let expected: Vec<(&str, &str)> = checks.iter().map(|c| (c.as_str(), "passed")).collect();
    let bench = Bench::new();
    let with = json!({"checks": checks});
    let document = check(
        &bench,
        &[("index.html", page)],
        with,
        &["--check-timeout", "20"],
    )
    .json();
    let seen: Vec<(String, String)> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(verdict)
        .collect();
    assert!(
        seen.iter()
            .zip(&expected)
            .all(|(seen, wanted)| seen.1 == wanted.1),
        "{document:#}"
    );

    // One that hangs after it has waited is found, and the others are told as if it were not there.
    let checks = [
        "js: (async () => { await null; await new Promise(r => setTimeout(r)); while (true) {} })()",
        "js: document.querySelector('#idd') !== null",
    ];
    let page = "<!doctype html><title>t</title><p id=id></p>";
    let document = check(
        &bench,
        &[("index.html", page)],
        json!({"nonce": "n-2", "checks": checks}),
        &["--check-timeout", "10"],
    )
    .json();
    assert!(
        document["checks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("does not come to an end"),
        "{document:#}"
    );
    assert!(
        document["checks"][1]["detail"]
            .as_str()
            .unwrap()
            .contains("nearest: #id"),
        "{document:#}"
    );
}

/// A directory of one's own may hold the attachment that the task wants corrected; any other is published as it was given.
#[test]
fn an_attachment_that_the_site_has_corrected() {
    let bench = Bench::new();
    let script = data_uri("text/x-python", b"revenew = 1\n");
    let given = data_uri("text/plain", b"10663");
    let with = json!({
        "brief": "Commit execute.py after fixing the non-trivial error in it. Commit uid.txt as-is.",
        "attachments": [{"name": "execute.py", "url": script}, {"name": "uid.txt", "url": given}],
        "checks": ["execute.py does not contain \"revenew\"", "uid.txt matches the attached uid.txt"],
    });
    let ran = check(
        &bench,
        &[
            ("execute.py", "revenue = 1\n"),
            ("uid.txt", "10664"),
            ("index.html", "<title>t</title>"),
        ],
        with,
        &[],
    );
    let seen: Vec<(String, String)> = ran.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(verdict)
        .collect();
    assert!(
        seen.iter().all(|(_, status)| status == "passed"),
        "{seen:?}"
    );
    assert!(
        ran.stderr.contains("uid.txt is not the attachment")
            && !ran.stderr.contains("execute.py is not"),
        "{}",
        ran.stderr
    );
}

#[test]
fn without_a_browser() {
    let bench = Bench::new();
    let task = bench.task(json!({"checks": ["js: document.title"]}));
    let none = [("LLMDEPLOY_BROWSER", "/nowhere/chromium")];
    let options = ["--local", "sites", "--no-notify"];
    let document = bench.go_env("run", &task, &options, &none).exits(0).json();
    assert_eq!(document["checks"][0]["status"], "skipped");
    assert!(
        document["checks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("/nowhere/chromium"),
        "{document:#}"
    );
    let bench = Bench::new();
    bench
        .go_env(
            "run",
            &task,
            &["--local", "sites", "--no-notify", "--checks", "require"],
            &none,
        )
        .fails(3, "checks_failed");
    assert!(!bench.path("sites").exists(), "nothing is pushed");
    let document = bench
        .go_env("check", &task, &[], &none)
        .fails(3, "checks_failed");
    assert!(
        document["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("LLMDEPLOY_BROWSER")
    );
}

#[cfg(unix)]
#[test]
fn a_browser_that_dies_or_hangs_is_one_clear_error() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let fake = bench.path("fake-browser");
    std::fs::write(
        &fake,
        "#!/bin/sh\necho 'FATAL: something broke' >&2\nexit 7\n",
    )
    .unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let task = bench.task(json!({"checks": ["js: document.title"]}));
    let document = bench
        .go_env(
            "check",
            &task,
            &[],
            &[("LLMDEPLOY_BROWSER", fake.to_str().unwrap())],
        )
        .fails(3, "checks_failed");
    assert!(
        document["checks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("something broke"),
        "{document:#}"
    );

    // One that takes everything and says nothing, in all of a walk waited for once: not again for the live page.
    std::fs::write(&fake, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let started = Instant::now();
    let options = ["--local", "sites", "--no-notify"];
    let document = bench
        .go_env(
            "run",
            &task,
            &options,
            &[("LLMDEPLOY_BROWSER", fake.to_str().unwrap())],
        )
        .exits(0)
        .json();
    let detail = document["checks"][0]["detail"].as_str().unwrap();
    assert!(
        document["checks"][0]["status"] == "skipped" && detail.contains("does not answer"),
        "{document:#}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(35),
        "{:?}",
        started.elapsed()
    );
}

/// Every process of the browser is stopped while a page is looked at: no verdict, and one error that says so.
#[cfg(target_os = "linux")]
#[test]
fn a_browser_that_hangs_under_a_page_is_given_up() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let temp = bench.path("tmp");
    std::fs::create_dir_all(&temp).unwrap();
    // The timer makes the page one that is waited for.
    let dir = site(
        &bench,
        &[(
            "index.html",
            "<!doctype html><title>t</title><script>setInterval(() => {}, 10)</script>",
        )],
    );
    let file = bench.write_task(
        "task.json",
        &bench.task(json!({"checks": ["js: document.title === 'never'", "index.html exists"]})),
    );
    let run = |options: &[&str]| {
        let mut command = bench.command([
            "run".as_ref(),
            file.as_os_str(),
            "--site".as_ref(),
            dir.as_os_str(),
        ]);
        command
            .args([
                "--local",
                "sites",
                "--no-notify",
                "--offline",
                "--check-timeout",
                "20",
            ])
            .args(options)
            .env("TMPDIR", &temp);
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        // A renderer with the page's address is there once the page is.
        let rendered = || {
            processes_of(&temp)
                .iter()
                .any(|(_, line)| line.contains("--type=renderer"))
        };
        while !rendered() {
            assert!(Instant::now() < until, "no page was opened");
            std::thread::yield_now();
        }
        let all: Vec<String> = processes_of(&temp)
            .into_iter()
            .map(|(pid, _)| pid)
            .collect();
        assert!(
            std::process::Command::new("sh")
                .args(["-c", &format!("kill -STOP {}", all.join(" "))])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(processes_of(&temp), vec![], "processes of the browser stay");
        (
            output.status.code(),
            serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        )
    };
    let (status, document) = run(&["--checks", "require"]);
    assert_eq!(
        (status, &document["error"]["code"]),
        (Some(3), &json!("checks_failed")),
        "{document:#}"
    );
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("does not answer"),
        "{document:#}"
    );
    assert!(!bench.path("sites").exists(), "nothing is pushed");
    let verdicts: Vec<&Value> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["status"])
        .collect();
    assert_eq!(verdicts, ["unknown", "passed"], "{document:#}");
}

#[test]
fn what_is_deployed_is_looked_at_again() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let page = "<!doctype html><title>Live</title>";
    let dir = site(&bench, &[("index.html", page)]);
    let task = bench.task(
        json!({"checks": ["js: document.title === 'Live'", {"js": "document.title === 'Other'"}]}),
    );
    let options = ["--site", dir.to_str().unwrap()];
    let result = bench.go("run", &task, &options).exits(0).json();
    assert_eq!(
        (&result["checks"][0]["live"], &result["checks"][1]["live"]),
        (&json!("passed"), &json!("failed")),
        "{result:#}"
    );
    assert_eq!(result["status"], "notified");
    let live = bench
        .go("check", &task, &["--live", "--screenshot", "live.png"])
        .exits(3)
        .json();
    assert_eq!(
        (&live["checks"][0]["status"], &live["checks"][1]["status"]),
        (&json!("passed"), &json!("failed")),
        "{live:#}"
    );
    assert!(
        std::fs::read(bench.path("live.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let folder = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(folder.join("check/desktop.png").is_file() && folder.join("check/phone.png").is_file());
}

#[test]
fn a_later_round_keeps_what_passed() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let first =
        bench.task(json!({"checks": ["js: typeof add === 'function'", "README.md exists", "js: document.title === '3'", "is nice"]}));
    let dir = site(
        &bench,
        &[(
            "index.html",
            "<!doctype html><title>1</title><script>function add() {}</script>",
        )],
    );
    let options = [
        "--local",
        "sites",
        "--no-notify",
        "--site",
        dir.to_str().unwrap(),
    ];
    bench.go("run", &first, &options).exits(0);
    site(&bench, &[("index.html", "<!doctype html><title>2</title>")]);
    let second =
        bench.task(json!({"round": 2, "nonce": "n-2", "checks": ["js: document.title === '2'"]}));
    let result = bench.go("run", &second, &options).exits(0).json();
    let seen: Vec<String> = result["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {}", c["status"], c["round"]))
        .collect();
    assert_eq!(
        seen,
        [
            "\"passed\" null",
            "\"failed\" 1",
            "\"passed\" 1",
            "\"failed\" 1"
        ],
        "{result:#}"
    );
}

/// Killed without a chance to clean up: the browser goes with us, and so does its profile.
#[cfg(unix)]
#[test]
fn the_browser_goes_with_us() {
    if !browser() {
        return;
    }
    for signal in [
        rustix::process::Signal::KILL,
        rustix::process::Signal::TERM,
        rustix::process::Signal::INT,
    ] {
        browser_goes_after(signal);
    }
}

fn browser_goes_after(signal: rustix::process::Signal) {
    let bench = Bench::new();
    let temp = bench.path("tmp");
    std::fs::create_dir_all(&temp).unwrap();
    let dir = site(
        &bench,
        &[(
            "index.html",
            "<!doctype html><title>t</title><script>setInterval(() => {}, 10)</script>",
        )],
    );
    let file = bench.write_task(
        "task.json",
        &bench.task(json!({"checks": ["js: document.title === 'never'"]})),
    );
    let mut command = bench.command([
        "check".as_ref(),
        file.as_os_str(),
        "--site".as_ref(),
        dir.as_os_str(),
    ]);
    command
        .env("TMPDIR", &temp)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let profile = loop {
        let profile = std::fs::read_dir(&temp)
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .find(|p| p.join("Default").exists());
        match profile {
            Some(profile) => break profile,
            None => assert!(
                Instant::now() < until && child.try_wait().unwrap().is_none(),
                "no browser was started"
            ),
        }
        std::thread::yield_now();
    };
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
    child.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while profile.exists() {
        assert!(Instant::now() < until, "the profile stays");
        std::thread::yield_now();
    }
    while !processes_of(&profile).is_empty() {
        assert!(Instant::now() < until, "{:?} stay", processes_of(&profile));
        std::thread::yield_now();
    }
    // Nothing stays after an ordinary end either.
    let _ = finish({
        let mut command = bench.command([
            "check".as_ref(),
            file.as_os_str(),
            "--site".as_ref(),
            dir.as_os_str(),
            "--check-timeout".as_ref(),
            "1".as_ref(),
        ]);
        command.env("TMPDIR", &temp);
        command
    });
    assert_eq!(processes_of(&temp), vec![], "processes of the browser stay");
    assert_eq!(
        std::fs::read_dir(&temp)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect::<Vec<_>>(),
        Vec::<PathBuf>::new()
    );
}

/// The sandbox is on where it can be: a user who is not root starts the browser with it, and without only after the browser has
/// said that it cannot be had.
#[cfg(target_os = "linux")]
#[test]
fn the_sandbox_is_given_up_only_where_it_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let home = bench.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    // Everybody may come in, and the program is where everybody may read it.
    let program = bench.path("llmdeploy");
    std::fs::copy(env!("CARGO_BIN_EXE_llmdeploy"), &program).unwrap();
    let (fake, seen) = (bench.path("fake-browser"), bench.path("home/seen"));
    let script = "#!/bin/sh\necho \"$*\" >> SEEN\ncase \" $* \" in *' --no-sandbox '*) exec \"$(command -v chromium google-chrome google-chrome-stable chromium-browser | head -n 1)\" \"$@\";; esac\n\
                  echo '[1:1:ERROR:dbus/bus.cc(408)] Failed to connect to the bus' >&2\n\
                  echo '[1:1:FATAL:zygote_host_impl_linux.cc(128)] No usable sandbox!' >&2\n\
                  for n in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do echo \"#$n 0x55d0c0ffee00 (/usr/lib/chromium/chromium+0x$n)\" >&2; done\nexit 1\n";
    std::fs::write(&fake, script.replace("SEEN", seen.to_str().unwrap())).unwrap();
    let dir = site(&bench, &[("index.html", "<!doctype html><title>t</title>")]);
    let file = bench.write_task(
        "task.json",
        &bench.task(json!({"checks": ["js: document.title === 't'"]})),
    );
    for path in [
        bench.path("."),
        home.clone(),
        program.clone(),
        fake.clone(),
        dir.clone(),
        dir.join("index.html"),
        file.clone(),
    ] {
        open(&path);
    }
    let mut command = std::process::Command::new(&program);
    command
        .arg("check")
        .arg(&file)
        .arg("--site")
        .arg(&dir)
        .arg("--offline")
        .current_dir(&home)
        .env_clear();
    command
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("LLMDEPLOY_STATE_DIR", home.join("state"))
        .env("HOME", &home);
    command.env("LLMDEPLOY_BROWSER", &fake);
    let uid = std::process::Command::new("id")
        .arg("-u")
        .output()
        .unwrap()
        .stdout;
    if uid.trim_ascii() == b"0" {
        command.uid(65534).gid(65534);
    }
    let document = finish(command).exits(0).json();
    assert_eq!(document["checks"][0]["status"], "passed", "{document:#}");
    let starts: Vec<bool> = std::fs::read_to_string(&seen)
        .unwrap()
        .lines()
        .map(|l| l.contains(" --no-sandbox"))
        .collect();
    assert_eq!(starts, [false, true], "with the sandbox first");
}

/// What a page still has in hand is waited for, whoever holds it: longer than a page is idle before it is given up.
#[test]
fn whoever_has_something_in_hand_is_waited_for() {
    if !browser() {
        return;
    }
    let page = "<!doctype html><title>t</title><p id=a></p><p id=b></p><p id=c></p><p id=d></p><p id=e></p><iframe src=frame.html></iframe>
        <script>
          const set = (e, text) => () => { e.textContent = text };
          scheduler.postTask(set(a, 'task'), { delay: 2000 });
          AbortSignal.timeout(2000).onabort = set(b, 'signal');
          new Worker('worker.js').onmessage = set(d, 'worker');
          let n = 0;
          const t = setInterval(() => { if (++n === 5) { clearInterval(t); e.textContent = 'ticks' } }, 400);
        </script>";
    let is = |id: &str, text: &str| {
        format!("js: document.querySelector('#{id}').textContent === '{text}'")
    };
    let frame = "<script>setTimeout(() => { parent.document.querySelector('#c').textContent = 'frame' }, 2000)</script>";
    let worker = "setTimeout(() => postMessage(1), 2000)";
    let checks = [
        is("a", "task"),
        is("b", "signal"),
        is("c", "frame"),
        is("d", "worker"),
        is("e", "ticks"),
    ];
    let expected: Vec<(&str, &str)> = checks.iter().map(|c| (c.as_str(), "passed")).collect();
    verdicts(
        &[
            ("index.html", page),
            ("frame.html", frame),
            ("worker.js", worker),
        ],
        &json!({}),
        &expected,
    );

    let first =
        "<!doctype html><title>1</title><meta http-equiv=refresh content='2;url=second.html'>";
    verdicts(
        &[
            ("index.html", first),
            ("second.html", "<!doctype html><title>2</title>"),
        ],
        &json!({}),
        &[("js: document.title === '2'", "passed")],
    );
}
