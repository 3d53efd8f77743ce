//! How much of the attachments the page may show.
//!
//! Deliberately absent: a per-kind policy; what is worth cutting first each preview knows best.

/// What all previews of a page may weigh together. With the page's own parts this keeps it below 2 MB.
const PAGE: usize = 1_400_000;
/// What one preview may weigh, so that the first attachment does not starve the others.
const EACH: usize = 600_000;
/// Below this a preview is not worth starting.
const LEAST: usize = 2_000;

/// The bytes of preview that are left on a page.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// A fresh page.
    pub(super) fn new() -> Self {
        Self { left: PAGE }
    }

    /// What the next preview may weigh, or `None` if the page is full.
    pub(super) fn next(&self) -> Option<usize> {
        (self.left >= LEAST).then(|| self.left.min(EACH))
    }

    /// Books a preview that was written.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_out() {
        let mut budget = Budget::new();
        let mut shown = 0;
        while let Some(room) = budget.next() {
            assert!(room <= EACH);
            budget.spend(room);
            shown += room;
        }
        assert!(shown <= PAGE);
    }
}
