//! A small spreadsheet, made here: a zip of XML files, stored without compression.

use std::io::{Cursor, Write};

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            if c & 1 == 1 {
                (c >> 1) ^ 0xedb8_8320
            } else {
                c >> 1
            }
        })
    })
}

fn stored(files: &[(&str, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let offset = u32::try_from(out.len()).unwrap();
        let size = u32::try_from(text.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        // Version 2.0, no flags, stored, no time.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc(text.as_bytes()).to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend(length);
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(text.as_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (count, at) = (
        u16::try_from(files.len()).unwrap().to_le_bytes(),
        u32::try_from(out.len()).unwrap(),
    );
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// One sheet: numbers as numbers, `d:45658` as a date, `f:A1*2` as a formula without a value, the rest as text.
pub fn book(rows: &[&[&str]]) -> Vec<u8> {
    let cell = |(n, value): (usize, &&str), row: usize| {
        let at = format!("{}{}", char::from(b'A' + u8::try_from(n).unwrap()), row + 1);
        if let Some(formula) = value.strip_prefix("f:") {
            return format!("<c r=\"{at}\"><f>{formula}</f><v></v></c>");
        }
        match value.strip_prefix("d:") {
            Some(date) => format!("<c r=\"{at}\" s=\"1\"><v>{date}</v></c>"),
            None if value.parse::<f64>().is_ok() => format!("<c r=\"{at}\"><v>{value}</v></c>"),
            None => format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{value}</t></is></c>"),
        }
    };
    let rows: String = rows
        .iter()
        .enumerate()
        .map(|(n, row)| {
            format!(
                "<row r=\"{}\">{}</row>",
                n + 1,
                row.iter()
                    .enumerate()
                    .map(|c| cell(c, n))
                    .collect::<String>()
            )
        })
        .collect();
    around(&rows)
}

/// One sheet whose only two cells lie as far apart as can be.
pub fn corners() -> Vec<u8> {
    around(
        "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>2</v></c></row>",
    )
}

fn around(rows: &str) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let types = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>";
    stored(&[
        ("[Content_Types].xml", types.to_owned()),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{RELS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELS}\"><sheets><sheet name=\"Sales\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{RELS}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" Type=\"{RELS}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ])
}

/// A book, deflated, whose shared strings are these, one after the other.
pub fn with_texts(texts: impl Iterator<Item = String>) -> Vec<u8> {
    let mut book = zip::ZipWriter::new_append(Cursor::new(around(""))).unwrap();
    book.start_file(
        "xl/sharedStrings.xml",
        zip::write::SimpleFileOptions::default().compression_level(Some(1)),
    )
    .unwrap();
    texts.for_each(|text| book.write_all(text.as_bytes()).unwrap());
    book.finish().unwrap().into_inner()
}
