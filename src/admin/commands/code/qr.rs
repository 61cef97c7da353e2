//! The code as a picture in the terminal: half a letter for each square.

use qrcodegen::{QrCode, QrCodeEcc};

/// Empty squares around it, without which no camera finds it.
const QUIET: i32 = 4;

/// Light squares are drawn, dark ones left out; `colours` makes that so on a
/// light terminal too. Upper case takes fewer squares.
pub fn drawn(letters: &str, colours: bool) -> String {
    let letters = letters.to_ascii_uppercase();
    let Ok(code) = QrCode::encode_text(&letters, QrCodeEcc::Medium) else {
        return String::new();
    };
    let edge = code.size() + QUIET;
    // Outside of the code it is light.
    let light = |x, y| !code.get_module(x, y);
    let (begin, end) = match colours {
        true => ("\x1b[97;40m", "\x1b[0m"),
        false => ("", ""),
    };
    let mut text = String::new();
    for y in (-QUIET..edge).step_by(2) {
        text.push_str(begin);
        for x in -QUIET..edge {
            // The last line has no lower half.
            let below = y + 1 < edge && light(x, y + 1);
            text.push(match (light(x, y), below) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        text.push_str(end);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark squares, read off the drawing.
    fn squares(text: &str) -> Vec<Vec<bool>> {
        let lines = text.lines().flat_map(|line| {
            let half = |light: [char; 2]| line.chars().map(|c| !light.contains(&c)).collect();
            [
                half(['\u{2588}', '\u{2580}']),
                half(['\u{2588}', '\u{2584}']),
            ]
        });
        lines.collect()
    }

    #[test]
    fn the_picture_is_the_code_with_a_margin_and_fits_the_screen() {
        let letters = "cbdefghi".repeat(9);
        let text = drawn(&letters, false);
        assert!(text.lines().count() <= 22, "one screen, with the groups");
        assert!(text.lines().all(|line| line.chars().count() <= 79));
        let squares = squares(&text);
        let code = QrCode::encode_text(&letters.to_uppercase(), QrCodeEcc::Medium).unwrap();
        for y in 0..code.size() + 2 * QUIET {
            for x in 0..code.size() + 2 * QUIET {
                let dark = code.get_module(x - QUIET, y - QUIET);
                assert_eq!(squares[y as usize][x as usize], dark, "{x}, {y}");
            }
        }
    }

    #[test]
    fn a_light_terminal_shows_it_the_same_way_round() {
        let text = drawn("cbdefghi", true);
        assert!(text.lines().all(|line| line.starts_with("\x1b[97;40m")));
        assert!(text.lines().all(|line| line.ends_with("\x1b[0m")));
    }
}
