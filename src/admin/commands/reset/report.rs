//! What a reset says afterwards.

use std::time::Duration;

use crate::admin::key_destruction::KeysDestroyed;
use crate::stick::Wiped;
use crate::vault::{Destroyed, Discarded, Written};

/// What was destroyed, what was not, and what nobody can know.
pub fn report(done: &KeysDestroyed) -> String {
    let mut text = match done.destroyed {
        Ok(destroyed) => report_disk(destroyed, done.verified),
        Err(_) => String::new(),
    };
    text += &report_sticks(&done.wiped);
    if let Err(error) = &done.doubted {
        text += &format!(
            "The list may still count a wiped stick as verified: {error}\n\
             Before you rely on a stick: stayput stick verify\n"
        );
    }
    if let Err(error) = &done.noted {
        text += &format!("The vault's log was not written: {error}\n");
    }
    text
}

fn report_disk(destroyed: Destroyed, verified: Option<Duration>) -> String {
    let mut text = String::new();
    if let Some(after) = verified {
        text += &format!(
            "The pepper was overwritten and read back after {} ms.\n",
            after.as_millis()
        );
    }
    if destroyed.failed > 0 {
        text += &format!(
            "NOT DESTROYED: {} blocks of the disk did not take it. Destroy the disk.\n",
            destroyed.failed
        );
    } else {
        text += "Pepper and slots are destroyed.\n";
    }
    match destroyed.state {
        Ok(Written::Twice) => {}
        Ok(Written::Once) => text += "The disk begins to fail: that it was reset stands once.\n",
        Err(error) => text += &format!("The vault does not say that it was reset: {error}\n"),
    }
    text += match destroyed.discarded {
        Discarded::Securely => "The disk says that it has erased every copy of the pepper.\n",
        Discarded::Plainly => {
            "The disk was told to forget the pepper. Flash memory may still hold a copy that\n\
             only its maker can read.\n"
        }
        Discarded::No => {
            "The disk cannot be told to forget. A magnetic disk holds nothing of it any more;\n\
             flash memory (SSD, SD card) may still hold a copy.\n"
        }
    };
    text
}

/// What became of the sticks, also where the disk took nothing.
fn report_sticks(wiped: &Wiped) -> String {
    let mut text = String::new();
    if wiped.wiped > 0 {
        text += &format!("Keys on plugged sticks destroyed: {}.\n", wiped.wiped);
    }
    if wiped.left > 0 {
        text += &format!(
            "NOT DESTROYED: the keys on {} plugged sticks.\n",
            wiped.left
        );
    }
    for device in &wiped.unwiped {
        let device_name = device.display();
        text += &match wiped.swapped.contains(device) {
            false => format!(
                "NOT WIPED: {device_name} takes no writes, or does not answer, or the server's \
                 disk could not\nnote the reset. Destroy it, or keep it safe.\n"
            ),
            true => format!(
                "NOT WIPED: {device_name} is another stick by now, and nothing was changed on it. \
                 The one that\nwas there still opens this server: destroy it, or keep it safe.\n"
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failed: u32, discarded: Discarded, wiped: Wiped) -> String {
        let destroyed = Destroyed {
            failed,
            discarded,
            state: Ok(Written::Twice),
            is_gone: failed == 0,
        };
        report(&KeysDestroyed {
            destroyed: Ok(destroyed),
            verified: Some(Duration::from_millis(87)),
            wiped,
            doubted: Ok(()),
            noted: Ok(()),
        })
    }

    #[test]
    fn a_reset_says_what_it_could_not_destroy() {
        let all = text(0, Discarded::Securely, Wiped::default());
        assert!(all.contains("after 87 ms") && !all.contains("NOT"), "{all}");
        assert!(!all.contains("may still hold"), "{all}");
        let wiped = Wiped {
            wiped: 1,
            left: 2,
            unwiped: vec!["/dev/sdb1".into(), "/dev/sdc1".into()],
            swapped: vec!["/dev/sdb1".into()],
        };
        let part = text(3, Discarded::No, wiped);
        assert!(part.contains("NOT DESTROYED: 3 blocks"), "{part}");
        assert!(part.contains("NOT DESTROYED: the keys on 2"), "{part}");
        assert!(
            part.contains("NOT WIPED: /dev/sdc1 takes no writes"),
            "{part}"
        );
        let swapped = "NOT WIPED: /dev/sdb1 is another stick by now, and nothing was changed";
        assert!(part.contains(swapped), "{part}");
        assert!(
            part.contains("flash memory (SSD, SD card) may still"),
            "{part}"
        );
    }
}
