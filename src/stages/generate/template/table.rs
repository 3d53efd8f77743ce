//! A delimited file as an HTML table with sorting, filtering and totals.
//!
//! Deliberately absent: the behaviour itself (`app.js`). Without a script the table is complete, and its buttons,
//! disabled until the script takes over, look like plain headings.

use std::fmt::Write as _;

use super::delimited::{Delimited, SHOWN_COLUMNS};
use super::language;
use super::preview::Ids;
use super::text;

/// How much of a heading is shown, in characters.
const LABEL: usize = 200;

/// The table, in at most about `limit` bytes. `name` is what it is called, `key` what its ids end in.
pub(super) fn render(
    table: &Delimited,
    name: &str,
    key: &str,
    limit: usize,
    ids: &mut Ids,
) -> String {
    if table.columns.is_empty() {
        return "<p class=\"note\">There are no rows.</p>\n".to_owned();
    }
    let labels: Vec<String> = (0..table.columns.len())
        .map(|at| label(table, at))
        .collect();
    let totals = totals(table, &labels, ids);
    let foot = foot(&totals);
    let (body, shown) = body(table, limit);
    let name = text::escape(name);
    let mut out = String::with_capacity(body.len() + foot.len() + 2_000);
    let _ = write!(
        out,
        "<div class=\"tools\" hidden><label for=\"filter-{key}\">Filter rows</label>\n\
         <input id=\"filter-{key}\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" data-filter=\"table-{key}\">\n\
         <output for=\"filter-{key}\"></output></div>\n\
         {}<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of {name}\">\n\
         <table id=\"table-{key}\" class=\"data\" dir=\"{}\">\n<caption>{}</caption>\n<thead><tr>",
        summary(&totals),
        language::direction(&labels.join(" ")),
        caption(table, shown, !foot.is_empty())
    );
    for (column, label) in table.columns.iter().zip(&labels) {
        let class = if column.is_amount() {
            " class=\"num\""
        } else {
            ""
        };
        let label = text::escape(label);
        let _ = write!(
            out,
            "<th scope=\"col\"{class} aria-sort=\"none\"><button type=\"button\" disabled>{label}</button></th>"
        );
    }
    let _ = write!(
        out,
        "</tr></thead>\n<tbody>\n{body}</tbody>\n{foot}</table>\n</div>\n"
    );
    out
}

/// What a column is called: its heading, or its place.
fn label(table: &Delimited, at: usize) -> String {
    let heading = table
        .header
        .as_ref()
        .and_then(|header| header.get(at))
        .map(|cell| text::one_line(cell));
    match heading {
        Some(heading) if !heading.is_empty() => text::shorten(&heading, LABEL),
        _ => format!("Column {}", at + 1),
    }
}

/// How much there is and how much of it is shown.
fn caption(table: &Delimited, shown: usize, totals: bool) -> String {
    let mut out = format!(
        "{}, {}.",
        text::count(table.row_count, "row"),
        text::count(table.column_count, "column")
    );
    if shown < table.row_count {
        let _ = write!(
            out,
            " Only the first {} shown.",
            if shown == 1 {
                "is".to_owned()
            } else {
                format!("{shown} are")
            }
        );
    }
    if table.column_count > SHOWN_COLUMNS {
        let _ = write!(out, " Only the first {SHOWN_COLUMNS} columns are shown.");
    }
    if totals && shown < table.row_count {
        out.push_str(" Totals include all rows.");
    }
    out
}

/// The rows that fit, and how many those are.
fn body(table: &Delimited, limit: usize) -> (String, usize) {
    let mut out = String::new();
    for (shown, row) in table.rows.iter().enumerate() {
        let before = out.len();
        out.push_str("<tr>");
        for (at, column) in table.columns.iter().enumerate() {
            out.push_str(if column.is_amount() {
                "<td class=\"num\">"
            } else {
                "<td>"
            });
            out.push_str(&text::escape(
                row.get(at).map_or("", |cell| cell.trim_end()),
            ));
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
        if out.len() > limit {
            out.truncate(before);
            return (out, shown);
        }
    }
    (out, table.rows.len())
}

/// The total of a column.
struct Total<'a> {
    label: &'a str,
    /// As briefs like to ask for it.
    id: String,
    /// Plain digits, so that any program reads back what was meant.
    sum: String,
}

/// For each column its total, where that means something.
fn totals<'a>(table: &Delimited, labels: &'a [String], ids: &mut Ids) -> Vec<Option<Total<'a>>> {
    let headed = table.header.as_ref();
    let columns = table.columns.iter().zip(labels).enumerate();
    columns
        .map(|(at, (column, label))| {
            let heading = headed.map(|header| header.get(at).map_or("", String::as_str));
            let sum = column.total(heading, at == 0)?.to_string();
            let id = ids.unique(&format!("total-{}", text::slug(label)));
            Some(Total { label, id, sum })
        })
        .collect()
}

/// The totals above the table, where they are in view however narrow the screen and however long the table is.
fn summary(totals: &[Option<Total<'_>>]) -> String {
    if totals.iter().all(Option::is_none) {
        return String::new();
    }
    let mut out = String::from("<dl class=\"totals\">\n");
    for total in totals.iter().flatten() {
        let _ = writeln!(
            out,
            "<div><dt>Total <bdi>{}</bdi></dt><dd id=\"{}\">{}</dd></div>",
            text::escape(total.label),
            total.id,
            total.sum
        );
    }
    out.push_str("</dl>\n");
    out
}

/// The totals row, empty if no column has a total.
fn foot(totals: &[Option<Total<'_>>]) -> String {
    if totals.iter().all(Option::is_none) {
        return String::new();
    }
    let mut out = String::from("<tfoot><tr>");
    for (at, total) in totals.iter().enumerate() {
        let _ = match total {
            Some(Total { sum, .. }) => {
                let title = if at == 0 {
                    "<span class=\"lead\">Total</span> "
                } else {
                    ""
                };
                write!(out, "<td class=\"num\">{title}{sum}</td>")
            }
            None if at == 0 => write!(out, "<th scope=\"row\">Total</th>"),
            None => write!(out, "<td></td>"),
        };
    }
    out.push_str("</tr></tfoot>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::delimited;
    use super::*;
    use crate::content::csv::Hint;

    fn html(text: &str, limit: usize) -> String {
        let table = delimited::read(text, Hint::Table);
        render(&table, "data.csv", "1", limit, &mut Ids::default())
    }

    #[test]
    fn totals_stand_as_plain_digits_under_a_guessable_id() {
        let page = html(
            "product,region,sales\nLaptop,North,1500.50\nMouse,North,1340.50\n",
            100_000,
        );
        assert!(
            page.contains("<dd id=\"total-sales\">2841.00</dd>"),
            "{page}"
        );
        assert!(page.contains("<th scope=\"row\">Total</th>"));
        assert!(page.contains("<caption>2 rows, 3 columns.</caption>"));
    }

    #[test]
    fn cells_and_headings_are_escaped() {
        let page = html("<b>x</b>,n\n\"<script>alert(1)</script>\",1\n", 100_000);
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }

    #[test]
    fn the_limit_is_kept_and_told() {
        let page = html(&("a,n\n".to_owned() + &"x,1\n".repeat(900)), 500);
        assert!(page.len() < 3_000);
        assert!(
            page.contains(
                "900 rows, 2 columns. Only the first 11 are shown. Totals include all rows."
            ),
            "{page}"
        );
        assert!(page.contains(">900</dd>") && page.contains(">900</td>"));
    }

    #[test]
    fn short_rows_are_filled_up() {
        assert!(html("a,b\nx\n", 10_000).contains("<tr><td>x</td><td></td></tr>"));
    }

    #[test]
    fn an_empty_file_says_so() {
        assert!(html("\n\n", 10_000).contains("no rows"));
    }

    #[test]
    fn a_first_column_of_amounts_still_names_the_row() {
        let page = html("amount\n1\n2\n", 10_000);
        assert!(page.contains("<span class=\"lead\">Total</span> 3</td>"));
    }
}
