//! What a judge made of a draft, kept beside the calls: what is said to the model in a repair follows from it, and a browser does not
//! see the same thing twice (clocks, chance). With the judgement on record a run that was killed goes on with the very same words.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Finding;
use super::{Candidate, Draft};
use crate::error::Result;
use crate::journal::files;
use crate::values::sha256_hex;

/// What a judge says of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// How many of the task's checks it passes, and how many of earlier rounds'.
    pub passed: usize,
    pub kept: usize,
    /// Something was missing that may be there next time, such as a browser: not to be kept.
    #[serde(skip)]
    pub provisional: bool,
    /// The page as a window of 1280 × 800 shows it: a PNG.
    #[serde(skip)]
    pub picture: Option<Vec<u8>>,
}

/// An app with what is wrong with it.
pub struct Judged {
    pub candidate: Candidate,
    pub findings: Vec<Finding>,
    pub passed: usize,
    pub kept: usize,
    pub picture: Option<Vec<u8>>,
}

impl Judged {
    /// What to compare candidates by, greater is better: the task's checks, those of earlier rounds, then what else is wrong, that
    /// which falls short of the task first.
    pub fn score(&self) -> (usize, usize, Reverse<usize>, Reverse<usize>) {
        let grave = self.findings.iter().filter(|f| f.grave).count();
        (
            self.passed,
            self.kept,
            Reverse(grave),
            Reverse(self.findings.len()),
        )
    }
}

/// The judgement on a draft: the one on record in `calls`, or that of `judge`, which is then on record.
///
/// # Errors
/// `state`; the judge's.
pub fn kept(
    calls: &Path,
    draft: &Draft<'_>,
    judge: impl FnOnce() -> Result<Judgement>,
) -> Result<Judgement> {
    let dir = calls.join("judged");
    let name = digest(draft);
    let (sheet, picture) = (dir.join(format!("{name}.json")), picture_of(&dir, &name));
    if let Some(known) = files::read_json::<Judgement>(&sheet)? {
        return Ok(Judgement {
            picture: std::fs::read(picture).ok(),
            ..known
        });
    }
    let new = judge()?;
    if new.provisional {
        return Ok(new);
    }
    files::make_dir(calls)?;
    files::make_dir(&dir)?;
    if let Some(bytes) = &new.picture {
        files::write(&picture, bytes)?;
    }
    files::write_json(&sheet, &new)?;
    Ok(new)
}

fn picture_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.png"))
}

fn digest(draft: &Draft<'_>) -> String {
    let files = draft
        .files
        .iter()
        .map(|(path, bytes)| format!("{path}\0{}\n", sha256_hex(bytes)));
    let deleted = draft.deleted.iter().map(|path| format!("{path}\n"));
    sha256_hex(files.chain(deleted).collect::<String>().as_bytes())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(passed: usize, kept: usize, findings: Vec<Finding>) -> Judged {
        Judged {
            candidate: Candidate::default(),
            findings,
            passed,
            kept,
            picture: None,
        }
    }

    #[test]
    fn checks_count_before_all_else() {
        let grave = |n: usize| {
            (0..n)
                .map(|n| Finding::grave(n.to_string()))
                .collect::<Vec<_>>()
        };
        let minor = |n: usize| {
            (0..n)
                .map(|n| Finding::minor(n.to_string()))
                .collect::<Vec<_>>()
        };
        // In ascending order.
        let all = [
            judged(1, 9, vec![]),
            judged(2, 0, grave(3)),
            judged(2, 1, grave(3)),
            judged(2, 1, grave(2)),
            judged(2, 1, minor(9)),
            judged(2, 1, minor(1)),
            judged(3, 0, grave(1)),
        ];
        assert!(all.windows(2).all(|two| two[0].score() < two[1].score()));
    }

    #[test]
    fn a_judgement_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let none = std::collections::BTreeSet::new();
        let draft = Draft {
            files: [(
                crate::values::RelPath::parse("index.html").unwrap(),
                b"x".as_slice(),
            )]
            .into(),
            deleted: &none,
        };
        let made = Judgement {
            findings: vec![Finding::grave("at 12:03:04")],
            passed: 1,
            kept: 2,
            provisional: false,
            picture: Some(b"png".to_vec()),
        };
        let first = kept(dir.path(), &draft, || Ok(made.clone())).unwrap();
        let again = kept(dir.path(), &draft, || panic!("it is on record")).unwrap();
        assert_eq!((&first, &again), (&made, &made));
        let other = Draft {
            files: [(
                crate::values::RelPath::parse("index.html").unwrap(),
                b"y".as_slice(),
            )]
            .into(),
            deleted: &none,
        };
        assert_eq!(
            kept(dir.path(), &other, || Ok(Judgement::default())).unwrap(),
            Judgement::default()
        );
    }
}
