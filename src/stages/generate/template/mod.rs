//! The template generator: turns briefs and attachments into one finished, self-contained page.
//!
//! It stands in where no language model is available. It does not try to carry out the brief; it shows the brief
//! and presents every attachment in the way its kind deserves: a table, a rendered document, a tree, a picture.
//!
//! Deliberately absent: any network access, any third-party script or style, any clock or randomness (the same
//! input gives the same bytes), any file access (the caller hands over bytes and writes the results), and any
//! change to an attachment (the page links to it, it never embeds or rewrites it).

mod briefs;
mod budget;
mod column;
mod decimal;
mod delimited;
mod href;
mod json;
mod kind;
mod language;
mod markdown;
mod outline;
mod page;
mod preview;
mod quote;
mod readme;
mod readme_plain;
mod records;
mod rounds;
mod seal;
mod table;
mod text;
mod title;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use briefs::briefs;
pub use page::page;
pub use readme::readme;
pub use readme_plain::readme_plain;
pub use rounds::readme_round;
pub use seal::made_here;

/// Everything that the generator knows about the site it makes.
pub struct Site<'a> {
    /// The task's id, shown above the title.
    pub task: &'a str,
    /// The repository's name.
    pub repo: &'a str,
    /// The briefs so far, ascending by round.
    pub rounds: Vec<Round>,
    /// The attachments, in the order in which they are shown.
    pub assets: Vec<Asset<'a>>,
}

/// The brief of one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round's number, counted from 1.
    pub round: u64,
    /// The brief as it was sent.
    pub brief: String,
}

/// One attachment, as it stands in the site.
pub struct Asset<'a> {
    /// Where it stands in the site, with `/` between folders: `data.csv`, `assets/sample.png`.
    pub path: &'a str,
    /// The media type it came with. May be odd or empty: then the path's extension decides, then the bytes.
    pub media_type: &'a str,
    /// Its content.
    pub bytes: Cow<'a, [u8]>,
}
