//! docs/STATE.md says what the state directory holds, and how.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};

use crate::run::Bench;

#[derive(Deserialize)]
struct Sheet<'a> {
    version: u32,
    sha256: String,
    #[serde(borrow)]
    value: &'a RawValue,
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

#[test]
fn what_is_there_is_described() {
    let described = std::fs::read_to_string("docs/STATE.md").unwrap();
    let bench = Bench::new();
    bench.go("generate", &bench.task(json!({})), &[]).exits(0);
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    let mut all = Vec::new();
    files(&bench.state(), &mut all);
    let mut sheets = 0;
    for file in &all {
        let path = file.strip_prefix(bench.state()).unwrap();
        let parts: Vec<_> = path.iter().map(|p| p.to_str().unwrap()).collect();
        let name = match parts[..] {
            ["runs", _, folder, _, ..] => format!("`runs/<id>/{folder}/`"),
            [
                "runs",
                _,
                file @ ("lock" | "log" | "run.json" | "result.json" | "destination.json"),
            ] => {
                format!("`runs/<id>/{file}`")
            }
            ["runs", _, "generate.json"] => "`runs/<id>/generate.json`".to_owned(),
            ["runs", _, file] => format!("`{file}`"),
            ["tasks", _, _] => "`tasks/<digest>/<round>.json`".to_owned(),
            ["previews", _] => "`previews/<digest>.json`".to_owned(),
            _ => path.display().to_string(),
        };
        assert!(described.contains(&name), "{}: {name}", path.display());
        if path.extension().is_some_and(|e| e == "json") {
            let bytes = std::fs::read(file).unwrap();
            let sheet: Sheet<'_> = serde_json::from_slice(&bytes).unwrap();
            let digest: String = Sha256::digest(sheet.value.get())
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(
                (sheet.version, sheet.sha256),
                (1, digest),
                "{}",
                path.display()
            );
            sheets += 1;
        }
    }
    assert!(sheets >= 8, "{all:?}");
}
