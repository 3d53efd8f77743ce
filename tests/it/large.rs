//! A task of 64 MiB takes no more than about four times its size.

use std::process::Stdio;

use serde_json::json;

use crate::run::{Bench, data_uri};

#[test]
fn memory_for_a_task_of_64_mib() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0_u32..12_500_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let url = data_uri("application/octet-stream", &bytes[..(63 << 20) / 4 * 3]);
    let file = bench.write_task("task.json", &bench.task(json!({"attachments": [{"name": "blob.bin", "url": url}]})));
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size > 60 << 20 && size <= 64 << 20);
    let sites = bench.path("sites");
    let mut command = bench.command(["run".as_ref(), file.as_os_str(), "--local".as_ref(), sites.as_os_str()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The kernel keeps the high-water mark until the process is gone.
    let (mut peak, mark) = (0, format!("/proc/{}/status", child.id()));
    let status = loop {
        let text = std::fs::read_to_string(&mark).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(line.unwrap_or(0) * 1024);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::yield_now(),
        }
    };
    assert!(status.success());
    println!("peak memory {} MiB for a task of {} MiB", peak >> 20, size >> 20);
    assert!(peak > 0 && peak < size * 4 + (16 << 20), "{} MiB", peak >> 20);
    assert_eq!(std::fs::metadata(sites.join("demo-site/assets/blob.bin")).unwrap().len(), (63 << 20) / 4 * 3);
}
