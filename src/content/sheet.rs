//! Spreadsheets as CSV: for the prompt, and for `<<<CONVERT data.xlsx data.csv>>>`. The figures come from the file, not from a
//! model that copies them.
//!
//! Numbers are written as short as they read back the same, dates and times in ISO 8601, empty cells as nothing; quoting as the `csv`
//! crate does it where it is needed. Formulas count with the value that was saved with them. Programs that write workbooks without
//! calculating save none: the formula itself stands there then, and [`first`] gives no figures.

mod grid;
mod zipped;

use std::fmt::Write as _;
use std::io::Cursor;

use calamine::{Cell, Data, DataRef, Range, Reader, Sheets, XlsxError};

/// Workbooks with more cells, empty ones within the bounds of their sheets included, are not converted; a hostile file can claim billions.
const MAX_CELLS: u64 = 5_000_000;

/// Sheets that are read at most, and what they may unpack to if each were as large as the largest: a thousand sheets may stand for the
/// same file in the zip, which is then read a thousand times.
const MAX_SHEETS: u64 = 256;
const MAX_READ: u64 = 512 << 20;

/// The bytes that the sheets of a file may come to as CSV: one long text can stand in every cell at the price of one.
const MAX_CSV: usize = 64 << 20;

/// Files of the formats that calamine reads whole before it says how large their sheets are may have at most these bytes.
const MAX_WHOLE: usize = 16 << 20;

type Book<'a> = Sheets<Cursor<&'a [u8]>>;

/// What a spreadsheet file holds.
#[derive(Debug)]
pub struct Workbook {
    /// Those sheets that hold anything, in the file's order.
    pub sheets: Vec<Sheet>,
    /// How many more sheets there are, which were not read because that would be too much.
    pub left_out: usize,
}

#[derive(Debug)]
pub struct Sheet {
    pub name: String,
    pub csv: String,
    /// Cells whose formula was saved without a value.
    pub unsaved: usize,
}

impl Workbook {
    /// The place of the sheet with the most in it: the one that is meant where a file has a cover, notes and data.
    #[must_use]
    pub fn largest(&self) -> Option<usize> {
        // Of several the first.
        let sheets = self.sheets.iter().enumerate().rev();
        sheets
            .max_by_key(|(_, sheet)| sheet.csv.len())
            .map(|(at, _)| at)
    }
}

/// All that a file holds.
///
/// # Errors
/// Says why the file does not read.
pub fn read(bytes: &[u8]) -> Result<Workbook, String> {
    let (mut book, most) = open(bytes)?;
    let mut all = Workbook {
        sheets: Vec::new(),
        left_out: 0,
    };
    let names = book.sheet_names();
    let mut left = Room::new();
    for (at, name) in names.iter().enumerate() {
        let read = if at < most {
            sheet(&mut book, name, &mut left)
        } else {
            Err(format!("it has more than {most} sheets"))
        };
        match read {
            Ok(sheet) => all.sheets.extend(sheet),
            Err(why) if all.sheets.is_empty() => return Err(why),
            Err(_) => {
                all.left_out = names.len() - at;
                break;
            }
        }
    }
    Ok(all)
}

/// The first sheet that holds anything as CSV, as programs that know only one take it.
///
/// # Errors
/// Says why the file does not read, or that it has formulas without values.
pub fn first(bytes: &[u8]) -> Result<String, String> {
    let (mut book, most) = open(bytes)?;
    let mut left = Room::new();
    for name in book.sheet_names().iter().take(most) {
        if let Some(sheet) = sheet(&mut book, name, &mut left)? {
            return if sheet.unsaved == 0 {
                Ok(sheet.csv)
            } else {
                Err(format!("{} without a saved value", formulas(sheet.unsaved)))
            };
        }
    }
    Err("all its sheets are empty".to_owned())
}

/// `1 formula`, `2 formulas`.
#[must_use]
pub fn formulas(count: usize) -> String {
    format!("{count} formula{}", if count == 1 { "" } else { "s" })
}

/// What may still be read of a file.
struct Room {
    cells: u64,
    bytes: usize,
}

impl Room {
    fn new() -> Self {
        Self {
            cells: MAX_CELLS,
            bytes: MAX_CSV,
        }
    }
}

/// The file, and how many of its sheets may be read.
fn open(bytes: &[u8]) -> Result<(Book<'_>, usize), String> {
    // A compound file is .xls or no spreadsheet; of the zip files, only .ods names its media type first.
    let whole = bytes.starts_with(b"\xd0\xcf\x11\xe0") || bytes.get(30..38) == Some(b"mimetype");
    if whole && bytes.len() > MAX_WHOLE {
        return Err(format!("it has more than {} MiB", MAX_WHOLE >> 20));
    }
    let largest = zipped::check(bytes)?;
    let sheets = (MAX_READ / largest.max(1)).clamp(1, MAX_SHEETS);
    let book =
        calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    Ok((book, usize::try_from(sheets).unwrap_or(usize::MAX)))
}

/// A sheet, within the room that is left; `None` where it is empty.
fn sheet(book: &mut Book<'_>, name: &str, left: &mut Room) -> Result<Option<Sheet>, String> {
    // `worksheet_range` allocates what lies between the first and the last cell, which two cells can make 400 GB.
    match book {
        Sheets::Xlsx(book) => {
            let mut reader = match book.worksheet_cells_reader(name) {
                Ok(reader) => reader,
                // A chart sheet, which calamine counts among the sheets.
                Err(XlsxError::NotAWorksheet(_)) => return Ok(None),
                Err(e) => return Err(e.to_string()),
            };
            let mut unsaved = 0;
            let range = bounded(name, left, || -> Result<_, XlsxError> {
                let Some(cell) = reader.next_cell_with_formula()? else {
                    return Ok(None);
                };
                let value = match (cell.value, cell.formula) {
                    (DataRef::Empty, Some(formula)) => {
                        unsaved += 1;
                        DataRef::String(format!("={formula}"))
                    }
                    (value, _) => value,
                };
                Ok(Some(Cell::new(cell.pos, value)))
            })?;
            csv(name, &range, unsaved, left)
        }
        Sheets::Xlsb(book) => {
            let mut reader = book
                .worksheet_cells_reader(name)
                .map_err(|e| e.to_string())?;
            csv(name, &bounded(name, left, || reader.next_cell())?, 0, left)
        }
        Sheets::Xls(_) | Sheets::Ods(_) => {
            let range = book.worksheet_range(name).map_err(|e| e.to_string())?;
            let cells = (range.height() as u64).saturating_mul(range.width() as u64);
            left.cells = left
                .cells
                .checked_sub(cells)
                .ok_or_else(|| too_many(name))?;
            csv(name, &range, 0, left)
        }
    }
}

/// All cells that hold anything, as long as there are few enough and they lie close enough together.
fn bounded<'a, E: ToString>(
    name: &str,
    room: &mut Room,
    mut next: impl FnMut() -> Result<Option<Cell<DataRef<'a>>>, E>,
) -> Result<Range<DataRef<'a>>, String> {
    let mut cells = Vec::new();
    let (mut top, mut left, mut bottom, mut right) = (u32::MAX, u32::MAX, 0, 0);
    let mut area = 0;
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
        area = (u64::from(bottom - top) + 1).saturating_mul(u64::from(right - left) + 1);
        if area > room.cells || cells.len() as u64 >= room.cells {
            return Err(too_many(name));
        }
        cells.push(cell);
    }
    room.cells -= area;
    Ok(Range::from_sparse(cells))
}

fn too_many(name: &str) -> String {
    format!("sheet {name:?} has more than {MAX_CELLS} cells")
}

fn csv<T: calamine::CellType + Into<Data>>(
    name: &str,
    range: &Range<T>,
    unsaved: usize,
    left: &mut Room,
) -> Result<Option<Sheet>, String> {
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
            if out.get_ref().len() > left.bytes {
                return Err(format!(
                    "with sheet {name:?} it comes to more than {} MiB as CSV",
                    MAX_CSV >> 20
                ));
            }
        }
        out.write_record(None::<&[u8]>).map_err(|e| e.to_string())?;
    }
    let bytes = out.into_inner().map_err(|e| e.to_string())?;
    left.bytes = left.bytes.saturating_sub(bytes.len());
    Ok(Some(Sheet {
        name: name.to_owned(),
        csv: String::from_utf8(bytes).map_err(|e| e.to_string())?,
        unsaved,
    }))
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
            let mut time = format!("{hour:02}:{minute:02}:{second:02}");
            if milli > 0 {
                let _ = write!(time, ".{milli:03}");
            }
            // Before the first day that a sheet knows: no date of 1899, but a time of day.
            if (0.0..1.0).contains(&when.as_f64()) {
                time
            } else if (hour, minute, second, milli) == (0, 0, 0, 0) {
                day_only
            } else {
                format!("{day_only} {time}")
            }
        }
        Data::DateTime(span) => hours(span.as_f64()),
        Data::DateTimeIso(text) | Data::DurationIso(text) | Data::String(text) => text.clone(),
        Data::Error(error) => error.to_string(),
    }
}

/// A span of days as `37:30:00`, as sheets show what adds up beyond a day.
fn hours(days: f64) -> String {
    // By way of text: there is no lossless way from a float to an integer.
    let Ok(seconds) = format!("{:.0}", (days * 86_400.0).abs()).parse::<u64>() else {
        return days.to_string();
    };
    let sign = if days < 0.0 && seconds > 0 { "-" } else { "" };
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60)
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
            bounded("s", &mut Room::new(), || Ok::<_, String>(cells.next()))
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
        assert!(bounded("s", &mut Room::new(), || Ok::<_, String>(Some(at(0, 0)))).is_err());
    }

    #[test]
    fn one_text_in_every_cell_is_as_long_as_it_is_often() {
        let long = "x".repeat(1_000);
        let cell = |n: u32| Cell::new((n, 0), DataRef::SharedString(&long));
        let range = Range::from_sparse((0..100).map(cell).collect());
        let csv = |bytes| csv("s", &range, 0, &mut Room { cells: 100, bytes });
        assert_eq!(csv(200_000).unwrap().unwrap().csv.len(), 100_100);
        assert!(csv(50_000).is_err());
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
        for (days, span) in [
            (0.5625, "13:30:00"),
            (1.5625, "37:30:00"),
            (-0.5, "-12:00:00"),
            (0.0, "00:00:00"),
        ] {
            let kind = calamine::ExcelDateTimeType::TimeDelta;
            let time = calamine::ExcelDateTime::new(days, kind, false);
            assert_eq!(cell(&Data::DateTime(time)), span);
        }
        assert_eq!(cell(&Data::Bool(true)), "True");
    }

    /// A workbook: the names of its sheets with the part that each stands for, and the parts with their rows.
    fn book(sheets: &[(String, usize)], parts: &[&str]) -> Vec<u8> {
        use std::io::Write;
        const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        const RELS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut add = |name: &str, text: &str| {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(name, options).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        };
        add(
            "_rels/.rels",
            &format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r\" Type=\"{RELS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        );
        let (mut list, mut relations) = (String::new(), String::new());
        for (n, (name, part)) in sheets.iter().enumerate() {
            let _ = write!(
                list,
                "<sheet name=\"{name}\" sheetId=\"{}\" r:id=\"r{n}\"/>",
                n + 1
            );
            let _ = write!(
                relations,
                "<Relationship Id=\"r{n}\" Type=\"{RELS}/worksheet\" Target=\"worksheets/sheet{part}.xml\"/>"
            );
        }
        add(
            "xl/workbook.xml",
            &format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELS}\"><sheets>{list}</sheets></workbook>"
            ),
        );
        add(
            "xl/_rels/workbook.xml.rels",
            &format!("<Relationships xmlns=\"{PACKAGE}\">{relations}</Relationships>"),
        );
        for (n, rows) in parts.iter().enumerate() {
            let text =
                format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
            add(&format!("xl/worksheets/sheet{n}.xml"), &text);
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn formulas_without_values_are_no_figures() {
        let rows = |value: &str| {
            format!(
                "<row r=\"1\"><c r=\"A1\"><v>2</v></c><c r=\"B1\"><f>A1*21</f>{value}</c></row>"
            )
        };
        let read = |value: &str| {
            let bytes = book(&[("S".to_owned(), 0)], &[&rows(value)]);
            let mut book = super::read(&bytes).unwrap();
            let sheet = book.sheets.pop().unwrap();
            (sheet.csv, sheet.unsaved, first(&bytes).is_ok())
        };
        assert_eq!(read("<v>42</v>"), ("2,42\n".to_owned(), 0, true));
        for none in ["", "<v></v>", "<v/>"] {
            assert_eq!(read(none), ("2,=A1*21\n".to_owned(), 1, false), "{none}");
        }
    }

    #[test]
    fn a_thousand_sheets_on_one_part_are_not_read_a_thousand_times() {
        let row = "<row><c><v>1</v></c><c><v>2</v></c></row>".repeat(2_000);
        let sheets: Vec<(String, usize)> = (0..1_000).map(|n| (format!("S{n}"), 0)).collect();
        let small = read(&book(&sheets, &["<row><c><v>1</v></c></row>"])).unwrap();
        assert_eq!((small.sheets.len(), small.left_out), (256, 744));
        // The room for cells is that of the workbook.
        let mut left = Room {
            cells: 10_000,
            bytes: MAX_CSV,
        };
        let bytes = book(&sheets[..3], &[&row]);
        let (mut book, _) = open(&bytes).unwrap();
        let mut next = |name| sheet(&mut book, name, &mut left).map(|sheet| sheet.is_some());
        assert_eq!((next("S0"), next("S1")), (Ok(true), Ok(true)));
        assert!(next("S2").unwrap_err().contains("5000000 cells"));
    }

    #[test]
    fn the_largest_sheet() {
        let names = ["Cover", "Data", "Notes"];
        let sheets: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| ((*name).to_owned(), n))
            .collect();
        let (one, many) = (
            "<row><c><v>1</v></c></row>",
            "<row><c><v>1</v></c></row>".repeat(9),
        );
        let book = read(&book(&sheets, &[one, &many, one])).unwrap();
        assert_eq!((book.largest(), book.left_out), (Some(1), 0));
    }
}
