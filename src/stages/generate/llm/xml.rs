//! Whether an SVG or XML file is one.

use quick_xml::events::{BytesStart, Event};

/// What keeps a text from being well-formed XML. It may still not be a good drawing.
pub(super) fn fault(text: &str, svg: bool) -> Option<String> {
    let mut reader = quick_xml::Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut depth, mut root) = (0_usize, None);
    loop {
        let mut begin = |start: &BytesStart<'_>| -> Option<String> {
            if let Some(Err(e)) = start.attributes().find(Result::is_err) {
                return Some(e.to_string());
            }
            let name = start.name().as_ref().to_owned();
            let xmlns = start.attributes().flatten().any(|a| a.key.as_ref() == "xmlns" && a.value.as_ref() == "http://www.w3.org/2000/svg");
            if depth == 0 && root.is_some() {
                return Some("there is more than one root element".to_owned());
            }
            root.get_or_insert((name, xmlns));
            None
        };
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                if let Some(why) = begin(&start) {
                    return Some(why);
                }
                depth += 1;
            }
            Ok(Event::Empty(start)) => {
                if let Some(why) = begin(&start) {
                    return Some(why);
                }
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(text)) if depth == 0 && !text.trim().is_empty() => {
                return Some("there is text outside the root element".to_owned());
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(e) => return Some(e.to_string()),
        }
    }
    match root {
        None => Some("there is no element".to_owned()),
        Some(_) if depth > 0 => Some("an element is not closed".to_owned()),
        Some((name, _)) if svg && name != "svg" => Some(format!("the root element is <{name}>, not <svg>")),
        Some((_, false)) if svg => Some("<svg> lacks xmlns=\"http://www.w3.org/2000/svg\"".to_owned()),
        Some(_) => None,
    }
}
