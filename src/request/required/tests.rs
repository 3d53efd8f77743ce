//! What a text asks for.

use super::*;

fn task(brief: &str, checks: &[&str]) -> Task {
    let json = serde_json::json!({"email": "e", "task": "t", "brief": brief, "checks": checks});
    Task::parse(json.to_string().as_bytes()).unwrap()
}

fn files(brief: &str, checks: &[&str]) -> Vec<String> {
    required(&task(brief, checks))
        .files
        .keys()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn nine_files() {
    let brief = "Create:\n- ashravan.txt: a story.\n- dilemma.json: Fill in {x}\n- about.md: three words\n- index.html: links\n- LICENSE: MIT\n- uid.txt: as-is\n";
    assert_eq!(
        files(brief, &["pelican.svg is valid SVG"]),
        [
            "about.md",
            "ashravan.txt",
            "dilemma.json",
            "index.html",
            "pelican.svg",
            "uid.txt"
        ]
    );
}

#[test]
fn what_is_no_file_of_the_site() {
    let brief = "Use marked and highlight.js from https://cdn.example/x.js, ?url=https://x.example/a.json, and fetch('https://y.example/b.json'). Node.js too. e.g. this.";
    assert_eq!(files(brief, &["js: fetch('c.json')"]), ["index.html"]);
    assert_eq!(
        files("Write the functions to app.js. Open index.html?CIK=1", &[]),
        ["app.js", "index.html"]
    );
}

#[test]
fn forbidden_wins() {
    let brief = "- Convert data.xlsx to data.csv and commit it.\n- Runs: python execute.py > result.json\n- Add .github/workflows/ci.yml\n- Do not commit result.json; it is made in CI.";
    let found = required(&task(brief, &["result.json is NOT committed"]));
    assert_eq!(
        found
            .forbidden
            .iter()
            .map(RelPath::as_str)
            .collect::<Vec<_>>(),
        ["result.json"]
    );
    assert_eq!(
        found.files.keys().map(RelPath::as_str).collect::<Vec<_>>(),
        [
            ".github/workflows/ci.yml",
            "data.csv",
            "execute.py",
            "index.html"
        ]
    );
    assert!(found.workflows && found.conversions.len() == 1);
    assert!(!required(&task("Make a page", &[])).workflows);
    for check in [
        "There is no result.json",
        "Repo must not contain result.json",
        "No result.json in the repository",
    ] {
        let task = task(
            "Publish index.html and a.txt",
            &[check, "Each required file exists"],
        );
        assert_eq!(
            (required(&task).forbidden.len(), Wanted::new(&task).files()),
            (1, ["a.txt".to_owned(), "index.html".to_owned()].as_slice()),
            "{check}"
        );
    }
}

#[test]
fn attachments_that_are_to_be_changed() {
    let path = RelPath::parse("execute.py").unwrap();
    for brief in [
        "Commit execute.py after fixing the non-trivial error in it.",
        "Fix execute.py",
        "Correct the error in execute.py.",
        "Please fix the bug in the attached `execute.py`",
        "Modify execute.py so that it runs",
    ] {
        assert!(
            !to_change(&task(brief, &[]), [&path].into_iter()).is_empty(),
            "{brief}"
        );
    }
    for brief in [
        "Commit execute.py as-is",
        "Fix the page so that execute.py is shown",
        "Update the page with execute.py",
        "Show execute.py",
        "Fix main.py and show execute.py",
        "Fix the error but keep execute.py unchanged",
    ] {
        assert!(
            to_change(&task(brief, &[]), [&path].into_iter()).is_empty(),
            "{brief}"
        );
    }
}

#[test]
fn what_is_a_file() {
    for file in [
        "a.txt",
        "docs/a.md",
        ".github/workflows/ci.yml",
        "LICENSE",
        "docs/",
        ".env",
        ".env.example",
        "node_modules",
    ] {
        assert!(is_file(file), "{file}");
    }
    for other in [
        "max.val",
        "e.g",
        "example.com",
        "/",
        "a.b.",
        "",
        "300-400",
        "document.title",
        "and/or",
    ] {
        assert!(!is_file(other), "{other}");
    }
}

/// 300 attachments, 200 checks and a brief of 5 MB with no end of a sentence took 40 s each.
#[test]
fn a_long_brief_is_read_once_and_in_part() {
    let asked = |n: usize| {
        let brief: String = std::iter::once("fix ".to_owned())
            .chain((0..n * 500).map(|n| format!("f{n}.js ")))
            .collect();
        let names: Vec<RelPath> = (0..n)
            .map(|n| RelPath::parse(&format!("f{n}.js")).unwrap())
            .collect();
        (task(&brief, &vec!["Each required file exists"; n]), names)
    };
    crate::growth::is_linear(
        "attachments, checks and words",
        25,
        asked,
        |(task, names)| {
            assert_eq!(
                to_change(task, names.iter())
                    .iter()
                    .map(|n| n.as_str())
                    .collect::<Vec<_>>(),
                ["f0.js"]
            );
            let wanted = Wanted::new(task);
            for _ in 0..names.len() {
                assert_eq!(
                    wanted.files(),
                    ["index.html"],
                    "a sentence that says nothing of making files"
                );
            }
        },
    );
    // What is named beyond is not looked for, and the cut is at a letter.
    let long = format!("{}Create late.txt", "ä".repeat(READ));
    assert_eq!(Wanted::new(&self::task(&long, &[])).files(), ["index.html"]);
}
