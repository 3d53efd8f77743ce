//! Looks into a JSON text without holding it, along a path of keys or at its shape: 40 MB of it would be a gigabyte as values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What is at the end of a path.
#[derive(Debug, PartialEq)]
pub enum Seen {
    Missing,
    /// On the way there is an array, and nothing in it.
    EmptyArray,
    /// A key is there twice: which of the two counts depends on who reads it.
    Twice,
    Scalar(Value),
    Array,
    /// With its keys.
    Object(Vec<String>),
}

/// Whether it is JSON.
///
/// # Errors
/// What is wrong with it.
pub fn valid(text: &str) -> serde_json::Result<()> {
    serde_json::from_str::<IgnoredAny>(text).map(drop)
}

/// Shows what is at the path. An array on the way stands for each of its elements, so that there may be several.
///
/// # Errors
/// The text is no JSON.
pub fn walk(text: &str, path: &[&str], see: &mut dyn FnMut(Seen)) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Walk { path, see }.deserialize(&mut reader)?;
    reader.end()
}

/// What a text holds at its top.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// With its first keys.
    Object(Vec<String>),
    /// With its length, and the first keys of its first element where that is an object.
    Array(usize, Option<Vec<String>>),
    Scalar,
}

/// At most `most` keys of an object. Every value is read as strictly as if it were kept.
///
/// # Errors
/// The text is no JSON.
pub fn shape(text: &str, most: usize) -> serde_json::Result<Shape> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let shape = Look { most, below: 1 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(shape)
}

/// The shape of a value and of the first elements `below` levels down; further down all are scalars.
struct Look {
    most: usize,
    below: usize,
}

impl Look {
    /// For values of which nothing is wanted. `IgnoredAny` would let pass what no value can be made of, such as `1e999`.
    const NOTHING: Self = Self { most: 0, below: 0 };
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Shape, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Shape, A::Error> {
        let (mut length, mut first) = (0, None);
        let mut look = Self {
            most: if self.below > 0 { self.most } else { 0 },
            below: 0,
        };
        while let Some(shape) = all.next_element_seed(look)? {
            if let (0, Shape::Object(keys)) = (length, shape) {
                first = Some(keys);
            }
            length += 1;
            look = Self::NOTHING;
        }
        Ok(Shape::Array(length, first))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Shape, A::Error> {
        let mut keys: Vec<String> = Vec::new();
        while let Some(key) = all.next_key::<String>()? {
            if keys.len() < self.most && !keys.contains(&key) {
                keys.push(key);
            }
            all.next_value_seed(Self::NOTHING)?;
        }
        Ok(Shape::Object(keys))
    }
}

struct Walk<'p, 'f> {
    path: &'p [&'p str],
    see: &'f mut dyn FnMut(Seen),
}

impl Walk<'_, '_> {
    /// A value without parts.
    fn scalar(self, value: Value) {
        (self.see)(if self.path.is_empty() {
            Seen::Scalar(value)
        } else {
            Seen::Missing
        });
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.scalar(Value::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(value.into());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.scalar(value.into());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.scalar(value.into());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.scalar(value.into());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.scalar(value.into());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        if self.path.is_empty() {
            while all.next_element::<IgnoredAny>()?.is_some() {}
            (self.see)(Seen::Array);
            return Ok(());
        }
        let mut empty = true;
        while all
            .next_element_seed(Walk {
                path: self.path,
                see: &mut *self.see,
            })?
            .is_some()
        {
            empty = false;
        }
        if empty {
            (self.see)(Seen::EmptyArray);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        let Some((wanted, path)) = self.path.split_first() else {
            let mut keys = Vec::new();
            while let Some((key, IgnoredAny)) = all.next_entry()? {
                keys.push(key);
            }
            (self.see)(Seen::Object(keys));
            return Ok(());
        };
        let mut found = false;
        while let Some(key) = all.next_key::<String>()? {
            if key != *wanted {
                all.next_value::<IgnoredAny>()?;
            } else if found {
                all.next_value::<IgnoredAny>()?;
                (self.see)(Seen::Twice);
            } else {
                found = true;
                all.next_value_seed(Walk {
                    path,
                    see: &mut *self.see,
                })?;
            }
        }
        if !found {
            (self.see)(Seen::Missing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_arrays() {
        let text = r#"{"items":[{"id":1},{"id":"x"},{}],"none":[],"o":{"a":1}}"#;
        let seen = |path: &[&str]| {
            let mut all = Vec::new();
            walk(text, path, &mut |seen| all.push(seen)).unwrap();
            all
        };
        assert_eq!(
            seen(&["items", "id"]),
            [
                Seen::Scalar(1.into()),
                Seen::Scalar("x".into()),
                Seen::Missing
            ]
        );
        assert_eq!(seen(&["items"]), [Seen::Array]);
        assert_eq!(seen(&["none", "id"]), [Seen::EmptyArray]);
        assert_eq!(seen(&["o"]), [Seen::Object(vec!["a".into()])]);
        assert_eq!(seen(&["o", "a", "b"]), [Seen::Missing]);
        assert!(
            walk("{} x", &[], &mut |_| {}).is_err()
                && walk("{\"a\":}", &["b"], &mut |_| {}).is_err()
        );
    }

    #[test]
    fn the_shape_is_that_of_the_value() {
        // As it would be told of a value that is held.
        let slow = |text: &str| {
            let value: Value = serde_json::from_str(text).ok()?;
            let keys = |v: &Value| {
                v.as_object()
                    .map(|o| o.keys().take(3).cloned().collect::<Vec<_>>())
            };
            Some(match (&value, keys(&value)) {
                (_, Some(keys)) => Shape::Object(keys),
                (Value::Array(list), _) => Shape::Array(list.len(), list.first().and_then(keys)),
                _ => Shape::Scalar,
            })
        };
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for text in [
            "{}",
            "[]",
            "1",
            "\"x\"",
            "null",
            "true",
            "-1",
            "1.5",
            " [1,{\"a\":1}] ",
            "[{\"a\":1},{\"b\":2}]",
            "[{}]",
            "[[{\"a\":1}],2]",
            "{\"b\":{\"x\":1},\"a\":[{\"y\":1}],\"b\":2,\"c\":3,\"d\":4}",
            "[{\"b\":1,\"a\":1,\"b\":1,\"\":0,\"c\":1}]",
            "[1e999]",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1",
            "[] x",
            "",
            "[1,]",
            "{\"a\":01}",
            "123456789012345678901234567890",
            deep(127).as_str(),
            deep(128).as_str(),
            deep(2000).as_str(),
        ] {
            assert_eq!(shape(text, 3).ok(), slow(text), "{text:.60}");
        }
    }
}
