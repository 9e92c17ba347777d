//! Numbers as people read them: counts, shares in percent, differences in percentage points, intervals, p-values.

use crate::metrics::bootstrap;
use crate::metrics::interval::Interval;
use crate::metrics::mean::MeanStd;

/// A count with commas between thousands.
///
/// ```
/// assert_eq!(gal_bench::render::format::thousands(202_599), "202,599");
/// ```
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text of a value, or a dash if there is none.
pub(crate) fn or_dash<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

/// A value with `digits` decimals, or a dash if there is none.
pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    or_dash(value, |value| format!("{value:.digits$}"))
}

/// A share of 0 to 1 in percent: `84.52`.
pub fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// A difference of shares in percentage points, with its sign unless it rounds to zero: `+0.70`.
pub fn points(difference: f64) -> String {
    let text = format!("{:+.2}", 100.0 * difference);
    if text == "-0.00" || text == "+0.00" { "0.00".to_owned() } else { text }
}

/// A difference of shares in words: `1.20 points above`, or `same` if it rounds to zero.
pub(crate) fn difference_words(difference: f64, more: &str, less: &str, same: &str) -> String {
    match points(difference) {
        zero if zero == "0.00" => same.to_owned(),
        text if text.starts_with('-') => format!("{} points {less}", &text[1..]),
        text => format!("{} points {more}", &text[1..]),
    }
}

/// An interval of shares in percent: `84.10 to 84.93`.
pub fn percent_interval(interval: Interval) -> String {
    format!("{} to {}", percent(interval.low), percent(interval.high))
}

/// An interval of differences in percentage points: `-0.18 to +0.11`.
pub(crate) fn points_interval(interval: Interval) -> String {
    format!("{} to {}", points(interval.low), points(interval.high))
}

/// A mean with its standard deviation, if it has one: `0.123 ± 0.004`.
pub(crate) fn mean_std(value: MeanStd, digits: usize) -> String {
    // A true zero has no sign.
    let mean = value.mean + 0.0;
    match value.deviation {
        Some(deviation) => format!("{mean:.digits$} ± {deviation:.digits$}"),
        None => format!("{mean:.digits$}"),
    }
}

/// A mean share in percent: `91.43 ± 0.12`.
pub(crate) fn percent_mean_std(share: MeanStd) -> String {
    let deviation = share.deviation.map(|deviation| 100.0 * deviation);
    mean_std(MeanStd { mean: 100.0 * share.mean, deviation }, 2)
}

/// A p-value in a cell: `0.012`, `< 0.001`.
pub(crate) fn p_cell(p: f64) -> String {
    if p < 0.0005 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// A p-value in a cell to `digits` decimals, as a bound if it is the `least` that a resampling test can give:
/// `<= 0.001`.
pub(crate) fn resampled_p_cell(p: f64, least: f64, digits: usize) -> String {
    if p > least {
        return format!("{p:.digits$}");
    }
    let scale = 10_f64.powi(digits as i32);
    format!("<= {:.digits$}", (p * scale).ceil() / scale)
}

/// A bootstrap's p-value in a cell.
pub(crate) fn bootstrap_p_cell(p: f64) -> String {
    resampled_p_cell(p, bootstrap::LEAST_P, 3)
}

/// A bootstrap's p-value in a sentence: `p = 0.012`, `p <= 0.001`.
pub(crate) fn bootstrap_p(p: f64) -> String {
    let cell = bootstrap_p_cell(p);
    if cell.starts_with('<') { format!("p {cell}") } else { format!("p = {cell}") }
}

/// The text with a capital first letter.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 162_770, 5_144_478].map(thousands), ["0", "999", "1,000", "162,770", "5,144,478"]);
    }

    #[test]
    fn a_difference_has_a_sign_unless_it_rounds_to_zero() {
        assert_eq!([0.0070, -0.0123, 0.0, -0.000_01].map(points), ["+0.70", "-1.23", "0.00", "0.00"]);
        let words = |difference| difference_words(difference, "above", "below", "level with");
        assert_eq!([0.012, -0.001, 0.0].map(words), ["1.20 points above", "0.10 points below", "level with"]);
    }

    #[test]
    fn the_least_p_value_of_a_resampling_test_is_a_bound() {
        assert_eq!([bootstrap::LEAST_P, 0.001_4, 0.012_3].map(bootstrap_p_cell), ["<= 0.001", "0.001", "0.012"]);
        assert_eq!([bootstrap::LEAST_P, 0.25].map(bootstrap_p), ["p <= 0.001", "p = 0.250"]);
        assert_eq!([1e-4, 2e-4].map(|p| resampled_p_cell(p, 1e-4, 4)), ["<= 0.0001", "0.0002"]);
        assert_eq!([0.000_4, 0.000_9].map(p_cell), ["< 0.001", "0.001"]);
    }

    #[test]
    fn a_mean_of_one_seed_has_no_deviation() {
        assert_eq!(mean_std(MeanStd { mean: -0.0, deviation: None }, 3), "0.000");
        assert_eq!(percent_mean_std(MeanStd { mean: 0.9143, deviation: Some(0.0012) }), "91.43 ± 0.12");
    }
}
