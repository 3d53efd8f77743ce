//! A task of 64 MiB takes no more than about four times its size.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::run::{Bench, data_uri};

/// The most memory, in bytes, that a run which succeeds held at once.
fn peak_of(mut command: Command) -> u64 {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The kernel keeps the high-water mark until the process is gone.
    let (mut peak, mark) = (0, format!("/proc/{}/status", child.id()));
    let status = loop {
        let text = std::fs::read_to_string(&mark).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(line.unwrap_or(0) * 1024);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert!(status.success());
    peak
}

/// The peak while a prompt is made that shows this attachment.
fn peak_of_prompt(name: &str, bytes: &[u8]) -> u64 {
    let bench = Bench::new();
    let task = bench.task(json!({"attachments": [{"name": name, "url": data_uri("", bytes)}], "evaluation_url": null}));
    let file = bench.write_task("task.json", &task);
    peak_of(bench.command([
        "generate".as_ref(),
        file.as_os_str(),
        "--print-prompt".as_ref(),
    ]))
}

#[test]
fn memory_for_json_that_would_be_twenty_times_its_size_as_values() {
    let peak = peak_of_prompt(
        "data.json",
        format!("[{}[]]", "[],".repeat(4 << 20)).as_bytes(),
    );
    assert!(peak < 160 << 20, "{} MiB", peak >> 20);
}

#[test]
fn memory_for_a_spreadsheet_that_unpacks_to_a_hundred_times_its_size() {
    let texts = std::iter::once("<sst>".to_owned())
        .chain((0..120).map(|_| "<si><t>x</t></si>".repeat(40_000)));
    let peak = peak_of_prompt("data.xlsx", &crate::xlsx::with_texts(texts));
    assert!(peak < 160 << 20, "{} MiB", peak >> 20);
}

#[test]
fn memory_for_a_task_of_64_mib() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0_u32..12_500_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let url = data_uri("application/octet-stream", &bytes[..(63 << 20) / 4 * 3]);
    let file = bench.write_task(
        "task.json",
        &bench.task(json!({"attachments": [{"name": "blob.bin", "url": url}]})),
    );
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size > 60 << 20 && size <= 64 << 20);
    let sites = bench.path("sites");
    let command = bench.command([
        "run".as_ref(),
        file.as_os_str(),
        "--local".as_ref(),
        sites.as_os_str(),
    ]);
    let peak = peak_of(command);
    println!(
        "peak memory {} MiB for a task of {} MiB",
        peak >> 20,
        size >> 20
    );
    assert!(
        peak > 0 && peak < size * 4 + (16 << 20),
        "{} MiB",
        peak >> 20
    );
    assert_eq!(
        std::fs::metadata(sites.join("demo-site/assets/blob.bin"))
            .unwrap()
            .len(),
        (63 << 20) / 4 * 3
    );
}
