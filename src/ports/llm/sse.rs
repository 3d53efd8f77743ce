//! Server-sent events, as far as chat servers send them: `data:` lines with JSON, then `data: [DONE]`.
//!
//! Some leave out the empty line between events, some the space behind the colon, some send comments to keep the line open
//! (`: OPENROUTER PROCESSING`). An event is complete when its JSON is.

use serde_json::Value;

/// Cuts a stream into events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
}

pub(super) enum Event {
    Json(Value),
    Done,
}

impl Events {
    /// Takes bytes as they come, gives the events that are complete with them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(&line));
            }
        }
        events
    }

    /// The stream is at its end; a last line may lack its newline.
    pub(super) fn end(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Option<Event> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        let Some(data) = line.strip_prefix("data:") else {
            if line.is_empty() {
                self.data.clear();
            }
            return None;
        };
        let data = data.strip_prefix(' ').unwrap_or(data);
        if data.trim() == "[DONE]" {
            return Some(Event::Done);
        }
        if !self.data.is_empty() {
            self.data.push('\n');
        }
        self.data.push_str(data);
        let value = serde_json::from_str(&self.data).ok()?;
        self.data.clear();
        Some(Event::Json(value))
    }
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
            .map(|e| {
                if let Event::Json(v) = e {
                    v.to_string()
                } else {
                    "done".to_owned()
                }
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
}
