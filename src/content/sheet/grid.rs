//! How many cells an .ods file stands for. One cell that is said to be repeated in a thousand rows of sixteen thousand columns is a line
//! of XML, and calamine makes gigabytes of it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{MAX_CELLS, MAX_CSV};

/// Of one table, up to the row that is being read.
#[derive(Default)]
struct Table {
    rows: u64,
    /// The first row that holds anything, the end of the last, and the width of the widest.
    first: Option<u64>,
    last: u64,
    width: u64,
    /// Cells as they are written, without the repeated rows.
    written: u64,
    /// Of the row: how often it is repeated, its cells, and those up to the last that holds anything.
    repeated: u64,
    at: u64,
    filled: u64,
}

impl Table {
    fn end_row(&mut self) {
        let before = self.rows;
        self.rows = self.rows.saturating_add(self.repeated);
        if self.filled > 0 {
            self.first.get_or_insert(before);
            self.last = self.rows;
            self.width = self.width.max(self.filled);
            self.written = self.written.saturating_add(self.filled);
        }
        (self.at, self.filled) = (0, 0);
    }

    /// Cells of the smallest rectangle around all that hold anything, up to the last row that does.
    fn cells(&self) -> u64 {
        self.last
            .saturating_sub(self.first.unwrap_or(self.last))
            .saturating_mul(self.width)
    }
}

/// # Errors
/// It stands for more than can be held. What is no XML passes: it is not read further than this.
pub(super) fn check(xml: &str) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let (mut table, mut blanks) = (Table::default(), 0_u64);
    loop {
        let (tag, empty) = match reader.read_event() {
            Ok(Event::Start(tag)) => (Some(tag), false),
            Ok(Event::Empty(tag)) => (Some(tag), true),
            Ok(Event::End(tag)) => {
                if tag.local_name().as_ref() == "table-row" {
                    table.end_row();
                }
                (None, false)
            }
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => continue,
        };
        if let Some(tag) = tag {
            match tag.local_name().as_ref() {
                "table" => table = Table::default(),
                "table-row" => {
                    table.repeated = number(&tag, "number-rows-repeated");
                    if empty {
                        table.end_row();
                    }
                }
                "table-cell" | "covered-table-cell" => {
                    table.at = table
                        .at
                        .saturating_add(number(&tag, "number-columns-repeated"));
                    if holds_anything(&tag) {
                        table.filled = table.at;
                    }
                }
                "s" => blanks = blanks.saturating_add(number(&tag, "c")),
                _ => {}
            }
        }
        // The row that is not at its end yet counts too: there may be no end.
        if table
            .cells()
            .max(table.written.saturating_add(table.filled))
            > MAX_CELLS
        {
            return Err(format!("a sheet has more than {MAX_CELLS} cells"));
        }
        if blanks > MAX_CSV as u64 {
            return Err(format!(
                "it comes to more than {} MiB as CSV",
                MAX_CSV >> 20
            ));
        }
    }
}

/// How often something is repeated.
fn number(tag: &BytesStart<'_>, name: &str) -> u64 {
    let named = tag
        .attributes()
        .flatten()
        .find(|a| a.key.local_name().as_ref() == name);
    named.map_or(1, |a| a.value.trim().parse().unwrap_or(u64::MAX))
}

/// A value or a formula; a style alone is nothing.
fn holds_anything(tag: &BytesStart<'_>) -> bool {
    tag.attributes().flatten().any(|a| {
        let name = a.key.local_name();
        name.as_ref() == "formula"
            || name.as_ref() == "value-type"
            || name.as_ref().ends_with("value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &str) -> Result<(), String> {
        check(&format!(
            "<d><table:table table:name=\"S\">{rows}</table:table></d>"
        ))
    }

    fn row(repeated: u64, cells: &str) -> String {
        format!(
            "<table:table-row table:number-rows-repeated=\"{repeated}\">{cells}</table:table-row>"
        )
    }

    fn cell(repeated: u64, value: &str) -> String {
        format!(
            "<table:table-cell table:style-name=\"x\" {value} table:number-columns-repeated=\"{repeated}\"><text:p/></table:table-cell>"
        )
    }

    #[test]
    fn what_is_repeated_counts() {
        const ONE: &str = "office:value-type=\"float\" office:value=\"1\"";
        assert!(sheet(&row(5_000, &cell(1_000, ONE))).is_ok());
        assert!(sheet(&row(5_000, &cell(1_001, ONE))).is_err());
        // As LibreOffice fills a sheet up to its end.
        let usual =
            row(1, &(cell(3, ONE) + &cell(16_381, ""))) + &row(1_048_575, &cell(16_384, ""));
        assert!(
            sheet(&usual).is_ok()
                && sheet(&(row(1_000_000, &cell(16_384, "")) + &row(1, &cell(3, ONE)))).is_ok()
        );
        // Something at the far end makes cells of all that is between.
        assert!(
            sheet(
                &(usual + &row(1, &cell(1, ONE)) + &row(1, &cell(16_384, "table:formula=\"x\"")))
            )
            .is_err()
        );
        assert!(sheet(&row(1, &cell(16_384, ONE)).repeat(400)).is_err());
        assert!(
            sheet(&row(
                1,
                &format!("{}<text:s text:c=\"4000000000\"/>", cell(1, ONE))
            ))
            .is_err()
        );
    }
}
