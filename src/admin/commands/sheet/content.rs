//! What stands on the page. What the prompt says is taken from the prompt's own messages.
//! Pure.

use crate::columns::{folded, width};
use crate::opening::messages::{Message, Question, Reason};
use crate::printable::Printable;
use crate::theft::ResetCause;
use crate::vault::{Count, FactorCounts, Thresholds};

/// Columns of a page of text. The prompt's lines have 79 at most, and some are quoted.
const WIDTH: usize = 80;

/// The page, in parts that follow each other.
pub struct Sheet {
    pub title: String,
    pub parts: Vec<Part>,
}

/// One part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Heading(String),
    Words(String),
    /// What the prompt shows, word for word.
    Quote(String),
    Steps(Vec<String>),
}

/// A way back, and where it is kept; empty where nobody has said it.
pub struct KeptAt {
    pub what: String,
    pub place: String,
}

/// A place in which nobody answers. The numbers are another server's: what has them is not
/// quoted.
const SILENT: Reason = Reason::Silent {
    answered: FactorCounts {
        machine: Count { count: 4, of: 4 },
        neighbours: Count { count: 0, of: 3 },
        servers: Count { count: 0, of: 0 },
    },
    need: Thresholds {
        machine: 4,
        neighbours: 2,
        servers: 0,
    },
};

/// Its first line tells what has reset it.
const RESET: Reason = Reason::WasReset(ResetCause::Strikes);

impl Sheet {
    /// The page of the server with this name.
    pub fn of(server: &str, kept: &[KeptAt]) -> Self {
        let name = Printable(server);
        let advice = |reason: &Reason| Part::Quote(reason.advice().into());
        let dots = "...".try_into().expect("a short label fits");
        let heading = |text: &str| Part::Heading(text.into());
        let mut parts =
            vec![
            Part::Quote(format!("The server \"{name}\" is locked. Its data is safe.")),
            Part::Words(
                "This stands on the screen when the server does not know where it is. The data is \
                 not lost, and nothing has to be hurried."
                    .into(),
            ),
            heading("The screen says what to do"),
            Part::Quote(Reason::NotYetRecognised.to_string()),
            Part::Steps(vec![
                "After a power cut: wait until the router is on, some minutes. The server goes on \
                 by itself."
                    .into(),
                "Else plug a backup stick of this server in, at any time.".into(),
                format!(
                    "The screen asks: {} Type the PIN; it is not shown. Then Enter.",
                    Question::Pin(dots).to_string().trim_end()
                ),
                format!("It says: {}", Message::Accepted),
                "Take the stick out again, and bring it back to where it is kept.".into(),
            ]),
            heading("Nobody answers"),
            Part::Words("The screen counts who answers, and says:".into()),
            advice(&SILENT),
            heading("After a repair"),
            Part::Quote(Reason::ChangedMachine.to_string()),
            advice(&Reason::ChangedMachine),
            heading("The server was reset"),
            Part::Quote(RESET.to_string().lines().skip(1).collect::<Vec<_>>().join("\n")),
            advice(&RESET),
            heading("No stick at hand"),
            Part::Words(
                "Type passphrase if you have one, or code for the recovery code on paper. Else \
                 type poweroff and wait for somebody with a stick: no data is lost. Never type \
                 reset unless you want the key on this disk destroyed."
                    .into(),
            ),
        ];
        if !kept.is_empty() {
            parts.push(heading("What opens it, and where it is kept"));
            parts.push(Part::Steps(kept.iter().map(KeptAt::line).collect()));
        }
        parts.push(Part::Words(
            "Whom to call: ______________________________________________".into(),
        ));
        Self {
            title: format!("When the server \"{name}\" asks for a stick"),
            parts,
        }
    }

    /// As plain text.
    pub fn text(&self) -> String {
        let title = wrapped(&self.title, "", "");
        let longest = title.lines().map(width).max().unwrap_or_default();
        let mut text = format!("{title}{}\n", "=".repeat(longest));
        for part in &self.parts {
            text.push('\n');
            match part {
                Part::Heading(words) => {
                    text += &format!("{words}\n{}\n", "-".repeat(width(words)));
                }
                Part::Words(words) => text += &wrapped(words, "", ""),
                Part::Quote(words) => {
                    words
                        .lines()
                        .flat_map(|line| folded(&format!("  {line}"), WIDTH, "  "))
                        .for_each(|line| text += &format!("{line}\n"));
                }
                Part::Steps(steps) => {
                    for (at, step) in steps.iter().enumerate() {
                        text += &wrapped(step, &format!("{:>2}. ", at + 1), "    ");
                    }
                }
            }
        }
        text
    }
}

impl KeptAt {
    fn line(&self) -> String {
        let what = Printable(&self.what);
        match self.place.as_str() {
            "" => format!("{what}: ______________________"),
            place => format!("{what}: {}", Printable(place)),
        }
    }
}

/// Lines of [`WIDTH`] columns at most; the first begins with `first`, the others with
/// `others`.
fn wrapped(words: &str, first: &str, others: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let line = format!("{first}{}", words.join(" "));
    folded(&line, WIDTH, others).join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opening::menu::Command;
    use crate::opening::messages::{Banner, WaysIn};

    fn sheet() -> Sheet {
        let kept = |what: &str, place: &str| KeptAt {
            what: what.into(),
            place: place.into(),
        };
        Sheet::of(
            "clinic",
            &[kept("Stick \"office\"", "bank safe"), kept("Code", "")],
        )
    }

    /// What the prompt of a server with other numbers shows of these reasons.
    fn prompt() -> String {
        let silent = Reason::Silent {
            answered: FactorCounts {
                machine: Count { count: 6, of: 7 },
                neighbours: Count { count: 1, of: 5 },
                servers: Count { count: 0, of: 1 },
            },
            need: Thresholds {
                machine: 6,
                neighbours: 4,
                servers: 1,
            },
        };
        let reset = Reason::WasReset(ResetCause::Owner);
        let reasons = [
            Reason::NotYetRecognised,
            silent,
            Reason::ChangedMachine,
            reset,
        ];
        let banners = reasons.iter().map(|reason| {
            Banner {
                server: Some("clinic"),
                reason,
                ways_in: WaysIn::default(),
            }
            .to_string()
        });
        banners.collect()
    }

    #[test]
    fn every_quote_is_what_the_prompt_says() {
        let prompt = prompt();
        let sheet = sheet();
        let quotes = sheet.parts.iter().filter_map(|part| match part {
            Part::Quote(words) => Some(words),
            _ => None,
        });
        let quotes: Vec<&String> = quotes.collect();
        assert_eq!(quotes.len(), 7);
        for quote in quotes {
            assert!(prompt.contains(quote.as_str()), "{quote}");
        }
    }

    #[test]
    fn every_word_to_type_is_in_the_menu() {
        for word in ["passphrase", "code", "poweroff", "reset"] {
            assert!(Command::parse(word.as_bytes()).is_some(), "{word}");
            assert!(sheet().text().contains(word), "{word}");
        }
    }

    #[test]
    fn page_fits_on_one_sheet_of_paper() {
        let text = sheet().text();
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.lines().count() <= 66, "{text}");
    }

    #[test]
    fn longest_name_in_the_widest_letters_fits_on_the_page() {
        let name = "診".repeat(20);
        let text = Sheet::of(&name, &[]).text();
        assert!(text.contains(&name), "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
    }

    #[test]
    fn places_stand_there_only_when_asked_for() {
        let without = Sheet::of("clinic", &[]).text();
        assert!(!without.contains("office") && !without.contains("bank"));
        let with = sheet().text();
        assert!(with.contains("Stick \"office\": bank safe"), "{with}");
        assert!(with.contains("Code: ____"), "{with}");
    }
}
