//! What is read of plain language, and what comes of it.

use std::collections::BTreeMap;

use crate::request::required::Wanted;
use crate::request::task::Task;
use crate::request::words::read;
use crate::stages::check::files::decide;
use crate::values::RelPath;

/// Verdict on a text: `Ok(true)` passed, `Ok(false)` failed, `Err` not for files.
fn verdict(text: &str, brief: &str, files: &[(&str, &str)]) -> Result<bool, ()> {
    let json = serde_json::json!({"email": "e", "task": "t", "brief": brief, "attachments": [{"name": "uid.txt", "url": "data:,4711"}]});
    let task = Task::parse(json.to_string().as_bytes()).unwrap();
    let files: BTreeMap<RelPath, &[u8]> = files
        .iter()
        .map(|(p, t)| (RelPath::parse(p).unwrap(), t.as_bytes()))
        .collect();
    let claims = read(text, &Wanted::new(&task)).ok_or(())?;
    decide(&claims, &files, &task)
        .map(|wrong| wrong.is_empty())
        .ok_or(())
}

#[test]
fn what_files_decide() {
    let license = crate::stages::generate::mit("x", 0);
    let brief = "Publish:\n- a.txt: x\n- b.json: y\n- index.html: links to all the above\n- LICENSE: MIT\n- uid.txt: as-is\nDo not commit result.json";
    let files = [
        ("a.txt", "one two — three."),
        (
            "b.json",
            r#"{"entityName":"Biogen Inc.","max":{"val":3,"fy":"2021"},"lat":1.5}"#,
        ),
        (
            "index.html",
            "<a href='a.txt'>a</a> <a href=\"./b.json\">b</a> <p id=x>revenew</p>",
        ),
        ("LICENSE", license.as_str()),
        ("uid.txt", "4711"),
        (
            "pelican.svg",
            "<?xml version=\"1.0\"?><svg xmlns='http://www.w3.org/2000/svg'><g/></svg>",
        ),
        ("bad.svg", "<svg><g></svg>"),
        ("t.csv", "a,b\n1,2\n"),
        ("bad.csv", "a,b\n1\n"),
        ("README.md", "# x"),
        ("empty.txt", " \n"),
        (".github/workflows/ci.yml", "on: push"),
    ];
    for (text, passes) in [
        ("Repo has MIT license", true),
        ("LICENSE contains the MIT License text", true),
        ("MIT LICENSE file present in repo root", true),
        ("Each required file exists on GitHub", true),
        ("uid.txt matches the attached uid.txt", true),
        ("index.html links to all required assets", true),
        ("index.html links to a.txt and b.json", true),
        ("index.html links to a.txt and nope.txt", false),
        ("a.txt contains exactly three words", true),
        ("a.txt contains exactly 4 words", false),
        ("a.txt is 2-4 words", true),
        ("a.txt is a 300–400 word story", false),
        ("a.txt has between 300 and 400 words", false),
        ("a.txt has at least 3 words", true),
        ("pelican.svg is valid SVG", true),
        ("bad.svg is valid SVG", false),
        ("b.json is valid SVG", false),
        ("t.csv is valid CSV", true),
        ("bad.csv is valid CSV", false),
        ("b.json exists and is valid JSON", true),
        ("a.txt is valid JSON", false),
        ("b.json has 'entityName' field matching 'Biogen'", true),
        ("b.json has 'entityName' field matching 'Pfizer'", false),
        (
            "b.json has 'max' object with 'val' (number) and 'fy' (string) fields",
            true,
        ),
        (
            "b.json has 'max' object with 'val' (string) and 'fy' (string) fields",
            false,
        ),
        ("b.json has keys entityName, max and lat", true),
        ("b.json has keys entityName and name", false),
        ("result.json is NOT committed", true),
        ("a.txt is not committed", false),
        ("index.html does not contain the typo \"revenew\"", false),
        ("a.txt does not contain the typo \"revenew\"", true),
        ("a.txt contains \"two\"", true),
        ("README.md exists", true),
        ("index.html exists", true),
        ("Index.html exists", false),
        ("a.txt, b.json, and .github/workflows/ci.yml exist", true),
        ("a.txt, b.json, and c.txt exist", false),
        ("empty.txt is not empty", false),
        ("README.md is not empty", true),
    ] {
        assert_eq!(verdict(text, brief, &files), Ok(passes), "{text}");
    }
}

#[test]
fn what_only_a_person_can_tell() {
    for text in include_str!("for_people.txt").lines().chain([""]) {
        assert_eq!(verdict(text, "b", &[]), Err(()), "{text}");
    }
}

/// The same thing said in many ways. All of it is true of these files.
#[test]
fn said_in_many_ways() {
    let license = crate::stages::generate::mit("x", 0);
    let brief = "Make:\n- a.txt\n- about.md\n- data.json\n- uid.txt as is";
    let long = vec!["word"; 350].join(" ");
    let page = "<title>T</title><a href='a.txt'>a</a><a href='data.json'>d</a><a href='about.md'>b</a><a href='uid.txt'>u</a>";
    let files = [
        ("index.html", page),
        ("a.txt", long.as_str()),
        ("about.md", "one two three"),
        (
            "data.json",
            r#"{"name":"x","items":[1,2],"max":{"val":1,"fy":"2021"},"lat":1.5}"#,
        ),
        ("p.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("f.xml", "<a/>"),
        ("t.csv", "a,b\n1,2\n"),
        ("LICENSE", license.as_str()),
        ("README.md", "# Title\n\n## Setup\n\n## Usage\n\nMIT"),
        (
            "list.json",
            concat!(
                "\u{feff}",
                r#"{"items":[{"id":1},{"id":2}],"some":[{"id":1},{}],"a.b":"Alice","o":{"c":2.0},"none":[]}"#
            ),
        ),
        ("mark.csv", "\u{feff}a,b\n1,2\n"),
        ("uid.txt", "4711"),
        (".nojekyll", ""),
        ("docs/x.md", "hi"),
    ];
    for text in include_str!("decided.txt").lines() {
        assert_eq!(verdict(text, brief, &files), Ok(true), "{text}");
    }
    for text in [
        "a.txt and nope.txt exist",
        "nope.txt exists",
        "no a.txt is committed",
        "Repo contains nope.txt",
        "docs/ is not committed",
        "list.json has 'some' array with 'id' field",
        "list.json has 'none' array with 'id' field",
        "list.json has 'a.b' equal to 'Ali'",
        "p.svg contains \"<circle\"",
        "a.txt has fewer than 350 words",
        "a.txt has more than 350 words",
        "about.md: two words",
        "data.json has 'max.val' (string)",
        "t.csv has columns a, b and c",
        "data.json has 'name' set to 'y'",
        "data.json has 'name' equal to 'X'",
        "data.json has exactly these keys: name",
        "data.json has exactly the keys name and items",
        "data.json has only the keys \"name\" and \"items\"",
        "t.csv has only column a",
        "data.json has 'items' array with 'id' field",
        "data.json has \"lat\" (integer)",
        "data.json contains \"Biogen\"",
        "data.json is a JSON array",
        "about.md contains the word 'wo'",
        "no a.txt or b.txt is committed",
        "a.txt or b.txt must not exist",
        "README.md has a \"License\" section",
        "README.md contains neither \"foo\" nor \"MIT\"",
        "index.html links to uid.txt and LICENSE",
        "README.md must not contain \"Setup\"",
    ] {
        assert_eq!(verdict(text, brief, &files), Ok(false), "{text}");
    }
}

/// Read, but what the files hold leaves it open.
#[test]
fn what_is_there_leaves_it_open() {
    let files = [
        (
            "data.json",
            r#"{"name":"x","max":{"val":"Ali"},"total":1,"total":2}"#,
        ),
        ("t.csv", "a,b\n1,2\n"),
        ("README.md", "# Title\n\nTODO: well-known setup"),
    ];
    for text in [
        "data.json contains \"Ali\"",
        "data.json has 'max' equal to '{}'",
        "data.json has 'total' equal to 2",
        "data.json has name and address fields",
        "data.json has short and curt keys",
        "t.csv has name and age columns",
        "t.csv has columns A and B",
        "t.csv has a date column",
        "data.json has an id field",
        "data.json has 'max' object with 'val' and 'name'",
        "README.md contains \"todo\"",
        "README.md does not contain \"todo\"",
        "README.md contains the word \"known\"",
        "README.md has a \"Setup\" section",
    ] {
        assert_eq!(verdict(text, "b", &files), Err(()), "{text}");
    }
}

/// What a person sees of a page, of a list, of a table.
#[test]
fn as_a_person_sees_it() {
    for (text, file, content, expected) in [
        (
            "index.html contains \"Tom & Jerry\"",
            "index.html",
            "<p>Tom &amp; Jerry</p>",
            Ok(true),
        ),
        (
            "index.html contains the text \"Hello World\"",
            "index.html",
            "<p><b>Hello</b> World</p>",
            Ok(true),
        ),
        (
            "index.html contains the text \"Hello World\"",
            "index.html",
            "<!-- Hello World --><p>x</p>",
            Ok(false),
        ),
        (
            "index.html does not contain the text \"undefined\"",
            "index.html",
            "<script>typeof q === 'undefined'</script>",
            Err(()),
        ),
        (
            "index.html does not contain \"undefined\"",
            "index.html",
            "<p>undefined</p>",
            Ok(false),
        ),
        (
            "index.html does not contain \"eval(\"",
            "index.html",
            "<script>eval('1')</script>",
            Ok(false),
        ),
        (
            "index.html does not contain \"TODO\"",
            "index.html",
            "<p>done</p>",
            Ok(true),
        ),
        (
            "index.html links to a.txt",
            "index.html",
            "<!-- <a href=\"a.txt\">x</a> -->",
            Ok(false),
        ),
        (
            "index.html links to a.txt",
            "index.html",
            "<a data-href=\"a.txt\">x</a>",
            Ok(false),
        ),
        (
            "index.html links to a.txt",
            "index.html",
            "<template><a href=\"a.txt\">x</a></template>",
            Ok(false),
        ),
        (
            "index.html links to a.txt",
            "index.html",
            "<a href=\"%61.txt\">x</a>",
            Ok(true),
        ),
        (
            "index.html links to a.txt",
            "index.html",
            "<script>link.href = \"a.txt\"</script>",
            Ok(true),
        ),
        (
            "about.md contains exactly three words",
            "about.md",
            "1. Curious\n2. Careful\n3. Kind",
            Ok(true),
        ),
        (
            "about.md contains exactly three words",
            "about.md",
            "Curious—Careful—Kind",
            Ok(true),
        ),
        (
            "about.md contains exactly three words",
            "about.md",
            "Curious,Careful,Kind",
            Ok(true),
        ),
        (
            "about.md contains exactly three words",
            "about.md",
            "---\ntitle: x\n---\nCurious Careful Kind <!-- three -->",
            Ok(true),
        ),
        (
            "about.md contains exactly three words",
            "about.md",
            "and/or 3,000 e.g.",
            Ok(true),
        ),
        ("p.svg is valid SVG", "p.svg", "<svg/>", Ok(false)),
        (
            "p.svg is valid SVG",
            "p.svg",
            "<svg xmlns='http://www.w3.org/2000/svg'><use xlink:href='#a'/></svg>",
            Ok(false),
        ),
        ("t.csv is valid CSV", "t.csv", "a,b\n\"x\"y,2\n", Ok(false)),
        (
            "t.csv is valid CSV",
            "t.csv",
            "a,b\r\n\"x, \"\"y\"\"\n\",5\"\r\n",
            Ok(true),
        ),
    ] {
        assert_eq!(
            verdict(text, "b", &[(file, content)]),
            expected,
            "{text}: {content}"
        );
    }
    let by_script = [
        ("index.html", "<script src=a.js></script>"),
        ("a.js", "document.body.textContent = 'Hello World'"),
    ];
    assert_eq!(
        verdict("index.html contains \"Hello World\"", "b", &by_script),
        Err(())
    );
}
