//! Takes off what is no part of an answer: thoughts, markers of channels and turns, byte-order marks.

/// Names of the elements in which models think aloud.
const THOUGHTS: [&str; 8] = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reflection",
    "scratchpad",
    "draft",
];

/// Marks that chat templates end or begin a turn with; some servers let them through.
const TOKENS: [&str; 13] = [
    "<|im_end|>",
    "<|im_start|>assistant",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|return|>",
    "<|assistant|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
    "[/INST]",
    "<｜end▁of▁sentence｜>",
];

/// The answer alone. `None`: the model never stopped thinking.
pub(super) fn strip(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}');
    let text = last_channel(text);
    let text = without_tokens(text);
    let mut rest = text;
    // A thought may follow another; nobody thinks more often than this.
    for _ in 0..16 {
        let start = rest.trim_start_matches(['\u{feff}', ' ', '\n', '\t']);
        let Some(close) = opened(start) else { break };
        let at = start.to_ascii_lowercase().find(&close)?;
        rest = &start[at + close.len()..];
    }
    Some(closed_only(rest))
}

/// The mark that ends the thought at the start of the text.
fn opened(start: &str) -> Option<String> {
    let head: String = start
        .chars()
        .take(40)
        .collect::<String>()
        .to_ascii_lowercase();
    let name = THOUGHTS.iter().find(|name| {
        head.starts_with(&format!("<{name}>")) || head.starts_with(&format!("<{name} "))
    });
    let other = [
        ("[think]", "[/think]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<seed:think>", "</seed:think>"),
    ];
    name.map(|name| format!("</{name}>")).or_else(|| {
        other
            .iter()
            .find(|(open, _)| head.starts_with(open))
            .map(|(_, close)| (*close).to_owned())
    })
}

/// Templates that open the thought in the prompt leave only its end in the answer: what stands before it is thought. The mark stands on a
/// line that holds nothing else behind it, before any container; in a file's text it is the file's.
fn closed_only(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let closes = THOUGHTS.iter().map(|name| format!("</{name}>")).chain([
        "[/think]".to_owned(),
        "◁/think▷".to_owned(),
        "<|end_of_thought|>".to_owned(),
    ]);
    let end = closes
        .filter_map(|close| {
            let at = lower.rfind(&close)?;
            let open = close.replacen('/', "", 1);
            let inside = &lower[..at];
            let thinks = close.contains("think");
            let holds_files = ["```", "<<<file", "<html", "<!doctype", "\"content\""]
                .iter()
                .any(|mark| inside.contains(mark));
            (!inside.contains(&open) && (thinks || !holds_files)).then_some(at + close.len())
        })
        .max();
    match end {
        // The rest must hold something to be the answer.
        Some(end) if !text[end..].trim().is_empty() => &text[end..],
        _ => text,
    }
}

/// What the channel for the user says (OpenAI's harmony format), where channels are marked.
fn last_channel(text: &str) -> &str {
    const FINAL: &str = "<|channel|>final";
    match text.rfind(FINAL) {
        Some(at) => {
            let rest = &text[at + FINAL.len()..];
            rest.split_once("<|message|>")
                .map_or(rest, |(_, rest)| rest)
        }
        None => text.strip_prefix("assistantfinal").unwrap_or(text),
    }
}

fn without_tokens(mut text: &str) -> &str {
    loop {
        let end = TOKENS.iter().find_map(|t| text.trim_end().strip_suffix(t));
        let start = TOKENS
            .iter()
            .find_map(|t| text.trim_start().strip_prefix(t));
        match end.or(start) {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}
