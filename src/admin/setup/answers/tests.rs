use super::*;

const WHOLE: &str = "# A clinic.\n\
    name = clinic\n\
    vault = /boot/efi/stayput.vault\n\
    key-server = http://192.168.1.5:7500\n\
    thumbprint = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ\n\
    neighbour = 192.168.1.1\n\
    neighbour=192.168.1.2\n\
    \n\
    stick = /dev/sdb1\n\
    stick-label = office\n\
    stick-pin = /root/pin\n\
    stick-kept = bank safe\n\
    on-strikes = reset\n\
    database = encrypt\n\
    swap = zram\n";

fn parse(text: &str) -> Result<Answers> {
    Answers::parse(text, Path::new("answers"))
}

fn refused(text: &str) -> String {
    let problem = parse(text).unwrap_err();
    assert_eq!(problem.exit, Exit::Usage, "{text}");
    format!("{problem}")
}

#[test]
fn whole_file_says_everything() {
    let answers = parse(WHOLE).unwrap();
    assert_eq!(answers.name.as_deref(), Some("clinic"));
    let two = ["192.168.1.1", "192.168.1.2"].map(|ip| ip.parse().unwrap());
    assert_eq!(answers.neighbours, Neighbours::Named(two.into()));
    assert_eq!(answers.key_servers.len(), 1);
    let stick = answers.stick.unwrap();
    assert_eq!(stick.pin, PinFrom::File("/root/pin".into()));
    assert_eq!(stick.kept.as_deref(), Some("bank safe"));
    assert_eq!(answers.on_strikes, Some(OnStrikes::Reset));
    assert!(!answers.code, "nobody is there to write it down");
    assert_eq!(parse("").unwrap(), Answers::default());
}

#[test]
fn every_key_is_in_the_example_of_the_docs() {
    let docs = include_str!("../../../../docs/setup.md");
    for key in KEYS {
        assert!(
            docs.contains(&format!("\n    {key} = "))
                || docs.contains(&format!("\n    # {key} = ")),
            "{key}"
        );
    }
    let example: String = docs
        .lines()
        .skip_while(|line| !line.starts_with("    name = "))
        .map_while(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(parse(&example).is_ok(), "{example}");
}

#[test]
fn each_wrong_line_is_named_by_its_number() {
    for (text, number, why) in [
        ("name = clinic\nnam = x\n", 2, "not known"),
        ("\n# x\nname clinic\n", 3, "equals sign"),
        ("name = a\nname = b\n", 2, "twice"),
        ("name =\n", 1, "no value"),
        ("vault = stayput.vault\n", 1, "begins with /"),
        ("neighbour = 2001:db8::1\n", 1, "link-local"),
        ("neighbours = some\n", 1, "found or none"),
        ("neighbours = none\n", 1, "open anywhere"),
        ("key-server = http://192.168.1.5\n", 1, "as many lines"),
        ("key-server = x\nthumbprint = short\n", 2, "43 letters"),
        ("stick-label = office\n", 1, "no stick"),
        (
            "stick = /dev/sdb1\nstick-label = office\n",
            1,
            "stick-pin is missing",
        ),
        ("on-strikes = explode\n", 1, "halt or reset"),
        ("database = no\n", 1, "encrypt or leave"),
        ("swap = yes\n", 1, "zram"),
    ] {
        let said = refused(text);
        assert!(said.contains(&format!("line {number}: ")), "{text}: {said}");
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn reset_needs_to_know_where_the_stick_is_kept() {
    let text = WHOLE.replace("stick-kept = bank safe\n", "");
    assert!(refused(&text).contains("line 12: reset needs stick-kept"));
}

#[test]
fn pin_in_the_file_is_refused_and_not_repeated() {
    for text in [
        "pin = otter 4417\n",
        "otter 4417 = pin\n",
        "stick = /dev/sdb1\nstick-label = office\nstick-pin = otter 4417\n",
        "otter 4417\n",
    ] {
        let said = refused(text);
        assert!(!said.contains("4417"), "{said}");
    }
}

const THUMBPRINT: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

#[test]
fn key_servers_that_no_place_can_have_are_named_by_their_lines() {
    let both = |url: &str| format!("key-server = {url}\nthumbprint = {THUMBPRINT}\n");
    let nine: String = (1..=9)
        .map(|n| both(&format!("http://10.0.0.{n}")))
        .collect();
    let twice = both("http://10.0.0.1") + &both("http://10.0.0.1:80/");
    for (text, line, why) in [
        (both("https://10.0.0.1"), 1, "http://ADDRESS:PORT"),
        (twice, 3, "named twice"),
        (nine, 17, "8 key servers at most"),
    ] {
        let told = refused(&text);
        assert!(told.contains(&format!("line {line}: ")), "{told}");
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn a_mark_in_front_of_the_text_is_no_part_of_it() {
    let marked = format!("\u{feff}{WHOLE}");
    assert_eq!(parse(&marked).unwrap(), parse(WHOLE).unwrap());
}
