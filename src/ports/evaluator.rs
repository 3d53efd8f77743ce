//! The evaluator: one POST of a JSON body, with the redirects that keep it a POST.

use std::time::Duration;

use anyhow::{anyhow, bail};

use super::http::{ANSWER_LIMIT, Http, Reach, Request, Response, Url, masked};

/// Hops that are followed before it counts as a loop.
const MAX_HOPS: usize = 5;

/// Posts `body` to `url`. 307 and 308 are followed with the body, any redirect from http to https too, on the same host
/// only: a body that was meant for one host is nobody else's. No authorisation is sent. `reach` says which addresses may be
/// connected to, or why the host may not be told.
///
/// # Errors
/// No answer in `timeout`, a host that may not be told, or a redirect that would not arrive as the same POST.
pub fn post(
    http: &Http,
    url: &Url,
    body: &[u8],
    timeout: Duration,
    reach: &dyn Fn(&Url) -> Result<Reach, String>,
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
        let within = reach(&at).map_err(|why| anyhow!(why))?;
        let response = http.send_for_status(within, &request)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        let Some(location) = response.header("location") else {
            return Ok(response);
        };
        let target = at
            .join(location)
            .map_err(|why| anyhow!("{} redirects to {}: {why}", at.authority, masked(location)))?;
        if target.host != at.host {
            bail!(
                "{} answered {}: a redirect to another host, {}, is not followed",
                at.authority,
                response.status,
                target.host
            );
        }
        let upgraded = target.https && !at.https;
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
        at = target;
    }
    bail!("{} redirects more than {MAX_HOPS} times", url.authority)
}
