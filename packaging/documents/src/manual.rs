//! One manual page for each command that is not hidden.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use stayput::admin::cli::Cli;

use crate::Result;

/// Of the manual: commands for administrators.
const SECTION: &str = "8";

/// Writes all pages into `folder`/share/man/man8, as they lie below /usr/share.
///
/// # Errors
/// What the filesystem says.
pub fn write(folder: &Path, date: &str) -> Result {
    let folder = folder.join("share/man/man8");
    fs::create_dir_all(&folder)?;
    for (name, page) in pages(date)? {
        fs::write(folder.join(format!("{name}.{SECTION}")), page)?;
    }
    Ok(())
}

/// Each page with its name, as in `stayput-stick-make`.
fn pages(date: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut commands = Vec::new();
    collect(&root, None, &mut commands);
    let pages = commands.iter().map(|(command, above)| {
        // Where a command says nothing else, what holds for all of them.
        let codes = command.get_after_help().or(root.get_after_help());
        let codes = codes.map(ToString::to_string).unwrap_or_default();
        let is_shown = above.is_none() || with_document(&root).contains(&name_of(command));
        let command = (*command)
            .clone()
            .mut_arg("json", |json| json.hide(!is_shown));
        Ok((name_of(&command), page(&command, *above, &codes, date)?))
    });
    pages.collect()
}

/// A command, those below it, and what stands above each.
fn collect<'a>(
    command: &'a Command,
    above: Option<&'a Command>,
    commands: &mut Vec<(&'a Command, Option<&'a Command>)>,
) {
    commands.push((command, above));
    let shown = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    for below in shown {
        collect(below, Some(command), commands);
    }
}

/// The names of the commands that print a document for scripts: the help of --json lists
/// them.
fn with_document(root: &Command) -> Vec<String> {
    let json = root
        .get_arguments()
        .find(|option| option.get_id() == "json");
    let help = json
        .and_then(|json| json.get_help())
        .map(ToString::to_string);
    let help = help.unwrap_or_default();
    let listed = help
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let listed = listed.map_or("", |(listed, _)| listed).split(", ");
    listed
        .map(|words| format!("stayput-{}", words.replace(' ', "-")))
        .collect()
}

fn name_of(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

/// `codes` is what stands below the command's help.
fn page(
    command: &Command,
    above: Option<&Command>,
    codes: &str,
    date: &str,
) -> io::Result<Vec<u8>> {
    let has_commands = command.get_subcommands().next().is_some();
    let man = Man::new(command.clone().subcommand_help_heading("COMMANDS"))
        .section(SECTION)
        .date(date)
        .source(format!("stayput {}", env!("CARGO_PKG_VERSION")))
        .manual("stayput");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    let mut end = Roff::new();
    end.control("SH", ["EXIT STATUS"]);
    end.text([roman(codes.strip_prefix("Exit codes: ").unwrap_or(codes))]);
    end.control("SH", ["SEE ALSO"]);
    end.text(see_also(command, above));
    page.write_all(end.render().as_bytes())?;
    Ok(page)
}

/// The page above, else where the other documents are.
fn see_also(command: &Command, above: Option<&Command>) -> Vec<clap_mangen::roff::Inline> {
    let page = |command| [bold(name_of(command)), roman(format!("({SECTION})"))];
    match above {
        Some(above) => page(above).to_vec(),
        None => {
            let mut text: Vec<_> = command
                .get_subcommands()
                .filter(|below| !below.is_hide_set())
                .flat_map(|below| [page(below).to_vec(), vec![roman(", ")]].concat())
                .collect();
            text.push(roman("and the documents in /usr/share/doc/stayput."));
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_named(wanted: &str) -> String {
        let pages = pages("2026-01-31").unwrap();
        let page = pages.into_iter().find(|(name, _)| name == wanted);
        String::from_utf8(page.unwrap_or_else(|| panic!("{wanted}")).1).unwrap()
    }

    #[test]
    fn each_command_that_is_shown_has_a_page() {
        let pages = pages("2026-01-31").unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["stayput", "stayput-init", "stayput-stick-make"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let hidden = [
            "stayput-initramfs-modules",
            "stayput-mariadb-continue",
            "stayput-help",
        ];
        assert!(!names.iter().any(|name| hidden.contains(name)), "{names:?}");
    }

    #[test]
    fn the_page_of_check_has_exit_codes_of_its_own() {
        assert!(page_named("stayput-check").contains("opens by itself"));
        assert!(page_named("stayput-init").contains("0 done"));
    }

    #[test]
    fn only_commands_with_a_document_have_an_option_for_it() {
        for (name, has) in [
            ("stayput-status", true),
            ("stayput-stick-list", true),
            ("stayput-passphrase-list", true),
            ("stayput-reset", false),
            ("stayput-stick", false),
        ] {
            assert_eq!(page_named(name).contains("json"), has, "{name}");
        }
    }

    #[test]
    fn all_pages_have_a_name_and_a_description() {
        for (name, page) in pages("2026-01-31").unwrap() {
            let page = String::from_utf8(page).unwrap();
            let line = page.lines().skip_while(|line| *line != ".SH NAME").nth(1);
            let (left, right) = line.unwrap().split_once(" \\- ").unwrap_or_default();
            assert_eq!(left.replace('\\', ""), name);
            assert!(right.len() > 10, "{name}: {right}");
            assert!(page.contains("2026"), "{name}");
        }
    }
}
