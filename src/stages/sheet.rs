//! Spreadsheets as CSV: for the prompt, and for `<<<CONVERT data.xlsx data.csv>>>`. The figures come from the file, not from a
//! model that copies them.
//!
//! Numbers are written as short as they read back the same, dates in ISO 8601, empty cells as nothing; quoting as the `csv`
//! crate does it where it is needed. Formulas count with the value that was saved with them.

use std::io::Cursor;

use calamine::{Data, Range, Reader};

/// Sheets with more cells are not converted; a hostile file can claim billions.
const MAX_CELLS: usize = 5_000_000;

/// Name and CSV of each sheet that holds anything.
///
/// # Errors
/// Says why the file does not read.
pub fn sheets(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    for name in book.sheet_names() {
        let range = book.worksheet_range(&name).map_err(|e| e.to_string())?;
        if range.height().saturating_mul(range.width()) > MAX_CELLS {
            return Err(format!("sheet {name:?} has more than {MAX_CELLS} cells"));
        }
        if !range.is_empty() {
            all.push((name, csv(&range)?));
        }
    }
    Ok(all)
}

/// The first sheet, as programs that know only one take it.
///
/// # Errors
/// Says why the file does not read.
pub fn first(bytes: &[u8]) -> Result<String, String> {
    sheets(bytes)?.into_iter().next().map(|(_, csv)| csv).ok_or_else(|| "all its sheets are empty".to_owned())
}

fn csv(range: &Range<Data>) -> Result<String, String> {
    let mut out = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in range.rows() {
        out.write_record(row.iter().map(cell)).map_err(|e| e.to_string())?;
    }
    let bytes = out.into_inner().map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| e.to_string())
}

fn cell(data: &Data) -> String {
    match data {
        Data::Empty => String::new(),
        Data::Float(number) => number.to_string(),
        Data::Int(number) => number.to_string(),
        Data::Bool(yes) => if *yes { "True" } else { "False" }.to_owned(),
        Data::DateTime(when) if when.is_datetime() => {
            let (year, month, day, hour, minute, second, milli) = when.to_ymd_hms_milli();
            let day_only = format!("{year:04}-{month:02}-{day:02}");
            match (hour, minute, second, milli) {
                (0, 0, 0, 0) => day_only,
                (_, _, _, 0) => format!("{day_only} {hour:02}:{minute:02}:{second:02}"),
                _ => format!("{day_only} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
            }
        }
        Data::DateTime(span) => span.as_f64().to_string(),
        Data::DateTimeIso(text) | Data::DurationIso(text) | Data::String(text) => text.clone(),
        Data::Error(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_spreadsheet_says_so() {
        assert!(first(b"").is_err() && first(b"PK\x03\x04").is_err() && first(b"a,b\n1,2\n").is_err());
    }

    #[test]
    fn cells() {
        assert_eq!(cell(&Data::Float(12.0)), "12");
        assert_eq!(cell(&Data::Float(199.99)), "199.99");
        assert_eq!(
            cell(&Data::DateTime(calamine::ExcelDateTime::new(45658.0, calamine::ExcelDateTimeType::DateTime, false))),
            "2025-01-01"
        );
        assert_eq!(cell(&Data::Bool(true)), "True");
    }
}
