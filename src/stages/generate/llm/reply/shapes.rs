//! Answers as chat models give them, each read to the same three files, or asked for again.

use super::*;

const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<link rel=\"stylesheet\" href=\"look.css\">\n</head>\n<body>\n<p id=\"sum\"></p>\n<script src=\"sum.js\"></script>\n</body>\n</html>\n";
const CSS: &str = "p { color: teal; }\n";
const JS: &str = "sum.textContent = '7';\n";

fn all(one: impl Fn(&str, &str, &str) -> String) -> String {
    [
        ("index.html", "html", PAGE),
        ("look.css", "css", CSS),
        ("sum.js", "javascript", JS),
    ]
    .map(|(path, language, content)| one(path, language, content))
    .concat()
}

fn listed() -> String {
    serde_json::json!({"files": [{"path": "index.html", "content": PAGE}, {"path": "look.css", "content": CSS}, {"path": "sum.js", "content": JS}]}).to_string()
}

#[test]
fn three_files_in_every_shape() {
    let list = listed();
    let fences = all(|p, l, c| format!("**{p}**\n```{l}\n{c}```\n\n"));
    let patch = |c: &str| c.lines().map(|l| format!("+{l}\n")).collect::<String>();
    let shapes = [
        fences.clone(),
        format!("\u{feff}Sure.\n{list}\nDone."),
        format!("Here:\n\n```json\n{list}\n```\n\nHave fun!"),
        list.replace("}]}", "},],}"),
        list.replace("{\"files\"", "{ // all\n/* of it */ \"files\""),
        list.replace("\\n", "\n"),
        format!("They ask for JSON.\n</think>\n\n{list}"),
        format!("[THINK]hm[/THINK]{list}"),
        format!("<Reasoning>hm</Reasoning>\n{fences}<|im_end|>"),
        format!(
            "<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>{list}<|return|>"
        ),
        serde_json::json!({"html": PAGE, "css": CSS, "js": JS}).to_string(),
        serde_json::json!({"index.html": PAGE, "look.css": CSS, "sum.js": JS}).to_string(),
        all(|p, _, c| serde_json::json!({"path": p, "content": c}).to_string() + "\n"),
        all(|_, l, c| format!("```{l}\n{c}```\n")),
        all(|p, l, c| format!("## `{p}`\n\nWhat the reader sees.\n\n```{l}\n{c}```\n")),
        all(|p, l, c| format!("```{l} file={p}\n{c}```\n")),
        all(|p, _, c| format!("<FILE NAME='{p}'>\n{c}</FILE>\n")),
        all(|p, _, c| format!("<boltAction type=\"file\" filePath=\"{p}\">\n{c}</boltAction>\n")),
        format!(
            "```xml\n{}```\n",
            all(|p, _, c| format!("<file path={p}>\n{c}</file>\n"))
        ),
        all(|p, _, c| format!("cat > {p} <<'EOF'\n{c}EOF\n")),
        format!(
            "```bash\n{}```\n",
            all(|p, _, c| format!("cat <<EOF > {p}\n{c}EOF\n"))
        ),
        all(|p, _, c| format!("=== {p} ===\n{c}\n")),
        all(|p, l, c| format!("=== {p} ===\n```{l}\n{c}```\n")),
        format!(
            "*** Begin Patch\n{}*** End Patch\n",
            all(|p, _, c| format!("*** Add File: {p}\n{}", patch(c)))
        ),
        all(|p, _, c| {
            format!(
                "--- /dev/null\n+++ b/{p}\n@@ -0,0 +1,{} @@\n{}",
                c.lines().count(),
                patch(c)
            )
        }),
        all(|p, _, c| format!("{p}\n```\n<<<<<<< SEARCH\n=======\n{c}>>>>>>> REPLACE\n```\n")),
        all(|p, _, c| format!("{p}\n<<<<<<< SEARCH\n=======\n{c}>>>>>>> REPLACE\n")),
        format!("{PAGE}\n```css\n{CSS}```\n```js\n{JS}```\n"),
        format!("<<<FILE index.html W1>>>\n{PAGE}<<<END W1>>>\n```css\n{CSS}```\n```js\n{JS}```\n"),
        format!("First draft:\n```html\n<html>x</html>\n```\nFinal version:\n{fences}"),
    ];
    for shape in shapes {
        let reply = read(&shape, &["W1"]);
        let files: Vec<_> = reply
            .files
            .iter()
            .map(|(p, c)| (p.as_str(), c.as_str()))
            .collect();
        assert_eq!(
            files,
            [("index.html", PAGE), ("look.css", CSS), ("sum.js", JS)],
            "{shape}\n{reply:?}"
        );
        assert!(
            reply.incomplete.is_empty() && reply.unclear.is_none(),
            "{shape}\n{reply:?}"
        );
    }
}

#[test]
fn what_can_be_meant_in_two_ways_is_asked_again() {
    let page = |word: &str| format!("```html\n<!DOCTYPE html>\n<html>{word}</html>\n```\n");
    for text in [
        format!("Option 1:\n{}\nOption 2:\n{}", page("a"), page("b")),
        format!("{}\n{}", page("a"), page("b")),
        format!("{}```css\n{CSS}```\n", page("a")),
        "```diff\n--- a/index.html\n+++ b/index.html\n@@ -1 +1 @@\n-a\n+b\n```\n".to_owned(),
        "*** Begin Patch\n*** Update File: index.html\n@@\n-a\n+b\n*** End Patch\n".to_owned(),
        "index.html\n```html\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n".to_owned(),
        "**index.html**\n```html\n<html>\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n</html>\n```\n".to_owned(),
        "**index.html**\n```html\n{\"title\": \"x\"}\n```\n".to_owned(),
        "<<<FILE index.html W1>>>\n<html>\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n</html>\n<<<END W1>>>".to_owned(),
    ] {
        let reply = read(&text, &["W1"]);
        assert!(reply.files.is_empty() && reply.unclear.is_some(), "{text}\n{reply:?}");
    }
}

#[test]
fn a_cut_is_seen() {
    let shapes = [
        listed(),
        all(|_, l, c| format!("```{l}\n{c}```\n")),
        all(|p, _, c| format!("<FILE NAME='{p}'>\n{c}</FILE>\n")),
        all(|p, _, c| format!("cat > {p} <<'EOF'\n{c}EOF\n")),
        all(|p, _, c| format!("=== {p} ===\n{c}")),
    ];
    for shape in shapes {
        let cut = shape.rfind("textContent").unwrap();
        let reply = read(&shape[..cut], &[]);
        assert!(!reply.incomplete.is_empty(), "{shape}\n{reply:?}");
        assert!(
            reply
                .files
                .iter()
                .all(|(p, c)| [("index.html", PAGE), ("look.css", CSS)].contains(&(p.as_str(), c)))
        );
    }
}
