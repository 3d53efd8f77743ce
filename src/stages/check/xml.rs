//! Whether a text is well-formed XML (1.0), as far as browsers stop at it: tags that match, attributes in quotes and only once,
//! known entities, one root. Doctype and what is in it are passed over.

/// The name of the root element.
///
/// # Errors
/// What is wrong, with the line.
pub fn root(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut open: Vec<&str> = Vec::new();
    let mut root: Option<&str> = None;
    let mut at = 0;
    let fail = |at: usize, why: &str| Err(format!("{why} (line {})", text[..at].matches('\n').count() + 1));
    while let Some(found) = text[at..].find('<') {
        let content = &text[at..at + found];
        if open.is_empty() && !content.trim().is_empty() {
            return fail(at, "text outside of the root element");
        }
        if !entities_are_known(content) {
            return fail(at, "an & that is no entity");
        }
        at += found;
        let rest = &text[at..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")].iter().find(|(begin, _)| rest.starts_with(begin));
        if let Some((begin, end)) = skipped {
            match rest[begin.len()..].find(end) {
                Some(n) => at += begin.len() + n + end.len(),
                None => return fail(at, &format!("{begin} without {end}")),
            }
            continue;
        }
        if rest.starts_with("<!") {
            let inner = rest.find('[').filter(|b| rest.find('>').is_some_and(|e| *b < e));
            let end = match inner {
                Some(_) => rest.find("]>").map(|n| n + 2),
                None => rest.find('>').map(|n| n + 1),
            };
            match end {
                Some(n) => at += n,
                None => return fail(at, "a doctype without end"),
            }
            continue;
        }
        let Some(length) = tag_end(rest) else { return fail(at, "a tag without end") };
        let tag = &rest[1..length];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(expected) if expected == name.trim_end() => {}
                Some(expected) => return fail(at, &format!("</{}> where </{expected}> is due", name.trim_end())),
                None => return fail(at, &format!("</{}> without a beginning", name.trim_end())),
            }
        } else {
            let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |t| (t, true));
            let name = tag.split(char::is_whitespace).next().unwrap_or_default();
            if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                return fail(at, "a < that begins no tag");
            }
            if let Err(why) = attributes(&tag[name.len()..]) {
                return fail(at, &format!("<{name}>: {why}"));
            }
            if open.is_empty() && root.is_some() {
                return fail(at, "a second root element");
            }
            root.get_or_insert(name);
            if !empty {
                open.push(name);
            }
        }
        at += length + 1;
    }
    match (open.pop(), root) {
        (Some(name), _) => fail(text.len(), &format!("<{name}> is not closed")),
        (None, Some(_)) if !text[at..].trim().is_empty() => fail(at, "text after the root element"),
        (None, Some(root)) => Ok(root.to_owned()),
        (None, None) => fail(0, "no element"),
    }
}

/// Where the tag's `>` is; one in quotes is none.
fn tag_end(rest: &str) -> Option<usize> {
    let mut quote = None;
    rest.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            _ => {}
        }
        None
    })
}

fn attributes(text: &str) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.trim_start().is_empty() {
        if !rest.starts_with(char::is_whitespace) {
            return Err("no space between attributes".to_owned());
        }
        rest = rest.trim_start();
        let (name, after) = rest.split_once('=').ok_or_else(|| format!("attribute {:?} has no value", rest.trim()))?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("attribute {:?} has no value", name.split_whitespace().next().unwrap_or_default()));
        }
        if names.contains(&name) {
            return Err(format!("attribute {name} is there twice"));
        }
        names.push(name);
        let after = after.trim_start();
        let quote =
            after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(|| format!("the value of {name} is not in quotes"))?;
        let end = after[1..].find(quote).ok_or_else(|| format!("the value of {name} has no end"))?;
        let value = &after[1..=end];
        if value.contains('<') || !entities_are_known(value) {
            return Err(format!("the value of {name} has a bare < or &"));
        }
        rest = &after[end + 2..];
    }
    Ok(())
}

fn entities_are_known(text: &str) -> bool {
    text.split('&').skip(1).all(|part| match part.split_once(';') {
        Some((name, _)) => {
            matches!(name, "amp" | "lt" | "gt" | "quot" | "apos")
                || name.strip_prefix("#x").is_some_and(|n| u32::from_str_radix(n, 16).is_ok())
                || name.strip_prefix('#').is_some_and(|n| n.parse::<u32>().is_ok())
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_or_not() {
        for text in [
            "<a/>",
            "<?xml version='1.0'?>\n<!-- c --><!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg a='1 > 0' b=\"2\"><g>t &amp; &#65;</g><![CDATA[<&]]></svg>\n",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a></a>",
        ] {
            assert!(root(text).is_ok(), "{text}: {:?}", root(text));
        }
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a b></a>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='1'c='2'/>",
            "<a>&nbsp;</a>",
            "<a>x & y</a>",
            "<a/>tail",
            "<a",
            "</a>",
            "<a>< b</a>",
        ] {
            assert!(root(text).is_err(), "{text}");
        }
        assert_eq!(root("<svg>\n<g>\n</svg>").unwrap_err(), "</svg> where </g> is due (line 3)");
    }
}
