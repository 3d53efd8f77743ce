use super::*;

fn texts(page: &str, selector: &str) -> Vec<String> {
    let page = Page::read(page);
    let all = page.select(selector).unwrap();
    all.into_iter().map(Element::text).collect()
}

#[test]
fn as_it_is_read() {
    let source = "<!doctype html><title>T</title><!-- no --><style>p > a {}</style><p title='a > b'><b>Hel</b>lo&nbsp;W&#111;rld<p>Tom &amp; \
                  Jerry &x; 1 < 2<script>'</p>' + \"gone\"</script><textarea>typed</textarea>";
    let page = Page::read(source);
    assert_eq!(page.text(), "T Hello World Tom & Jerry &x; 1 < 2 typed");
    assert!(page.uncommented().contains("gone") && !page.uncommented().contains("no --"));
    assert!(!page.live().contains("typed") && page.live().contains("gone"));
    assert!(page.live().contains("<textarea></textarea>"));
    let values = |source| {
        let page = Page::read(source);
        page.attribute_values()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        values("<a href='x&amp;y' data-b=\"y\" c=z d>"),
        ["x&y", "y", "z", ""]
    );
}

#[test]
fn whatever_is_broken_has_a_reading() {
    for broken in [
        "",
        "<",
        "<p",
        "<!--",
        "<script>",
        "</",
        "<a href='",
        "&",
        "&#xffffffff;",
        "<a",
        "<a href",
        "<a href=",
        "<a =x>",
        "<a/",
        "<ü>",
        "<a b=ü c",
        "<script></scr",
        "<!-->",
        "<!--->",
        "<svg/>",
        "</p></td></table>",
        "<template><td></template></td>",
        "\u{feff}<p>",
        "é<!--é-->é<b>é",
    ] {
        let page = Page::read(broken);
        let _ = (
            page.text(),
            page.live(),
            page.uncommented(),
            page.links().count(),
        );
        for element in page.elements() {
            let _ = (element.text(), element.source(), element.line());
        }
    }
    assert_eq!(Page::read("é<!--é-->é<b>é").uncommented(), "éé<b>é");
    assert_eq!(
        Page::read("<SCRIPT>let a;</Script><b>").elements().count(),
        2
    );
    // Of a comment in a template only the template goes.
    assert_eq!(
        Page::read("a<template><!-- x --><p></p></template>b<!-- y -->c").live(),
        "a<template></template>bc"
    );
    assert_eq!(
        Page::read("<?xml version='1.0'?><p>x").uncommented(),
        "<?xml version='1.0'?><p>x"
    );
}

#[test]
fn elements_stand_in_one_another() {
    let list = "<ul><li>a<ul><li>b<li>c</ul><li>d</ul>";
    assert_eq!(texts(list, "li"), ["a b c", "b", "c", "d"]);
    assert_eq!(texts(list, "ul > li > ul > li"), ["b", "c"]);
    let table =
        "<table id=t><thead><tr><th>H<tbody><tr><td><p>x</div><td>y<tr><td>z</table><p>after";
    assert_eq!(texts(table, "#t td"), ["x", "y", "z"]);
    assert_eq!(texts(table, "#t tr"), ["H", "x y", "z"]);
    assert_eq!(texts(table, "#t"), ["H x y z"]);
    let nested = "<table><tr><td>o<table><tr><td>i</table>p<td>q</table>";
    assert_eq!(texts(nested, "td"), ["o i p", "i", "q"]);
    assert_eq!(texts("<p>a<p>b<div>c</div>d", "p"), ["a", "b"]);
    assert_eq!(
        texts("<div id=a><b>x<p>y </b>z</p></div>w", "#a, p"),
        ["x y z", "y z"]
    );
    assert_eq!(texts("<dl><dt>a<dd>b<dt>c</dl>", "dt,dd"), ["a", "b", "c"]);
    assert_eq!(
        texts("<select><option>1<option>2</select>3", "option"),
        ["1", "2"]
    );
    assert_eq!(
        texts("<div id=x>in<br>side</span></div>out", "#x"),
        ["in side"]
    );
    assert_eq!(
        texts(
            "<svg><title>d</title><path d=''/><text>t</text></svg>",
            "path, text"
        ),
        ["", "t"]
    );
    assert_eq!(texts("<body><p>a</body><p>b", "body > p"), ["a", "b"]);
}

#[test]
fn text_is_what_a_reader_sees() {
    let page = "<div id=a>one<script>no()</script><style>no{}</style><!-- no --><template>no</template> <span>t</span>wo &lt;3</div>";
    assert_eq!(texts(page, "#a"), ["one two <3"]);
    assert_eq!(
        texts(
            "<script type='application/json' id=d>{\"a\":1}</script>",
            "#d"
        ),
        ["{\"a\":1}"]
    );
    let page = Page::read(
        "<svg><title>no</title></svg>\n<TITLE>\n My &amp; page </TITLE><h1>A</h1><H3 id=x>B<b>C</b></H3><hr>",
    );
    assert_eq!(page.title().as_deref(), Some("My & page"));
    let headings: Vec<_> = page
        .headings()
        .map(|(n, e)| (n, e.text(), e.line()))
        .collect();
    assert_eq!(headings, [(1, "A".to_owned(), 3), (3, "BC".to_owned(), 3)]);
    assert_eq!(page.by_id("x").unwrap().name(), "h3");
    let page = Page::read("<noscript><p id=n>off</p></noscript><script>a < b && '<p>'</script>");
    assert_eq!(page.text(), "");
    assert_eq!(page.by_id("n").unwrap().text(), "off");
    assert_eq!(
        page.named(&["script"]).next().unwrap().source(),
        "a < b && '<p>'"
    );
}

#[test]
fn selectors() {
    let page = "<main class='x wide'><a href='https://e.org/a.pdf' lang=en-GB>1</a><section><a class=x data-k=\"a b\">2</a></section></main><a>3</a>";
    for (selector, wanted) in [
        ("a", &["1", "2", "3"][..]),
        ("main a", &["1", "2"]),
        ("MAIN > A", &["1"]),
        ("main>section>a", &["2"]),
        ("main.wide.x > section a.x", &["2"]),
        ("[href]", &["1"]),
        ("a[href^='https://']", &["1"]),
        ("a[href$=\".pdf\"]", &["1"]),
        ("a[href*=e]", &["1"]),
        ("[lang|=en]", &["1"]),
        ("[data-k~=b]", &["2"]),
        ("[ data-k = 'a b' ]", &["2"]),
        ("section *, #none", &["2"]),
        ("b", &[]),
    ] {
        assert_eq!(texts(page, selector), wanted, "{selector}");
    }
    for more in [
        "a:hover", "", "a,", "a >", "> a", "a + b", "a ~ b", "[x", "a..b", "[x?=y]", "a!",
    ] {
        assert!(Page::read(page).select(more).is_none(), "{more}");
    }
}

#[test]
fn links_of_this_site() {
    let page = Page::read(
        "<!-- <a href=old.html> --><a href='a.txt#x'>a</a><img src=b.png><script src=\"https://x/y.js\"></script>\
         <script>'<a href=\"no.html\">'</script><a href=\"#top\"><a href=mailto:x@y><a href=\"${url}\">\
         <link rel=x href=\" c.css?v=1 \"><a href=\"./\"/><a href='q&amp;a.html'>",
    );
    assert_eq!(
        page.local_links().collect::<Vec<_>>(),
        ["a.txt", "b.png", "c.css", "./", "q&a.html"]
    );
    assert_eq!(resolve("index.html", "./"), Some("index.html".to_owned()));
    assert_eq!(
        resolve("a/b.html", "../c%20d.txt"),
        Some("c d.txt".to_owned())
    );
    assert_eq!(resolve("index.html", "../x"), None);
}

#[test]
fn time_grows_with_the_page() {
    for part in [
        "<script></SCRIPT>",
        "<b>",
        "<div>",
        "<li>",
        "<p>x",
        "</b>",
        "<",
        "<!--",
        "<a href='",
        "&",
        "<table><td>",
        "<td>",
        "<b><p></b>",
        "<a href=x class=y>",
        "<svg>",
    ] {
        crate::growth::is_linear(
            part,
            1_000,
            |times| part.repeat(times),
            |text| {
                let page = Page::read(text);
                let _ = (page.text(), page.live(), page.local_links().count());
                let _ = page.select("div > b p, a[href] td");
            },
        );
    }
}
