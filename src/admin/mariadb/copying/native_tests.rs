//! The copy against a real MariaDB, as root inside a Debian that has one. Not
//! part of `cargo test`; the test binary is run in the container by itself:
//!
//! ```sh
//! COPY_OF=/var/lib/mysql COPY_INTO=/var/lib/copy stayput-... --ignored --nocapture native
//! COPY_OF=/run/mysqld/mysqld.sock ...
//! ```

use super::servers::directory;
use super::*;
use std::env;
use std::os::unix::fs::chown;

#[test]
#[ignore = "needs a Debian with MariaDB, and root"]
fn native_copy_is_the_same() {
    let of = PathBuf::from(env::var_os("COPY_OF").expect("COPY_OF"));
    let into = PathBuf::from(env::var_os("COPY_INTO").expect("COPY_INTO"));
    let words: Vec<String> = env::var("COPY_WORDS")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let user = ServiceUser::find().unwrap();
    let key_file = into.join("keys");
    for name in ["data", "scratch"] {
        assert!(!into.join(name).exists(), "COPY_INTO holds something");
        directory(&user, &into.join(name)).unwrap();
    }
    let digits = "0123456789abcdef".repeat(4);
    fs::write(&key_file, format!("1;{digits}\n2;{digits}\n")).unwrap();
    chown(&key_file, Some(user.uid), Some(user.gid)).unwrap();
    let target = Target {
        data: &into.join("data"),
        scratch: &into.join("scratch"),
        key_file: &key_file,
    };
    let mut say = |line: &str| println!("{line}");
    let running = of.is_file() || of.extension().is_some_and(|end| end == "sock");
    let copied = if running {
        let client = Client::of_the_unit(&of).unwrap();
        for obstacle in obstacles(&client).unwrap() {
            println!("OBSTACLE {}\n         {}", obstacle.what, obstacle.mend);
        }
        encrypted_copy(&user, &words, &Source::Running(&client), &target, &mut say)
    } else {
        encrypted_copy(
            &user,
            &words,
            &Source::Stopped { data: &of },
            &target,
            &mut say,
        )
    };
    match copied {
        Ok(copied) => {
            for leftover in &copied.leftovers {
                println!("LEFT {}\n     {}", leftover.what, leftover.mend);
            }
            println!("NOT COMPARED {:?}", copied.not_compared);
            println!("SOUND {} bytes, {:?}", copied.bytes, copied.took);
        }
        Err(problem) => {
            println!("REFUSED {problem}");
            panic!("no copy");
        }
    }
}
