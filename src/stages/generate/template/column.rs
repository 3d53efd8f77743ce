//! What a column of a table holds, and whether a total of it means anything.
//!
//! A column is numeric if all its cells that are not empty are plain numbers. A numeric column gets a total unless
//! its heading or its cells say that the numbers are names rather than amounts:
//!
//! * a word of the heading is one of [`NOT_AMOUNTS`] (`user_id`, `fiscalYear`, `Zip code`, `unit price`), or it speaks of `%` or `°`;
//! * the first column's heading is empty or `#`, which is how row numbers are exported;
//! * a cell has a leading zero (`007`), which amounts never have.
//!
//! When in doubt a total is shown: one too many is ignored, a missing one is missed.
//!
//! Deliberately absent: averages, dates and units.

use super::decimal::Decimal;

/// Words that make a heading one of names, positions, points in time or ratios.
const NOT_AMOUNTS: [&str; 68] = [
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "key",
    "index",
    "idx",
    "no",
    "nr",
    "code",
    "sku",
    "isbn",
    "ean",
    "cik",
    "rank",
    "zip",
    "zipcode",
    "postcode",
    "postal",
    "phone",
    "tel",
    "mobile",
    "year",
    "yr",
    "fy",
    "month",
    "week",
    "day",
    "date",
    "timestamp",
    "lat",
    "latitude",
    "lon",
    "lng",
    "longitude",
    "version",
    "serial",
    "quarter",
    "hour",
    "minute",
    "time",
    "born",
    "founded",
    "since",
    "age",
    "rate",
    "ratio",
    "percent",
    "percentage",
    "pct",
    "per",
    "unit",
    "average",
    "avg",
    "mean",
    "median",
    "minimum",
    "maximum",
    "rating",
    "grade",
    "gpa",
    "temperature",
    "temp",
    "humidity",
    "pressure",
    "density",
    "position",
];

/// One reading of a column: all cells with the same decimal sign.
#[derive(Clone, Copy)]
struct Reading {
    point: char,
    fits: bool,
    sum: Option<Decimal>,
}

impl Reading {
    fn new(point: char) -> Self {
        Self {
            point,
            fits: true,
            sum: Some(Decimal::ZERO),
        }
    }

    fn add(&mut self, cell: &str) {
        match Decimal::parse(cell, self.point) {
            Some(number) => self.sum = self.sum.and_then(|sum| sum.plus(number)),
            None => self.fits = false,
        }
    }
}

/// What is known of one column; fed cell by cell.
#[derive(Clone)]
pub(super) struct Column {
    readings: Vec<Reading>,
    filled: usize,
    coded: bool,
}

impl Column {
    /// An empty column. Files separated by semicolons come from where the decimal sign is a comma.
    pub(super) fn new(decimal_commas: bool) -> Self {
        let points: &[char] = if decimal_commas { &['.', ','] } else { &['.'] };
        Self {
            readings: points.iter().map(|&point| Reading::new(point)).collect(),
            filled: 0,
            coded: false,
        }
    }

    /// Takes one cell into account; an empty one changes nothing.
    pub(super) fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if cell.is_empty() {
            return;
        }
        self.filled += 1;
        self.coded |= is_coded(cell);
        for reading in self.readings.iter_mut().filter(|reading| reading.fits) {
            reading.add(cell);
        }
    }

    /// Whether the cell holds the sum of those seen so far.
    pub(super) fn comes_to(&self, cell: &str) -> bool {
        self.filled > 1
            && self
                .readings
                .iter()
                .filter(|reading| reading.fits)
                .any(|reading| {
                    let number = Decimal::parse(cell, reading.point);
                    number
                        .zip(reading.sum)
                        .is_some_and(|(number, sum)| number.equals(sum))
                })
    }

    /// Whether all cells seen are numbers, and there was one.
    pub(super) fn is_numeric(&self) -> bool {
        self.filled > 0 && self.readings.iter().any(|reading| reading.fits)
    }

    /// Whether it is to be shown and sorted as numbers: `007` is a name made of digits.
    pub(super) fn is_amount(&self) -> bool {
        self.is_numeric() && !self.coded
    }

    /// The exact total, where one is worth showing. `label` is the heading, `None` in a table without headings.
    pub(super) fn total(&self, label: Option<&str>, first: bool) -> Option<Decimal> {
        let named_away = label.is_some_and(|label| {
            let label = label.trim();
            (first && (label.is_empty() || label == "#"))
                || label.contains(['%', '°'])
                || words(label).any(|w| NOT_AMOUNTS.contains(&w.as_str()))
        });
        // An overflow and a column of words both end here: no total rather than a wrong one.
        let reading = self.readings.iter().find(|reading| reading.fits)?;
        (self.filled > 0 && !self.coded && !named_away)
            .then_some(reading.sum)
            .flatten()
    }
}

/// `007`, but neither `0` nor `0.5`.
fn is_coded(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['-', '+']).as_bytes();
    matches!(digits, [b'0', next, ..] if next.is_ascii_digit())
}

/// The lower-case words of a heading, also of `snake_case` and `camelCase`.
fn words(label: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(label.len() + 8);
    let mut before = ' ';
    for c in label.chars() {
        if before.is_lowercase() && c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    spaced
        .split_whitespace()
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(label: Option<&str>, cells: &[&str]) -> Option<String> {
        let mut column = Column::new(true);
        for cell in cells {
            column.add(cell);
        }
        column.total(label, false).map(|sum| sum.to_string())
    }

    #[test]
    fn amounts_are_added_exactly() {
        assert_eq!(
            total(Some("sales"), &["1500.50", "", " 25.00 "]).as_deref(),
            Some("1525.50")
        );
        assert_eq!(
            total(Some("Preis"), &["1,50", "2", "0,25"]).as_deref(),
            Some("3.75")
        );
        assert_eq!(total(None, &["2019", "2020"]).as_deref(), Some("4039"));
    }

    #[test]
    fn names_made_of_digits_are_not() {
        for label in [
            "id",
            "user_id",
            "fiscalYear",
            "ZIP code",
            "Order No.",
            "lat",
            "Year",
            "Average price",
            "growth %",
            "unit_cost",
            "TemperatureC",
            "price per kg",
        ] {
            assert_eq!(total(Some(label), &["1", "2"]), None, "{label}");
        }
        assert_eq!(total(Some("amount"), &["007", "12"]), None);
        for label in ["paid", "units", "2020", "video", "sales", "Noise", "days"] {
            assert!(total(Some(label), &["1", "2"]).is_some(), "{label}");
        }
    }

    #[test]
    fn exported_row_numbers_are_not() {
        let mut column = Column::new(false);
        column.add("0");
        assert_eq!(column.total(Some(""), true), None);
        assert_eq!(column.total(Some("#"), true), None);
        assert!(column.total(Some(""), false).is_some());
    }

    #[test]
    fn one_word_makes_a_column_text() {
        assert_eq!(total(Some("sales"), &["1", "n/a"]), None);
        assert_eq!(
            total(Some("sales"), &["1,5", "1.5"]),
            None,
            "two decimal signs"
        );
        assert_eq!(total(Some("sales"), &["", ""]), None);
    }
}
