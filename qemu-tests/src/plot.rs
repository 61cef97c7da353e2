//! A plot of times for docs/performance.md: each measurement a dot, each median a bar.

use std::fmt::Write;
use std::time::Duration;

use crate::Spread;

const WIDTH: f64 = 960.0;
/// Where the axis begins and ends.
const LEFT: f64 = 350.0;
const RIGHT: f64 = 890.0;
const TOP: f64 = 56.0;
const ROW: f64 = 28.0;

/// What was measured a few times.
#[derive(Clone, Debug)]
pub struct Timed {
    /// What it was.
    pub what: String,
    /// How long it took each time; once at least.
    pub times: Vec<Duration>,
}

impl Timed {
    fn spread(&self) -> Spread {
        Spread::of(self.times.iter().copied())
    }
}

/// The plot, as SVG.
pub fn plot(title: &str, rows: &[Timed]) -> String {
    let most = rows.iter().map(|row| row.spread().most).fold(0.0, f64::max);
    let step = step(most);
    let end = (most / step).ceil().max(1.0) * step;
    let x = |seconds: f64| LEFT + (RIGHT - LEFT) * seconds / end;
    let bottom = TOP + ROW * rows.len() as f64;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"28\" font-size=\"17\">{title}, in seconds</text>",
        bottom + 40.0
    );
    let ticks = (end / step).round() as u32;
    for tick in 0..=ticks {
        let seconds = f64::from(tick) * step;
        let at = x(seconds);
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#d5dce2\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#44525e\">{}</text>",
            bottom + 20.0,
            // No digits that the step does not have.
            format_args!("{seconds:.*}", if step < 1.0 { 1 } else { 0 }),
        );
    }
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        let time = row.spread();
        let _ = writeln!(
            out,
            "<text x=\"20\" y=\"{:.1}\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\" fill=\"#b9d4bc\"/>",
            y + 4.5,
            row.what,
            y - 8.0,
            x(time.median) - LEFT,
        );
        for time in &row.times {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#2f4858\" \
                 fill-opacity=\"0.6\"/>",
                x(time.as_secs_f64()),
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>",
            x(time.most) + 10.0,
            y + 4.5,
            time.median,
        );
    }
    out.push_str("</svg>\n");
    out
}

/// A round distance between ticks that makes at most ten of them.
fn step(most: f64) -> f64 {
    let round = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
    round
        .into_iter()
        .find(|step| most / step <= 10.0)
        .unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stands_where_its_seconds_are_on_the_axis() {
        let row = |seconds| Timed {
            what: "a boot".into(),
            times: vec![Duration::from_secs(seconds)],
        };
        let svg = plot("Time to the key", &[row(5), row(10)]);
        let (half, whole) = ((LEFT + RIGHT) / 2.0, RIGHT);
        assert!(svg.contains(&format!("<circle cx=\"{half:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("<circle cx=\"{whole:.1}\"")), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(step(0.9), 0.1);
        assert_eq!(step(7.8), 1.0);
        assert_eq!(step(18.0), 2.0);
        assert_eq!(step(900.0), 100.0);
    }
}
