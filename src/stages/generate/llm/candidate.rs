//! An app in the making: what the model has sent so far, under the rules of what it may send.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Finding;
use super::material::Shown;
use super::reply::Reply;
use crate::content::sheet;
use crate::request::required::Required;
use crate::stages::generate::place::is_for_secrets;
use crate::values::RelPath;

/// The most files, and bytes, that an app may have.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 10 << 20;

/// What a model may not write, whatever it says.
pub struct Rules<'a> {
    pub required: &'a Required,
    pub attachments: &'a [Shown<'a>],
    /// Paths on the remote.
    pub deployed: &'a BTreeSet<String>,
}

/// What becomes of a file that the model sends.
enum Verdict {
    Fine,
    /// Without a word; the tool's own is there.
    LeftOut,
    Refused(Finding),
}

#[derive(Clone, Debug, Default)]
pub struct Candidate {
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// Made by the tool from an attachment, at the model's or the brief's wish.
    pub converted: BTreeSet<RelPath>,
    pub deleted: BTreeSet<RelPath>,
}

impl Candidate {
    /// Takes in an answer; gives back what of it cannot be.
    pub fn take(&mut self, reply: &Reply, rules: &Rules<'_>) -> Vec<Finding> {
        let mut wrong: Vec<Finding> = reply
            .refused
            .iter()
            .map(|(path, why)| Finding::grave(format!("{path:?} is no path for a file: it {why}.")))
            .collect();
        // Before what is written: a file may make room for a folder of its name.
        for path in &reply.deletes {
            self.files.remove(path);
            let ours = matches!(path.as_str(), "LICENSE" | "README.md" | ".nojekyll")
                || rules.attachments.iter().any(|a| a.path == path);
            if rules.deployed.contains(path.as_str()) && !ours {
                self.deleted.insert(path.clone());
            }
        }
        for (path, text) in &reply.files {
            match self.verdict(path, text.len(), rules) {
                Verdict::LeftOut => {}
                Verdict::Refused(why) => wrong.push(why),
                Verdict::Fine => {
                    self.deleted.remove(path);
                    self.converted.remove(path);
                    self.files.insert(path.clone(), text.clone().into_bytes());
                }
            }
        }
        for (from, to) in &reply.converts {
            if let Err(why) = self.convert(from, to, rules) {
                wrong.push(Finding::grave(format!(
                    "{from} cannot be converted to {to}: {why}."
                )));
            }
        }
        // What the brief asks to convert is converted here, whoever else has copied the figures.
        for (from, to) in &rules.required.conversions {
            if rules.attachments.iter().any(|a| a.path == from) {
                let _ = self.convert(from, to, rules);
            }
        }
        wrong
    }

    fn verdict(&self, path: &RelPath, bytes: usize, rules: &Rules<'_>) -> Verdict {
        let name = path.as_str();
        if matches!(name, "LICENSE" | ".nojekyll")
            || rules
                .attachments
                .iter()
                .any(|a| a.path == path && !a.to_change)
        {
            return Verdict::LeftOut;
        }
        let lower = name.to_ascii_lowercase();
        let grave = |text: String| Verdict::Refused(Finding::grave(text));
        if lower.starts_with(".github/")
            && !(lower.starts_with(".github/workflows/") && rules.required.workflows)
        {
            return grave(format!(
                "{name}: nothing under .github is asked for; leave it out."
            ));
        }
        if lower.rsplit('/').next().is_some_and(is_for_secrets) {
            return grave(format!(
                "{name}: files for secrets are not published; leave it out."
            ));
        }
        let others = self.files.iter().filter(|(p, _)| *p != path);
        let total: usize = others.clone().map(|(_, b)| b.len()).sum();
        if others.count() >= MAX_FILES || total + bytes > MAX_BYTES {
            return grave(format!(
                "{name}: an app has at most {MAX_FILES} files and {} MiB.",
                MAX_BYTES >> 20
            ));
        }
        let below = |one: &str, other: &str| {
            one.strip_prefix(other)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let there = self
            .files
            .keys()
            .chain(rules.attachments.iter().map(|a| a.path))
            .map(RelPath::as_str);
        let gone: BTreeSet<&str> = self.deleted.iter().map(RelPath::as_str).collect();
        let mut all = there.chain(
            rules
                .deployed
                .iter()
                .map(String::as_str)
                .filter(|path| !gone.contains(path)),
        );
        match all.find(|other| below(name, other) || below(other, name)) {
            Some(other) => grave(format!(
                "{name} and {other} cannot be a folder and a file at once."
            )),
            None => Verdict::Fine,
        }
    }

    fn convert(&mut self, from: &RelPath, to: &RelPath, rules: &Rules<'_>) -> Result<(), String> {
        let named = |a: &&Shown<'_>| {
            a.path == from || a.path.as_str().strip_prefix("assets/") == Some(from.as_str())
        };
        let attached = rules
            .attachments
            .iter()
            .find(named)
            .ok_or("it is not attached")?;
        let csv = sheet::first(attached.bytes)?;
        match self.verdict(to, csv.len(), rules) {
            Verdict::Refused(finding) => Err(finding.text),
            Verdict::LeftOut => Ok(()),
            Verdict::Fine => {
                self.deleted.remove(to);
                self.converted.insert(to.clone());
                self.files.insert(to.clone(), csv.into_bytes());
                Ok(())
            }
        }
    }

    /// Every path of the site as it would stand.
    #[must_use]
    pub fn paths(&self, rules: &Rules<'_>) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = rules
            .deployed
            .iter()
            .filter(|p| !self.deleted.iter().any(|d| d.as_str() == *p))
            .cloned()
            .collect();
        all.extend(
            rules
                .attachments
                .iter()
                .filter(|a| !a.to_change)
                .map(|a| a.path.to_string()),
        );
        all.extend(["LICENSE", "README.md", ".nojekyll"].map(str::to_owned));
        all.extend(self.files.keys().map(ToString::to_string));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_deleted_makes_room_for_a_folder() {
        let path = |p| RelPath::parse(p).unwrap();
        let (required, deployed) = (
            Required::default(),
            BTreeSet::from(["data".to_owned(), "b".to_owned()]),
        );
        let rules = Rules {
            required: &required,
            attachments: &[],
            deployed: &deployed,
        };
        let file = |p| (path(p), "{}".to_owned());
        let reply = Reply {
            files: [file("data/x.json"), file("b")].into(),
            deletes: vec![path("data"), path("b")],
            ..Reply::default()
        };
        let mut candidate = Candidate::default();
        assert!(candidate.take(&reply, &rules).is_empty());
        assert_eq!(candidate.deleted, [path("data")].into());
        assert!(
            candidate.files.contains_key(&path("data/x.json"))
                && candidate.files.contains_key(&path("b"))
        );
        // One that stays is in the way.
        assert_eq!(
            Candidate::default()
                .take(
                    &Reply {
                        deletes: vec![],
                        ..reply
                    },
                    &rules
                )
                .len(),
            1
        );
    }
}
