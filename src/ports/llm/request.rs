//! The request as JSON, without what the server has refused.

use base64::Engine;
use serde_json::{Map, Value, json};

use super::ladder::Refused;
use super::{Image, Message, Role};

/// `most`: the tokens that may be asked for.
pub(super) fn body(
    model: &str,
    messages: &[Message],
    refused: Refused,
    most: Option<u64>,
) -> Vec<u8> {
    let tokens = refused.tokens(most);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), messages_json(messages, refused));
    if !refused.max_completion_tokens {
        body.insert("max_completion_tokens".to_owned(), json!(tokens));
    } else if !refused.max_tokens {
        body.insert("max_tokens".to_owned(), json!(tokens));
    }
    if !refused.stream {
        body.insert("stream".to_owned(), json!(true));
        if !refused.stream_options {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
    }
    Value::Object(body).to_string().into_bytes()
}

/// An empty turn is refused by some servers (Anthropic, Mistral), and so are two turns of one side: they become one.
fn messages_json(messages: &[Message], refused: Refused) -> Value {
    let mut rules = String::new();
    let mut turns: Vec<(Role, String, Vec<&Image>)> = Vec::new();
    for message in messages {
        if refused.system && message.role == Role::System {
            rules = message.text.clone() + "\n\n";
            continue;
        }
        let images = message.images.iter().filter(|_| !refused.images);
        if message.text.trim().is_empty() && message.images.is_empty() {
            continue;
        }
        let text = std::mem::take(&mut rules) + &message.text;
        match turns.last_mut() {
            Some((role, before, shown)) if *role == message.role => {
                before.push_str("\n\n");
                before.push_str(&text);
                shown.extend(images);
            }
            _ => turns.push((message.role, text, images.collect())),
        }
    }
    let turn = |(role, text, images): (Role, String, Vec<&Image>)| {
        if images.is_empty() {
            return json!({"role": role, "content": text});
        }
        let mut parts = vec![json!({"type": "text", "text": text})];
        parts.extend(images.iter().map(|image| {
            let data = base64::engine::general_purpose::STANDARD.encode(&image.bytes);
            json!({"type": "image_url", "image_url": {"url": format!("data:{};base64,{data}", image.media_type)}})
        }));
        json!({"role": role, "content": parts})
    };
    turns.into_iter().map(turn).collect()
}

/// Tokens that texts and images have, about: four letters to a token, as everybody estimates.
pub(super) fn estimate(messages: &[Message]) -> u64 {
    let one = |m: &Message| m.text.len() as u64 / 4 + 1 + m.images.len() as u64 * 1000;
    messages.iter().map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_role_moves_into_the_first_message() {
        let messages = [
            Message::new(Role::System, "rules".to_owned()),
            Message::new(Role::User, "do".to_owned()),
        ];
        let refused = Refused {
            system: true,
            ..Refused::default()
        };
        let value: Value =
            serde_json::from_slice(&body("m", &messages, refused, Some(900))).unwrap();
        assert_eq!(
            value["messages"],
            json!([{"role": "user", "content": "rules\n\ndo"}])
        );
        assert_eq!(
            (value.get("temperature"), &value["max_completion_tokens"]),
            (None, &json!(900))
        );
    }

    #[test]
    fn no_message_goes_out_empty() {
        let messages = [
            Message::new(Role::User, "do".to_owned()),
            Message::new(Role::Assistant, " \n".to_owned()),
            Message::new(Role::User, "again".to_owned()),
        ];
        let value: Value =
            serde_json::from_slice(&body("m", &messages, Refused::default(), None)).unwrap();
        assert_eq!(
            value["messages"],
            json!([{"role": "user", "content": "do\n\nagain"}])
        );
    }
}
