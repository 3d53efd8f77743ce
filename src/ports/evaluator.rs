//! The evaluator: one POST of a JSON body, with the redirects that keep it a POST.

use std::time::Duration;

use anyhow::{anyhow, bail};

use super::http::{ANSWER_LIMIT, Http, Request, Response, Url, masked};

/// Hops that are followed before it counts as a loop.
const MAX_HOPS: usize = 5;

/// Posts `body` to `url`. 307 and 308 are followed with the body, any redirect from http to https of the same host too. No
/// authorisation is sent. `allowed` says whether a host may be named at all.
///
/// # Errors
/// No answer in `timeout`, or a redirect that would not arrive as the same POST.
pub fn post(
    http: &Http,
    url: &Url,
    body: &[u8],
    timeout: Duration,
    allowed: &dyn Fn(&Url) -> bool,
) -> anyhow::Result<Response> {
    let mut at = url.clone();
    for _ in 0..=MAX_HOPS {
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, */*"),
        ];
        let request = Request {
            method: "POST",
            url: at.as_str(),
            headers: &headers,
            body: Some(body),
            timeout,
            limit: ANSWER_LIMIT,
        };
        // A status of 2xx is what counts; an answer that breaks off behind it was given all the same.
        let response = http.send_for_status(&request)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        let Some(location) = response.header("location") else {
            return Ok(response);
        };
        let target = at
            .join(location)
            .map_err(|why| anyhow!("{} redirects to {}: {why}", at.authority, masked(location)))?;
        let upgraded = target.https && !at.https && target.host == at.host;
        if !matches!(response.status, 307 | 308) && !upgraded {
            bail!(
                "{} answered {}: a redirect to {} that would turn the POST into a GET is not followed",
                at.authority,
                response.status,
                target.authority
            );
        }
        if at.https && !target.https {
            bail!(
                "{} answered {}: a redirect from https to plain http is not followed",
                at.authority,
                response.status
            );
        }
        if !allowed(&target) {
            bail!(
                "{} answered {}: a redirect to {}, which is not an allowed host",
                at.authority,
                response.status,
                target.authority
            );
        }
        at = target;
    }
    bail!("{} redirects more than {MAX_HOPS} times", url.authority)
}
