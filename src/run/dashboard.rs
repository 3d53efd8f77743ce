//! `status --html FILE`: every run on one page that needs nothing else - no script, no font, no network.

use std::fmt::Write as _;

use super::status::{Gist, Seen, Standing};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--ok:#1a7f37;--wait:#9a6700;--bad:#cf222e}\
@media(prefers-color-scheme:dark){:root{--ok:#3fb950;--wait:#d29922;--bad:#f85149}}\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
h1{font-size:1.5rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}\
.finished{color:var(--ok)}.on-the-way{color:var(--wait)}.failed{color:var(--bad)}\
.scroll{overflow-x:auto}small{opacity:.75}";

/// The page. `now`: RFC 3339, when it was made.
#[must_use]
pub fn page(seen: &[Seen], now: &str) -> String {
    let count = |standing| seen.iter().filter(|s| s.standing == standing).count();
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>llmdeploy: {} runs</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Runs</h1>\n<p><span class=\"finished\">{} finished</span> · <span class=\"on-the-way\">{} on the way</span> · \
         <span class=\"failed\">{} failed</span><br><small>as of <time>{now}</time></small></p>\n",
        seen.len(),
        count(Standing::Finished),
        count(Standing::OnTheWay),
        count(Standing::Failed),
    );
    if seen.is_empty() {
        html.push_str("<p>No runs yet.</p>\n");
    } else {
        html.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Task</th><th scope=\"col\">Round</th>");
        html.push_str("<th scope=\"col\">Status</th><th scope=\"col\">Where</th><th scope=\"col\">Run</th></tr></thead>\n<tbody>\n");
        // The newest is what one looks for.
        for seen in seen.iter().rev() {
            row(&mut html, seen, &seen.document.gist());
        }
        html.push_str("</tbody>\n</table></div>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn row(html: &mut String, seen: &Seen, gist: &Gist) {
    let class = match seen.standing {
        Standing::Finished => "finished",
        Standing::OnTheWay => "on-the-way",
        Standing::Failed => "failed",
    };
    let text = |value: &Option<String>| escaped(value.as_deref().unwrap_or_default());
    let mut place: Vec<String> = [("page", &gist.pages_url), ("repository", &gist.repo_url)]
        .into_iter()
        .filter_map(|(name, url)| Some((name, url.as_deref().filter(|u| is_link(u))?)))
        .map(|(name, url)| format!("<a href=\"{}\">{name}</a>", escaped(url)))
        .collect();
    place.extend(gist.error.as_ref().map(|e| {
        format!(
            "<small>{}: {}</small>",
            escaped(&e.code),
            escaped(&e.message)
        )
    }));
    // Writing to a String cannot fail.
    let _ = writeln!(
        html,
        "<tr><td>{}<br><small>{}</small></td><td>{}</td><td class=\"{class}\">{}</td><td>{}</td><td><code>{}</code></td></tr>",
        text(&gist.task),
        text(&gist.email),
        gist.round.map_or_else(String::new, |n| n.to_string()),
        text(&gist.status),
        place.join(" · "),
        text(&gist.run),
    );
}

/// An address that may be clicked on: what a forge has said is not trusted to be one.
fn is_link(url: &str) -> bool {
    ["https://", "http://", "file://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::super::status::Document;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let document = json!({"task": "<script>alert(1)</script>", "status": "failed", "pages_url": "javascript:alert(1)",
            "repo_url": "https://x/\"onclick=\"", "error": {"code": "state", "message": "a & b"}});
        let html = page(
            &[Seen {
                started_at: 0,
                standing: Standing::Failed,
                document: Document::Made(document),
            }],
            "now",
        );
        assert!(
            !html.contains("<script")
                && !html.contains("javascript:")
                && !html.contains("\"onclick"),
            "{html}"
        );
        assert!(
            html.contains("&lt;script&gt;")
                && html.contains("a &amp; b")
                && html.contains("1 failed"),
            "{html}"
        );
        assert!(page(&[], "now").contains("No runs yet"));
    }
}
