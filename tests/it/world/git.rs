//! git's smart HTTP: who may, then `git http-backend`.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::http::{Answer, decode};
use super::log::Entry;
use super::{Handle, refusals, store};

#[derive(PartialEq, Eq)]
enum Who {
    Nobody,
    Owner,
    Wrong,
}

pub fn handle(world: &Handle, request: &Entry) -> Answer {
    let mut words = request.path.trim_start_matches('/').splitn(3, '/');
    let owner = decode(words.next().unwrap_or_default());
    let name = decode(words.next().unwrap_or_default());
    let name = name.strip_suffix(".git").unwrap_or(&name).to_owned();
    let rest = words.next().unwrap_or_default();
    let service = match (request.method.as_str(), rest) {
        ("GET", "info/refs") => request.query_value("service").unwrap_or_default(),
        ("POST", "git-upload-pack" | "git-receive-pack") => rest.to_owned(),
        _ => String::new(),
    };
    if service != "git-upload-pack" && service != "git-receive-pack" {
        world.odd(request, "not a request of git's smart HTTP");
        return Answer::text(404, "Not Found\n");
    }
    let push = service == "git-receive-pack";
    match allow(world, request, &owner, &name, push) {
        Err(refusal) => refusal,
        Ok(dir) => serve(world, request, &owner, &name, &dir, rest, push),
    }
}

fn who(world: &Handle, request: &Entry) -> Who {
    let Some(sent) = request.header("authorization") else {
        return Who::Nobody;
    };
    let revoked = world.settings(|settings| settings.token_revoked || settings.push_auth_fail);
    let plain = sent
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, code)| STANDARD.decode(code.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let good = plain
        .as_deref()
        .and_then(|plain| plain.split_once(':'))
        .is_some_and(|(_, password)| {
            !revoked && (password == world.0.token || password == world.0.fine_token)
        });
    if good { Who::Owner } else { Who::Wrong }
}

/// The repository's folder, or why not.
fn allow(
    world: &Handle,
    request: &Entry,
    owner: &str,
    name: &str,
    push: bool,
) -> Result<std::path::PathBuf, Answer> {
    let who = who(world, request);
    let ask =
        |text: &str| Answer::text(401, text).with("WWW-Authenticate", "Basic realm=\"GitHub\"");
    if who == Who::Wrong {
        return Err(ask(
            "Invalid username or token. Password authentication is not supported for Git operations.\n",
        ));
    }
    let (fresh, sso, no_push) = world.settings(|settings| {
        let scoped = settings
            .scopes
            .iter()
            .any(|scope| scope == "repo" || scope == "public_repo");
        let classic = request
            .header("authorization")
            .is_some_and(|sent| !is_fine(world, sent));
        (
            settings.fresh_404,
            settings.sso.clone(),
            settings.push_403 || (classic && !scoped),
        )
    });
    let found = world
        .with_repo(owner, name, |repo| {
            let hidden = repo
                .fresh_since
                .is_some_and(|since| since.elapsed() < fresh);
            (!hidden).then(|| {
                (
                    repo.dir.clone(),
                    repo.private,
                    repo.full_name(),
                    repo.archived,
                )
            })
        })
        .flatten();
    // To nobody in particular GitHub does not say whether there is such a repository.
    let Some((dir, private, full, archived)) = found else {
        return Err(if who == Who::Nobody {
            ask("Repository not found.\n")
        } else {
            missing()
        });
    };
    if who == Who::Nobody && (push || private) {
        return Err(ask(
            "Invalid username or token. Password authentication is not supported for Git operations.\n",
        ));
    }
    if sso.is_some_and(|org| org.eq_ignore_ascii_case(owner)) && who == Who::Owner {
        let text = format!(
            "The `{owner}' organization has enabled or enforced SAML SSO.\nTo access this repository, you must \
             re-authorize the OAuth Application or use a Personal Access token with SSO enabled.\n"
        );
        return Err(Answer::text(403, &text).with("X-GitHub-SSO", sso_url(world, owner)));
    }
    let foreign = !owner.eq_ignore_ascii_case(&world.login())
        && !world.settings(|settings| {
            settings
                .orgs
                .iter()
                .any(|org| org.eq_ignore_ascii_case(owner))
        });
    if push && (no_push || foreign) {
        return Err(Answer::text(
            403,
            &format!("Permission to {full}.git denied to {}.\n", world.login()),
        ));
    }
    if push && archived {
        return Err(Answer::text(
            403,
            "This repository was archived so it is read-only.\n",
        ));
    }
    Ok(dir)
}

fn is_fine(world: &Handle, sent: &str) -> bool {
    let basic = sent
        .split_once(' ')
        .and_then(|(_, code)| STANDARD.decode(code.trim()).ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&basic).ends_with(world.0.fine_token.as_str())
}

pub fn sso_url(world: &Handle, org: &str) -> String {
    format!(
        "required; url={}/orgs/{org}/sso?authorization_request=AEIOU",
        world.api_url()
    )
}

fn missing() -> Answer {
    Answer::text(404, "Repository not found.\n")
}

fn serve(
    world: &Handle,
    request: &Entry,
    owner: &str,
    name: &str,
    dir: &Path,
    rest: &str,
    push: bool,
) -> Answer {
    let arrives = push && request.method == "POST";
    let (protected, private_email, workflow) = world.settings(|settings| {
        let at = settings
            .push_protection
            .then(|| settings.push_protection_at.clone());
        (
            at,
            settings.private_email,
            settings.scopes.iter().any(|scope| scope == "workflow"),
        )
    });
    if let (true, Some((path, line))) = (arrives, protected) {
        let text = refusals::secret_text(world, owner, name, request, &path, line);
        return refusals::decline(
            request,
            &text,
            "push declined due to repository rule violations",
        );
    }
    let verdict = world.0.root.join(format!("verdict-{}", request.n));
    let mut command = store::git(&world.0.root);
    let mut pairs = vec![
        ("safe.directory", "*".to_owned()),
        ("gc.auto", "0".to_owned()),
        ("receive.autogc", "false".to_owned()),
        ("receive.fsckObjects", "true".to_owned()),
        ("http.receivepack", "true".to_owned()),
        ("uploadpack.allowFilter", "true".to_owned()),
        ("uploadpack.allowAnySHA1InWant", "true".to_owned()),
    ];
    if arrives && (private_email || !workflow) {
        pairs.push(("core.hooksPath", refusals::hooks(world)));
        command.env("WORLD_VERDICT", &verdict);
        if private_email {
            let mail = format!(
                "{}+{}@users.noreply.github.com",
                world.user_id(),
                world.login()
            );
            command.env("WORLD_ALLOWED_EMAIL", mail);
        }
        if !workflow {
            command.env("WORLD_NO_WORKFLOW", "1");
        }
    } else {
        pairs.push(("core.hooksPath", "/dev/null".to_owned()));
    }
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    store::configure(&mut command, &pairs);
    let root = world.0.root.join("git");
    let inside = dir
        .strip_prefix(&root)
        .expect("repositories are below the root");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", world.login())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", format!("/{}/{rest}", inside.display()))
        .env("QUERY_STRING", &request.query)
        .env(
            "CONTENT_TYPE",
            request.header("content-type").unwrap_or_default(),
        )
        .env("CONTENT_LENGTH", request.body.len().to_string());
    for (name, header) in [
        ("GIT_PROTOCOL", "git-protocol"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(name, value);
        }
    }
    let result = store::feed(&mut command, &request.body);
    if arrives {
        world.pushed(owner, name);
    }
    if let Ok(note) = fs::read_to_string(&verdict) {
        let _ = fs::remove_file(&verdict);
        return refusals::refused(request, note.trim());
    }
    match result {
        Ok((_, out, _)) if !out.is_empty() => from_cgi(&out),
        Ok((_, _, errors)) => Answer::text(500, &String::from_utf8_lossy(&errors)),
        Err(error) => Answer::text(500, &error.to_string()),
    }
}

fn from_cgi(out: &[u8]) -> Answer {
    let (end, gap) = out
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| (at, 4))
        .or_else(|| {
            out.windows(2)
                .position(|two| two == b"\n\n")
                .map(|at| (at, 2))
        })
        .unwrap_or((out.len(), 0));
    let mut answer = Answer::empty(200);
    for line in String::from_utf8_lossy(&out[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            answer.status = value
                .trim()
                .split(' ')
                .next()
                .and_then(|code| code.parse().ok())
                .unwrap_or(500);
        } else {
            answer = answer.with(name, value.trim());
        }
    }
    answer.body = out[end + gap..].to_vec();
    answer
}
