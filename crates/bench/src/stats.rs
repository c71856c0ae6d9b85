//! A few numbers for many.

use serde::Serialize;

/// How a measured quantity is spread, in its own unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// All zero if there are no samples.
    pub(crate) fn of(mut samples: Vec<f64>) -> Spread {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |per_cent: usize| samples.get((samples.len() * per_cent / 100).min(samples.len().saturating_sub(1)));
        let value = |sample: Option<&f64>| sample.copied().unwrap_or_default();
        Spread { p50: value(at(50)), p99: value(at(99)), max: value(samples.last()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_of_what_was_measured() {
        let spread = Spread::of((0..1_000).rev().map(f64::from).collect());
        assert_eq!(spread, Spread { p50: 500.0, p99: 990.0, max: 999.0 });
        assert_eq!(Spread::of(vec![7.0]), Spread { p50: 7.0, p99: 7.0, max: 7.0 });
        assert_eq!(Spread::of(vec![]), Spread::default());
    }
}
