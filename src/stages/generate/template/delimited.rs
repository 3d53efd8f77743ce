//! Delimited text (CSV, TSV and their relatives) as rows, with the delimiter and the heading row found out.
//!
//! Deliberately absent: HTML (see `table`), and errors. Ragged rows, stray quotes and odd bytes all have a reading.

use super::column::Column;
use super::decimal::Decimal;
use crate::text::head;

/// Rows kept for showing; totals go over all of them.
pub(super) const SHOWN_ROWS: usize = 1_000;
/// Columns kept for showing.
pub(super) const SHOWN_COLUMNS: usize = 200;
/// How much of one cell is kept, in bytes.
const CELL: usize = 2_000;
/// How much of the text is looked at to find the delimiter.
const SAMPLE: usize = 65_536;

/// A table that was read.
pub(super) struct Delimited {
    /// The heading row, if the file has one.
    pub(super) header: Option<Vec<String>>,
    /// The first [`SHOWN_ROWS`] rows; they may have different lengths.
    pub(super) rows: Vec<Vec<String>>,
    /// How many rows there are in all, the heading row not counted.
    pub(super) row_count: usize,
    /// How many columns the longest row has.
    pub(super) column_count: usize,
    /// What is known of the first [`SHOWN_COLUMNS`] columns.
    pub(super) columns: Vec<Column>,
}

/// Reads a table. Rows without any content are skipped.
pub(super) fn read(text: &str, tabs_likely: bool) -> Delimited {
    let delimiter = delimiter(text, tabs_likely);
    let blank = Column::new(delimiter == b';');
    let mut table = Delimited {
        header: None,
        rows: Vec::new(),
        row_count: 0,
        column_count: 0,
        columns: Vec::new(),
    };
    let mut first = None;
    for_each_record(text, delimiter, |record| {
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return true;
        }
        table.column_count = table.column_count.max(record.len());
        table
            .columns
            .resize(table.column_count.min(SHOWN_COLUMNS), blank.clone());
        let keep = || {
            record
                .iter()
                .take(SHOWN_COLUMNS)
                .map(|cell| head(cell, CELL).to_owned())
                .collect()
        };
        if first.is_none() {
            first = Some(keep());
            return true;
        }
        // The first row stays out of the columns until it is known whether it is a heading.
        table
            .columns
            .iter_mut()
            .zip(record)
            .for_each(|(column, cell)| column.add(cell));
        table.row_count += 1;
        if table.rows.len() < SHOWN_ROWS {
            table.rows.push(keep());
        }
        true
    });
    match first {
        Some(row) if is_header(&row, &table.columns) => table.header = Some(row),
        Some(row) => {
            table
                .columns
                .iter_mut()
                .zip(&row)
                .for_each(|(column, cell)| column.add(cell));
            table.row_count += 1;
            table.rows.insert(0, row);
            table.rows.truncate(SHOWN_ROWS);
        }
        None => {}
    }
    table
}

/// Whether the first row names the columns, judged by what stands below it.
///
/// Words over numbers are headings; a number is not one, unless several years stand side by side beside a word
/// (`country,2019,2020`). Words over words are taken for headings too, since that is what such files begin with.
fn is_header(first: &[String], below: &[Column]) -> bool {
    let is_number =
        |cell: &String| Decimal::parse(cell, '.').is_some() || Decimal::parse(cell, ',').is_some();
    let is_word = |cell: &String| !cell.trim().is_empty() && !is_number(cell);
    if first
        .iter()
        .zip(below)
        .any(|(cell, column)| is_word(cell) && column.is_numeric())
    {
        return true;
    }
    let numbers: Vec<&str> = first
        .iter()
        .filter(|cell| is_number(cell))
        .map(|cell| cell.trim())
        .collect();
    let years = numbers.iter().all(|n| {
        n.len() == 4
            && n.parse::<u16>()
                .is_ok_and(|year| (1800..2200).contains(&year))
    });
    let distinct = numbers
        .iter()
        .enumerate()
        .all(|(at, n)| !numbers[..at].contains(n));
    numbers.is_empty() || (numbers.len() > 1 && numbers.len() < first.len() && years && distinct)
}

/// The separator under which most records are as wide as the first one, which has at least two cells.
///
/// Among equals the wider reading wins, then the order comma, semicolon, tab, bar.
fn delimiter(text: &str, tabs_likely: bool) -> u8 {
    let sample = head(text, SAMPLE);
    let mut best = (b',', 0, 0);
    for candidate in [b',', b';', b'\t', b'|'] {
        let mut widths = Vec::new();
        for_each_record(sample, candidate, |record| {
            widths.push(record.len());
            widths.len() < 50
        });
        // A sample that was cut ends in half a record.
        if sample.len() < text.len() && widths.len() > 1 && widths.len() < 50 {
            widths.pop();
        }
        let Some(&width) = widths.first().filter(|&&width| width > 1) else {
            continue;
        };
        if candidate == b'\t' && tabs_likely {
            return candidate;
        }
        let share = widths.iter().filter(|&&other| other == width).count() * 100 / widths.len();
        if (share, width) > (best.1, best.2) {
            best = (candidate, share, width);
        }
    }
    best.0
}

/// Calls `each` with every record until it says `false`.
fn for_each_record(text: &str, delimiter: u8, mut each: impl FnMut(&csv::StringRecord) -> bool) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    // Memory cannot fail to be read and the text is UTF-8, so an error is the end.
    while reader.read_record(&mut record).unwrap_or(false) && each(&record) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(text: &str) -> Vec<Option<String>> {
        let table = read(text, false);
        let label = |at: usize| {
            table
                .header
                .as_ref()
                .map(|header| header.get(at).map_or("", String::as_str))
        };
        let total = |(at, column): (usize, &Column)| {
            column.total(label(at), at == 0).map(|sum| sum.to_string())
        };
        table.columns.iter().enumerate().map(total).collect()
    }

    #[test]
    fn finds_the_delimiter() {
        for (text, expected) in [
            ("a,b\n1,2", b','),
            ("a;b;c\n1,5;2,5;x\n3,5;4,5;y", b';'),
            ("name;text\nA;x, y\nB;z", b';'),
            ("a\tb\nx, y\tz", b'\t'),
            ("a|b\n1|2", b'|'),
            ("\"a;b\",c\n\"d;e\",f", b','),
            ("single\ncolumn", b','),
            ("", b','),
        ] {
            assert_eq!(delimiter(text, false), expected, "{text:?}");
        }
        assert_eq!(delimiter("a,b,c\td\n1,2,3\t4", true), b'\t');
    }

    #[test]
    fn finds_the_heading_row() {
        for (text, expected) in [
            ("product,sales\nx,1", true),
            ("x,1\ny,2", false),
            ("country,2019,2020\nx,1,2", true),
            ("2019,5\n2020,6", false),
            ("name,city\nAnn,Rome", true),
            (",value\n0,5", true),
            ("1,2\n3,4", false),
            ("only,words", true),
            ("1,x", false),
        ] {
            assert_eq!(read(text, false).header.is_some(), expected, "{text:?}");
        }
    }

    #[test]
    fn rows_survive_what_people_do_to_them() {
        let table = read(
            "a,b,c\n1,2\n3,4,5,6\n\n,,\n\"x\ny\",\"say \"\"hi\"\"\",z\n",
            false,
        );
        assert_eq!((table.row_count, table.column_count), (3, 4));
        assert_eq!(table.rows[0], ["1", "2"]);
        assert_eq!(table.rows[2], ["x\ny", "say \"hi\"", "z"]);
        assert_eq!(read("", false).row_count, 0);
    }

    #[test]
    fn totals_go_over_all_rows() {
        let text = "n\n".to_owned() + &"0.1\n".repeat(2_500);
        let table = read(&text, false);
        assert_eq!((table.rows.len(), table.row_count), (SHOWN_ROWS, 2_500));
        assert_eq!(totals(&text), [Some("250.0".to_owned())]);
    }

    #[test]
    fn a_first_row_of_data_is_added_too() {
        assert_eq!(totals("x,1\ny,2"), [None, Some("3".to_owned())]);
        assert_eq!(totals("a;b\nx;1,25\ny;2"), [None, Some("3.25".to_owned())]);
    }
}
