//! Plain decimal numbers, held and added exactly.
//!
//! Deliberately absent: exponents, thousands separators, currency signs and per cents. What carries one is text:
//! `1,234` could be either of two numbers, and a sum must never be a guess.

use std::fmt;

/// So many fraction digits fit beside any realistic integer part.
const MAX_SCALE: u32 = 24;

/// `units` divided by ten to the power of `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    /// Nothing yet.
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };

    /// Reads `-12`, `+3.50`, `.5`, `7.` with `point` as the decimal sign; `None` for anything else.
    pub(super) fn parse(text: &str, point: char) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once(point).unwrap_or((digits, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let scale = u32::try_from(fraction.len())
            .ok()
            .filter(|&scale| scale <= MAX_SCALE)?;
        let units = all().try_fold(0_i128, |units, b| {
            units.checked_mul(10)?.checked_add(i128::from(b - b'0'))
        })?;
        Some(Self {
            units: if negative { -units } else { units },
            scale,
        })
    }

    /// The exact sum with as many fraction digits as the longer of the two; `None` if it does not fit.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.at(scale)?.checked_add(other.at(scale)?)?;
        Some(Self { units, scale })
    }

    /// Whether they are the same number, however many noughts end it.
    pub(super) fn equals(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        let units = self.at(scale);
        units.is_some() && units == other.at(scale)
    }

    fn at(self, scale: u32) -> Option<i128> {
        self.units
            .checked_mul(10_i128.checked_pow(scale - self.scale)?)
    }
}

impl fmt::Display for Decimal {
    /// Plain digits with a full stop, so that any program reads back what was meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let width = usize::try_from(self.scale).unwrap_or_default() + 1;
        let digits = format!("{:0width$}", self.units.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() + 1 - width);
        if fraction.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(cells: &[&str]) -> Option<String> {
        let add = |sum: Decimal, cell: &&str| sum.plus(Decimal::parse(cell, '.')?);
        cells
            .iter()
            .try_fold(Decimal::ZERO, add)
            .map(|sum| sum.to_string())
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(
            sum(&["1500.50", "25.00", "75.25", "1200.00", "40.25"]).as_deref(),
            Some("2841.00")
        );
        assert_eq!(sum(&["0.1", "0.2"]).as_deref(), Some("0.3"));
        assert_eq!(sum(&["-0.05", ".01"]).as_deref(), Some("-0.04"));
        assert_eq!(
            sum(&["9007199254740993", "1"]).as_deref(),
            Some("9007199254740994")
        );
        assert_eq!(sum(&["+7.", "1"]).as_deref(), Some("8"));
        assert_eq!(sum(&["-1.5", "1.5"]).as_deref(), Some("0.0"));
    }

    #[test]
    fn what_is_not_plain_is_not_a_number() {
        for text in [
            "", "-", ".", "1e5", "1,234", "$1", "5%", "1.2.3", "--1", "NaN", "１", "0x1",
        ] {
            assert_eq!(Decimal::parse(text, '.'), None, "{text}");
        }
        assert_eq!(Decimal::parse("1,5", ','), Decimal::parse("1.5", '.'));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Decimal::parse(&"9".repeat(60), '.'), None);
        assert_eq!(Decimal::parse(&format!("0.{}", "1".repeat(30)), '.'), None);
        let most = Decimal::parse(&i128::MAX.to_string(), '.').unwrap();
        assert_eq!(most.plus(Decimal::parse("0.1", '.').unwrap()), None);
    }
}
