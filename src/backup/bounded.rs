//! Lists that are read from a disk, of a length that is known beforehand.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of `MAX` members at most.
///
/// # Errors
/// What the format says; also for a longer list.
pub fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Vec<T>, A::Error> {
        // What a length claims is no reason to take memory.
        let mut list = Vec::new();
        while let Some(member) = members.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::custom("too many members"));
            }
            list.push(member);
        }
        Ok(list)
    }
}
