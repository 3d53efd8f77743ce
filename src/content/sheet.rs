//! Spreadsheets as CSV: for the prompt, and for `<<<CONVERT data.xlsx data.csv>>>`. The figures come from the file, not from a
//! model that copies them.
//!
//! Numbers are written as short as they read back the same, dates in ISO 8601, empty cells as nothing; quoting as the `csv`
//! crate does it where it is needed. Formulas count with the value that was saved with them.

mod grid;
mod zipped;

use std::io::Cursor;

use calamine::{Cell, Data, DataRef, Range, Reader, Sheets, XlsxError};

/// Sheets with more cells, empty ones within their bounds included, are not converted; a hostile file can claim billions.
const MAX_CELLS: u64 = 5_000_000;

/// The bytes that the sheets of a file may come to as CSV: one long text can stand in every cell at the price of one.
const MAX_CSV: usize = 64 << 20;

/// Files of the formats that calamine reads whole before it says how large their sheets are may have at most these bytes.
const MAX_WHOLE: usize = 16 << 20;

type Book<'a> = Sheets<Cursor<&'a [u8]>>;

/// Name and CSV of each sheet that holds anything.
///
/// # Errors
/// Says why the file does not read.
pub fn sheets(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut book = open(bytes)?;
    let (mut all, mut left) = (Vec::new(), MAX_CSV);
    for name in book.sheet_names() {
        if let Some(csv) = sheet(&mut book, &name, left)? {
            left = left.saturating_sub(csv.len());
            all.push((name, csv));
        }
    }
    Ok(all)
}

/// The first sheet that holds anything, as programs that know only one take it.
///
/// # Errors
/// Says why the file does not read.
pub fn first(bytes: &[u8]) -> Result<String, String> {
    let mut book = open(bytes)?;
    for name in book.sheet_names() {
        if let Some(csv) = sheet(&mut book, &name, MAX_CSV)? {
            return Ok(csv);
        }
    }
    Err("all its sheets are empty".to_owned())
}

fn open(bytes: &[u8]) -> Result<Book<'_>, String> {
    // A compound file is .xls or no spreadsheet; of the zip files, only .ods names its media type first.
    let whole = bytes.starts_with(b"\xd0\xcf\x11\xe0") || bytes.get(30..38) == Some(b"mimetype");
    if whole && bytes.len() > MAX_WHOLE {
        return Err(format!("it has more than {} MiB", MAX_WHOLE >> 20));
    }
    zipped::check(bytes)?;
    calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| e.to_string())
}

/// A sheet as CSV of at most `limit` bytes; `None` where it is empty.
fn sheet(book: &mut Book<'_>, name: &str, limit: usize) -> Result<Option<String>, String> {
    // `worksheet_range` allocates what lies between the first and the last cell, which two cells can make 400 GB.
    match book {
        Sheets::Xlsx(book) => match book.worksheet_cells_reader(name) {
            Ok(mut reader) => csv(name, &bounded(name, || reader.next_cell())?, limit),
            // A chart sheet, which calamine counts among the sheets.
            Err(XlsxError::NotAWorksheet(_)) => Ok(None),
            Err(e) => Err(e.to_string()),
        },
        Sheets::Xlsb(book) => {
            let mut reader = book
                .worksheet_cells_reader(name)
                .map_err(|e| e.to_string())?;
            csv(name, &bounded(name, || reader.next_cell())?, limit)
        }
        Sheets::Xls(_) | Sheets::Ods(_) => {
            let range = book.worksheet_range(name).map_err(|e| e.to_string())?;
            if (range.height() as u64).saturating_mul(range.width() as u64) > MAX_CELLS {
                return Err(too_many(name));
            }
            csv(name, &range, limit)
        }
    }
}

/// All cells that hold anything, as long as there are few enough and they lie close enough together.
fn bounded<'a, E: ToString>(
    name: &str,
    mut next: impl FnMut() -> Result<Option<Cell<DataRef<'a>>>, E>,
) -> Result<Range<DataRef<'a>>, String> {
    let mut cells = Vec::new();
    let (mut top, mut left, mut bottom, mut right) = (u32::MAX, u32::MAX, 0, 0);
    while let Some(cell) = next().map_err(|e| e.to_string())? {
        if matches!(cell.get_value(), DataRef::Empty) {
            continue;
        }
        let (row, column) = cell.get_position();
        (top, left, bottom, right) = (
            top.min(row),
            left.min(column),
            bottom.max(row),
            right.max(column),
        );
        let area = (u64::from(bottom - top) + 1).saturating_mul(u64::from(right - left) + 1);
        if area > MAX_CELLS || cells.len() as u64 >= MAX_CELLS {
            return Err(too_many(name));
        }
        cells.push(cell);
    }
    Ok(Range::from_sparse(cells))
}

fn too_many(name: &str) -> String {
    format!("sheet {name:?} has more than {MAX_CELLS} cells")
}

fn csv<T: calamine::CellType + Into<Data>>(
    name: &str,
    range: &Range<T>,
    limit: usize,
) -> Result<Option<String>, String> {
    if range.is_empty() {
        return Ok(None);
    }
    let mut out = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    for row in range.rows() {
        for data in row {
            out.write_field(cell(&data.clone().into()))
                .map_err(|e| e.to_string())?;
            if out.get_ref().len() > limit {
                return Err(format!(
                    "with sheet {name:?} it comes to more than {} MiB as CSV",
                    MAX_CSV >> 20
                ));
            }
        }
        out.write_record(None::<&[u8]>).map_err(|e| e.to_string())?;
    }
    let bytes = out.into_inner().map_err(|e| e.to_string())?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|e| e.to_string())
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
                // Before the first day that a sheet knows: no date of 1899, but a time of day.
                (_, _, _, 0) if when.as_f64() < 1.0 => format!("{hour:02}:{minute:02}:{second:02}"),
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
        assert!(
            first(b"").is_err() && first(b"PK\x03\x04").is_err() && first(b"a,b\n1,2\n").is_err()
        );
    }

    #[test]
    fn cells_far_apart_or_without_end() {
        let at = |row, column| Cell::new((row, column), DataRef::Int(1));
        let read = |cells: Vec<Cell<DataRef<'static>>>| {
            let mut cells = cells.into_iter();
            bounded("s", || Ok::<_, String>(cells.next()))
        };
        assert_eq!(
            read(vec![at(4, 7), at(3, 9), at(4, 7)]).unwrap().get_size(),
            (2, 3)
        );
        assert!(read(vec![]).unwrap().is_empty());
        assert!(
            read(vec![
                at(0, 0),
                Cell::new((u32::MAX, u32::MAX), DataRef::Empty)
            ])
            .unwrap()
            .get_size()
                == (1, 1)
        );
        for far in [at(u32::MAX, u32::MAX), at(1 << 19, 10), at(400, 16_383)] {
            assert_eq!(
                read(vec![at(0, 0), far]).unwrap_err(),
                "sheet \"s\" has more than 5000000 cells"
            );
        }
        // The same cell again and again.
        assert!(bounded("s", || Ok::<_, String>(Some(at(0, 0)))).is_err());
    }

    #[test]
    fn one_text_in_every_cell_is_as_long_as_it_is_often() {
        let long = "x".repeat(1_000);
        let cell = |n: u32| Cell::new((n, 0), DataRef::SharedString(&long));
        let range = Range::from_sparse((0..100).map(cell).collect());
        assert_eq!(csv("s", &range, 200_000).unwrap().unwrap().len(), 100_100);
        assert!(csv("s", &range, 50_000).is_err());
    }

    #[test]
    fn cells() {
        assert_eq!(cell(&Data::Float(12.0)), "12");
        assert_eq!(cell(&Data::Float(199.99)), "199.99");
        assert_eq!(
            cell(&Data::DateTime(calamine::ExcelDateTime::new(
                45658.0,
                calamine::ExcelDateTimeType::DateTime,
                false
            ))),
            "2025-01-01"
        );
        let time =
            calamine::ExcelDateTime::new(0.5625, calamine::ExcelDateTimeType::DateTime, false);
        assert_eq!(cell(&Data::DateTime(time)), "13:30:00");
        assert_eq!(cell(&Data::Bool(true)), "True");
    }
}
