//! `stayput code`: the recovery code, to be written down.

mod qr;

use std::io::{IsTerminal, stdout};

use heapless::String as Bounded;
use zeroize::Zeroizing;

use crate::admin::ask;
use crate::admin::names::name;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::admin::ways_copies;
use crate::keys::{CODE_GROUPS, GROUP_LETTERS, RecoveryCode, random_bytes};
use crate::sys::clock;
use crate::vault::{CodeWay, EventKind, Header, KnownCode, WAYS_COPY};

/// Groups that are typed back.
const TYPED_BACK: usize = 2;

#[derive(clap::Args, Clone, Debug)]
pub struct CodeOptions {
    /// Make another code, in the place of the one before. The old one still opens what is
    /// outside the vault: other disks, sticks and backups of before. Where its paper is
    /// lost: stayput rekey --without-code
    #[arg(long)]
    new: bool,
    /// Where it will be kept, in words, for example "bank safe"
    #[arg(long, value_name = "WHERE", value_parser = name::<48>)]
    kept: Option<Bounded<48>>,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput code`.
///
/// # Errors
/// When the output goes to a file, when nobody is there to write it down, when the vault
/// does not open, or when the code that was typed back is another one.
pub fn run(options: &CodeOptions) -> Result<()> {
    refuse_a_file(output::is_to_file())?;
    refuse_nobody(ask::can_be_answered())?;
    let mut unlocked = unlock(&options.unlock)?;
    if options.new && unlocked.ways()?.code.is_some() {
        refuse_a_lost_paper(ask::yes(
            "Is the paper with the old code destroyed, or in your hands?",
        )?)?;
    }
    let header = unlocked.vault.header();
    let (server_id, generation) = (header.server_id, header.generation);
    let (code, pending) = code_to_show(&mut unlocked, options.new)?;
    let letters = code.letters(&server_id.0);
    // Before it is seen: whoever has seen it has the key.
    unlocked.log(EventKind::CodeShown)?;
    show(&letters, unlocked.vault.header());
    ask::line("Write it down now. When you have it on paper, press Enter: ")?;
    // What is typed back is to come from the paper.
    clear_screen();
    for group in to_type_back() {
        let typed = Zeroizing::new(ask::line(&format!(
            "Type group {group} of what you wrote: "
        ))?);
        if !is_group(&letters[..], group, &typed) {
            return Err(Problem::refused(
                format!("That is not group {group}. It does not count as a way back yet."),
                match pending {
                    None => "Run the command again: it shows the same code.",
                    Some(_) => {
                        "The code before it is in force still. Run the command again: it \
                                shows another one."
                    }
                },
            ));
        }
    }
    unlocked.read_again()?;
    if let Some(new) = pending {
        new.put_in_force(&mut unlocked)?;
    }
    let kept = match (&options.kept, &unlocked.proven.sticks.code) {
        (Some(place), _) => Some(unlocked.seal_place(place)),
        (None, Some(known)) => known.kept.clone(),
        (None, None) => None,
    };
    let mut list = unlocked.proven.sticks.draft();
    list.code = Some(KnownCode {
        generation,
        verified: clock::now(),
        kept,
    });
    unlocked.set_sticks(list)?;
    unlocked.log(EventKind::CodeVerified)?;
    println!(
        "The code is written down rightly. At the prompt of the locked server, also after a \
         reset:\ntype code. Keep the paper in another place than the server."
    );
    let beside = ways_copies::write_beside(&unlocked);
    ways_copies::tell(&ways_copies::renew_plugged(&mut unlocked)?);
    println!(
        "Where the server and its disk are lost, the code needs one of its sticks beside it, \
         without its PIN,\nor a copy of {WAYS_COPY}. Sticks that were made before it get \
         what it needs when they are\nplugged in: stayput stick renew"
    );
    beside
}

/// A code that takes the place of another, once somebody has it on paper.
struct NewCode {
    before: Option<CodeWay>,
    new: Option<CodeWay>,
}

impl NewCode {
    /// The ways in were read again: a person has written, and another command may have
    /// changed them meanwhile.
    fn put_in_force(self, unlocked: &mut Unlocked) -> Result<()> {
        let is_in_force = unlocked.change_ways(|_, ways| {
            let is_as_it_was = ways.code == self.before;
            if is_as_it_was {
                ways.code = self.new;
            }
            is_as_it_was
        })?;
        match is_in_force {
            true => Ok(()),
            false => Err(Problem::refused(
                "Another code was made meanwhile. This one opens nothing: tear the paper up.",
                "Write that one down, or make another one: stayput code --new",
            )),
        }
    }
}

/// The code of now, or a new one. One that takes the place of another is not in force yet.
fn code_to_show(unlocked: &mut Unlocked, new: bool) -> Result<(RecoveryCode, Option<NewCode>)> {
    let (header, key) = (
        unlocked.vault.header().clone(),
        unlocked.master_key().clone(),
    );
    let mut ways = unlocked.ways()?;
    match ways.code(&header, &key) {
        Some(code) if !new => return Ok((code, None)),
        None if !new && ways.code.is_some() => {
            return Err(Problem::refused(
                "The vault was made anew, and does not know the letters of its code any more.",
                "The paper opens it as before. To have another code in its place: stayput code \
                 --new",
            ));
        }
        _ => {}
    }
    let before = ways.code.clone();
    let code = ways.make_code(&header, &key);
    let is_first = before.is_none();
    let new = NewCode {
        before,
        new: ways.code,
    };
    match is_first {
        true => {
            new.put_in_force(unlocked)?;
            Ok((code, None))
        }
        false => Ok((code, Some(new))),
    }
}

/// A new code takes the place of the old one in the vault alone. Whoever has found the
/// old one opens with it what a copy of the ways in has for it.
fn refuse_a_lost_paper(is_safe: bool) -> Result<()> {
    match is_safe {
        true => Ok(()),
        false => Err(Problem::refused(
            "Another code does not end the one on a paper that is lost: with a stick, a backup or a \
             copy of the disk of before it still opens this server. Nothing was changed.",
            "Replace the master key: stayput rekey --without-code. Then make another code: stayput \
             code",
        )),
    }
}

/// On a disk the code would undo what it is for. A pipe, to a printer for one, is the
/// owner's own.
fn refuse_a_file(is_to_file: bool) -> Result<()> {
    match is_to_file {
        false => Ok(()),
        true => Err(Problem::refused(
            "The code is as good as the key, and would stand in a file. Nothing was shown.",
            "Run the command in a terminal, and write the code on paper; or print it: \
             stayput code | lpr",
        )),
    }
}

/// Where nobody writes it down, as in a job of cron or of a service, the output goes into a
/// log, and with it the key.
fn refuse_nobody(is_somebody_there: bool) -> Result<()> {
    match is_somebody_there {
        true => Ok(()),
        false => Err(Problem::new(
            Exit::Usage,
            "Nobody is here to write the code down. Nothing was shown.",
            "Run the command in a terminal: it asks for two groups of what you wrote.",
        )),
    }
}

fn show(letters: &[u8; CODE_GROUPS * GROUP_LETTERS], header: &Header) {
    let text = str::from_utf8(letters).expect("a code is of letters");
    println!(
        "This is the recovery code. It is as good as the key: whoever has it and this server, its \
         disk or a\nbackup of it, reads the data. Where the paper is lost: stayput rekey \
         --without-code.\n"
    );
    output::print_codes(&qr::drawn(text, stdout().is_terminal()));
    print!("\n{}\n", &*in_groups(text));
    println!(
        "Write the server's name and id beside it; they are no secrets. Where its disk is lost, the \
         code\nneeds them, and any stick of this server, or a copy of {WAYS_COPY}:\n\n  \
         {}\n  {}\n",
        header.server_name, header.server_id
    );
    output::flush();
}

/// Three lines of three groups, each with its number.
fn in_groups(letters: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for (at, letter) in letters.char_indices() {
        if at % GROUP_LETTERS == 0 {
            let group = at / GROUP_LETTERS + 1;
            let between = if group % 3 == 1 { "\n " } else { "   " };
            text.push_str(&format!("{between} {group}: "));
        }
        text.push(letter);
    }
    text.push('\n');
    text
}

/// On a terminal, its scrolled-back lines too.
fn clear_screen() {
    if stdout().is_terminal() {
        output::print_codes("\x1b[H\x1b[2J\x1b[3J");
    }
}

/// Different ones, each as likely as the other but for one in a few hundred.
fn to_type_back() -> Vec<usize> {
    let mut groups: Vec<usize> = (1..=CODE_GROUPS).collect();
    let drawn: [u8; TYPED_BACK] = random_bytes();
    let drawn = drawn.into_iter().map(usize::from);
    drawn
        .map(|random| groups.remove(random % groups.len()))
        .collect()
}

fn is_group(letters: &[u8], group: usize, typed: &str) -> bool {
    let start = (group - 1) * GROUP_LETTERS;
    let group = &letters[start..start + GROUP_LETTERS];
    typed.trim().as_bytes().eq_ignore_ascii_case(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: &str =
        "ccccccccbbbbbbbbddddddddeeeeeeeeffffffffgggggggghhhhhhhhiiiiiiiijjjjjjjj";

    #[test]
    fn a_job_that_nobody_watches_gets_no_key_into_its_log() {
        let refused = refuse_nobody(false).unwrap_err();
        assert!(refused.what.contains("Nothing was shown"), "{refused}");
        assert!(refuse_nobody(true).is_ok());
    }

    #[test]
    fn a_paper_that_is_lost_wants_another_key_and_not_another_code() {
        assert!(refuse_a_lost_paper(true).is_ok());
        let refused = refuse_a_lost_paper(false).unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.next.contains("rekey --without-code"), "{refused}");
    }

    #[test]
    fn the_groups_stand_beside_their_numbers() {
        let text = in_groups(LETTERS);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "  1: cccccccc    2: bbbbbbbb    3: dddddddd");
        assert!(lines[2].ends_with("9: jjjjjjjj"));
    }

    #[test]
    fn only_the_group_that_was_asked_for_is_taken() {
        assert!(is_group(LETTERS.as_bytes(), 1, "cccccccc"));
        assert!(is_group(LETTERS.as_bytes(), 9, " JJJJJJJJ "));
        for wrong in ["", "c", "bbbbbbbb", "cccccccccc"] {
            assert!(!is_group(LETTERS.as_bytes(), 1, wrong), "{wrong:?}");
        }
        for _ in 0..200 {
            let groups = to_type_back();
            assert!(groups.len() == 2 && groups[0] != groups[1], "{groups:?}");
            assert!(groups.iter().all(|group| (1..=9).contains(group)));
        }
    }
}
