//! `data:` URIs as the people mean them who write attachments by hand or by a program.
//!
//! The media type is read as browsers read it. The data is taken to the letter, where a browser would alter it: a `#` in a text begins
//! no fragment, and neither line breaks nor blanks at its end are dropped. Base64 may be that of URLs (`-` and `_`), broken into lines,
//! percent-encoded and without its `=`.

use std::borrow::Cow;

use data_url::{DataUrl, forgiving_base64};
use percent_encoding::percent_decode_str;

/// The media type, often odd or empty, and the bytes.
///
/// # Errors
/// Says what is wrong.
pub(super) fn read(uri: &str) -> Result<(String, Vec<u8>), &'static str> {
    let no_comma = "a data: URI without a comma";
    let (header, data) = uri.split_once(',').ok_or(no_comma)?;
    let media_type = DataUrl::process(&format!("{},", header.replace('#', "%23")))
        .map_err(|_| no_comma)?
        .mime_type()
        .to_string();
    let decoded = Cow::from(percent_decode_str(data));
    if !is_base64(header) {
        return Ok((media_type, decoded.into_owned()));
    }
    // No character of base64: what follows is a fragment.
    let end = memchr::memchr(b'#', &decoded).unwrap_or(decoded.len());
    let mut data = Cow::from(&decoded[..end]);
    if memchr::memchr2(b'-', b'_', &data).is_some() {
        for byte in data.to_mut() {
            match byte {
                b'-' => *byte = b'+',
                b'_' => *byte = b'/',
                _ => {}
            }
        }
    }
    forgiving_base64::decode_to_vec(&data)
        .map(|bytes| (media_type, bytes))
        .map_err(|_| "not valid base64")
}

/// Whether the part before the comma ends in `;base64`, in any case and with blanks around it.
fn is_base64(header: &str) -> bool {
    header
        .rsplit_once(';')
        .is_some_and(|(_, last)| last.trim().eq_ignore_ascii_case("base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(uri: &str) -> Vec<u8> {
        read(uri).unwrap().1
    }

    #[test]
    fn text_stays_as_it_is() {
        for (uri, expected) in [
            ("data:,a#b,c", &b"a#b,c"[..]),
            ("data:text/css,a{color:#fff}", b"a{color:#fff}"),
            ("data:text/csv,a+b,1\n2,3\r\n", b"a+b,1\n2,3\r\n"),
            ("data:text/plain,\tindented  ", b"\tindented  "),
            ("data:,100%", b"100%"),
            ("data:,%41%zz%2", b"A%zz%2"),
            ("data:,caf\u{e9}%C3%A9", "caf\u{e9}\u{e9}".as_bytes()),
            ("data:,", b""),
            (" DATA:;charset=utf-8,x", b"x"),
        ] {
            assert_eq!(bytes(uri), expected, "{uri:?}");
        }
    }

    #[test]
    fn base64_in_its_spellings() {
        for uri in [
            "data:;base64,+/+/AA==",
            "data:;base64,-_-_AA==",
            "data:x/y; BASE64 ,-_-_AA",
            "data:@file/zip;base64,+/+/\r\n AA==\n",
            "data:;base64,%2B%2F%2b/AA%3D%3D",
            "data:;base64,+/+/AA==#part",
        ] {
            assert_eq!(bytes(uri), [0xfb, 0xff, 0xbf, 0], "{uri}");
        }
        for wrong in [
            "data:;base64,A",
            "data:;base64,AA=A",
            "data:;base64,\u{e9}",
            "data:;base64",
            "data",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn media_types() {
        let media = |uri: &str| read(uri).unwrap().0;
        assert_eq!(
            media("data:text/csv;charset=utf-8;base64,AA"),
            "text/csv;charset=utf-8"
        );
        assert_eq!(media("data:application/json,{}"), "application/json");
        assert_eq!(media("data:,x"), "text/plain;charset=US-ASCII");
    }
}
