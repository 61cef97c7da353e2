//! How systemd and the shell expand a command, compared with [`expand`].

use std::process::Command as Program;

use proptest::prelude::*;

use super::*;

/// Debian 12's (10.11.19) and Debian 13's (11.8.9) alike.
const DEBIAN: &str = "set -f; [ ! -e /usr/bin/galera_recovery ] && VAR= ||   \
    VAR=`/usr/bin/galera_recovery`; [ $? -eq 0 ] || exit 1;   \
    exec /usr/sbin/mariadbd $MYSQLD_OPTS $_WSREP_NEW_CLUSTER $VAR";

fn command(argv: &[&str]) -> Command {
    Command {
        path: argv[0].into(),
        argv: argv.iter().map(|&word| word.into()).collect(),
        flags: Vec::new(),
    }
}

fn environment(assignments: &[&str]) -> Environment {
    let mut environment = Environment::default();
    environment.extend(assignments.iter().copied());
    environment
}

fn expanded(argv: &[&str], assignments: &[&str]) -> Result<Vec<String>, UnclearCommand> {
    expand(&command(argv), &environment(assignments))
}

fn shell(script: &str) -> Result<Vec<String>, UnclearCommand> {
    expanded(&["/bin/sh", "-c", script], &["MYSQLD_OPTS=--port=3307 --b"])
}

#[test]
fn the_packages_own_commands_are_understood() {
    assert_eq!(shell(DEBIAN).unwrap(), ["--port=3307", "--b"]);
    let instance = [
        "/usr/sbin/mariadbd",
        "$MYSQLD_MULTI_INSTANCE",
        "$MYSQLD_OPTS",
    ];
    let suffix = ["MYSQLD_MULTI_INSTANCE=--defaults-group-suffix=.a --basedir=/usr"];
    assert_eq!(
        expanded(&instance, &suffix).unwrap(),
        ["--defaults-group-suffix=.a", "--basedir=/usr"]
    );
    // Earlier releases of Debian 12.
    let earlier = [
        "/usr/sbin/mariadbd",
        "$MYSQLD_OPTS",
        "$_WSREP_NEW_CLUSTER",
        "$_WSREP_START_POSITION",
    ];
    assert_eq!(expanded(&earlier, &[]).unwrap(), [""; 0]);
}

#[test]
fn an_owners_words_are_seen_as_mariadbd_sees_them() {
    let given = [
        "/usr/sbin/mysqld",
        "--defaults-file=/srv/my.cnf",
        "--init-connect=SET NAMES utf8",
        "--datadir=${PLACE}/x$$y",
        "$MYSQLD_OPTS",
    ];
    assert_eq!(
        expanded(&given, &["PLACE=/srv/a b"]).unwrap(),
        [
            "--defaults-file=/srv/my.cnf",
            "--init-connect=SET NAMES utf8",
            "--datadir=/srv/a b/x$y",
        ]
    );
    let by_shell = "exec /usr/sbin/mariadbd --datadir=/srv/x $MYSQLD_OPTS";
    assert_eq!(
        shell(by_shell).unwrap(),
        ["--datadir=/srv/x", "--port=3307", "--b"]
    );
}

#[test]
fn what_is_not_mariadbd_alone_is_not_understood() {
    let program = |argv: &[&str]| matches!(expanded(argv, &[]), Err(UnclearCommand::Program(_)));
    for argv in [
        &["/usr/bin/mysqld_safe"][..],
        &["/usr/bin/numactl", "--interleave=all", "/usr/sbin/mariadbd"],
        &["/usr/local/bin/mariadbd"],
        &["/bin/bash", "-c", DEBIAN],
        &["/bin/sh", "-e", "-c", DEBIAN],
        &["/bin/sh", "/usr/local/bin/start"],
    ] {
        assert!(program(argv), "{argv:?}");
    }
    let mut renamed = command(&["/usr/sbin/mariadbd"]);
    renamed.argv[0] = "x".into();
    assert!(expand(&renamed, &Environment::default()).is_err());
}

#[test]
fn a_shell_that_does_more_is_not_understood() {
    for script in [
        "/usr/sbin/mariadbd",
        "exec /usr/sbin/mysqld_safe",
        "exec /usr/sbin/mariadbd & exec /usr/sbin/mariadbd --datadir=/x",
        "exec /usr/sbin/mariadbd `cat /x`",
        "exec /usr/sbin/mariadbd $(cat /x)",
        "exec /usr/sbin/mariadbd --x='a b'",
        "exec /usr/sbin/mariadbd \"$MYSQLD_OPTS\"",
        "exec /usr/sbin/mariadbd ${MYSQLD_OPTS}",
        "exec /usr/sbin/mariadbd $$",
        "exec /usr/sbin/mariadbd $1",
        "exec /usr/sbin/mariadbd *",
        "exec /usr/sbin/mariadbd ~/x",
        "exec /usr/sbin/mariadbd #x",
        "exec /usr/sbin/mariadbd {a,b}",
        "MYSQLD_OPTS=x exec /usr/sbin/mariadbd",
        "cd /x; exec /usr/sbin/mariadbd",
        "exec /usr/sbin/mariadbd --a\nexec /usr/sbin/mariadbd",
    ] {
        assert_eq!(shell(script), Err(UnclearCommand::Script), "{script}");
    }
    // Without MariaDB's own beginning VAR is a variable like others.
    let given = ["/bin/sh", "-c", "exec /usr/sbin/mariadbd $VAR"];
    assert_eq!(expanded(&given, &["VAR=--a"]).unwrap(), ["--a"]);
}

#[test]
fn values_that_could_mean_two_things_are_not_understood() {
    for value in [
        "'a b'", "\"a\"", "a\\ b", "$HOME", "`x`", "a;b", "*", "~", "a\rb", "a\u{b}b",
    ] {
        let assignment = format!("MYSQLD_OPTS={value}");
        for argv in [
            &["/usr/sbin/mariadbd", "$MYSQLD_OPTS"][..],
            &["/bin/sh", "-c", DEBIAN],
        ] {
            assert_eq!(
                expanded(argv, &[&assignment]),
                Err(UnclearCommand::Variable("MYSQLD_OPTS".into())),
                "{value:?}"
            );
        }
    }
    for word in ["$", "a$b", "${", "${A", "${A-b}", "${A:+b}", "$1", "$A-b"] {
        let given = expanded(&["/usr/sbin/mariadbd", word], &[]);
        assert_eq!(given, Err(UnclearCommand::Dollar(word.into())));
    }
}

#[test]
fn signs_before_the_command_count() {
    let with = |flags: &[&str]| {
        let mut command = command(&["/usr/sbin/mariadbd", "$A"]);
        command.flags = flags.iter().map(|&flag| flag.into()).collect();
        expand(&command, &environment(&["A=b c"]))
    };
    assert_eq!(with(&["ignore-failure"]).unwrap(), ["b", "c"]);
    assert_eq!(with(&["no-env-expand"]).unwrap(), ["$A"]);
    for flags in [
        &["privileged"][..],
        &["no-setuid"],
        &["ambient"],
        &["via-shell"],
        &["no-env-expand", "ambient"],
    ] {
        assert!(
            matches!(with(flags), Err(UnclearCommand::Flag(_))),
            "{flags:?}"
        );
    }
}

/// systemd's rules once more, as its manual tells them, with the quotes that
/// are refused here.
fn as_systemd(words: &[String], value: impl Fn(&str) -> String) -> Vec<String> {
    let mut all = Vec::new();
    for word in words {
        let rest: Vec<char> = word.chars().collect();
        if rest.first() == Some(&'$') && !matches!(rest.get(1), Some('{' | '$')) {
            all.extend(unquoted(&value(&word[1..])));
            continue;
        }
        let (mut text, mut at) = (String::new(), 0);
        while let Some(&c) = rest.get(at) {
            let end = rest[at..].iter().position(|&c| c == '}');
            match (c, rest.get(at + 1), end) {
                ('$', Some('$'), _) => {
                    text.push('$');
                    at += 2;
                }
                ('$', Some('{'), Some(end)) => {
                    let name: String = rest[at + 2..at + end].iter().collect();
                    text += &value(&name);
                    at += end + 1;
                }
                _ => {
                    text.push(c);
                    at += 1;
                }
            }
        }
        all.push(text);
    }
    all
}

fn unquoted(value: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(end), c) if c == end => quote = None,
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What a real shell hands to the program.
fn as_shell(script: &str, value: &str) -> Vec<String> {
    let script = script.replace("exec /usr/sbin/mariadbd", "printf '%s\\0' first");
    let output = Program::new("/bin/sh")
        .args(["-c", &script])
        .env_clear()
        .env("A", value)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.split_terminator('\0').skip(1);
    words.map(str::to_owned).collect()
}

const VALUE: &str = "([a-z=/ -]|[\\t\\n\\r'\"$*?~;&#%{}()!]|\\\\|\u{a0}|\u{2003}){0,12}";
const WORD: &str = "(--[a-c]=|[a-z/]|\\$A|\\$\\{A\\}|\\$\\$|\\$|[{}'\" *~-]){0,6}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn systemd_never_runs_other_words(given in proptest::collection::vec(WORD, 0..4), value in VALUE) {
        let mut argv = vec!["/usr/sbin/mariadbd"];
        argv.extend(given.iter().map(String::as_str));
        if let Ok(words) = expand(&command(&argv), &environment(&[&format!("A={value}")])) {
            let of = |name: &str| if name == "A" { value.clone() } else { String::new() };
            prop_assert_eq!(words, as_systemd(&given, of));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_shell_never_runs_other_words(given in "( {1,2}(--[a-c]=|[a-z/.,:@%+]|\\$A|[*~#'\"{};]){0,5}){0,3}", value in VALUE) {
        let script = format!("exec /usr/sbin/mariadbd{given}");
        let argv = ["/bin/sh", "-c", &script];
        if let Ok(words) = expand(&command(&argv), &environment(&[&format!("A={value}")])) {
            prop_assert_eq!(words, as_shell(&script, &value));
        }
    }
}
