//! How objects go into git and come out of it: the stream for `fast-import`, packs, and what `ls-tree` and `cat-file` say.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::{BRANCH, Draft, TreeEntry};
use crate::ports::forge::Author;
use crate::values::RelPath;

/// The stream that `git fast-import` reads, see its manual, INPUT FORMAT.
pub(super) fn write_stream(out: &mut impl Write, draft: &Draft<'_>) -> io::Result<()> {
    let Author { name, email } = draft.author;
    let date = draft.date;
    write!(
        out,
        "commit {BRANCH}\nmark :1\nauthor {name} <{email}> {date} +0000\ncommitter {name} <{email}> {date} +0000\n"
    )?;
    write!(out, "data {}\n{}\n", draft.message.len(), draft.message)?;
    if let Some(parent) = draft.parent {
        writeln!(out, "from {parent}")?;
    }
    for path in draft.delete {
        writeln!(out, "D {}", quoted(path))?;
    }
    for (path, bytes) in draft.write {
        writeln!(
            out,
            "M 100644 inline {}\ndata {}",
            quoted(path),
            bytes.len()
        )?;
        out.write_all(bytes)?;
        writeln!(out)?;
    }
    write!(out, "\nget-mark :1\ndone\n")?;
    out.flush()
}

/// A path in C-style quotes. It holds no control character and no backslash.
fn quoted(path: &RelPath) -> String {
    format!("\"{}\"", path.as_str().replace('"', "\\\""))
}

/// Copies the packs that the other repository lacks, the index last: that is what makes a pack known to git. `fast-import`
/// leaves nothing but packs (`fastimport.unpackLimit`), and what was fetched came from there.
pub(super) fn copy_packs(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.join("objects/pack"), to.join("objects/pack"));
    fs::create_dir_all(&to)?;
    let mut names: Vec<_> = fs::read_dir(&from)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort_by_key(|name| Path::new(name).extension().is_some_and(|e| e == "idx"));
    for name in names {
        let target = to.join(&name);
        if target.exists()
            || !Path::new(&name)
                .extension()
                .is_some_and(|e| ["pack", "rev", "idx"].iter().any(|k| e == *k))
        {
            continue;
        }
        let mut temporary = tempfile::Builder::new()
            .prefix("tmp_pack_")
            .tempfile_in(&to)?;
        io::copy(&mut fs::File::open(from.join(&name))?, &mut temporary)?;
        temporary.as_file().sync_all()?;
        // As git makes them: for everybody to read, for nobody to change.
        #[cfg(unix)]
        temporary
            .as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o444))?;
        temporary.persist(target)?;
    }
    Ok(())
}

/// `MODE SP TYPE SP OBJECT SP SIZE TAB PATH`.
pub(super) fn tree_entry(line: &str) -> Option<TreeEntry> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split_ascii_whitespace();
    let (mode, kind, blob, bytes) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
    (kind == "blob" && mode != "120000").then_some(())?;
    Some(TreeEntry {
        path: path.to_owned(),
        blob: blob.to_owned(),
        bytes: bytes.parse().ok()?,
    })
}

/// `OBJECT SP TYPE SP SIZE LF CONTENTS LF`.
pub(super) fn next_blob(rest: &mut &[u8]) -> anyhow::Result<Vec<u8>> {
    let end = rest.iter().position(|b| *b == b'\n').context("no header")?;
    let (header, after) = rest.split_at(end);
    let header = String::from_utf8_lossy(header).into_owned();
    let size: usize = header
        .rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .with_context(|| header.clone())?;
    let bytes = after.get(1..=size).context("cut off")?.to_vec();
    *rest = after.get(size + 2..).unwrap_or_default();
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_cut_by_their_size() {
        let mut rest: &[u8] = b"aa blob 3\na\nb\nbb blob 0\n\ncc missing\n";
        assert_eq!(next_blob(&mut rest).unwrap(), b"a\nb");
        assert_eq!(next_blob(&mut rest).unwrap(), b"");
        assert!(next_blob(&mut rest).is_err());
    }

    #[test]
    fn tree_lines() {
        let id = "a".repeat(40);
        assert_eq!(
            tree_entry(&format!("100644 blob {id}      12\ta b.txt"))
                .unwrap()
                .bytes,
            12
        );
        assert_eq!(tree_entry(&format!("120000 blob {id}      12\tlink")), None);
        assert_eq!(
            tree_entry(&format!("160000 commit {id}       -\tmodule")),
            None
        );
    }
}
