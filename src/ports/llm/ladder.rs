//! What a server refuses is left out from then on, one thing after the other. Servers differ: newer OpenAI models know no
//! `max_tokens`, others no `max_completion_tokens`; some know no `stream_options`, no streaming, no images, no system or developer
//! role; small plans and small models take fewer tokens than are asked for. `docs/MODELS.md` has the table.
//!
//! A refusal is known by its status and by the name of the parameter in the body, in whatever field or sentence it stands. One that
//! names nothing is answered by leaving out all that is not needed.

use super::trouble::Trouble;

/// The most steps down for one request; there are no more things to leave out.
pub(super) const STEPS: u32 = 10;
/// Asked for, so that servers with a small default do not cut the answer off. The most that the default model gives.
const MAX_TOKENS: u64 = 16_000;
/// With fewer tokens no page can be written.
const FEWEST: u64 = 512;

/// What a server has refused so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own to leave out"
)]
pub(super) struct Refused {
    pub max_completion_tokens: bool,
    pub max_tokens: bool,
    pub stream_options: bool,
    pub stream: bool,
    pub images: bool,
    pub system: bool,
    /// More tokens than these for an answer.
    pub more_than: Option<u64>,
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The same without what was refused.
    Without(Refused),
    /// What is said is too long.
    Shorter,
}

impl Refused {
    /// How many tokens to ask for, where the budget allows `most`.
    pub(super) fn tokens(&self, most: Option<u64>) -> u64 {
        [self.more_than, most]
            .into_iter()
            .flatten()
            .fold(MAX_TOKENS, u64::min)
            .max(1)
    }

    /// What to do after `trouble` with a request whose texts have about `prompt` tokens and that asked for `asked` more; `None`: that
    /// is not what it is about.
    pub(super) fn after(
        self,
        trouble: &Trouble,
        images: bool,
        prompt: u64,
        asked: u64,
    ) -> Option<Step> {
        if let Some(step) = self.about_length(trouble, prompt, asked) {
            return Some(step);
        }
        self.without(trouble, images).map(Step::Without)
    }

    fn about_length(self, trouble: &Trouble, prompt: u64, asked: u64) -> Option<Step> {
        if !matches!(trouble.status?, 400 | 402 | 413 | 422 | 429 | 500) {
            return None;
        }
        let text = trouble.text();
        let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
        let fewer = |tokens: u64| {
            let less = tokens < asked && tokens >= FEWEST;
            less.then_some(Step::Without(Self {
                more_than: Some(tokens),
                ..self
            }))
        };
        // OpenRouter, with little credit left.
        if let Some(affordable) = number_behind(&text, &["can only afford"]) {
            return fewer(affordable.saturating_sub(16));
        }
        // Groq counts what is asked for against the minute's limit.
        if let (Some(limit), Some(requested)) = (
            number_behind(&text, &["limit: ", "limit "]),
            number_behind(&text, &["requested: ", "requested "]),
        ) && requested > limit
        {
            let said = requested.saturating_sub(asked);
            return Some(fewer(limit.saturating_sub(said + 64)).unwrap_or(Step::Shorter));
        }
        let about_context = trouble.code.as_deref() == Some("context_length_exceeded")
            || says(&[
                "context length",
                "context_length",
                "context window",
                "context size",
                "exceed_context_size",
                "n_ctx",
                "prompt is too long",
                "input is too long",
                "too many input tokens",
                "input token count",
                "reduce the length",
                "request too large",
                "request entity too large",
                "payload too large",
                "maximum context",
                "prompt too long",
                "too many tokens",
            ]);
        let about_answer = says(&[
            "max_tokens",
            "max_completion_tokens",
            "completion tokens",
            "max output tokens",
            "maxoutputtokens",
            "max_output_tokens",
            "max_new_tokens",
        ]);
        let about_context = about_context || trouble.status == Some(413);
        if about_context && !matches!(trouble.status, Some(402 | 429)) {
            let context = number_behind(
                &text,
                &[
                    "context length is",
                    "context length of",
                    "context length (",
                    "context window of",
                    "context window is",
                    "context window (",
                    "context size (",
                    "context size is",
                    "context size of",
                    "n_ctx",
                    "max context",
                    "maximum allowed",
                    "tokens >",
                ],
            );
            let said = number_before(
                &text,
                &[
                    "in the messages",
                    "input tokens",
                    "in the prompt",
                    "in your prompt",
                    "prompt tokens",
                ],
            )
            .or_else(|| number_behind(&text, &["n_prompt_tokens", "prompt contains", "prompt has"]))
            .or_else(|| {
                number_behind(&text, &["requested"]).and_then(|all| all.checked_sub(asked))
            });
            let room = context.map(|all| all.saturating_sub(said.unwrap_or(prompt) + 64));
            return Some(match room {
                Some(room) => fewer(room).unwrap_or(Step::Shorter),
                // Without a number the answer gives way first, once.
                None if about_answer && asked > MAX_TOKENS / 4 => Step::Without(Self {
                    more_than: Some(MAX_TOKENS / 4),
                    ..self
                }),
                None => Step::Shorter,
            });
        }
        let refused = matches!(trouble.status, Some(400 | 422));
        if refused
            && about_answer
            && says(&[
                "too large",
                "at most",
                "less than or equal",
                "<=",
                "maximum",
                "exceed",
                "range",
                "too high",
                "must be less",
                "limit",
            ])
        {
            // The greatest number below what was asked for is what is allowed, or a part of how it comes about.
            let most = numbers(&text).filter(|n| *n < asked && *n >= FEWEST).max();
            return most.and_then(fewer);
        }
        None
    }

    fn without(self, trouble: &Trouble, images: bool) -> Option<Self> {
        let text = trouble.body.to_ascii_lowercase();
        let images = images && !self.images;
        let about_images = ["image", "vision", "multimodal", "multi-modal", "mmproj"]
            .iter()
            .any(|w| text.contains(w));
        let status = trouble.status?;
        let about_roles = text.contains("role")
            && [
                "system",
                "developer",
                "only user and assistant",
                "roles must alternate",
            ]
            .iter()
            .any(|w| text.contains(w))
            || [
                "system message",
                "system prompt",
                "system instruction",
                "developer instruction",
                "developer message",
            ]
            .iter()
            .any(|w| text.contains(w));
        let whole = Self {
            stream: true,
            stream_options: true,
            ..self
        };
        match status {
            // An answer that is neither a stream nor JSON.
            200 if trouble.garbled && !self.stream => return Some(whole),
            400 | 422 => {}
            404 | 413 | 415 | 500 | 501 if images && about_images => {
                return Some(Self {
                    images: true,
                    ..self
                });
            }
            // Chat templates raise an exception, which some servers report as a fault of their own.
            500 if about_roles && !self.system => {
                return Some(Self {
                    system: true,
                    ..self
                });
            }
            501 if !self.stream => return Some(whole),
            _ => return None,
        }
        let about_something_else = [
            "model_not_found",
            "invalid_api_key",
            "content_filter",
            "content_policy_violation",
        ];
        let code = trouble.code.as_deref().unwrap_or_default();
        if about_something_else.contains(&code) {
            return None;
        }
        let is = |name: &str| trouble.param.as_deref() == Some(name);
        let says = |name: &str| {
            trouble
                .param
                .as_deref()
                .is_none_or(|p| p.starts_with("messages"))
                && text.contains(name)
        };
        // Longer names first: `stream_options` holds `stream`; a hint to use the other of the two stands behind the refused one.
        let limit = [
            ("max_completion_tokens", !self.max_completion_tokens),
            ("max_tokens", self.max_completion_tokens && !self.max_tokens),
        ];
        if limit.iter().any(|(name, sent)| *sent && is(name))
            || limit.iter().any(|(name, sent)| *sent && says(name))
        {
            // A limit that is too high is no unknown parameter: then the server's own is best.
            let too_high =
                code == "invalid_value" || text.contains("too large") || text.contains("at most");
            return Some(Self {
                max_completion_tokens: true,
                max_tokens: self.max_completion_tokens || too_high,
                ..self
            });
        }
        if !self.stream_options
            && !self.stream
            && (is("stream_options") || says("stream_options") || says("include_usage"))
        {
            return Some(Self {
                stream_options: true,
                ..self
            });
        }
        if !self.stream && (is("stream") || says("stream")) {
            return Some(whole);
        }
        if about_roles && !self.system {
            return Some(Self {
                system: true,
                ..self
            });
        }
        if images
            && (about_images
                || trouble
                    .param
                    .as_deref()
                    .is_some_and(|p| p.starts_with("messages")))
        {
            return Some(Self {
                images: true,
                ..self
            });
        }
        if !self.system && (text.contains("system") || text.contains("developer")) {
            return Some(Self {
                system: true,
                ..self
            });
        }
        if trouble.names_no_model() {
            return None;
        }
        let bare = Self {
            max_completion_tokens: true,
            max_tokens: true,
            stream_options: true,
            images: self.images || images,
            ..self
        };
        (bare != self).then_some(bare)
    }
}

/// The numbers of a text, `16,384` as one.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == ',' || c == '_'))
        .filter_map(number)
}

fn number(digits: &str) -> Option<u64> {
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The first number that stands close behind one of these.
fn number_behind(text: &str, markers: &[&str]) -> Option<u64> {
    markers.iter().find_map(|marker| {
        text.match_indices(marker).find_map(|(at, _)| {
            let behind = &text[at + marker.len()..];
            let start = behind.find(|c: char| c.is_ascii_digit())?;
            // Closer than another sentence would be.
            (start <= 24 && !behind[..start].contains(['.', '\n'])).then_some(())?;
            let end = behind[start..]
                .find(|c: char| !(c.is_ascii_digit() || c == ',' || c == '_'))
                .map_or(behind.len(), |n| start + n);
            number(&behind[start..end])
        })
    })
}

/// The last number that stands close before one of these.
fn number_before(text: &str, markers: &[&str]) -> Option<u64> {
    markers.iter().find_map(|marker| {
        let before = text[..text.find(marker)?].trim_end();
        let start = before
            .rfind(|c: char| !(c.is_ascii_digit() || c == ',' || c == '_'))
            .map_or(0, |n| {
                n + before[n..].chars().next().map_or(1, char::len_utf8)
            });
        number(&before[start..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, param: Option<&str>, body: &str) -> Trouble {
        Trouble {
            status: Some(status),
            param: param.map(str::to_owned),
            body: body.to_owned(),
            ..Trouble::default()
        }
    }

    fn without(refused: Refused, trouble: &Trouble, images: bool) -> Option<Refused> {
        match refused.after(trouble, images, 2000, 16_000)? {
            Step::Without(next) => Some(next),
            Step::Shorter => panic!("{trouble:?}"),
        }
    }

    #[test]
    fn one_step_after_the_other() {
        let start = Refused::default();
        let one = without(
            start,
            &refusal(400, Some("max_completion_tokens"), ""),
            false,
        )
        .unwrap();
        assert_eq!(
            one,
            Refused {
                max_completion_tokens: true,
                ..start
            }
        );
        let two = refusal(
            400,
            Some("max_tokens"),
            "use 'max_completion_tokens' instead",
        );
        let two = without(one, &two, false).unwrap();
        assert!(two.max_tokens);
        let three = refusal(
            422,
            None,
            r#"{"detail":[{"loc":["body","stream_options"]}]}"#,
        );
        let three = without(two, &three, false).unwrap();
        assert!(three.stream_options && !three.stream);
        let four = without(three, &refusal(400, Some("stream"), ""), true).unwrap();
        assert!(four.stream && !four.images);
        let blind = refusal(404, None, "no endpoints found that support image input");
        assert!(without(four, &blind, true).unwrap().images);
    }

    #[test]
    fn roles_that_are_not_known_are_folded_into_the_users() {
        for (status, body) in [
            (
                400,
                "Developer instruction is not enabled for models/gemma-3-27b-it",
            ),
            (400, "System role not supported"),
            (
                400,
                "Conversation roles must alternate user/assistant/user/assistant/...",
            ),
            (
                500,
                "Jinja Exception: Only user and assistant roles are supported!",
            ),
            (422, "messages[0]: unknown role 'system'"),
        ] {
            let next = without(Refused::default(), &refusal(status, None, body), true);
            let expected = Refused {
                system: true,
                ..Refused::default()
            };
            assert_eq!(next, Some(expected), "{body}");
        }
        assert_eq!(
            without(
                Refused::default(),
                &refusal(500, None, "internal system error"),
                false
            ),
            None
        );
    }

    #[test]
    fn limits_are_kept_as_they_are_named() {
        for (status, body, tokens) in [
            (
                400,
                "max_tokens is too large: 16000. This model supports at most 4096 completion tokens, whereas you provided 16000.",
                Some(4096),
            ),
            (
                400,
                "`max_tokens` must be less than or equal to `8,192`",
                Some(8192),
            ),
            (
                402,
                "This request requires more credits, or fewer max_tokens. You requested up to 16000 tokens, but can only afford 3212.",
                Some(3196),
            ),
            (
                413,
                "Request too large for model x on tokens per minute (TPM): Limit 8000, Requested 17500, please reduce",
                Some(6436),
            ),
            (
                429,
                "Rate limit: TPM: Limit 6000, Requested 21000",
                Some(936),
            ),
            (429, "TPM: Limit 4000, Requested 21000", None),
            (
                400,
                "This model's maximum context length is 8192 tokens. However, you requested 19000 tokens (3000 in the messages, 16000 in the completion).",
                Some(5128),
            ),
            (
                400,
                "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.",
                None,
            ),
            (
                400,
                "prompt is too long: 210000 tokens > 200000 maximum",
                None,
            ),
            (
                400,
                r#"{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
                None,
            ),
            (
                500,
                "the request exceeds the available context size. try increasing the context size or enable context shift",
                None,
            ),
            (413, "Payload Too Large", None),
        ] {
            let step = Refused::default().after(&refusal(status, None, body), false, 4000, 16_000);
            let expected = tokens.map_or(Step::Shorter, |tokens| {
                Step::Without(Refused {
                    more_than: Some(tokens),
                    ..Refused::default()
                })
            });
            assert_eq!(step, Some(expected), "{body}");
        }
        let poor = refusal(402, None, "You can only afford 30");
        assert_eq!(Refused::default().after(&poor, false, 4000, 16_000), None);
        let waits = refusal(
            429,
            None,
            "Rate limit: TPM: Limit 8000, Used 7900, Requested 1000. Please try again in 5s",
        );
        assert_eq!(Refused::default().after(&waits, false, 100, 900), None);
        // A limit that is too high, and no number: then the server's own is best.
        let high = refusal(
            400,
            Some("max_completion_tokens"),
            "max_tokens is too large: 16000",
        );
        let next = without(Refused::default(), &high, false).unwrap();
        assert!(next.max_completion_tokens && next.max_tokens);
    }

    #[test]
    fn nothing_named_leaves_out_all_at_once_and_then_ends() {
        let next = without(Refused::default(), &refusal(400, None, "bad request"), true).unwrap();
        assert!(next.max_tokens && next.stream_options && next.images);
        assert_eq!(
            without(next, &refusal(400, None, "bad request"), true),
            None
        );
        let other = refusal(429, None, "stream");
        assert_eq!(without(Refused::default(), &other, false), None);
    }
}
