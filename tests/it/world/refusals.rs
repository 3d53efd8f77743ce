//! Pushes that GitHub takes in and then declines, each with its own words.

use std::fs;

use super::Handle;
use super::http::Answer;
use super::log::Entry;

/// Refuses what GitHub's own hooks refuse, and leaves a note of what it was.
const HOOK: &str = r#"#!/bin/sh
while read -r old new ref; do
  case "$new" in *[!0]*) ;; *) continue ;; esac
  if [ -n "$WORLD_ALLOWED_EMAIL" ]; then
    for mail in $(git log --format='%ae %ce' "$new" --not --all); do
      if [ "$mail" != "$WORLD_ALLOWED_EMAIL" ] && [ "$mail" != noreply@github.com ]; then
        echo "email $mail" >"$WORLD_VERDICT"; exit 1
      fi
    done
  fi
  if [ -n "$WORLD_NO_WORKFLOW" ]; then
    file=$(git ls-tree -r --name-only "$new" -- .github/workflows | head -n 1)
    if [ -n "$file" ]; then echo "workflow $file" >"$WORLD_VERDICT"; exit 1; fi
  fi
done
"#;

pub fn hooks(world: &Handle) -> String {
    let dir = world.0.root.join("hooks");
    let file = dir.join("pre-receive");
    if !file.exists() {
        // Made under another name: two pushes may get here at once.
        let draft = dir.join(format!("draft-{}", world.next_id()));
        fs::create_dir_all(&dir).expect("hooks folder");
        fs::write(&draft, HOOK).expect("hook");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("hook may run");
        }
        fs::rename(&draft, &file).expect("hook in place");
    }
    dir.display().to_string()
}

pub fn refused(request: &Entry, note: &str) -> Answer {
    if let Some(path) = note.strip_prefix("workflow ") {
        let reason = format!(
            "refusing to allow a Personal Access Token to create or update workflow `{path}` without `workflow` scope"
        );
        return decline(request, "", &reason);
    }
    let text = "error: GH007: Your push would publish a private email address.\n\
                You can make your email public or disable this protection by visiting:\n\
                https://github.com/settings/emails\n";
    decline(
        request,
        text,
        "push declined due to email privacy restrictions",
    )
}

pub fn secret_text(
    world: &Handle,
    owner: &str,
    name: &str,
    request: &Entry,
    path: &str,
    line: u32,
) -> String {
    let (_, commit, branch, _) = command_of(request);
    let rule = "\u{2014}".repeat(41);
    let tail = "\u{2014}".repeat(24);
    let url = world.repo_url(owner, name);
    format!(
        "error: GH013: Repository rule violations found for {branch}.\n\n- GITHUB PUSH PROTECTION\n  {rule}\n    \
         Resolve the following violations before pushing again\n\n    - Push cannot contain secrets\n\n    \n     \
         (?) Learn how to resolve a blocked push\n     https://docs.github.com/code-security/secret-scanning/\
         working-with-secret-scanning-and-push-protection/working-with-push-protection-from-the-command-line\
         #resolving-a-blocked-push\n    \n    \n      \u{2014}\u{2014} OpenAI API Key {tail}\n       locations:\n         \
         - commit: {commit}\n           path: {path}:{line}\n    \n       (?) To push, remove secret from commit(s) or \
         follow this URL to allow the secret.\n       {url}/security/secret-scanning/unblock-secret/2x7Zkb3v\n    \n\n\n"
    )
}

/// Old and new sha, reference and capabilities of the first command of a push.
fn command_of(request: &Entry) -> (String, String, String, String) {
    let plain = if request.body.starts_with(&[0x1f, 0x8b]) {
        &[][..]
    } else {
        &request.body
    };
    let length = plain
        .get(..4)
        .and_then(|four| usize::from_str_radix(std::str::from_utf8(four).ok()?, 16).ok());
    let line = length
        .and_then(|length| plain.get(4..length))
        .unwrap_or_default();
    let text = String::from_utf8_lossy(line).into_owned();
    let (command, able) = text.split_once('\0').unwrap_or((&text, ""));
    let mut words = command.trim().split(' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    (next(), next(), next(), able.to_owned())
}

/// What a server says that took the objects but not the reference: `git http-backend` has no
/// way to give a reason of one's own.
pub fn decline(request: &Entry, text: &str, reason: &str) -> Answer {
    let (_, _, branch, able) = command_of(request);
    let branch = if branch.is_empty() {
        "refs/heads/main".to_owned()
    } else {
        branch
    };
    let mut report = packet(b"unpack ok\n");
    report.extend(packet(format!("ng {branch} {reason}\n").as_bytes()));
    report.extend_from_slice(b"0000");
    let body = if able.contains("side-band-64k") || able.is_empty() {
        let mut body = Vec::new();
        if !text.is_empty() {
            body.extend(packet(&[b"\x02", text.as_bytes()].concat()));
        }
        body.extend(packet(&[&b"\x01"[..], &report].concat()));
        body.extend_from_slice(b"0000");
        body
    } else {
        report
    };
    Answer::new(200, "application/x-git-receive-pack-result", body)
        .with("Cache-Control", "no-cache")
}

fn packet(bytes: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", bytes.len() + 4).into_bytes();
    packet.extend_from_slice(bytes);
    packet
}
