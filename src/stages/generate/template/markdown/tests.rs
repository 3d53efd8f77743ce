use super::*;

fn html(source: &str) -> String {
    let paths = ["assets/doc.md", "assets/pic one.png", "data.csv"];
    render(
        source,
        &Place {
            path: "assets/doc.md",
            paths: &paths,
            key: "file-2",
            under: 2,
            lines: false,
        },
        &mut Ids::default(),
    )
}

#[test]
fn raw_html_becomes_text() {
    let page = html(
        "<script>alert(1)</script>\n\nA <b onclick=\"x()\">b</b> <!-- c -->\n\n<div\nonload=x>\n",
    );
    assert!(
        !page.contains("<script")
            && !page.contains("<b ")
            && !page.contains("<!--")
            && !page.contains("<div\n")
    );
    assert!(
        page.contains("&lt;script&gt;") && page.contains("&lt;b onclick"),
        "{page}"
    );
}

#[test]
fn urls_that_run_code_are_defused() {
    for source in [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](<java\tscript:alert(1)>)",
        "[x](javascript&colon;alert(1))",
        "[x](vbscript:x)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<javascript:alert(1)>",
        "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
        "![x](javascript:x)",
        "[x][r]\n\n[r]: javascript:alert(1)",
    ] {
        let page = html(source);
        assert!(
            !page.contains("href") && !page.contains("src="),
            "{source}: {page}"
        );
    }
}

#[test]
fn attributes_cannot_be_left() {
    let page = html(
        "[x](https://a.example/\"onclick=\"x \"t\\\"onclick=x\")\n\n```a\"onload=x\ncode\n```\n",
    );
    assert!(
        !page.contains("\"onclick") && !page.contains("\"onload"),
        "{page}"
    );
}

#[test]
fn relative_urls_lead_into_the_site_or_nowhere() {
    assert!(html("![a](pic%20one.png)").contains("src=\"assets/pic%20one.png\""));
    assert!(html("[a](../data.csv#x)").contains("href=\"data.csv#x\""));
    assert!(html("[a](data.csv)").contains("href=\"data.csv\""));
    assert_eq!(html("[a](missing.txt)"), "<p>a</p>\n");
    assert_eq!(html("[a](../../etc/passwd)"), "<p>a</p>\n");
}

#[test]
fn pictures_from_elsewhere_become_links() {
    assert_eq!(
        html("![a](https://x.example/p.png)"),
        "<p><a href=\"https://x.example/p.png\">a</a></p>\n"
    );
    assert!(html("![](https://x.example/p.png)").contains(">Image</a>"));
    let badge = html("[![b](https://x.example/p.svg)](https://y.example/)");
    assert_eq!(badge, "<p><a href=\"https://y.example/\">b</a></p>\n");
}

#[test]
fn headings_fit_below_the_section() {
    let page = html("## A\n\n#### B\n\n# C\n\n## D\n\n### E\n\n#### F\n\n##### G\n");
    let levels: Vec<&str> = page
        .match_indices("<h")
        .map(|(at, _)| &page[at + 2..=at + 2])
        .collect();
    assert_eq!(levels, ["3", "4", "3", "4", "5", "6", "6"]);
    assert_eq!(page.matches("</h6>").count(), 2);
}

#[test]
fn links_to_headings_find_them() {
    let page = html("[go](#a--b-it)\n\n# A & B `it`\n\n# A & B it\n");
    assert!(
        page.contains("href=\"#file-2-a--b-it\"") && page.contains("<h3 id=\"file-2-a--b-it\">"),
        "{page}"
    );
    assert!(page.contains("<h3 id=\"file-2-a--b-it-2\">"));
}

#[test]
fn the_extensions_work() {
    let page = html("~~a~~[^N]\n\n- [x] b\n\n|c|d|\n|-|-|\n|1|2|\n\n[^n]: note\n\n<a@b.example>\n");
    for part in [
        "<del>a</del>",
        "type=\"checkbox\" aria-label=\"Done\" disabled checked",
        "<div class=\"scroll\"",
        "href=\"#file-2-note-1\"",
        "id=\"file-2-note-1\"",
        "href=\"mailto:a@b.example\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_brief_keeps_its_lines_and_stands_lower() {
    let place = Place {
        path: "",
        paths: &[],
        key: "brief-2",
        under: 3,
        lines: true,
    };
    let page = render(
        "# Plan\none\ntwo\n\n- a\n- b\n",
        &place,
        &mut Ids::default(),
    );
    assert!(page.contains("<h4 id=\"brief-2-plan\">Plan</h4>"), "{page}");
    assert!(
        page.contains("one<br />\ntwo") && page.contains("<li>b</li>"),
        "{page}"
    );
}

#[test]
fn a_document_has_a_title() {
    assert_eq!(
        title("text\n\n# My *own* `x`\n## b").as_deref(),
        Some("My own x")
    );
    assert_eq!(title("Big\n===\n").as_deref(), Some("Big"));
    for none in ["", "## b", "# \n", "```\n# a\n```"] {
        assert_eq!(title(none), None, "{none:?}");
    }
}
