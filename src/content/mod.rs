//! Looking into files: one reader a format. They take bytes and know of no task.

/// What the ending of a file's name says, and what its first bytes do.
pub mod file_type;

/// Bytes as text, whatever they were written in.
pub mod text;

/// HTML as it stands in a file.
pub mod html;

/// Looks into JSON without holding it.
pub mod json;

/// Whether a text is well-formed XML.
pub mod xml;

/// How a table of text is written: its separator, its first row.
pub mod csv;

/// Spreadsheets as CSV.
pub mod sheet;
