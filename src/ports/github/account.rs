//! Whose token it is and what it may do, for `doctor`: what `GET /user` says, in its body and in its headers.

use std::time::SystemTime;

use serde::Deserialize;

use super::{GitHub, User, answer, unexpected};
use crate::error::Result;
use crate::ports::World;

/// What is known of the token.
#[derive(Debug)]
pub struct Account {
    pub login: String,
    /// Of a classic token; a fine-grained one does not tell.
    pub scopes: Option<Vec<String>>,
    /// As GitHub writes it, e.g. `2026-12-24 10:00:00 UTC`; `None` for one that does not end.
    pub expires: Option<String>,
    /// Requests that are left in this hour, of how many.
    pub left: Option<(u64, u64)>,
    /// GitHub's clock.
    pub at: Option<SystemTime>,
}

/// Who owns the repositories, as the token sees it.
#[derive(Debug, PartialEq, Eq)]
pub enum Owner {
    TokensUser,
    Organisation,
    SomebodyElse,
    Nobody,
}

impl GitHub {
    /// # Errors
    /// `bad_token`, `forbidden`, `network`, `rate_limited`.
    pub fn account(&self, world: &World) -> Result<Account> {
        let response = self.call(world, "GET", "/user", None)?;
        if response.status != 200 {
            return Err(unexpected("GET /user", &response));
        }
        let user: User = answer("GET /user", &response)?;
        let number = |name: &str| response.header(name)?.trim().parse().ok();
        Ok(Account {
            login: user.login,
            scopes: response.header("x-oauth-scopes").map(|list| {
                let scopes = list.split(',').map(|s| s.trim().to_owned());
                scopes.filter(|s| !s.is_empty()).collect()
            }),
            expires: response
                .header("github-authentication-token-expiration")
                .map(ToOwned::to_owned),
            left: number("x-ratelimit-remaining").zip(number("x-ratelimit-limit")),
            at: response
                .header("date")
                .and_then(|date| httpdate::parse_http_date(date).ok()),
        })
    }

    /// # Errors
    /// As [`GitHub::account`].
    pub fn owner_seen_by(&self, world: &World, login: &str) -> Result<(String, Owner)> {
        #[derive(Deserialize)]
        struct Answer {
            login: String,
            r#type: String,
        }
        let owner = self.owner.clone().unwrap_or_else(|| login.to_owned());
        if owner.eq_ignore_ascii_case(login) {
            return Ok((login.to_owned(), Owner::TokensUser));
        }
        let path = format!("/users/{owner}");
        let response = self.call(world, "GET", &path, None)?;
        match response.status {
            200 => {
                let found: Answer = answer(&path, &response)?;
                let kind = if found.r#type == "Organization" {
                    Owner::Organisation
                } else {
                    Owner::SomebodyElse
                };
                Ok((found.login, kind))
            }
            404 => Ok((owner, Owner::Nobody)),
            _ => Err(unexpected(&format!("GET {path}"), &response)),
        }
    }
}
