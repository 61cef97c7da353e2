//! Which backup is restored.

use core::fmt;

/// Why no backup is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There is no whole one.
    None,
    /// None has this number.
    NoSuch(u64),
    /// The newest that is there is older than the newest that this server has made: somebody
    /// may show an old one again.
    Older {
        /// The newest that is there.
        here: u64,
        /// The newest that was made.
        made: u64,
    },
    /// All that is there was made before the master key was replaced. Whoever has what was
    /// lost then can make such ones too.
    Earlier {
        /// The newest that is there.
        here: u64,
    },
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("There is no whole backup of this server."),
            Self::NoSuch(number) => write!(f, "There is no whole backup {number} of this server."),
            Self::Older { here, made } => write!(
                f,
                "The newest backup here is number {here}, and this server has made number {made}."
            ),
            Self::Earlier { here } => write!(
                f,
                "The newest backup here, number {here}, was made before the master key was \
                 replaced."
            ),
        }
    }
}

/// The number of the backup to restore: the one that was asked for, or the newest of `whole`.
/// `earlier` ones, of before the master key was replaced, have to be asked for.
/// `newest_made` is the number of the newest that this server remembers.
///
/// # Errors
/// [`NoChoice`].
pub fn choose(
    whole: &[u64],
    earlier: &[u64],
    wanted: Option<u64>,
    newest_made: u64,
) -> Result<u64, NoChoice> {
    match wanted {
        Some(number) if whole.contains(&number) || earlier.contains(&number) => Ok(number),
        Some(number) => Err(NoChoice::NoSuch(number)),
        None => match whole.iter().max().copied() {
            None => Err(match earlier.iter().max().copied() {
                None => NoChoice::None,
                Some(here) => NoChoice::Earlier { here },
            }),
            Some(here) if here < newest_made => Err(NoChoice::Older {
                here,
                made: newest_made,
            }),
            Some(here) => Ok(here),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_backup_is_restored_only_by_its_number() {
        let choose = |wanted, newest_made| choose(&[3, 5, 4], &[], wanted, newest_made);
        assert_eq!(choose(None, 5), Ok(5));
        // A server that was made anew remembers none.
        assert_eq!(choose(None, 0), Ok(5));
        let older = NoChoice::Older { here: 5, made: 9 };
        assert_eq!(choose(None, 9), Err(older));
        assert_eq!(choose(Some(5), 9), Ok(5));
        assert_eq!(choose(Some(9), 9), Err(NoChoice::NoSuch(9)));
    }

    #[test]
    fn backup_of_an_earlier_key_is_restored_only_by_its_number() {
        // The highest number may be that of whoever has the lost stick.
        assert_eq!(choose(&[3], &[2, 999], None, 3), Ok(3));
        let earlier = NoChoice::Earlier { here: 999 };
        assert_eq!(choose(&[], &[2, 999], None, 3), Err(earlier));
        assert_eq!(choose(&[], &[2, 999], Some(2), 3), Ok(2));
        assert_eq!(choose(&[], &[], None, 0), Err(NoChoice::None));
    }
}
