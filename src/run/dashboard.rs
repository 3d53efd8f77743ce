//! `status --html FILE`: every run on one page that needs nothing else - no font, no server, no network. Runs of one task stand
//! together, the newest first; with an endpoint there is a form that sends a new task to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::shown::{Check, Count, Shown, plural};
use super::status::{Seen, Standing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = include_str!("dashboard/style.css");
const RUNS: &str = include_str!("dashboard/runs.js");
const FORM: &str = include_str!("dashboard/form.html");
const FORM_SCRIPT: &str = include_str!("dashboard/form.js");

/// Bytes of pictures on one page; the newest runs have theirs.
const PICTURES: usize = 6 << 20;

/// What a page shows beside the runs themselves.
pub struct Options<'a> {
    /// RFC 3339, when it was made.
    pub now: &'a str,
    /// Where new tasks are sent to, as an address that `/api-endpoint` and `/result` are below.
    pub endpoint: Option<&'a str>,
    /// The picture of a run's page, a PNG.
    pub picture: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// The page.
#[must_use]
pub fn page(seen: &[Seen], options: &Options<'_>) -> String {
    let count = |standing| seen.iter().filter(|s| s.standing == standing).count();
    let runs = if seen.len() == 1 { "run" } else { "runs" };
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>llmdeploy: {n} {runs}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Runs</h1>\n<p><span class=\"finished\">{} finished</span> · <span class=\"on-the-way\">{} on the way</span> · \
         <span class=\"failed\">{} failed</span><br><small>as of <time datetime=\"{now}\">{now}</time></small></p>\n",
        count(Standing::Finished),
        count(Standing::OnTheWay),
        count(Standing::Failed),
        n = seen.len(),
        now = escaped(options.now),
    );
    if options.endpoint.is_some() {
        html.push_str(FORM);
    }
    if seen.is_empty() {
        html.push_str("<p>No runs yet.</p>\n");
    } else {
        html.push_str(
            "<div class=\"bar\" id=\"filters\" hidden><div><label for=\"search\">Search</label><input id=\"search\" type=\"search\"></div>\
             <div><label for=\"standing\">Show</label><select id=\"standing\"><option value=\"\">all</option>\
             <option value=\"finished\">finished</option><option value=\"on-the-way\">on the way</option>\
             <option value=\"failed\">failed</option></select></div></div>\n<p id=\"none\" hidden>No run fits.</p>\n",
        );
        tasks(&mut html, seen, options);
        // Writing to a String cannot fail.
        let _ = writeln!(html, "<script>{RUNS}</script>");
    }
    if let Some(endpoint) = options.endpoint {
        let endpoint = escaped(endpoint);
        let _ = writeln!(
            html,
            "<script data-endpoint=\"{endpoint}\">{FORM_SCRIPT}</script>"
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The runs by task, that with the newest run first; within a task the newest run first.
fn tasks(html: &mut String, seen: &[Seen], options: &Options<'_>) {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut groups: BTreeMap<(String, String), Vec<(&Seen, Shown)>> = BTreeMap::new();
    for seen in seen.iter().rev() {
        let shown: Shown = seen.document.read();
        let key = (
            shown.task.clone().unwrap_or_default(),
            shown.email.clone().unwrap_or_default(),
        );
        let group = groups.entry(key.clone()).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push((seen, shown));
    }
    let mut room = PICTURES;
    for key in order {
        let rounds = groups.remove(&key).unwrap_or_default();
        let (task, email) = &key;
        let mut text = format!("{task} {email}");
        for (_, shown) in &rounds {
            for part in [&shown.run, &shown.status, &shown.nonce, &shown.pages_url] {
                let _ = write!(text, " {}", part.as_deref().unwrap_or_default());
            }
            let model = shown.generator.as_ref().and_then(|g| g.model.as_deref());
            let _ = write!(text, " {}", model.unwrap_or_default());
        }
        let name = if task.is_empty() {
            "(task unknown)"
        } else {
            task
        };
        let _ = writeln!(
            html,
            "<article data-text=\"{}\">\n<h2>{}</h2>\n<small>{}</small>",
            escaped(&text.to_lowercase()),
            escaped(name),
            escaped(email)
        );
        for (seen, shown) in &rounds {
            round(html, seen.standing, shown, options, &mut room);
        }
        html.push_str("</article>\n");
    }
}

fn round(
    html: &mut String,
    standing: Standing,
    shown: &Shown,
    options: &Options<'_>,
    room: &mut usize,
) {
    let (class, words) = match standing {
        Standing::Finished => ("finished", "finished"),
        Standing::OnTheWay => ("on-the-way", "on the way"),
        Standing::Failed => ("failed", "failed"),
    };
    let _ = write!(
        html,
        "<div class=\"round\" data-standing=\"{class}\">\n<div>\n<h3>Round {}: <span class=\"{class}\">{}</span></h3>\n",
        shown.round.unwrap_or(1),
        escaped(shown.status.as_deref().unwrap_or(words)),
    );
    if let Some(error) = &shown.error {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| {
            format!("<br><small>{}</small>", escaped(hint))
        });
        let _ = writeln!(
            html,
            "<p class=\"{class}\">{}: {}{hint}</p>",
            escaped(&error.code),
            escaped(&error.message)
        );
    }
    facts(html, shown);
    checks(html, &shown.checks);
    html.push_str("</div>\n");
    let picture = shown.run.as_deref().filter(|_| *room > 0);
    if let Some(picture) = picture
        .and_then(options.picture)
        .filter(|p| p.len() <= *room)
    {
        *room -= picture.len();
        let _ = writeln!(
            html,
            "<img alt=\"The page of {}\" loading=\"lazy\" width=\"1280\" height=\"800\" src=\"data:image/png;base64,{}\">",
            escaped(shown.task.as_deref().unwrap_or("this run")),
            STANDARD.encode(picture)
        );
    }
    html.push_str("</div>\n");
}

/// Where it is, how it was made, what the evaluator got, how long it took.
fn facts(html: &mut String, shown: &Shown) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let link = |url: &str, text: &str| {
        if is_link(url) {
            format!("<a href=\"{}\">{}</a>", escaped(url), escaped(text))
        } else {
            escaped(text)
        }
    };
    if let Some(url) = &shown.pages_url {
        let pending = match shown.pages.as_deref() {
            Some("pending") => " <small>(not live yet)</small>",
            _ => "",
        };
        rows.push(("page", format!("{}{pending}", link(url, url))));
    }
    if let Some(url) = &shown.repo_url {
        rows.push(("repository", link(url, url)));
    }
    if let Some(sha) = &shown.commit_sha {
        let short: String = sha.chars().take(7).collect();
        let url = shown.repo_url.as_deref().unwrap_or_default();
        let text = if url.starts_with("http") {
            link(&format!("{url}/commit/{sha}"), &short)
        } else {
            format!("<code>{}</code>", escaped(&short))
        };
        rows.push(("commit", text));
    }
    if let Some(generator) = &shown.generator {
        let mut text = escaped(generator.kind.as_deref().unwrap_or("unknown"));
        if let Some(model) = &generator.model {
            let _ = write!(text, " ({})", escaped(model));
        }
        if let Some(tokens) = generator.usage.as_ref().and_then(|u| u.total_tokens) {
            let _ = write!(text, ", {tokens} tokens");
        }
        if let Some(why) = &generator.fallback_reason {
            let _ = write!(text, "<br><small>{}</small>", escaped(why));
        }
        rows.push(("made by", text));
    }
    if let Some(notification) = &shown.notification {
        let tries = match notification.attempts {
            1 => "1 attempt".to_owned(),
            n => format!("{n} attempts"),
        };
        let answer = notification
            .http_status
            .map_or_else(String::new, |s| format!(", HTTP {s}"));
        let text = match &notification.delivered_at {
            Some(at) => format!("accepted {} ({tries})", escaped(at)),
            None => format!("not accepted yet ({tries}{answer})"),
        };
        rows.push(("notification", text));
    }
    let spans: Vec<String> = ["generate", "check", "commit", "deploy", "notify"]
        .into_iter()
        .filter_map(|stage| Some((stage, shown.timings_ms.get(stage).copied().flatten()?)))
        .map(|(stage, ms)| format!("{stage} {}.{} s", ms / 1000, ms % 1000 / 100))
        .collect();
    if !spans.is_empty() {
        rows.push(("time", spans.join(", ")));
    }
    if let Some(nonce) = shown.nonce.as_deref().filter(|n| !n.is_empty()) {
        rows.push(("nonce", escaped(nonce)));
    }
    if let Some(run) = &shown.run {
        rows.push(("run", format!("<code>{}</code>", escaped(run))));
    }
    if rows.is_empty() {
        return;
    }
    html.push_str("<dl>");
    for (name, value) in rows {
        let _ = write!(html, "<dt>{name}</dt><dd>{value}</dd>");
    }
    html.push_str("</dl>\n");
}

fn checks(html: &mut String, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    let count = Count::of(checks);
    let class = if count.failed > 0 {
        "failed"
    } else if count.is_clean() {
        "finished"
    } else {
        "soft"
    };
    let _ = writeln!(
        html,
        "<details><summary><span class=\"{class}\">{} of {} passed</span></summary>\n<ul>",
        count.passed,
        plural(count.all, "check")
    );
    for check in checks {
        let class = match check.status.as_str() {
            "passed" => "finished",
            "failed" => "failed",
            _ => "soft",
        };
        let detail = check.detail.as_ref().map_or_else(String::new, |detail| {
            format!("<br><small>{}</small>", escaped(detail))
        });
        let _ = writeln!(
            html,
            "<li><span class=\"{class}\">{}</span> {}{detail}</li>",
            escaped(&check.status),
            escaped(&check.text)
        );
    }
    html.push_str("</ul></details>\n");
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

    fn shown(documents: Vec<serde_json::Value>, endpoint: Option<&str>) -> String {
        let seen: Vec<Seen> = documents
            .into_iter()
            .map(|document| Seen {
                started_at: 0,
                standing: Standing::Failed,
                document: Document::Made(document),
            })
            .collect();
        let picture = |run: &str| (run == "r1").then(|| b"png".to_vec());
        page(
            &seen,
            &Options {
                now: "now",
                endpoint,
                picture: &picture,
            },
        )
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let document = json!({"task": "<script>alert(1)</script>", "status": "failed", "pages_url": "javascript:alert(1)",
            "repo_url": "https://x/\"onclick=\"", "error": {"code": "state", "message": "a & b"},
            "checks": [{"check": "<img src=x>", "kind": "js", "status": "failed", "detail": "'\"<b>"}]});
        let html = shown(vec![document], Some("\"><script>"));
        assert_eq!(html.matches("<script").count(), 2, "{html}");
        assert!(
            !html.contains("href=\"javascript:") && !html.contains("\"onclick"),
            "{html}"
        );
        assert!(!html.contains("<img src=x>") && !html.contains("<b>"));
        assert!(
            html.contains("&lt;script&gt;")
                && html.contains("a &amp; b")
                && html.contains("1 failed"),
            "{html}"
        );
        assert!(shown(vec![], None).contains("No runs yet"));
    }

    #[test]
    fn rounds_of_a_task_stand_together_and_evidence_is_not_counted() {
        let run = |round: u64, task: &str| {
            json!({"run": format!("r{round}"), "email": "e", "task": task, "round": round, "status": "deployed",
                "checks": [{"check": "a", "kind": "js", "status": "passed"}, {"check": "b", "kind": "file", "status": "failed"},
                    {"check": "c", "kind": "derived", "status": "passed"}]})
        };
        let html = shown(vec![run(1, "a"), run(1, "b"), run(2, "a")], None);
        assert_eq!(html.matches("<article").count(), 2);
        assert!(html.find("Round 2").unwrap() < html.find("Round 1").unwrap());
        assert_eq!(html.matches("1 of 2 checks passed").count(), 3);
        assert_eq!(html.matches("data:image/png").count(), 2);
        assert!(!html.contains("id=\"new\""));
    }

    #[test]
    fn a_document_of_another_shape_is_shown_as_far_as_it_reads() {
        let html = shown(vec![json!({"task": 7, "status": "deployed"})], None);
        assert!(html.contains("(task unknown)"), "{html}");
    }
}
