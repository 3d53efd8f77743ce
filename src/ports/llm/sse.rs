//! Server-sent events, as far as chat servers send them: `data:` lines with JSON, then `data: [DONE]`.
//!
//! Some leave out the empty line between events, some the space behind the colon, some send comments to keep the line open
//! (`: OPENROUTER PROCESSING`), some send JSON lines without `data:`. An event is complete when its JSON is; one that begins
//! as JSON and does not become any is [`Event::Broken`], for its text would be missing in the middle of a file.

use serde_json::Value;

/// Cuts a stream into events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
    /// The last line ended with a carriage return: a newline behind it is of the same line end.
    after_return: bool,
    begun: bool,
    /// Texts hold marked halves of surrogate pairs, for [`join_halves`].
    pub halves: bool,
}

pub(super) enum Event {
    Json(Value),
    Done,
    Broken,
}

impl Events {
    /// Takes bytes as they come, gives the events that are complete with them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            let same_end = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            if same_end {
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(&line));
            } else {
                self.line.push(*byte);
            }
        }
        events
    }

    /// The stream is at its end; a last line may lack its newline. An event that breaks off is a cut, not a broken one.
    pub(super) fn end(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty()
            && let Some(event) = self.line(&line)
        {
            return Some(event);
        }
        let data = std::mem::take(&mut self.data);
        let error = json(&data).err()?;
        (!error.is_eof()).then_some(Event::Broken)
    }

    fn line(&mut self, line: &[u8]) -> Option<Event> {
        let line = String::from_utf8_lossy(line);
        let line = if std::mem::replace(&mut self.begun, true) {
            &*line
        } else {
            line.trim_start_matches('\u{feff}')
        };
        if line.is_empty() {
            let pending = std::mem::take(&mut self.data);
            return (!pending.is_empty()).then_some(Event::Broken);
        }
        // llama.cpp's `error: {…}`.
        let error = line.strip_prefix("error:").and_then(|e| json(e).ok());
        if let Some((error, _)) = error {
            return Some(Event::Json(serde_json::json!({"error": error})));
        }
        let data = match line.strip_prefix("data:") {
            Some(data) => data.trim(),
            None if line.starts_with('{') => line.trim(),
            None => return None,
        };
        if data == "[DONE]" {
            let pending = std::mem::take(&mut self.data);
            let whole = pending.is_empty();
            return Some(if whole { Event::Done } else { Event::Broken });
        }
        if self.data.is_empty() && !data.starts_with('{') {
            return None;
        }
        if !self.data.is_empty() {
            self.data.push('\n');
        }
        self.data.push_str(data);
        // What does not end like an object is none yet; trying after each line of a long one would take its square.
        if !data.ends_with('}') {
            return None;
        }
        match json(&self.data) {
            Ok((value, halves)) => {
                self.halves |= halves;
                self.data.clear();
                Some(Event::Json(value))
            }
            Err(e) if e.is_eof() => None,
            Err(_) => {
                self.data.clear();
                Some(Event::Broken)
            }
        }
    }
}

/// Where halves of surrogate pairs are put until their other half has come: the last private characters of Unicode.
const MARKED: u32 = 0x10_f800;

/// Reads JSON in which a string may begin or end in the middle of a surrogate pair, as happens where a text is cut into
/// chunks by UTF-16 units. Such halves are marked (then the second value is true) and put together by [`join_halves`].
pub(super) fn json(text: &str) -> Result<(Value, bool), serde_json::Error> {
    serde_json::from_str(text)
        .map(|value| (value, false))
        .or_else(|error| {
            let marked = mark_halves(text).ok_or(error)?;
            serde_json::from_str(&marked).map(|value| (value, true))
        })
}

/// `None`: there are no halves.
fn mark_halves(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut at, mut found) = (String::with_capacity(text.len()), 0, false);
    while let Some(skip) = text[at..].find('\\') {
        out.push_str(&text[at..at + skip]);
        at += skip;
        let taken = match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(half @ 0xd800..=0xdfff), _) => {
                found = true;
                out.extend(char::from_u32(MARKED + half - 0xd800));
                at += 6;
                continue;
            }
            // The escape of a backslash is two.
            _ => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&text[at..at + taken]);
        at += taken;
    }
    out.push_str(&text[at..]);
    found.then_some(out)
}

/// Puts marked halves together; one without its other half becomes U+FFFD.
pub(super) fn join_halves(text: &str) -> String {
    let mut units = Vec::with_capacity(text.len());
    for c in text.chars() {
        let half = u32::from(c)
            .checked_sub(MARKED)
            .and_then(|half| u16::try_from(0xd800 + half).ok());
        match half {
            Some(half) => units.push(half),
            None => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, step: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut found: Vec<Event> = text
            .as_bytes()
            .chunks(step)
            .flat_map(|c| events.feed(c))
            .collect();
        found.extend(events.end());
        found
            .iter()
            .map(|e| match e {
                Event::Json(v) => v.to_string(),
                Event::Done => "done".to_owned(),
                Event::Broken => "broken".to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_same_however_it_is_cut() {
        let text = ": PROCESSING\r\n\r\nevent: x\r\ndata: {\"a\":\"ü\"}\r\n\r\ndata:{\"b\":1}\ndata: {\"c\":\ndata: 2}\n\ndata: [DONE]";
        for step in 1..text.len() {
            assert_eq!(
                all(text, step),
                ["{\"a\":\"ü\"}", "{\"b\":1}", "{\"c\":2}", "done"],
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_dropped_at_the_end_of_its_event() {
        assert_eq!(all("data: oops\n\ndata: {}\n\n", 4), ["{}"]);
    }

    #[test]
    fn every_line_end_a_mark_and_comments_in_between() {
        for end in ["\n", "\r", "\r\n"] {
            let text = "\u{feff}data: {\"a\":1}~: ping~data: keep-alive~event: ping~data: {\"b\":~data: 2}~ping~id: 3~data: {\"c\":3}~~~data: [DONE]~"
                .replace('~', end);
            for step in 1..text.len() {
                let found = all(&text, step);
                assert_eq!(
                    found,
                    ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "done"],
                    "{end:?} {step}"
                );
            }
        }
    }

    #[test]
    fn json_that_does_not_parse_is_broken_and_a_cut_is_not() {
        for text in [
            "data: {\"a\":oops}\n\n",
            "data: {\"a\":\"x\n\ndata: {}\n\n",
            "data: {\"a\":\"x\ndata: {\"b\":1}\n",
            "data: {\"a\":\"raw\nline\"}\n\n",
            "data: {\"a\":1\ndata: [DONE]\n",
            "{\"a\":1\n{\"b\":2}\n",
        ] {
            for step in [1, 3, 1000] {
                assert_eq!(all(text, step)[0], "broken", "{text}");
            }
        }
        for text in [
            "data: {\"a\":\"x",
            "data: {\"a\":tr",
            "data: {\"a\":\"\\ud83d",
            "data: {\"a\":1,\n",
        ] {
            assert!(all(text, 2).is_empty(), "{text}");
        }
    }

    #[test]
    fn json_lines_and_an_error_line_are_events() {
        assert_eq!(all("{\"a\":1}\n{\"b\":2}", 5), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(
            all("error: {\"code\":500}\n\n", 5),
            ["{\"error\":{\"code\":500}}"]
        );
    }

    #[test]
    fn halves_of_a_pair_are_joined() {
        let joined = |pieces: &[&str]| {
            let text: String = pieces
                .iter()
                .map(|p| {
                    json(&format!("\"{p}\""))
                        .unwrap()
                        .0
                        .as_str()
                        .unwrap()
                        .to_owned()
                })
                .collect();
            join_halves(&text)
        };
        assert_eq!(joined(&["a\\ud83d", "\\ude00b"]), "a\u{1f600}b");
        assert_eq!(
            joined(&["\\ud83d\\ude00 \\ud83d", "\\ude01"]),
            "\u{1f600} \u{1f601}"
        );
        assert_eq!(joined(&["\\ud83d", "x", "\\ude00"]), "\u{fffd}x\u{fffd}");
        assert_eq!(
            joined(&["\\\\ud83d \\ud83d", "\\ude00"]),
            "\\ud83d \u{1f600}"
        );
        assert!(!json("\"\u{10fffd}\"").unwrap().1);
    }
}
