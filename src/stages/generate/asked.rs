//! What was asked for when an app was made, and whether what is asked for now is another app.
//!
//! Only what the user says counts: a flag, or a setting that is another than it was. A rerun that says nothing goes on with
//! the app that is there, so what was previewed with `--model` is what a plain `run` deploys.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Generator, Kind, Options, Record, same_site};
use crate::error::Result;
use crate::values::sha256_hex;

/// The reason for the template where there is nobody to ask.
pub const NO_KEY: &str = "OPENAI_API_KEY is not set";

/// What the user says of the model, as flags and settings have it. What comes of it is in [`Options`].
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--model`.
    pub model: Option<String>,
    /// `OPENAI_MODEL`.
    pub setting: Option<String>,
    /// `--no-llm`.
    pub no_llm: bool,
    /// Flags that decide how a model works, not which app is wanted, as they were typed.
    pub steering: Vec<String>,
}

/// What was asked for, kept with the app. Whether it was made of the user's own files stands in the record itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The model that was to be asked; none where nobody was asked.
    pub model: Option<String>,
    /// `OPENAI_MODEL` at that time.
    pub setting: Option<String>,
    /// Digest of the recording that was replayed.
    pub replay: Option<String>,
    /// `--no-llm`.
    pub no_llm: bool,
    /// [`Flags::steering`].
    pub steering: Vec<String>,
}

impl Wish {
    /// Names whom it asks.
    #[must_use]
    pub fn key(&self) -> String {
        let text = format!(
            "{}\0{}",
            self.model.as_deref().unwrap_or_default(),
            self.replay.as_deref().unwrap_or_default()
        );
        sha256_hex(text.as_bytes())[..8].to_owned()
    }
}

impl Options {
    /// What is asked for now.
    #[must_use]
    pub fn wish(&self) -> Wish {
        let replay = self.replay().and_then(recording);
        Wish {
            model: (self.model.iter().filter(|m| m.replay.is_none()))
                .find_map(|m| m.endpoints.first())
                .map(|first| first.model.clone()),
            setting: self.flags.setting.clone(),
            replay,
            no_llm: self.flags.no_llm,
            steering: self.flags.steering.clone(),
        }
    }

    fn replay(&self) -> Option<&Path> {
        self.model.as_ref()?.replay.as_deref()
    }

    /// What is asked for otherwise than it was by `before`, in the words of the command line. `by`: what came of it.
    #[must_use]
    pub fn differs(&self, before: &Wish, by: Option<&Generator>) -> Option<String> {
        let flags = &self.flags;
        let named = |name: &String| {
            before.model.as_ref() == Some(name)
                || by.is_some_and(|g| g.kind == Kind::Llm && g.model.as_ref() == Some(name))
        };
        let nobody = before.model.is_none()
            && before.replay.is_none()
            && by.is_none_or(|g| g.kind == Kind::Template);
        if let Some(dir) = self.replay() {
            let now = recording(dir);
            return (now.is_none() || now != before.replay)
                .then(|| format!("--replay {}", dir.display()));
        }
        if flags.no_llm {
            let template = by.map_or(nobody, |g| g.kind == Kind::Template);
            return (!template).then(|| "--no-llm".to_owned());
        }
        // Without a model the template stands in again, whatever model is named.
        if nobody && self.model.is_none() {
            return None;
        }
        if let Some(name) = &flags.model {
            return (!named(name)).then(|| format!("--model {name}"));
        }
        if nobody && !before.no_llm {
            return Some("a language model is set now".to_owned());
        }
        let changed = flags.setting.as_ref().filter(|now| {
            before.model.is_some() && before.setting.as_ref() != Some(now) && !named(now)
        });
        changed.map(|name| format!("OPENAI_MODEL={name}"))
    }
}

/// What is asked for otherwise than the app on record is, in the words of the command line; `None`: that app is what is
/// wanted, as far as anything is said.
///
/// # Errors
/// `usage` for a `--site` that cannot be read.
pub fn another(options: &Options, record: &Record) -> Result<Option<String>> {
    let by = &record.generator;
    if let Some(dir) = &options.site {
        let same = same_site(record, dir)?;
        return Ok((!same).then(|| format!("--site {}", dir.display())));
    }
    if options.no_fallback && by.kind == Kind::Template {
        return Ok(Some("--no-fallback".to_owned()));
    }
    Ok(match &record.asked {
        Some(before) => options.differs(before, Some(by)),
        None => differs_from_unknown(options, by),
    })
}

/// Whether a model that gave no answer is to be asked again, now that the run goes on: the template only stands in for it.
#[must_use]
pub fn again(options: &Options, record: &Record) -> bool {
    record.unanswered && options.model.is_some() && options.site.is_none()
}

/// As [`Options::differs`], of an app of which is known only how it was made: by a version that did not record what was
/// asked for, or found on the remote. Only what cannot have been asked for is different.
fn differs_from_unknown(options: &Options, by: &Generator) -> Option<String> {
    let flags = &options.flags;
    let asked_for = |kind: Kind| by.kind == kind || by.kind == Kind::Template;
    if let Some(dir) = options.replay() {
        return (!asked_for(Kind::Replay)).then(|| format!("--replay {}", dir.display()));
    }
    if flags.no_llm {
        return (by.kind != Kind::Template).then(|| "--no-llm".to_owned());
    }
    if let Some(name) = &flags.model {
        let same = asked_for(Kind::Llm) && by.model.as_ref().is_none_or(|model| model == name);
        return (!same).then(|| format!("--model {name}"));
    }
    let stood_in = by.kind == Kind::Template && by.fallback_reason.as_deref() == Some(NO_KEY);
    (stood_in && options.model.is_some()).then(|| "a language model is set now".to_owned())
}

/// How an app was made, for a sentence: `by the template`.
#[must_use]
pub fn how(by: &Generator) -> String {
    match (by.kind, &by.model) {
        (Kind::Llm, Some(model)) => format!("by {model}"),
        (Kind::Llm, None) => "by a language model".to_owned(),
        (Kind::Template, _) => "by the template".to_owned(),
        (Kind::Site, _) => "from files of your own".to_owned(),
        (Kind::Replay, _) => "from a recording".to_owned(),
    }
}

/// The flags that had no effect because the app was there already, made without them.
#[must_use]
pub fn unused<'a>(flags: &'a Flags, record: &Record) -> Vec<&'a str> {
    let used =
        |flag: &&String| (record.asked.as_ref()).is_some_and(|wish| wish.steering.contains(flag));
    let unused = flags.steering.iter().filter(|flag| !used(flag));
    unused.map(String::as_str).collect()
}

/// The digest of a recording: its files, and those of the folders in it, with their names. `None` for one that does not read.
fn recording(dir: &Path) -> Option<String> {
    fn add(dir: &Path, depth: u32, lines: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.strip_prefix(dir).unwrap_or(&path).display();
            if path.is_dir() && depth > 0 {
                lines.push(format!("{name}/"));
                add(&path, depth - 1, lines)?;
            } else if path.is_file() {
                lines.push(format!("{name} {}", sha256_hex(&fs::read(&path)?)));
            }
        }
        Ok(())
    }
    let mut lines = Vec::new();
    add(dir, 1, &mut lines).ok()?;
    lines.sort();
    Some(sha256_hex(lines.join("\n").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::generate::llm::Model;

    fn options(flags: Flags, model: Option<&str>) -> Options {
        let endpoint = |name: &str| crate::ports::llm::Endpoint {
            model: name.to_owned(),
            base: crate::ports::llm::base_url("http://127.0.0.1:1/v1").unwrap(),
            key: None,
        };
        Options {
            flags,
            model: model.map(|name| Model {
                endpoints: vec![endpoint(name)],
                ..Model::default()
            }),
            ..Options::default()
        }
    }

    fn flag(name: &str) -> Flags {
        Flags {
            model: Some(name.to_owned()),
            ..Flags::default()
        }
    }

    fn by(kind: Kind, model: Option<&str>) -> Generator {
        Generator {
            model: model.map(ToOwned::to_owned),
            ..Generator::by(kind)
        }
    }

    fn record(asked: Option<Wish>, generator: Generator) -> Record {
        Record {
            generator,
            base: None,
            files: vec![],
            stored: [].into(),
            site: None,
            deleted: vec![],
            asked,
            unanswered: false,
            fallback: None,
        }
    }

    #[test]
    fn a_rerun_that_says_nothing_takes_what_is_there() {
        let plain = options(Flags::default(), Some("gpt-4o-mini"));
        let named = options(flag("big"), Some("big")).wish();
        let no_llm = Flags {
            no_llm: true,
            ..Flags::default()
        };
        let template = by(Kind::Template, None);
        for (asked, by) in [
            (named, by(Kind::Llm, Some("big-2026"))),
            (options(no_llm, None).wish(), template.clone()),
        ] {
            assert_eq!(another(&plain, &record(Some(asked), by)).unwrap(), None);
        }
        // Files of one's own are what was wanted, with a model at hand or without.
        let site = record(Some(Wish::default()), by(Kind::Site, None));
        assert_eq!(another(&plain, &site).unwrap(), None);
        // Nobody to ask then, nobody now, whatever is named.
        let nobody = options(Flags::default(), None);
        let stood_in = record(Some(nobody.wish()), template);
        assert_eq!(another(&nobody, &stood_in).unwrap(), None);
        let named = options(flag("big"), None);
        assert_eq!(another(&named, &stood_in).unwrap(), None);
    }

    #[test]
    fn what_is_said_is_heard() {
        let says = |options: &Options, record: &Record| another(options, record).unwrap();
        let small = options(flag("small"), Some("small"));
        let made = record(Some(small.wish()), by(Kind::Llm, Some("small-2026")));
        assert_eq!(says(&small, &made), None);
        let big = options(flag("big"), Some("big"));
        assert_eq!(says(&big, &made).as_deref(), Some("--model big"));
        // What came of it was by another model of the list, which is named now.
        let other = record(Some(small.wish()), by(Kind::Llm, Some("big")));
        assert_eq!(says(&big, &other), None);
        let no_llm = options(
            Flags {
                no_llm: true,
                ..Flags::default()
            },
            None,
        );
        assert_eq!(says(&no_llm, &made).as_deref(), Some("--no-llm"));
        let template = record(Some(no_llm.wish()), by(Kind::Template, None));
        assert_eq!(says(&no_llm, &template), None);
        assert_eq!(says(&big, &template).as_deref(), Some("--model big"));
        let strict = Options {
            no_fallback: true,
            ..small.clone()
        };
        assert_eq!(says(&strict, &made), None);
        let stood_in = record(Some(small.wish()), by(Kind::Template, None));
        assert_eq!(says(&small, &stood_in), None);
        assert_eq!(says(&strict, &stood_in).as_deref(), Some("--no-fallback"));
    }

    #[test]
    fn a_setting_counts_where_it_has_changed() {
        let set = |setting: &str, flag: Option<&str>| {
            let flags = Flags {
                model: flag.map(ToOwned::to_owned),
                setting: Some(setting.to_owned()),
                ..Flags::default()
            };
            options(flags, Some(flag.unwrap_or(setting)))
        };
        let says = |now: &Options, then: &Options| {
            another(now, &record(Some(then.wish()), by(Kind::Llm, None))).unwrap()
        };
        assert_eq!(says(&set("b", None), &set("b", Some("a"))), None);
        assert_eq!(says(&set("a", None), &set("b", Some("a"))), None);
        assert_eq!(
            says(&set("c", None), &set("b", Some("a"))).as_deref(),
            Some("OPENAI_MODEL=c")
        );
        let nobody = options(Flags::default(), None);
        let stood_in = record(Some(nobody.wish()), by(Kind::Template, None));
        assert!(another(&set("a", None), &stood_in).unwrap().is_some());
    }

    /// By an earlier version, or found on the remote: refused is only what cannot have come of the same command.
    #[test]
    fn what_was_asked_is_not_known() {
        let says = |options: &Options, by: Generator| another(options, &record(None, by)).unwrap();
        let big = options(flag("big"), Some("big"));
        assert_eq!(says(&big, by(Kind::Llm, None)), None);
        assert_eq!(says(&big, by(Kind::Llm, Some("big"))), None);
        assert_eq!(says(&big, by(Kind::Template, None)), None);
        assert!(says(&big, by(Kind::Llm, Some("small"))).is_some());
        assert!(says(&big, by(Kind::Site, None)).is_some());
        assert!(says(&big, by(Kind::Replay, None)).is_some());
        let plain = options(Flags::default(), Some("gpt-4o-mini"));
        for kind in [Kind::Llm, Kind::Template, Kind::Site, Kind::Replay] {
            assert_eq!(says(&plain, by(kind, None)), None);
        }
        let without_key = Generator {
            fallback_reason: Some(NO_KEY.to_owned()),
            ..by(Kind::Template, None)
        };
        assert!(says(&plain, without_key).is_some());
    }

    #[test]
    fn a_recording_is_known_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(recording(&dir.path().join("none")), None);
        fs::create_dir(dir.path().join("facts")).unwrap();
        fs::write(dir.path().join("01.json"), "a").unwrap();
        let one = recording(dir.path());
        assert_eq!(recording(dir.path()), one);
        fs::write(dir.path().join("facts/x.json"), "b").unwrap();
        let two = recording(dir.path());
        assert_ne!(two, one);
        fs::write(dir.path().join("facts/x.json"), "c").unwrap();
        assert_ne!(recording(dir.path()), two);
    }
}
