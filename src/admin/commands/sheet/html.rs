//! The page for a browser that prints it. Pure.

use super::content::{Part, Sheet};

const STYLE: &str = "body{font:12pt/1.4 sans-serif;max-width:17cm;margin:1cm auto}\
                     h1{font-size:18pt}h2{font-size:13pt;margin-bottom:.2em}\
                     pre{font:11pt monospace;border:1px solid #000;padding:.4em;white-space:pre-wrap}\
                     h2,pre,li{break-inside:avoid}";

/// The page as HTML.
pub fn page(sheet: &Sheet) -> String {
    let title = escaped(&sheet.title);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    for part in &sheet.parts {
        text += &match part {
            Part::Heading(words) => format!("<h2>{}</h2>\n", escaped(words)),
            Part::Words(words) => format!("<p>{}</p>\n", escaped(words)),
            Part::Quote(words) => format!("<pre>{}</pre>\n", escaped(words)),
            Part::Steps(steps) => {
                let items = steps
                    .iter()
                    .map(|step| format!("<li>{}</li>\n", escaped(step)));
                format!("<ol>\n{}</ol>\n", items.collect::<String>())
            }
        };
    }
    text + "</html>\n"
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_server_is_no_markup() {
        let sheet = Sheet::of("<script>alert(1)</script>", &[]);
        let page = page(&sheet);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
        for part in &sheet.parts {
            if let Part::Quote(words) = part {
                assert!(page.contains(&escaped(words)), "{words}");
            }
        }
    }
}
