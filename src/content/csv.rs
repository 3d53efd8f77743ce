//! Tables of text: what separates the cells, and where the table begins. One answer for what the model is told of a file and what the
//! page shows of it.

use crate::text::head;

/// How much of the text is looked at.
const SAMPLE: usize = 65_536;
/// At most so many lines of a title stand above a table.
const TITLE_LINES: usize = 10;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub separator: u8,
    /// Where in the text its first row begins: below a title and the line `sep=;` that is written for Excel.
    pub start: usize,
}

/// What is known of a table beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// That it is one.
    Table,
    /// It has tabs for separators, if it has tabs.
    Tabs,
    /// It was written with commas, as [`super::sheet`] does.
    Commas,
}

impl Hint {
    /// What a file's name says.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let tabs = path.rsplit_once('.').is_some_and(|(_, end)| {
            end.eq_ignore_ascii_case("tsv") || end.eq_ignore_ascii_case("tab")
        });
        if tabs { Self::Tabs } else { Self::Table }
    }
}

/// Finds out the layout of a table. The separator is that under which most rows are of one width; among equals the wider reading wins,
/// then the order comma, semicolon, tab, bar.
#[must_use]
pub fn layout(text: &str, hint: Hint) -> Layout {
    if hint != Hint::Commas
        && let Some((line, rest)) = text.split_once('\n')
        && let Some(&[separator]) = line
            .trim_end_matches('\r')
            .trim_matches('"')
            .strip_prefix("sep=")
            .map(str::as_bytes)
    {
        let start = text.len() - rest.len();
        return Layout { separator, start };
    }
    let sample = head(text, SAMPLE);
    let (mut best, mut best_by) = (
        Layout {
            separator: b',',
            start: 0,
        },
        (0, 0),
    );
    let separators: &[u8] = if hint == Hint::Commas { b"," } else { b",;\t|" };
    for &separator in separators {
        let mut rows = rows(sample, separator);
        // A sample that was cut ends in half a row.
        if sample.len() < text.len() && rows.len() > 1 && rows.len() < 50 {
            rows.pop();
        }
        let often = |width: usize| rows.iter().filter(|row| row.width == width).count();
        let widths = rows.iter().map(|row| row.width).filter(|width| *width > 1);
        let Some(width) = widths.max_by_key(|width| (often(*width), *width)) else {
            continue;
        };
        let share = often(width) * 100 / rows.len();
        let title =
            |row: &&Row| row.width < width && row.filled <= 1 || width > 2 && row.filled == 1;
        let above = rows.iter().take_while(title).count();
        let is_title = (1..=TITLE_LINES).contains(&above)
            && rows.get(above).is_some_and(|row| row.is_heading(width))
            && often(width) * 100 / (rows.len() - above) > 60;
        if rows.first().is_some_and(|row| row.width == 1) && !is_title {
            continue;
        }
        let start = rows.get(above).filter(|_| is_title).map_or(0, |row| row.at);
        let layout = Layout { separator, start };
        if separator == b'\t' && hint == Hint::Tabs {
            return layout;
        }
        if (share, width) > best_by {
            (best, best_by) = (layout, (share, width));
        }
    }
    best
}

/// What a row is called that adds up the others, in the languages that sheets are mostly written in.
const TOTALS: [&str; 34] = [
    "total",
    "totals",
    "grand total",
    "overall total",
    "sum",
    "subtotal",
    "sub total",
    "sub-total",
    "summe",
    "gesamt",
    "gesamtsumme",
    "insgesamt",
    "zwischensumme",
    "total general",
    "total général",
    "somme",
    "totale",
    "totaal",
    "suma",
    "soma",
    "razem",
    "celkem",
    "totalt",
    "yhteensä",
    "összesen",
    "toplam",
    "jumlah",
    "итого",
    "всего",
    "合計",
    "合计",
    "总计",
    "합계",
    "المجموع",
];

/// How sure a row is to be one that adds up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// It is called so, and nothing more.
    Named,
    /// Its name begins so, as `Total 2024` does and the shop Total Wine, or it has none.
    Perhaps,
    No,
}

/// What a row says of itself in the first cell that holds anything.
#[must_use]
pub fn is_total<'a>(row: impl IntoIterator<Item = &'a str>) -> Total {
    let mut cells = row.into_iter().map(str::trim);
    let Some(first) = cells.next() else {
        return Total::No;
    };
    let nameless = first.is_empty();
    let Some(name) = (if nameless {
        cells.find(|cell| !cell.is_empty())
    } else {
        Some(first)
    }) else {
        return Total::No;
    };
    let name = head(name, 100)
        .trim_end_matches([':', '.', ' '])
        .to_lowercase();
    if TOTALS.contains(&name.as_str()) {
        return Total::Named;
    }
    let begins = name
        .split(|c: char| !c.is_alphabetic())
        .next()
        .is_some_and(|word| TOTALS.contains(&word));
    if nameless || begins {
        Total::Perhaps
    } else {
        Total::No
    }
}

/// Calls `each` with every row until it says `false`. Ragged rows and stray quotes have a reading.
pub fn for_each_row(text: &str, layout: Layout, mut each: impl FnMut(&csv::StringRecord) -> bool) {
    let text = text.get(layout.start..).unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(layout.separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    // Memory cannot fail to be read and the text is UTF-8, so an error is the end.
    while reader.read_record(&mut row).unwrap_or(false) && each(&row) {}
}

struct Row {
    at: usize,
    width: usize,
    filled: usize,
    /// Cells that begin with a digit.
    figures: usize,
}

impl Row {
    /// Whether it may name the columns of a table: it has a word for most of them, or something for each.
    fn is_heading(&self, width: usize) -> bool {
        self.width == width
            && (self.filled == width || self.filled * 2 > width && self.figures == 0)
    }
}

/// The first rows, blank ones left out.
fn rows(sample: &str, separator: u8) -> Vec<Row> {
    let mut rows = Vec::new();
    for_each_row(
        sample,
        Layout {
            separator,
            start: 0,
        },
        |row| {
            let filled = row.iter().filter(|cell| !cell.trim().is_empty()).count();
            if filled > 0 {
                let at = row.position().map_or(0, csv::Position::byte);
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let begins =
                    |cell: &str| cell.trim_start().starts_with(|c: char| c.is_ascii_digit());
                // Blank lines before a row are counted to it.
                let blank = |rest: &str| rest.len() - rest.trim_start_matches(['\r', '\n']).len();
                rows.push(Row {
                    at: at + sample.get(at..).map_or(0, blank),
                    width: row.len(),
                    filled,
                    figures: row.iter().filter(|cell| begins(cell)).count(),
                });
            }
            rows.len() < 50
        },
    );
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_separator() {
        for (text, expected) in [
            ("a,b\n1,2", b','),
            ("a;b;c\n1,5;2,5;x\n3,5;4,5;y", b';'),
            ("name;text\nA;x, y\nB;z", b';'),
            ("a\tb\nx, y\tz", b'\t'),
            ("a|b\n1|2", b'|'),
            ("\"a;b\",c\n\"d;e\",f", b','),
            ("single\ncolumn", b','),
            ("", b','),
            ("sep=;\r\na;b\n", b';'),
            ("\"sep=|\"\na|b,c\n", b'|'),
        ] {
            assert_eq!(layout(text, Hint::Table).separator, expected, "{text:?}");
        }
        assert_eq!(layout("a,b,c\td\n1,2,3\t4", Hint::Tabs).separator, b'\t');
    }

    #[test]
    fn what_is_known_beforehand() {
        assert_eq!(
            (Hint::of("a/B.TSV"), Hint::of("a.csv")),
            (Hint::Tabs, Hint::Table)
        );
        for text in ["a;b;c,\n1;2;3,\n", "sep=;\na;b\n"] {
            assert_eq!(layout(text, Hint::Commas).separator, b',', "{text:?}");
        }
    }

    #[test]
    fn a_title_above_is_no_row() {
        for (text, separator, begins) in [
            ("Sales of 2024\n\nregion,sales\nN,1\nS,2\n", b',', "region"),
            ("Report,,\nby Ann,,\na,b,c\n1,2,3\n4,5,6\n", b',', "a,b"),
            ("Umsatz, Europa\na;b;c\n1;2;3\n4;5;6\n7;8;9\n", b';', "a;b"),
            ("sep=;\na;b\n1;2\n", b';', "a;b"),
            (",value\n0,5\n1,6\n", b',', ",value"),
            ("a,b,c\n1,2\n3,4,5,6\n", b',', "a,b,c"),
            ("text\nHello, world\nfine\n", b',', "text"),
            // Sparse from the start, and no title.
            ("A,,,\nB,1,,\nC,1,,2\nD,,3,\n", b',', "A,"),
            ("\r\n\r\nReport\r\n\r\na|b\r\n1|2\r\n3|4\r\n", b'|', "a|b"),
        ] {
            let found = layout(text, Hint::Table);
            assert_eq!(found.separator, separator, "{text:?}");
            assert!(
                text[found.start..].starts_with(begins),
                "{text:?}: {found:?}"
            );
        }
    }

    #[test]
    fn totals_say_so() {
        let total = |row: &str| is_total(row.split(','));
        for named in ["Total,3", ",Grand total:,3", "SUMME,1", "Итого,5", "合計,2"] {
            assert_eq!(total(named), Total::Named, "{named}");
        }
        for perhaps in ["Total Wine,3", "Total 2024,3", ",,7"] {
            assert_eq!(total(perhaps), Total::Perhaps, "{perhaps}");
        }
        for no in ["3,total", "", ",,", "Totally,1", "Summer,2"] {
            assert_eq!(total(no), Total::No, "{no}");
        }
    }
}
