use super::*;

const WORD: &str = "K3F9";

fn paths(reply: &Reply) -> Vec<&str> {
    reply.files.keys().map(RelPath::as_str).collect()
}

fn content<'a>(reply: &'a Reply, path: &str) -> &'a str {
    reply
        .files
        .iter()
        .find(|(p, _)| p.as_str() == path)
        .map_or("", |(_, c)| c)
}

#[test]
fn blocks_and_the_other_marks() {
    let text = "Sure!\n<<<FILE index.html K3F9>>>\n<p>\n<<<END OTHER>>>\n</p>\n<<<END K3F9>>>\n<<<DELETE old.js K3F9>>>\n\
                <<<CONVERT data.xlsx data.csv K3F9>>>\n<<<FETCH https://x.example/a?b=c K3F9>>>\n<<<FILE a b.txt K3F9>>>\nx<<<END K3F9>>>";
    let reply = read(text, &[WORD]);
    assert_eq!(paths(&reply), ["a b.txt", "index.html"]);
    assert_eq!(
        content(&reply, "index.html"),
        "<p>\n<<<END OTHER>>>\n</p>\n"
    );
    assert_eq!(content(&reply, "a b.txt"), "x\n");
    assert_eq!(
        (
            reply.deletes.len(),
            reply.converts.len(),
            reply.fetches.as_slice()
        ),
        (1, 1, ["https://x.example/a?b=c".to_owned()].as_slice())
    );
    assert!(reply.incomplete.is_empty() && reply.refused.is_empty());
}

#[test]
fn a_block_without_its_end_is_not_accepted() {
    for text in [
        "<<<FILE a.txt K3F9>>>\nx\n",
        "<<<FILE a.txt K3F9>>>\nx\n<<<END",
        "<<<FILE a.txt K3F9>>>\nx\n<<<END K3F9",
        "<<<FILE a.txt K3F9>>>\nx\n<<<END XK3F9>>>",
        "<<<FILE a.txt K3F9>>>\nx\n<<<END>>>\n",
    ] {
        let reply = read(text, &[WORD]);
        assert!(
            reply.files.is_empty() && reply.incomplete == ["a.txt"],
            "{text}: {reply:?}"
        );
    }
    let reply = read(
        "<<<FILE a.txt K3F9>>>\nx\n<<<FILE b.txt K3F9>>>\ny\n<<<END K3F9>>>\n",
        &[WORD],
    );
    assert!(paths(&reply) == ["b.txt"] && reply.incomplete == ["a.txt"]);
}

#[test]
fn the_word_may_be_an_earlier_one_or_none_at_all() {
    assert_eq!(
        paths(&read(
            "<<<FILE a.txt OLD1>>>\nx\n<<<END OLD1>>>",
            &[WORD, "OLD1"]
        )),
        ["a.txt"]
    );
    assert_eq!(
        paths(&read("<<<FILE a.txt>>>\nx\n<<<END>>>", &[WORD])),
        ["a.txt"]
    );
    assert!(
        read("<<<FILE a.txt WRONG>>>\nx\n<<<END WRONG>>>", &[WORD])
            .files
            .is_empty()
    );
}

#[test]
fn fences_around_a_content_are_taken_off() {
    let block = |path: &str, body: &str| {
        content(
            &read(
                &format!("<<<FILE {path} K3F9>>>\n{body}\n<<<END K3F9>>>"),
                &[WORD],
            ),
            path,
        )
        .to_owned()
    };
    assert_eq!(block("a.html", "```html\n<p></p>\n```"), "<p></p>\n");
    assert_eq!(block("a.md", "```markdown\n# A\n```"), "# A\n");
    assert_eq!(block("a.md", "```sh\nls\n```"), "```sh\nls\n```\n");
    assert_eq!(block("a.js", "let a = `\n```\n`;"), "let a = `\n```\n`;\n");
}

#[test]
fn hostile_paths_are_refused_by_name() {
    for path in [
        "../x",
        "/etc/passwd",
        ".git/config",
        "a\\b",
        "a//b",
        "C:\\x",
        "con.txt",
    ] {
        let reply = read(
            &format!("<<<FILE {path} K3F9>>>\nx\n<<<END K3F9>>>"),
            &[WORD],
        );
        assert!(
            reply.files.is_empty() && reply.refused.len() == 1,
            "{path}: {reply:?}"
        );
    }
    assert_eq!(
        paths(&read(
            "<<<FILE ./a/b.css K3F9>>>\nx\n<<<END K3F9>>>",
            &[WORD]
        )),
        ["a/b.css"]
    );
}

#[test]
fn json_in_its_shapes() {
    for text in [
        r#"{"files":[{"path":"index.html","content":"x"}]}"#,
        "```json\n{\"files\":[{\"name\":\"index.html\",\"contents\":\"x\"}]}\n```",
        r#"[{"filename":"index.html","code":"x"}]"#,
        r#"{"index.html":"x"}"#,
        r#"{"files":{"index.html":{"content":"x"}}}"#,
    ] {
        let reply = read(text, &[WORD]);
        assert_eq!(
            (paths(&reply), content(&reply, "index.html")),
            (vec!["index.html"], "x\n"),
            "{text}"
        );
    }
    assert_eq!(
        content(&read(r#"{"data.json":{"a":1}}"#, &[]), "data.json"),
        "{\n  \"a\": 1\n}\n"
    );
    assert!(read(r#"{"city":"Delhi","lat":1.5}"#, &[]).is_silent());
    assert_eq!(
        read(r#"{"files":[{"path":"index.html","content":"x"#, &[]).incomplete,
        ["the JSON"]
    );
}

#[test]
fn fenced_blocks_under_their_path() {
    for text in [
        "Here:\n\n**index.html**\n```html\n<p>\n```\n",
        "### `index.html`\n\n```\n<p>\n```",
        "1. index.html:\n```html\n<p>\n```\nDone.",
        "```html index.html\n<p>\n```",
        "```html:index.html\n<p>\n```",
        "```html title=\"index.html\"\n<p>\n```",
        "File: index.html\n````html\n<p>\n````",
    ] {
        let reply = read(text, &[]);
        assert_eq!(
            (paths(&reply), content(&reply, "index.html")),
            (vec!["index.html"], "<p>\n"),
            "{text}"
        );
    }
    let reply = read(
        "```js\n// app.js\nlet a;\n```\n**README.md**\n```markdown\n# A\n```sh\nls\n```\nend\n```\n",
        &[],
    );
    assert_eq!(
        (content(&reply, "app.js"), content(&reply, "README.md")),
        ("// app.js\nlet a;\n", "# A\n```sh\nls\n```\nend\n")
    );
    assert_eq!(read("**a.js**\n```js\nlet a", &[]).incomplete, ["a.js"]);
    assert!(
        read(
            "Change index.html and app.js like this:\n```js\nlet a\n```",
            &[]
        )
        .files
        .is_empty()
    );
}

#[test]
fn tags() {
    let reply = read(
        "<file path=\"a.txt\">\nx\n</file>\n<file name='b.html'><![CDATA[\n<p>\n]]></file>\n<file path=\"c.js\">\nlet",
        &[],
    );
    assert_eq!(
        (content(&reply, "a.txt"), content(&reply, "b.html")),
        ("x\n", "<p>\n")
    );
    assert_eq!(reply.incomplete, ["c.js"]);
}

#[test]
fn a_lone_document() {
    let reply = read(
        "Here you go:\n```html\n<!DOCTYPE html>\n<html></html>\n```\nEnjoy",
        &[],
    );
    assert_eq!(
        content(&reply, "index.html"),
        "<!DOCTYPE html>\n<html></html>\n"
    );
    assert_eq!(
        read("<!doctype html><html><body>", &[]).incomplete,
        ["index.html"]
    );
    assert_eq!(
        read("<html><script>w('</html>');", &[]).incomplete,
        ["index.html"]
    );
}

#[test]
fn thoughts_are_no_answer() {
    let draft = "<think>\n<<<FILE a.txt K3F9>>>\ndraft\n<<<END K3F9>>>\n";
    assert!(read(draft, &[WORD]).files.is_empty());
    let reply = read(
        &format!("{draft}</think>\n<<<FILE b.txt K3F9>>>\nx\n<<<END K3F9>>>\n"),
        &[WORD],
    );
    assert_eq!(paths(&reply), ["b.txt"]);
}

#[test]
fn prose_is_nothing() {
    for text in [
        "",
        "I cannot do that.",
        "Use `index.html`.",
        "<<<FILE>>>",
        "<<<>>>",
        "{}",
        "[]",
        "```\nx\n```",
    ] {
        assert!(read(text, &[WORD]).is_silent(), "{text}");
    }
}
