//! The app as a language model makes it.
mod calls;
mod convert;
mod fetch;
pub mod findings;
mod material;
pub mod reply;
mod required;
mod scan;
mod xml;

use crate::ports::llm::Endpoint;
use crate::secret::Secret;
use std::path::PathBuf;

/// Whom to ask, and how far to go.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub endpoints: Vec<Endpoint>,
    pub repairs: u32,
    /// Addresses that the model names are fetched.
    pub fetch: bool,
    /// `LLMDEPLOY_FETCH_HOSTS`.
    pub fetch_hosts: Option<Vec<String>>,
    pub max_tokens_total: Option<u64>,
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
    /// Never said to a model, whatever file they stand in.
    pub secrets: Vec<Secret>,
}
