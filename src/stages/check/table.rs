//! Claims on tables: CSV and TSV.

use crate::content::text::unmarked;
use crate::request::words::How;
use crate::text::cut;

/// The line of a quotation that does not fill its cell (RFC 4180, 2.5 and 2.7): readers make of it what they like.
pub fn stray_quote(text: &str) -> Option<usize> {
    let (mut line, mut inside, mut at_start) = (1, false, true);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match (inside, c) {
            (true, '"') if chars.next_if_eq(&'"').is_none() => {
                inside = false;
                if chars
                    .peek()
                    .is_some_and(|next| !matches!(next, ',' | '\r' | '\n'))
                {
                    return Some(line);
                }
            }
            (false, '"') if at_start => inside = true,
            _ => {}
        }
        at_start = !inside && matches!(c, ',' | '\n');
    }
    None
}

/// Whether two tables have the same cells; numbers count by value, and a date with or without its midnight is the same.
pub fn same_rows(file: &str, bytes: &[u8], wanted: &str) -> Result<(), String> {
    let rows = |bytes: &[u8]| -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(unmarked(bytes))
            .into_records()
            .flatten()
            .collect()
    };
    let (here, there) = (rows(bytes), rows(wanted.as_bytes()));
    let number = |cell: &str| cell.trim().parse::<f64>().ok();
    let same = |a: &str, b: &str| match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => a
            .trim()
            .trim_end_matches(" 00:00:00")
            .eq_ignore_ascii_case(b.trim().trim_end_matches(" 00:00:00")),
    };
    for (n, (a, b)) in here.iter().zip(&there).enumerate() {
        if a.len() != b.len() || !a.iter().zip(b).all(|(a, b)| same(a, b)) {
            let line = |r: &csv::StringRecord| cut(&r.iter().collect::<Vec<_>>().join(","), 60);
            return Err(format!(
                "{file} differs in row {}: {:?}, and the sheet has {:?}",
                n + 1,
                line(a),
                line(b)
            ));
        }
    }
    if here.len() == there.len() {
        Ok(())
    } else {
        Err(format!(
            "{file} has {} rows, the sheet {}",
            here.len(),
            there.len()
        ))
    }
}

pub fn columns(file: &str, bytes: &[u8], names: &[String], how: How) -> Result<(), Option<String>> {
    let delimiter = if file.to_ascii_lowercase().ends_with(".tsv") {
        b'\t'
    } else {
        b','
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(unmarked(bytes));
    let there = reader
        .headers()
        .map_err(|e| Some(format!("{file} is not valid CSV: {e}")))?;
    let missing: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|n| !there.iter().any(|h| h.trim() == *n))
        .collect();
    let other = there
        .iter()
        .find(|h| how == How::All && !names.iter().any(|n| n == h.trim()));
    match (missing.as_slice(), other) {
        ([], None) => Ok(()),
        ([], Some(other)) => Err(Some(format!("{file} has another column, {other:?}"))),
        // "Name" for "name": people differ on that.
        (missing, _)
            if how == How::Perhaps
                || missing
                    .iter()
                    .all(|n| there.iter().any(|h| h.trim().eq_ignore_ascii_case(n))) =>
        {
            Err(None)
        }
        (missing, _) => Err(Some(format!("{file} has no column {}", missing.join(", ")))),
    }
}
