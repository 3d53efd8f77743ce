//! How much a zipped spreadsheet unpacks to, found out before anything of it is believed: a megabyte of zip can be a gigabyte of XML,
//! and calamine holds all texts of a file from the moment it is opened.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::grid;

/// Bytes that all entries of a file may unpack to, and each that is no sheet. Sheets are read as a stream, the others are held.
const ALL: u64 = 128 << 20;
const HELD: u64 = 64 << 20;

/// The size of the largest sheet.
///
/// # Errors
/// It unpacks to too much, or promises more texts or cells than can be held. What is no zip file passes: it has nothing to unpack.
pub(super) fn check(bytes: &[u8]) -> Result<u64, String> {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else {
        return Ok(0);
    };
    let (mut left, mut largest) = (ALL, 0);
    for index in 0..archive.len() {
        // What does not unpack here does not for calamine either.
        let Ok(entry) = archive.by_index(index) else {
            continue;
        };
        let name = entry.name().unwrap_or_default().to_ascii_lowercase();
        let (texts, table) = (name.contains("sharedstrings"), name == "content.xml");
        let limit = if name.contains("worksheets") && !texts {
            left
        } else {
            left.min(HELD)
        };
        // The sizes in the file's directory are what its author likes them to be, so it is unpacked.
        let mut entry = entry.take(limit + 1);
        let mut start = Vec::new();
        if texts || table {
            let _ = entry.read_to_end(&mut start);
        } else {
            let _ = std::io::copy(&mut entry, &mut std::io::sink());
        }
        let size = limit + 1 - entry.limit();
        if size > limit {
            return Err(format!(
                "it unpacks to more than {} MiB",
                if limit == HELD { HELD } else { ALL } >> 20
            ));
        }
        if table {
            grid::check(&String::from_utf8_lossy(&start))?;
        } else if promised(start).is_some_and(|texts| texts > size) {
            return Err("it promises more texts than it has".to_owned());
        }
        left -= size;
        // What a workbook takes for a sheet may stand anywhere.
        largest = largest.max(size);
    }
    Ok(largest)
}

/// The largest `uniqueCount`: calamine makes room for that many texts before it has seen one.
fn promised(mut xml: Vec<u8>) -> Option<u64> {
    // In UTF-16 every other byte of it is zero.
    xml.retain(|byte| *byte != 0);
    let number = |at: usize| {
        let rest = xml.get(at + "uniqueCount".len()..)?;
        let digits = rest
            .iter()
            .skip_while(|b| b.is_ascii_whitespace() || b"=\"'+".contains(b))
            .take_while(|b| b.is_ascii_digit());
        Some(digits.fold(0_u64, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        }))
    };
    memchr::memmem::find_iter(&xml, "uniqueCount")
        .filter_map(number)
        .max()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(name: &str, text: impl Read) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut text = text;
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        std::io::copy(&mut text, &mut writer).unwrap();
        writer.flush().unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn what_unpacks_to_too_much() {
        let big = |name| zip(name, std::io::repeat(b' ').take(HELD + 1));
        let texts = big("xl/sharedStrings.xml");
        assert!(texts.len() < 1 << 20);
        assert!(check(&texts).unwrap_err().contains("64 MiB"));
        assert!(
            check(&big("xl/worksheets/sharedStrings.xml")).is_err()
                && check(&big("content.xml")).is_err()
        );
        assert!(check(&big("xl/worksheets/sheet1.xml")).is_ok());
        assert!(check(b"no zip").is_ok() && check(&texts[..100]).is_ok());
    }

    #[test]
    fn promises_of_texts() {
        let texts = |start: &str| {
            check(&zip(
                "xl/sharedStrings.xml",
                format!("<?xml version=\"1.0\"?><sst {start}</sst>").as_bytes(),
            ))
        };
        assert!(
            texts("uniqueCount=\"2\"><si><t>a</t></si>").is_ok()
                && texts("count=\"9999999999\">").is_ok()
        );
        assert!(
            texts("uniqueCount=\"99999999999\">").is_err()
                && texts("uniqueCount = '99999999999999999999999'>").is_err()
        );
        let wide: Vec<u8> = "\u{feff}<sst uniqueCount=\"99999999999\"/>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(check(&zip("xl/sharedStrings.xml", wide.as_slice())).is_err());
    }
}
