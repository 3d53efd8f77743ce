//! JSON arrays whose elements are alike, as tables.
//!
//! They are read twice and never held: first to see whether they are alike and what their keys are, then row by row.
//! Deliberately absent: tables within cells. A value that has parts stands there as JSON.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::delimited::{Delimited, Rows};

/// With more keys it is no table that anybody reads.
const KEYS: usize = 60;

/// The array as a table, if all its elements are objects with about the same keys.
pub(super) fn table(array: &str) -> Option<Delimited> {
    let mut alike = Alike::default();
    let mut reader = serde_json::Deserializer::from_str(array);
    Elements(|element: &str| alike.add(element))
        .deserialize(&mut reader)
        .ok()?;
    reader.end().ok()?;
    let keys = alike.keys.len();
    // Half of the cells may be missing, and a quarter may have parts.
    if alike.rows == 0
        || keys == 0
        || alike.filled * 2 < alike.rows * keys
        || alike.deep * 4 > alike.filled
    {
        return None;
    }
    let mut header = vec![String::new(); keys];
    for (key, at) in &alike.keys {
        header[*at].clone_from(key);
    }
    let mut rows = Rows::with_header(header);
    let mut reader = serde_json::Deserializer::from_str(array);
    let each = |element: &str| {
        let mut cells = vec![String::new(); keys];
        fields(element, |key, value| {
            if let Some(cell) = alike.keys.get(key).and_then(|at| cells.get_mut(*at)) {
                *cell = shown(value);
            }
            true
        });
        rows.add(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        true
    };
    Elements(each).deserialize(&mut reader).ok()?;
    Some(rows.end())
}

/// Those values of an object that are such arrays, the first few, with their keys.
pub(super) fn parts(object: &str) -> Vec<(String, Delimited)> {
    let mut all = Vec::new();
    fields(object, |key, value| {
        if value.get().starts_with('[')
            && let Some(table) = table(value.get())
        {
            all.push((key.to_owned(), table));
        }
        all.len() < 8
    });
    all
}

#[derive(Default)]
struct Alike {
    /// With their places, in the order in which they are met.
    keys: HashMap<String, usize>,
    rows: usize,
    filled: usize,
    deep: usize,
}

impl Alike {
    /// Whether the array may still be a table.
    fn add(&mut self, element: &str) -> bool {
        self.rows += 1;
        let is_object = fields(element, |key, value| {
            let next = self.keys.len();
            self.keys.entry(key.to_owned()).or_insert(next);
            self.filled += 1;
            self.deep += usize::from(value.get().starts_with(['{', '[']));
            self.keys.len() <= KEYS
        });
        is_object && self.keys.len() <= KEYS
    }
}

/// Calls `each` for the fields of an object until it says `false`; says whether it is an object.
fn fields(object: &str, each: impl FnMut(&str, &RawValue) -> bool) -> bool {
    struct Fields<F>(F);
    impl<'de, F: FnMut(&str, &RawValue) -> bool> Visitor<'de> for Fields<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut all: A) -> Result<(), A::Error> {
            let mut more = true;
            while let Some(key) = all.next_key::<String>()? {
                if more {
                    more = (self.0)(&key, all.next_value()?);
                } else {
                    all.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    object.trim_start().starts_with('{') && reader.deserialize_map(Fields(each)).is_ok()
}

/// The elements of an array as they are written, until the function says `false`, which is an error then.
struct Elements<F>(F);

impl<'de, F: FnMut(&str) -> bool> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut all: A) -> Result<(), A::Error> {
        while let Some(element) = all.next_element::<&RawValue>()? {
            if !(self.0)(element.get()) {
                return Err(A::Error::custom("the elements are not alike"));
            }
        }
        Ok(())
    }
}

/// A value as a cell: texts without their quotes, nothing for `null`, numbers as they are written.
fn shown(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        text if text.starts_with('"') => {
            serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(array: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
        table(array).map(|table| (table.header.unwrap_or_default(), table.rows))
    }

    #[test]
    fn arrays_of_the_like() {
        let (header, rows) = cells(
            r#" [{"name":"A \"x\"","sales":1.50},{"sales":12345678901234567890.10,"name":null,"ok":true}] "#,
        )
        .unwrap();
        assert_eq!(header, ["name", "sales", "ok"]);
        assert_eq!(
            rows,
            [
                vec!["A \"x\"", "1.50", ""],
                vec!["", "12345678901234567890.10", "true"]
            ]
        );
    }

    #[test]
    fn what_is_no_table() {
        for array in [
            "[]",
            "[1,2]",
            "[[1],[2]]",
            "[{}]",
            "{}",
            "7",
            "[{\"a\":1},2]",
            "[{\"a\":1}",
            "[{\"a\":1}] x",
            // Hardly a key in common.
            r#"[{"a":1},{"b":1},{"c":1}]"#,
            // All of it has parts.
            r#"[{"a":{"b":1}},{"a":{"b":2}}]"#,
        ] {
            assert!(table(array).is_none(), "{array}");
        }
        let wide: String = (0..100).map(|n| format!("\"k{n}\":1,")).collect();
        assert!(table(&format!("[{{{wide}\"z\":1}}]")).is_none());
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert!(table(&deep).is_none() && parts(&format!("{{\"a\":{deep}}}")).is_empty());
    }

    #[test]
    fn arrays_in_an_object() {
        let found = parts(r#"{"unit":"EUR","items":[{"n":1},{"n":2}],"ids":[1,2]}"#);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.as_str(), found[0].1.row_count), ("items", 2));
    }
}
