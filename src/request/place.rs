//! Where attachments go, and that no file is in another's way.

use crate::error::{Code, Error, Result};
use crate::request::task::Task;
use crate::values::{Places, RelPath};

/// The place of each attachment, in the task's order: at its name where brief or a check names it, otherwise under `assets/`. Found once
/// for a task: a thousand names in 20 MB of brief take seconds.
///
/// # Errors
/// `invalid_task` where two would stand in the same place, naming the field.
pub fn paths(task: &Task) -> Result<&[RelPath]> {
    if let Some(paths) = task.places.get() {
        return Ok(paths);
    }
    let paths = find(task)?;
    Ok(task.places.get_or_init(|| paths))
}

fn find(task: &Task) -> Result<Vec<RelPath>> {
    let mut paths: Vec<RelPath> = Vec::with_capacity(task.attachments.len());
    let mut places = Places::default();
    for (n, (attachment, named)) in task.attachments.iter().zip(task.named()).enumerate() {
        let invalid = |why: String| {
            Error::new(Code::InvalidTask, format!("attachments[{n}].name: {why}"))
                .hint("give it another name, or name it in the brief where it should stand")
        };
        let path = if named {
            attachment.name.clone()
        } else {
            RelPath::parse(&format!("assets/{}", attachment.name)).map_err(invalid)?
        };
        places.take(&path, n).map_err(|clash| {
            invalid(format!(
                "would stand at {path}, in the way of attachments[{}]",
                clash.with
            ))
        })?;
        paths.push(path);
    }
    Ok(paths)
}

/// Refuses two in one place, and a path that is a file and a folder at once.
///
/// # Errors
/// `invalid_task`.
pub fn check<'a>(paths: impl Iterator<Item = &'a RelPath>) -> Result<()> {
    let all: Vec<&RelPath> = paths.collect();
    let mut places = Places::default();
    for (n, path) in all.iter().enumerate() {
        places.take(path, n).map_err(|clash| {
            let other = all.get(clash.with).map_or("", |p| p.as_str());
            let message = format!("attachments: {path} and {other} cannot both stand in the site");
            Error::new(Code::InvalidTask, message).hint("give the attachment another name")
        })?;
    }
    Ok(())
}

/// Refuses attachments that stand in each other's way, or in that of a file that every site has.
///
/// # Errors
/// `invalid_task`.
pub fn require_room(task: &Task) -> Result<()> {
    let given = paths(task)?;
    let own: Vec<RelPath> = ["README.md", "LICENSE", ".nojekyll"]
        .iter()
        .filter_map(|p| RelPath::parse(p).ok())
        .filter(|p| !given.contains(p))
        .collect();
    check(given.iter().chain(&own))
}

/// Names of files in which programs keep secrets.
const FOR_SECRETS: [&str; 14] = [
    ".env",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    ".dockercfg",
];

/// Whether files of this name are for secrets: `.env`, `.env.local`, `id_rsa` and the like, but not the examples of them that
/// are published.
#[must_use]
pub fn is_for_secrets(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let kind = name.strip_prefix(".env.");
    FOR_SECRETS.contains(&name.as_str())
        || kind.is_some_and(|kind| !matches!(kind, "example" | "sample" | "template"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(brief: &str, names: &[&str]) -> Task {
        let attachments: Vec<_> = names
            .iter()
            .map(|n| serde_json::json!({"name": n, "url": "data:,x"}))
            .collect();
        let json = serde_json::json!({"email": "e", "task": "t", "brief": brief, "attachments": attachments});
        Task::parse(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn named_at_its_name_otherwise_in_assets() {
        let places = |brief, names: &[&str]| {
            paths(&task(brief, names))
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            places("sum data.csv", &["data.csv", "logo.png"]),
            ["data.csv", "assets/logo.png"]
        );
        assert_eq!(
            places("sum assets/data.csv", &["data.csv"]),
            ["assets/data.csv"]
        );
        assert_eq!(places("use img/a.png", &["img/a.png"]), ["img/a.png"]);
    }

    #[test]
    fn places_are_found_once() {
        let task = task("sum data.csv", &["data.csv"]);
        assert!(std::ptr::eq(paths(&task).unwrap(), paths(&task).unwrap()));
    }

    #[test]
    fn two_in_one_place_are_refused() {
        let error = paths(&task(
            "see assets/data.csv",
            &["assets/data.csv", "data.csv"],
        ))
        .unwrap_err();
        assert!(
            error.one_line().starts_with("attachments[1].name"),
            "{error}"
        );
    }

    #[test]
    fn names_for_secrets() {
        assert!(is_for_secrets(".env") && is_for_secrets(".ENV") && is_for_secrets(".env.local"));
        assert!(
            !is_for_secrets(".env.example")
                && !is_for_secrets("env")
                && !is_for_secrets(".environment")
        );
    }

    #[test]
    fn a_file_cannot_be_a_folder() {
        let path = |p| RelPath::parse(p).unwrap();
        assert!(check([path("README.md"), path("README.md/x")].iter()).is_err());
        assert!(check([path("a/b"), path("a/c"), path("ab")].iter()).is_ok());
    }
}
