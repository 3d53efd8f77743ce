//! What a program makes of bytes: text without its escapes, what is packed into it, what wide text says in ASCII.

use std::io::{Cursor, Read};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bytes that an archive or a compressed stream may unpack to; what is beyond is not looked at.
const UNPACKED: u64 = 64 << 20;
/// Entries of an archive that are looked at.
const ENTRIES: usize = 1000;
/// A shorter run of base64 holds no secret of eight bytes.
const SHORTEST_RUN: usize = 11;

/// Bytes made of others.
pub(super) struct Undone {
    pub(super) bytes: Vec<u8>,
    /// Where pieces of them come from, in order: places here and there.
    origins: Vec<(usize, usize)>,
}

impl Undone {
    fn whole(bytes: Vec<u8>, origin: usize) -> Self {
        Self {
            bytes,
            origins: vec![(0, origin)],
        }
    }

    /// The place in the bytes it was made of.
    pub(super) fn origin(&self, at: usize) -> usize {
        let n = self.origins.partition_point(|(here, _)| *here <= at);
        let (here, there) = n
            .checked_sub(1)
            .and_then(|n| self.origins.get(n))
            .copied()
            .unwrap_or_default();
        there + (at - here)
    }
}

/// Hands over everything that can be made of the bytes, until it is told to stop.
pub(super) fn each(bytes: &[u8], stop: &mut dyn FnMut(Undone) -> bool) {
    let _ = unescaped(bytes).is_some_and(&mut *stop)
        || narrow(bytes).is_some_and(&mut *stop)
        || base64_runs(bytes, stop)
        || unpacked(bytes, stop);
}

/// The text without escapes and entities, and with literals that a program joins put together. `None` where there are none.
fn unescaped(bytes: &[u8]) -> Option<Undone> {
    let mut out = Undone {
        bytes: Vec::new(),
        origins: vec![],
    };
    let mut from = 0;
    let mut at = 0;
    while let Some(n) = next_special(bytes, at) {
        match replaced(&bytes[n..]) {
            Some((length, with)) => {
                if out.bytes.is_empty() && from == 0 {
                    out.bytes.reserve(bytes.len());
                }
                out.origins.push((out.bytes.len(), from));
                out.bytes.extend_from_slice(&bytes[from..n]);
                out.origins.push((out.bytes.len(), n));
                let mut buffer = [0; 4];
                if let Some(c) = with {
                    // Below 256 it is meant as a byte.
                    match u8::try_from(u32::from(c)) {
                        Ok(byte) => out.bytes.push(byte),
                        Err(_) => out
                            .bytes
                            .extend_from_slice(c.encode_utf8(&mut buffer).as_bytes()),
                    }
                }
                from = n + length;
                at = from;
            }
            None => at = n + 1,
        }
    }
    if from == 0 {
        return None;
    }
    out.origins.push((out.bytes.len(), from));
    out.bytes.extend_from_slice(&bytes[from..]);
    Some(out)
}

fn next_special(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let escapes = memchr::memchr3(b'\\', b'&', b'%', rest);
    // Quotes only up to there, so that a text without escapes is not searched twice.
    let before = &rest[..escapes.unwrap_or(rest.len())];
    let quotes = memchr::memchr3(b'"', b'\'', b'`', before);
    quotes.or(escapes).map(|n| at + n)
}

/// What stands at the beginning for one character or for none, and its length.
fn replaced(text: &[u8]) -> Option<(usize, Option<char>)> {
    match text.first()? {
        b'\\' => escape(text),
        b'&' => entity(text),
        b'%' => Some((3, Some(char::from(hex_byte(text.get(1..3)?)?)))),
        quote => joint(text, *quote).map(|length| (length, None)),
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits, 16)?).ok()
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain {
        u32::from_str_radix(text, radix).ok()
    } else {
        None
    }
}

/// As in JavaScript, Python, C, JSON and CSS-free shells: `\x41`, `\u0041`, `\u{41}`, `\101`, `\n`, `\"`, a line's end.
fn escape(text: &[u8]) -> Option<(usize, Option<char>)> {
    let coded = |length: usize, digits: Option<&[u8]>, radix| {
        char::from_u32(number(digits?, radix)?).map(|c| (length, Some(c)))
    };
    match *text.get(1)? {
        b'x' => coded(4, text.get(2..4), 16),
        b'u' if text.get(2) == Some(&b'{') => {
            let end = text.iter().take(12).position(|b| *b == b'}')?;
            coded(end + 1, text.get(3..end), 16)
        }
        b'u' => coded(6, text.get(2..6), 16),
        b'U' => coded(10, text.get(2..10), 16),
        b'0'..=b'7' => {
            let digits = text[1..]
                .iter()
                .take(3)
                .take_while(|b| matches!(b, b'0'..=b'7'));
            let length = digits.count();
            coded(1 + length, text.get(1..=length), 8)
        }
        b'n' => Some((2, Some('\n'))),
        b'r' => Some((2, Some('\r'))),
        b't' => Some((2, Some('\t'))),
        b'\n' => Some((2, None)),
        b'\r' if text.get(2) == Some(&b'\n') => Some((3, None)),
        quoted @ (b'\\' | b'"' | b'\'' | b'`' | b'/' | b'-' | b'_' | b'+' | b'=' | b'.' | b'$'
        | b'&') => Some((2, Some(char::from(quoted)))),
        _ => None,
    }
}

fn entity(text: &[u8]) -> Option<(usize, Option<char>)> {
    let end = text.iter().take(12).position(|b| *b == b';')?;
    let name = text.get(1..end)?;
    let c = match name {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        b"nbsp" => ' ',
        b"equals" => '=',
        b"colon" => ':',
        b"sol" => '/',
        b"plus" => '+',
        b"lowbar" => '_',
        b"hyphen" | b"dash" => '-',
        b"period" => '.',
        b"Tab" => '\t',
        b"NewLine" => '\n',
        _ => return None,
    };
    Some((end + 1, Some(c)))
}

/// The length of what is between two pieces of one text: a literal's end, `+`, `.`, `,` or nothing, and the next one's beginning.
fn joint(text: &[u8], quote: u8) -> Option<usize> {
    /// Spaces that may stand there; a longer gap is a gap.
    const GAP: usize = 200;
    let spaces = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest
            .iter()
            .take(GAP)
            .take_while(|b| b.is_ascii_whitespace())
            .count()
    };
    let mut at = spaces(1);
    if matches!(text.get(at), Some(b'+' | b'.' | b',' | b'&' | b'~')) {
        at = spaces(at + 1);
    } else if at == 1 {
        // `""` is an empty text.
        return None;
    }
    let next = *text.get(at)?;
    let opens = matches!(next, b'"' | b'\'' | b'`');
    (opens && (next == quote || quote != b'`')).then_some(at + 1)
}

/// ASCII text in UTF-16 or UTF-32, whichever way round: without the zeros.
fn narrow(bytes: &[u8]) -> Option<Undone> {
    let zeros = memchr::memchr_iter(0, bytes).count();
    // Some of it may be written in other scripts.
    (zeros * 4 >= bytes.len() && zeros > 0 && zeros < bytes.len()).then(|| {
        let mut out = Undone {
            bytes: Vec::with_capacity(bytes.len() - zeros),
            origins: vec![],
        };
        for (n, b) in bytes.iter().enumerate().filter(|(_, b)| **b != 0) {
            if out.bytes.len().is_multiple_of(64) {
                out.origins.push((out.bytes.len(), n));
            }
            out.bytes.push(*b);
        }
        out
    })
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Runs of base64, also across the ends of lines: as they are without those, and decoded.
fn base64_runs(bytes: &[u8], stop: &mut dyn FnMut(Undone) -> bool) -> bool {
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let mut at = 0;
    while at < bytes.len() {
        if !is_digit(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut text = Vec::new();
        let mut origins = vec![];
        loop {
            let from = at;
            at += bytes[at..].iter().take_while(|b| is_digit(**b)).count();
            origins.push((text.len(), from));
            text.extend_from_slice(&bytes[from..at]);
            // A line's end with its indentation does not end it, nor what a program puts there.
            let gap = line_end(&bytes[at..]);
            if gap == 0 || at - from < 4 || !bytes.get(at + gap).is_some_and(|b| is_digit(*b)) {
                break;
            }
            at += gap;
        }
        let lines = origins.len();
        if text.len() < SHORTEST_RUN {
            continue;
        }
        let standard: Vec<u8> = text
            .iter()
            .map(|b| match b {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        let whole = standard.len() - usize::from(standard.len() % 4 == 1);
        // A word is decoded, too; what comes of it is nothing that anybody looks for.
        if let Ok(decoded) = BASE64.decode(&standard[..whole])
            && stop(Undone {
                bytes: decoded,
                origins: vec![(0, start)],
            })
        {
            return true;
        }
        if lines > 1
            && stop(Undone {
                bytes: text,
                origins,
            })
        {
            return true;
        }
    }
    false
}

fn line_end(text: &[u8]) -> usize {
    let break_length = match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return 0,
    };
    let indentation = text[break_length..].iter().take(64);
    break_length
        + indentation
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count()
}

/// What formats that compress hold: gzip and zlib streams, zip archives, the texts of a PNG.
fn unpacked(bytes: &[u8], stop: &mut dyn FnMut(Undone) -> bool) -> bool {
    match bytes {
        [0x1f, 0x8b, 8, ..] => inflated(flate2::read::MultiGzDecoder::new(bytes)).is_some_and(stop),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
            inflated(flate2::read::ZlibDecoder::new(bytes)).is_some_and(stop)
        }
        [b'P', b'K', 3, 4, ..] => zip_entries(bytes, stop),
        [
            0x89,
            b'P',
            b'N',
            b'G',
            b'\r',
            b'\n',
            0x1a,
            b'\n',
            chunks @ ..,
        ] => png_texts(chunks, stop),
        _ => false,
    }
}

/// As much as it unpacks to: a stream that is broken further on has a beginning all the same.
fn inflated(stream: impl Read) -> Option<Undone> {
    let mut out = Vec::new();
    let _ = stream.take(UNPACKED).read_to_end(&mut out);
    (!out.is_empty()).then(|| Undone::whole(out, 0))
}

fn zip_entries(bytes: &[u8], stop: &mut dyn FnMut(Undone) -> bool) -> bool {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        return false;
    };
    let mut left = UNPACKED;
    for n in 0..archive.len().min(ENTRIES) {
        let Ok(entry) = archive.by_index(n) else {
            continue;
        };
        let mut out = entry
            .name()
            .map(|name| name.into_owned().into_bytes())
            .unwrap_or_default();
        out.push(b'\n');
        let _ = entry.take(left).read_to_end(&mut out);
        left = left.saturating_sub(out.len() as u64);
        if stop(Undone::whole(out, 0)) {
            return true;
        }
    }
    false
}

/// `tEXt` and `iTXt` stand in the file as they are, unless compressed; `zTXt` always is (PNG, 11.3.3).
fn png_texts(mut chunks: &[u8], stop: &mut dyn FnMut(Undone) -> bool) -> bool {
    while let Some((head, rest)) = chunks.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let Some(data) = usize::try_from(length).ok().and_then(|n| rest.get(..n)) else {
            return false;
        };
        if matches!(&head[4..], b"zTXt" | b"iTXt") {
            // The stream is found by its beginning, wherever keyword and language end.
            let stream = memchr::memchr_iter(0x78, data)
                .filter_map(|at| inflated(flate2::read::ZlibDecoder::new(&data[at..])));
            for text in stream {
                if stop(text) {
                    return true;
                }
            }
        }
        chunks = rest.get(data.len() + 4..).unwrap_or_default();
    }
    false
}
