//! Why GitHub refuses a request, and what to do about it. A status says little: 403 stands for a dozen reasons, of which a token
//! with too few rights is only one, so the scopes are named only where they are the cause.

use super::{Response, said};
use crate::error::{Code, Error};

/// What GitHub says, in lower case and in part; all parts of a row must be there. The first row that fits counts.
const REASONS: [(&[&str], &str); 17] = [
    (
        &["saml"],
        "authorise the token for the organisation's single sign-on: https://github.com/settings/tokens",
    ),
    (
        &["verif", "email"],
        "verify the account's e-mail address: https://github.com/settings/emails",
    ),
    (
        &["archived"],
        "the repository is archived: unarchive it under Settings → General, or take another one with --repo or --new-repo",
    ),
    (
        &["ip allow list"],
        "the organisation lets only some addresses in: run from one of them, or name another owner with --owner",
    ),
    (
        &["suspended"],
        "the account is suspended: https://support.github.com",
    ),
    (
        &["blocked"],
        "GitHub has blocked this: https://support.github.com",
    ),
    (
        &["maximum", "repositor"],
        "the account holds as many repositories as it may: delete some, or name another owner with --owner",
    ),
    (
        &["too many", "repositor"],
        "the account holds as many repositories as it may: delete some, or name another owner with --owner",
    ),
    (
        &["repository", "limit", "reached"],
        "the account holds as many repositories as it may: delete some, or name another owner with --owner",
    ),
    (
        &["forbids access via"],
        "the organisation does not take this kind of token: use a fine-grained one that its owner has approved",
    ),
    (
        &["oauth app access restrictions"],
        "the organisation has to approve the application that made this token",
    ),
    (
        &["must have admin"],
        "it takes admin rights on the repository: ask its owner for them, or take another one with --repo or --owner",
    ),
    (
        &["need admin"],
        "it takes admin rights on the repository: ask its owner for them, or take another one with --repo or --owner",
    ),
    (
        &["plan", "pages"],
        "Pages needs a public repository on this plan: make it public under Settings → General",
    ),
    (
        &["policy"],
        "a policy of the organisation or enterprise forbids it: ask its owner, or name another owner with --owner",
    ),
    (
        &["disabled", "organization"],
        "the organisation has turned this off: ask its owner, or name another owner with --owner",
    ),
    (
        &["two-factor"],
        "turn on two-factor authentication, which the organisation asks for: https://github.com/settings/security",
    ),
];

/// What to do about what GitHub says.
pub(in crate::ports) fn advice(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let fits = |needles: &[&str]| needles.iter().all(|n| text.contains(n));
    REASONS
        .iter()
        .find(|(needles, _)| fits(needles))
        .map(|(_, hint)| *hint)
}

/// A 403 that is no rate limit.
pub(super) fn forbidden(what: &str, response: &Response) -> Error {
    let text = said(response);
    let error = Error::new(Code::Forbidden, format!("{what}: 403 {text}"));
    if let Some(gate) = response.header("x-github-sso") {
        let url = gate
            .split("url=")
            .nth(1)
            .map_or("https://github.com/settings/tokens", |u| {
                u.split(';').next().unwrap_or(u)
            });
        return error.hint(format!(
            "authorise the token for the organisation's single sign-on: {url}"
        ));
    }
    if let Some(hint) = advice(&text) {
        return error.hint(hint);
    }
    if let Some(wanted) = response.header("x-accepted-github-permissions") {
        return error.hint(format!("give the token: {wanted}"));
    }
    match missing_scopes(response) {
        Some((wanted, has)) => {
            error.hint(format!("the token has the scopes `{has}`; it needs `{wanted}`"))
        }
        None if text.contains("personal access token") || text.is_empty() => error.hint(
            "the token needs `repo` (classic), or Administration, Contents and Pages: write (fine-grained)",
        ),
        None => error.hint("GitHub says why above; a setting of the account, organisation or repository has to be changed"),
    }
}

/// The scopes that a classic token would need one of, and those it has, where it has none of them.
fn missing_scopes(response: &Response) -> Option<(String, String)> {
    let list = |name| {
        let value: &str = response.header(name)?;
        let words = value.split(',').map(str::trim).filter(|s| !s.is_empty());
        Some(words.map(ToOwned::to_owned).collect::<Vec<_>>())
    };
    let (wanted, has) = (list("x-accepted-oauth-scopes")?, list("x-oauth-scopes")?);
    let missing = !wanted.is_empty() && !wanted.iter().any(|w| has.contains(w));
    missing.then(|| (wanted.join("` or `"), has.join(", ")))
}

/// An answer that means the request is not possible here, now or later.
pub(super) fn unexpected(what: &str, response: &Response) -> Error {
    let text = said(response);
    let message = format!("{what}: GitHub answered {} {text}", response.status);
    match response.status {
        404 => Error::new(Code::Forbidden, message).hint(
            "too few rights show as 404: the token needs `repo` (classic), or Administration, Contents and Pages: write (fine-grained)",
        ),
        422 => Error::new(Code::Forbidden, message)
            .hint(advice(&text).unwrap_or("a rule of the account or organisation forbids it")),
        // Somebody else changes the same thing just now.
        408 | 409 | 423 | 425 => Error::new(Code::Network, message)
            .hint("run the same command again; it goes on from here"),
        _ => Error::new(Code::Internal, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(headers: &[(&str, &str)], message: &str) -> Response {
        Response {
            status: 403,
            headers: headers
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            body: serde_json::json!({ "message": message })
                .to_string()
                .into_bytes(),
        }
    }

    #[test]
    fn each_kind_of_403_has_its_own_hint() {
        let scopes = [("x-oauth-scopes", "repo, workflow")];
        for (message, part) in [
            (
                "At least one email address must be verified to do that.",
                "settings/emails",
            ),
            ("Must have admin rights to Repository.", "admin rights"),
            ("Repository was archived so is read-only.", "unarchive"),
            (
                "`lab` forbids access via a personal access token (classic).",
                "kind of token",
            ),
            (
                "Resource protected by organization SAML enforcement.",
                "single sign-on",
            ),
            (
                "You have reached the maximum number of repositories.",
                "delete some",
            ),
            (
                "Although you appear to have the correct authorization credentials, the `lab` organization has an IP allow list enabled",
                "addresses",
            ),
            (
                "Public repositories are disallowed by an enterprise policy.",
                "policy",
            ),
            ("Sorry. Your account was suspended.", "support"),
            ("Something new.", "says why above"),
        ] {
            let hint = forbidden("POST /x", &response(&scopes, message))
                .hint
                .unwrap();
            assert!(hint.contains(part), "{message}: {hint}");
            assert!(!hint.contains("scopes"), "{message}: {hint}");
        }
        let lacking = [
            ("x-oauth-scopes", "gist"),
            ("x-accepted-oauth-scopes", "repo"),
        ];
        let hint = forbidden("POST /x", &response(&lacking, "Forbidden"))
            .hint
            .unwrap();
        assert!(hint.contains("`gist`") && hint.contains("`repo`"), "{hint}");
        let fine = [("x-accepted-github-permissions", "pages=write")];
        let hint = forbidden(
            "POST /x",
            &response(&fine, "Resource not accessible by personal access token"),
        );
        assert!(hint.hint.unwrap().contains("pages=write"));
    }
}
