//! Where Chrome or Chromium is.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::ports::process;

/// Looked for on `PATH`, in this order.
const NAMES: [&str; 7] = [
    "google-chrome-stable",
    "google-chrome",
    "chromium",
    "chromium-browser",
    "chrome",
    "chrome-headless-shell",
    "microsoft-edge",
];

/// Where installers put it outside `PATH`.
const PLACES: [&str; 6] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
];

/// The browser: the one that is asked for (a path, or a name on `PATH`), else the first of the usual ones.
///
/// # Errors
/// There is none, or none where it was said to be.
pub fn browser(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(asked) = asked {
        let named = if asked.components().count() == 1 {
            asked.to_str().and_then(process::find)
        } else {
            None
        };
        return match named {
            Some(path) => Ok(path),
            None if process::is_executable(asked) => Ok(asked.to_owned()),
            None => bail!("LLMDEPLOY_BROWSER: {} is not a program", asked.display()),
        };
    }
    let placed = || {
        PLACES
            .iter()
            .map(PathBuf::from)
            .find(|p| process::is_executable(p))
    };
    match NAMES
        .iter()
        .find_map(|name| process::find(name))
        .or_else(placed)
    {
        Some(path) => Ok(path),
        None => bail!("no Chrome or Chromium on this machine"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_must_be_there() {
        let error = browser(Some(Path::new("/nowhere/chrome")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("LLMDEPLOY_BROWSER") && error.contains("/nowhere/chrome"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_name_is_looked_for_on_the_path() {
        assert!(browser(Some(Path::new("sh"))).is_ok_and(|p| p.is_absolute()));
    }
}
