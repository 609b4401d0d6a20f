//! (pure) The percentile distribution of HdrHistogram as text, milliseconds, for the plotters that
//! read `.hgrm` files.

use std::fmt::Write;

use super::Summary;

const MILLISECOND: f64 = 1e6;
/// Lines for each halving of what is left to the hundredth percentile.
const STEPS: u32 = 5;

/// The text of a `.hgrm` file.
pub fn render(summary: &Summary) -> String {
    let times = summary.times();
    let mut out = String::new();
    let line = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    out.push_str(line);
    let mut passed = 0;
    for step in times.iter_quantiles(STEPS) {
        passed += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / MILLISECOND;
        let quantile = step.quantile_iterated_to();
        let _ = write!(out, "{value:12.3} {quantile:2.12} {passed:10}");
        let _ = match quantile < 1.0 {
            true => writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(out),
        };
    }
    let (mean, deviation) = (summary.mean / MILLISECOND, summary.deviation / MILLISECOND);
    let (max, count) = (summary.max as f64 / MILLISECOND, summary.count);
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", times.buckets(), 2_048);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::times;

    #[test]
    fn lines_rise_and_end_at_the_total() {
        let mut all = times();
        for i in 1..=1_000u64 {
            all.saturating_record(i * 1_000_000);
        }
        let text = render(&Summary::from(&all));
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
            .collect();
        assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]));
        let last = rows.last().expect("there are rows");
        assert_eq!((last[1], last[2]), (1.0, 1_000.0));
        let half = rows.iter().find(|row| row[1] >= 0.5).expect("the median is in it");
        assert!((499.0..502.0).contains(&half[0]), "{half:?}");
        assert!(text.contains("Total count    =         1000]"));
    }
}
