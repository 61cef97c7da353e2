//! Median and spread of a few measurements.

use std::time::Duration;

/// The median and the ends, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Spread {
    /// # Panics
    /// Without any value.
    pub fn of(values: impl IntoIterator<Item = Duration>) -> Self {
        let mut seconds: Vec<f64> = values.into_iter().map(|v| v.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.len() / 2;
        let median = if seconds.len() % 2 == 1 {
            seconds[middle]
        } else {
            f64::midpoint(seconds[middle - 1], seconds[middle])
        };
        Self {
            least: seconds[0],
            median,
            most: seconds[seconds.len() - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: &[u64]) -> Spread {
        Spread::of(millis.iter().map(|ms| Duration::from_millis(*ms)))
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let spread = of(&[900, 100, 500, 300, 8000]);
        assert_eq!((spread.least, spread.median, spread.most), (0.1, 0.5, 8.0));
    }

    #[test]
    fn of_an_even_number_it_is_between_the_two_in_the_middle() {
        assert_eq!(of(&[400, 100, 200, 300]).median, 0.25);
        assert_eq!(of(&[700]).median, 0.7);
    }
}
