//! What a server refuses is left out from then on, one thing after the other. Servers differ: newer OpenAI models know no
//! `max_tokens`, others no `max_completion_tokens`; some know no `stream_options`, no streaming, no images, no system role.
//!
//! A refusal is known by its status (400, 404, 415, 422, 500 and 501 for images) and by the name of the parameter in the body, in
//! whatever field or sentence it stands. One that names nothing is answered by leaving out all that is not needed.

use super::wire::Trouble;

/// The most steps down for one request; there are no more things to leave out.
pub(super) const STEPS: u32 = 7;

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
}

impl Refused {
    /// What to leave out after `trouble`; `None`: that is not what it is about.
    pub(super) fn after(self, trouble: &Trouble, images: bool) -> Option<Self> {
        let text = trouble.body.to_ascii_lowercase();
        let images = images && !self.images;
        let about_images = ["image", "vision", "multimodal", "multi-modal", "mmproj"]
            .iter()
            .any(|w| text.contains(w));
        match trouble.status? {
            // An answer that is neither a stream nor JSON.
            200 if trouble.garbled && !self.stream => {
                return Some(Self {
                    stream: true,
                    stream_options: true,
                    ..self
                });
            }
            400 | 422 => {}
            404 | 413 | 415 | 500 | 501 if images && about_images => {
                return Some(Self {
                    images: true,
                    ..self
                });
            }
            501 if !self.stream => {
                return Some(Self {
                    stream: true,
                    stream_options: true,
                    ..self
                });
            }
            _ => return None,
        }
        let about_something_else = [
            "context_length_exceeded",
            "model_not_found",
            "invalid_api_key",
            "content_filter",
            "content_policy_violation",
        ];
        if trouble
            .code
            .as_deref()
            .is_some_and(|c| about_something_else.contains(&c))
        {
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
            let too_high = trouble.code.as_deref() == Some("invalid_value")
                || text.contains("too large")
                || text.contains("at most");
            return Some(if self.max_completion_tokens || too_high {
                Self {
                    max_completion_tokens: true,
                    max_tokens: true,
                    ..self
                }
            } else {
                Self {
                    max_completion_tokens: true,
                    ..self
                }
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
            return Some(Self {
                stream: true,
                stream_options: true,
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
        if !self.system && text.contains("system") {
            return Some(Self {
                system: true,
                ..self
            });
        }
        let bare = Self {
            max_completion_tokens: true,
            max_tokens: true,
            stream_options: true,
            stream: self.stream,
            images: self.images || images,
            system: self.system,
        };
        (bare != self).then_some(bare)
    }
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

    #[test]
    fn one_step_after_the_other() {
        let start = Refused::default();
        let one = start
            .after(&refusal(400, Some("max_completion_tokens"), ""), false)
            .unwrap();
        assert_eq!(
            one,
            Refused {
                max_completion_tokens: true,
                ..start
            }
        );
        let two = one
            .after(
                &refusal(
                    400,
                    Some("max_tokens"),
                    "use 'max_completion_tokens' instead",
                ),
                false,
            )
            .unwrap();
        assert!(two.max_tokens);
        let three = two
            .after(
                &refusal(
                    422,
                    None,
                    r#"{"detail":[{"loc":["body","stream_options"]}]}"#,
                ),
                false,
            )
            .unwrap();
        assert!(three.stream_options && !three.stream);
        let four = three
            .after(&refusal(400, Some("stream"), ""), true)
            .unwrap();
        assert!(four.stream && !four.images);
        assert!(
            four.after(
                &refusal(404, None, "no endpoints found that support image input"),
                true
            )
            .unwrap()
            .images
        );
    }

    #[test]
    fn a_limit_that_is_too_high_is_left_to_the_server() {
        let next = Refused::default()
            .after(
                &refusal(
                    400,
                    Some("max_completion_tokens"),
                    "max_tokens is too large: 16000",
                ),
                false,
            )
            .unwrap();
        assert!(next.max_completion_tokens && next.max_tokens);
    }

    #[test]
    fn nothing_named_leaves_out_all_at_once_and_then_ends() {
        let next = Refused::default()
            .after(&refusal(400, None, "bad request"), true)
            .unwrap();
        assert!(next.max_tokens && next.stream_options && next.images);
        assert_eq!(next.after(&refusal(400, None, "bad request"), true), None);
        assert_eq!(
            Refused::default().after(&refusal(429, None, "stream"), false),
            None
        );
    }
}
