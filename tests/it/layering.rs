//! The house has floors: what is above may use what is below, never the other way round.

use std::path::{Path, PathBuf};

/// From the top down. Modules of one floor may use each other, stages only the stages before them.
const FLOORS: [&[&str]; 6] = [
    &["commands", "config", "report", "cli"],
    &["run"],
    &["stages"],
    &["request", "content"],
    &["ports", "journal"],
    &[
        "progress", "clock", "disk", "error", "secret", "text", "values", "growth",
    ],
];

fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|f| f.contains(&module))
}

/// The stages in the order in which `stages/mod.rs` has them.
fn stage_order() -> Vec<String> {
    let text = std::fs::read_to_string("src/stages/mod.rs").unwrap();
    text.lines()
        .filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn nobody_uses_what_is_above() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let order = stage_order();
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let parts: Vec<String> = file
            .strip_prefix("src")
            .unwrap()
            .with_extension("")
            .iter()
            .map(|p| p.to_string_lossy().into_owned())
            .collect();
        let Some(here) = floor(&parts[0]) else {
            assert!(
                ["main", "lib"].contains(&parts[0].as_str()),
                "{} is on no floor",
                file.display()
            );
            continue;
        };
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let Some(at) = line.find("crate::") else {
                continue;
            };
            if line.trim_start().starts_with("//") {
                continue;
            }
            let mut path = line[at + 7..]
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|p| !p.is_empty());
            let (module, inner) = (
                path.next().unwrap_or_default(),
                path.next().unwrap_or_default(),
            );
            seen += 1;
            let there = floor(module)
                .unwrap_or_else(|| panic!("{}: {line}: {module} is on no floor", file.display()));
            let stage = |name: &str| order.iter().position(|s| s == name);
            let later =
                parts[0] == "stages" && module == "stages" && stage(inner) > stage(&parts[1]);
            if there < here || later {
                wrong.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(seen > 50, "only {seen} uses were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
