use super::super::made_here;
use super::*;

fn round(round: u64, brief: &str) -> Round {
    Round {
        round,
        brief: brief.to_owned(),
    }
}

fn site<'a>(briefs: &[&str], assets: Vec<Asset<'a>>) -> Site<'a> {
    let rounds = briefs
        .iter()
        .zip(1..)
        .map(|(brief, number)| round(number, brief))
        .collect();
    Site {
        task: "demo-<1>",
        repo: "demo\"1",
        rounds,
        assets,
    }
}

fn asset<'a>(path: &'a str, bytes: &'a [u8]) -> Asset<'a> {
    Asset {
        path,
        media_type: "",
        bytes: bytes.into(),
    }
}

#[test]
fn a_hostile_brief_stays_text() {
    let hostile =
        "</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'--><!--";
    let html = page(&site(
        &[hostile],
        vec![asset("</h2><b>\".txt", hostile.as_bytes())],
    ));
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("</title>").count(), 1);
    assert_eq!(html.matches("</style>").count(), 1);
    assert!(!html.contains("<img") && !html.contains("</h2><b>"));
    assert!(html.contains("&lt;/title&gt;&lt;/style&gt;"));
}

#[test]
fn the_parts_are_there_once_and_in_order() {
    let html = page(&site(
        &["Make it"],
        vec![asset("a.csv", b"a,b\n1,2\n"), asset("b.md", b"# T\n")],
    ));
    let at = |part: &str| {
        html.find(part)
            .unwrap_or_else(|| panic!("{part} is missing"))
    };
    assert!(
        at("charset") < at("\"generator\"") && at("\"generator\"") < at("Content-Security-Policy")
    );
    assert!(at("Content-Security-Policy") < at("<style>"));
    assert_eq!(html.matches("<h1 ").count(), 1);
    assert!(
        at("<h1 dir=\"auto\">T</h1>") < at("<h2 id=\"brief\">")
            && at("id=\"file-1\"") < at("id=\"file-2\"")
    );
    for gone in ["http://", "https://"] {
        assert_eq!(
            html.replace("http://www.w3.org/2000/svg", "")
                .matches(gone)
                .count(),
            0
        );
    }
}

#[test]
fn the_inline_parts_cannot_end_early() {
    assert!(!SCRIPT.contains("</script") && !SCRIPT.contains("<!--") && !STYLE.contains("</style"));
}

#[test]
fn the_round_trip_works_and_tampering_shows() {
    let html = page(&site(&["one \"<&>'", "two\r\n"], vec![]));
    assert_eq!(
        made_here(html.as_bytes()),
        Some(vec![round(1, "one \"<&>'"), round(2, "two\r\n")])
    );
    let with_file = page(&site(&["one"], vec![asset("a.csv", b"a,b\n1,2\n")]));
    assert!(with_file.contains("Download") && made_here(with_file.as_bytes()).is_some());
    assert_eq!(
        made_here(with_file.replace("Download", "Upload").as_bytes()),
        None
    );
    assert_eq!(
        made_here(html.replacen("<h1 ", "<h1  ", 1).as_bytes()),
        None
    );
}

#[test]
fn rounds_are_labelled_latest_first() {
    let html = page(&site(&["first", "  second\n    indented"], vec![]));
    assert!(html.find("Round 2").unwrap() < html.find("Round 1").unwrap());
    assert!(html.contains("<p>second<br />\nindented</p>"));
    assert!(!page(&site(&["only"], vec![])).contains("Round 1"));
}

#[test]
fn later_rounds_keep_the_title_unless_they_name_one() {
    assert_eq!(
        page_title(&site(&["A page titled 'Old'", "Add a table"], vec![])),
        "Old"
    );
    assert_eq!(
        page_title(&site(
            &["A page titled 'Old'", "Set the title to 'New'"],
            vec![]
        )),
        "New"
    );
    let nameless = |briefs: &[&str]| {
        let mut site = site(briefs, vec![]);
        site.task = "7-a";
        page_title(&site)
    };
    assert_eq!(nameless(&["Make a clock", "Add hands"]), "Make a clock");
    assert_eq!(nameless(&[]), "7-a");
}

#[test]
fn the_title_is_that_of_the_document_or_of_the_task() {
    let with = |brief: &str, document: &str| {
        page_title(&site(
            &[brief],
            vec![
                asset("a.csv", b"a\n1\n"),
                asset("a.md", document.as_bytes()),
            ],
        ))
    };
    assert_eq!(with("Show it", "Intro\n\n# The *Report*\n"), "The Report");
    assert_eq!(with("Call the title 'Mine'", "# The Report\n"), "Mine");
    assert_eq!(with("Show it", "no heading"), "Demo 1");
}

#[test]
fn the_page_is_in_the_language_of_its_brief() {
    let arabic = page(&site(
        &["أنشئ صفحة ويب تعرض مجموع المبيعات من الملف data.csv"],
        vec![asset("a.csv", b"a,b\nx,1\n")],
    ));
    assert!(arabic.contains("<html lang=\"ar\" dir=\"rtl\">"));
    assert!(arabic.contains("<h2 id=\"brief\" lang=\"en\" dir=\"ltr\">"));
    assert!(
        arabic.contains("class=\"data\" dir=\"ltr\""),
        "the table is none of Arabic"
    );
    let english = page(&site(&["Make it"], vec![asset("a.md", "# Titel\n\nDie Summe der Verkäufe steht in der Tabelle, und die Tabelle lässt sich nach Spalten ordnen.".as_bytes())]));
    assert!(
        english.contains("<html lang=\"en\">") && english.contains(" lang=\"de\" dir=\"auto\">")
    );
}

#[test]
fn a_brief_is_markdown_and_cannot_break_the_page() {
    let html = page(&site(
        &[
            "## Do\n\n- one\n- **two** with `data.csv`\n\n<div onclick=x>\n\n[x](javascript:alert(1)) [d](data.csv)",
        ],
        vec![asset("data.csv", b"a,b\n1,2\n")],
    ));
    assert!(
        html.contains("<h3 id=\"brief-1-do\">Do</h3>") && html.contains("<strong>two</strong>")
    );
    assert!(html.contains("&lt;div onclick=x&gt;") && !html.contains("href=\"javascript:"));
    assert!(html.contains("<a href=\"data.csv\">d</a>"));
    let many = page(&site(
        &[&("|a".repeat(300) + "|\n" + &"|-".repeat(300) + "|\n" + &"|x\n".repeat(20_000))],
        vec![],
    ));
    assert!(many.len() < 500_000, "{}", many.len());
}

#[test]
fn the_page_stays_small() {
    let csv = "\"<<<<<<<<<<<<<<<<<<<<\",1\n".repeat(400_000);
    let text = "<>&\"".repeat(3_000_000);
    let json = format!("[{}1]", "\"<<<<\",".repeat(500_000));
    let markdown = "|a|".repeat(300) + "\n" + &"|-|".repeat(300) + "\n" + &"|x\n".repeat(20_000);
    let parts = [
        ("a.csv", &csv),
        ("b.txt", &text),
        ("c.json", &json),
        ("d.md", &markdown),
        ("e.txt", &text),
        ("f.txt", &text),
    ];
    let html = page(&site(
        &["x"],
        parts
            .iter()
            .map(|(path, content)| asset(path, content.as_bytes()))
            .collect(),
    ));
    assert!(html.len() < 2_000_000, "{}", html.len());
    assert!(html.contains("this page is full"));
}

#[test]
fn ids_are_unique() {
    let csv = b"sales,sales\n1,2\n";
    let markdown = b"# file-1\n\n# a\n\n# a\n\nx[^a]\n\n[^a]: y\n";
    let html = page(&site(
        &["x"],
        vec![
            asset("a.csv", csv),
            asset("b.csv", csv),
            asset("c.md", markdown),
            asset("d.md", markdown),
        ],
    ));
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert!(ids.contains(&"total-sales-2") && ids.contains(&"markdown-output"));
}

/// Two landmarks of one name cannot be told apart in the list that a screen reader makes of them.
#[test]
fn landmarks_have_names_of_their_own() {
    let document = b"|a|\n|-|\n|1|\n\n|b|\n|-|\n|2|\n";
    let html = page(&site(
        &["|a|\n|-|\n|1|\n"],
        vec![
            asset("a.csv", b"a,b\n1,2\n"),
            asset("b.json", b"[{\"a\":1},{\"a\":2}]"),
            asset("c.txt", b"text"),
            asset("d.md", document),
            asset("e.md", document),
        ],
    ));
    let read = crate::content::html::Page::read(&html);
    let mut names: Vec<String> = read
        .elements()
        .filter(|e| e.get("role") == Some("region") || matches!(e.name(), "section" | "nav"))
        .map(|e| {
            let heading = e.get("aria-labelledby").and_then(|id| read.by_id(id));
            heading.map_or_else(
                || e.get("aria-label").unwrap().to_owned(),
                crate::content::html::Element::text,
            )
        })
        .collect();
    let all = names.len();
    assert!(all >= 9, "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}
