//! What git and GitHub mean when they say no. git has no other channel for it than English text on standard error, which
//! `LC_ALL=C` keeps the same everywhere.

use super::Remote;
use crate::error::{Code, Error};
use crate::ports::github::refusal::advice;

/// The ways in which git and GitHub say that the branch has moved meanwhile.
pub(super) fn is_race(summary: &str) -> bool {
    [
        "fetch first",
        "non-fast-forward",
        "stale info",
        "incorrect old value",
        "cannot lock ref",
        "reference already exists",
    ]
    .iter()
    .any(|s| summary.contains(s))
}

pub(super) fn without_progress(stderr: &str) -> String {
    const NOISE: [&str; 7] = [
        "Enumerating objects",
        "Counting objects",
        "Delta compression",
        "Compressing objects",
        "Writing objects",
        "Total ",
        "remote: Resolving deltas",
    ];
    stderr
        .split(['\n', '\r'])
        .map(str::trim_end)
        .filter(|l| !l.is_empty() && !NOISE.iter().any(|n| l.starts_with(n)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a server says when it could not take the push just now. What a rule says is never among it.
fn passes(text: &str) -> bool {
    let text = text.to_lowercase();
    let rule = [
        "declined",
        "rule violation",
        "error: gh0",
        "protected branch",
    ];
    let passing = [
        "internal server error",
        "internal error",
        "unpacker error",
        "unpack failed",
        "failed to update ref",
        "failed to store",
        "hook died",
        "died of signal",
        "temporar",
        "maintenance",
        "service unavailable",
        "bad gateway",
        "timed out",
        "timeout",
        "try again",
    ];
    !rule.iter().any(|r| text.contains(r)) && passing.iter().any(|p| text.contains(p))
}

const AGAIN: &str = "run the same command again; it goes on from here";

/// The remote has looked at the push and does not want it.
pub(super) fn rejection(stderr: &str, summary: &str) -> Error {
    let said = stderr
        .lines()
        .filter(|l| l.starts_with("remote:"))
        .collect::<Vec<_>>()
        .join("\n");
    let message = format!("the push was rejected: {summary}\n{said}")
        .trim_end()
        .to_owned();
    if passes(&format!("{summary}\n{said}")) {
        return Error::new(Code::Network, message).hint(AGAIN);
    }
    let error = Error::new(Code::PushRejected, message);
    if stderr.contains("GH001") {
        return error.hint("GitHub takes no file over 100 MB: take it out of the task or the site, and run again with --fresh");
    }
    if stderr.contains("GH013") && stderr.contains("PUSH PROTECTION")
        || stderr.contains("Push cannot contain secrets")
    {
        error.hint("GitHub found a secret in the files named above: take it out of the task and run again with --fresh")
    } else if stderr.contains("GH007") {
        error.hint("your account hides its e-mail address; the commit's author is not your noreply address: run again with --fresh")
    } else if stderr.contains("workflow") && stderr.contains("scope") {
        error.hint("files under .github/workflows need a token with the `workflow` scope")
    } else {
        error.hint("see what the remote says above; a repository rule may have to be changed")
    }
}

/// The remote did not let it come to a push or fetch.
pub(super) fn refusal(stderr: &str, what: &str, remote: &Remote) -> Error {
    let has = |needle: &str| stderr.contains(needle);
    let text = format!("{what}: {}", without_progress(stderr).trim());
    if has("SAML SSO") || has("enforced SAML") {
        return Error::new(Code::Forbidden, text)
            .hint("authorise the token for the organisation's single sign-on: https://github.com/settings/tokens");
    }
    // git has no header for it but what GitHub says in the body of a 403. A 429 is tried again as every failure of the network.
    if has("returned error: 403") && has("rate limit") {
        return Error::new(Code::RateLimited, text)
            .hint("run the same command again in a few minutes; it goes on from here");
    }
    // Our own askpass gave no answer: this process was stalled, and the token was not seen by anybody.
    if has("unable to read askpass response") || has("could not read Password") {
        return Error::new(
            Code::Network,
            format!("git did not get the token from this program in time: {text}"),
        )
        .hint(AGAIN);
    }
    if passes(stderr) {
        return Error::new(Code::Network, text).hint(AGAIN);
    }
    if has("Authentication failed")
        || has("Invalid username or")
        || has("The requested URL returned error: 401")
    {
        return Error::new(Code::BadToken, text)
            .hint("the token was not accepted: set a valid GH_TOKEN");
    }
    if has("403")
        && let Some(hint) = advice(stderr)
    {
        return Error::new(Code::Forbidden, text).hint(hint);
    }
    if has("Permission to ")
        || has("The requested URL returned error: 403")
        || has("Write access to repository not granted")
    {
        return Error::new(Code::Forbidden, text)
            .hint("the token needs `repo` (classic), or Contents: write (fine-grained) on this repository");
    }
    if matches!(remote, Remote::Http { .. }) {
        return Error::new(Code::Network, text).hint(AGAIN);
    }
    Error::new(Code::GitFailed, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let remote = Remote::Http {
            url: String::new(),
            authority: String::new(),
            host: String::new(),
            token: None,
        };
        let code = |stderr: &str| refusal(stderr, "git push", &remote).code;
        assert_eq!(
            code(
                "remote: Invalid username or token.\nfatal: Authentication failed for 'https://github.com/o/r.git/'"
            ),
            Code::BadToken
        );
        assert_eq!(
            code(
                "remote: Permission to o/r.git denied to me.\nfatal: unable to access: The requested URL returned error: 403"
            ),
            Code::Forbidden
        );
        assert_eq!(
            code("fatal: unable to access 'https://x/': The requested URL returned error: 429"),
            Code::Network
        );
        assert_eq!(
            code(
                "remote: You have exceeded a secondary rate limit.\nfatal: unable to access: The requested URL returned error: 403"
            ),
            Code::RateLimited
        );
        assert_eq!(
            code("remote: The 'x' organization has enabled or enforced SAML SSO.\nfatal: ... 403"),
            Code::Forbidden
        );
        assert_eq!(
            code("fatal: unable to access 'https://x/': Could not resolve host: x"),
            Code::Network
        );
        assert_eq!(
            code("fatal: unable to access: The requested URL returned error: 502"),
            Code::Network
        );
        assert_eq!(
            rejection(
                "remote: error: GH013: Repository rule violations found\nremote: - GITHUB PUSH PROTECTION",
                "[remote rejected] (push declined)"
            )
            .code,
            Code::PushRejected
        );
        for passing in [
            "[remote rejected] (Internal Server Error)",
            "[remote rejected] (unpacker error)",
            "[remote rejected] (failed to update ref)",
            "[remote rejected] (repository is temporarily read-only)",
            "[remote rejected] (hook died)",
        ] {
            assert_eq!(rejection("", passing).code, Code::Network, "{passing}");
        }
        for rule in [
            "[remote rejected] (protected branch hook declined)",
            "[remote rejected] (pre-receive hook declined)",
            "[remote rejected] (push declined due to email privacy restrictions)",
            "[remote rejected] (shallow update not allowed)",
        ] {
            assert_eq!(rejection("", rule).code, Code::PushRejected, "{rule}");
        }
        assert_eq!(
            code(
                "error: unable to read askpass response from '/usr/bin/llmdeploy'\nfatal: could not read Password for 'https://x-access-token@github.com': terminal prompts disabled"
            ),
            Code::Network
        );
        let archived = refusal(
            "remote: This repository was archived so it is read-only.\nfatal: unable to access 'https://x/': The requested URL returned error: 403",
            "git push",
            &remote,
        );
        assert!(archived.code == Code::Forbidden && archived.hint.unwrap().contains("unarchive"));
        assert!(
            is_race("[rejected] (fetch first)")
                && is_race("[remote rejected] (cannot lock ref 'refs/heads/main')")
        );
        assert!(!is_race(
            "[remote rejected] (push declined due to repository rule violations)"
        ));
    }
}
