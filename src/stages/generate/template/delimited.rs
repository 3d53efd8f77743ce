//! Delimited text (CSV, TSV and their relatives) as rows, with the delimiter and the heading row found out.
//!
//! Deliberately absent: HTML (see `table`), and errors. Ragged rows, stray quotes and odd bytes all have a reading.

use super::column::Column;
use super::decimal::Decimal;
use crate::content::csv::{self, Hint, Total};
use crate::text::head;

/// Rows kept for showing; totals go over all of them.
pub(super) const SHOWN_ROWS: usize = 1_000;
/// Columns kept for showing.
pub(super) const SHOWN_COLUMNS: usize = 200;
/// How much of one cell is kept, in bytes.
const CELL: usize = 2_000;

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
pub(super) fn read(text: &str, hint: Hint) -> Delimited {
    let layout = csv::layout(text, hint);
    let mut rows = Rows::new(layout.separator == b';');
    let mut first: Option<Vec<String>> = None;
    csv::for_each_row(text, layout, |record| {
        let cells: Vec<&str> = record.iter().collect();
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return true;
        }
        // The first row stays out of the columns until it is known whether it is a heading.
        if first.is_none() {
            rows.widen(cells.len());
            first = Some(kept(&cells));
        } else {
            rows.add(&cells);
        }
        true
    });
    let mut table = rows.end();
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

/// What is kept of a row to be shown.
fn kept(cells: &[&str]) -> Vec<String> {
    cells
        .iter()
        .take(SHOWN_COLUMNS)
        .map(|cell| head(cell, CELL).to_owned())
        .collect()
}

/// A table in the making.
pub(super) struct Rows {
    table: Delimited,
    blank: Column,
    /// The row that was added last. It goes into the columns when another follows or the end does, since a row at the end may be one of
    /// totals.
    last: Vec<String>,
}

impl Rows {
    fn new(decimal_commas: bool) -> Self {
        Self {
            table: Delimited {
                header: None,
                rows: Vec::new(),
                row_count: 0,
                column_count: 0,
                columns: Vec::new(),
            },
            blank: Column::new(decimal_commas),
            last: Vec::new(),
        }
    }

    /// A table whose columns are known.
    pub(super) fn with_header(header: Vec<String>) -> Self {
        let mut rows = Self::new(false);
        rows.widen(header.len());
        rows.table.header = Some(header);
        rows
    }

    fn widen(&mut self, width: usize) {
        self.table.column_count = self.table.column_count.max(width);
        let columns = self.table.column_count.min(SHOWN_COLUMNS);
        self.table.columns.resize(columns, self.blank.clone());
    }

    pub(super) fn add(&mut self, cells: &[&str]) {
        self.widen(cells.len());
        self.table.count(&self.last, false);
        self.last.clear();
        let last = cells.iter().take(SHOWN_COLUMNS);
        self.last.extend(last.map(|cell| (*cell).to_owned()));
        self.table.row_count += 1;
        if self.table.rows.len() < SHOWN_ROWS {
            self.table.rows.push(kept(cells));
        }
    }

    pub(super) fn end(mut self) -> Delimited {
        self.table.count(&self.last, true);
        self.table
    }
}

impl Delimited {
    /// Takes a row into the columns. One that adds up the rows above it is shown and not added once more: at the end where it is called
    /// a total, elsewhere and under a longer name where it also comes to the sum of those above.
    fn count(&mut self, row: &[String], at_end: bool) {
        let adds_up = || {
            let mut cells = self.columns.iter().zip(row);
            self.row_count > 2 && cells.any(|(column, cell)| column.comes_to(cell))
        };
        let total = match csv::is_total(row.iter().map(String::as_str)) {
            Total::Named => at_end || adds_up(),
            Total::Perhaps => adds_up(),
            Total::No => false,
        };
        if !total {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.add(cell);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(text: &str) -> Vec<Option<String>> {
        let table = read(text, Hint::Table);
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
            assert_eq!(
                read(text, Hint::Table).header.is_some(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn rows_survive_what_people_do_to_them() {
        let table = read(
            "a,b,c\n1,2\n3,4,5,6\n\n,,\n\"x\ny\",\"say \"\"hi\"\"\",z\n",
            Hint::Table,
        );
        assert_eq!((table.row_count, table.column_count), (3, 4));
        assert_eq!(table.rows[0], ["1", "2"]);
        assert_eq!(table.rows[2], ["x\ny", "say \"hi\"", "z"]);
        assert_eq!(read("", Hint::Table).row_count, 0);
    }

    #[test]
    fn totals_go_over_all_rows() {
        let text = "n\n".to_owned() + &"0.1\n".repeat(2_500);
        let table = read(&text, Hint::Table);
        assert_eq!((table.rows.len(), table.row_count), (SHOWN_ROWS, 2_500));
        assert_eq!(totals(&text), [Some("250.0".to_owned())]);
    }

    #[test]
    fn a_total_in_the_file_is_not_added_again() {
        for (text, sum) in [
            ("r,n\nN,1\nS,2\nTotal,3\n", "3"),
            ("Sales\n\nr,n\nN,1\nS,2\n,\nTotal:,3\n", "3"),
            // Below it stands where the figures are from.
            ("r,n\nN,1.5\nS,2\nTotal 2024,3.50\nSource: us,\n", "3.5"),
            ("r,n\nN,1\nS,2\n,3\n", "3"),
            // Names that only look like it.
            ("r,n\nTotal,1\nS,2\n", "3"),
            ("r,n\nShell,3\nTotal,4\nBP,5\n", "12"),
            ("r,n\nA,1\nB,2\nTotal Wine,4\n", "7"),
            (",n\n,1\n,2\n", "3"),
        ] {
            assert_eq!(totals(text)[1].as_deref(), Some(sum), "{text}");
        }
    }

    #[test]
    fn a_first_row_of_data_is_added_too() {
        assert_eq!(totals("x,1\ny,2"), [None, Some("3".to_owned())]);
        assert_eq!(totals("a;b\nx;1,25\ny;2"), [None, Some("3.25".to_owned())]);
    }
}
