//! Which observed values each enrolled factor may have. Factors of one kind are a set:
//! a part may sit in another slot than before, a neighbour have another address.

use crate::environment::factors::{Observed, is_asked, is_unknown_key};
use crate::vault::{EnvironmentSlot, Label, Value, has_member, is_key_server, kind_of};

/// A value, and the revision at which it was first heard.
type Heard<'a> = (&'a Value, u32);

/// A factor with one of the values that it may have.
pub type Member<'a> = (&'a Label, &'a Value);

/// The observed values by the factors of one place.
pub struct Candidates<'a> {
    slot: &'a EnvironmentSlot,
    /// For each factor its values in the arrangement that was enrolled: what answers
    /// at its own address, or has its rank among the parts of its kind.
    enrolled: Vec<Vec<Heard<'a>>>,
    /// All different values of each kind.
    pools: Vec<Pool<'a>>,
}

/// What was observed of one kind.
struct Pool<'a> {
    kind: &'a str,
    /// In the order of the bytes, without repetitions. What may be gone at the next
    /// boot, and so is not enrolled, comes last.
    values: Vec<&'a Value>,
    /// How many of them may have been enrolled.
    lasting: usize,
    /// The newest revision among them.
    newest: u32,
}

impl<'a> Pool<'a> {
    fn of(kind: &'a str, slot: &'a EnvironmentSlot, observed: &'a Observed) -> Self {
        let labels = slot.factors.iter().map(|factor| &factor.label);
        let mut labels: Vec<&Label> = labels.filter(|label| kind_of(label) == kind).collect();
        if labels.iter().any(|label| !is_asked(label)) {
            // Where a part is plugged in does not count.
            let parts = observed.iter().map(|(label, _)| label);
            labels = parts.filter(|label| kind_of(label) == kind).collect();
        }
        let lasts = |label: &Label| observed.attachment(label).is_enrolled();
        labels.sort_by_key(|label| !lasts(label));
        let (mut values, mut lasting, mut newest) = (Vec::new(), 0, 0);
        for label in labels {
            for (value, revision) in observed.values_and_revisions(label) {
                newest = newest.max(revision);
                if !values.contains(&value) {
                    values.push(value);
                    lasting += usize::from(lasts(label));
                }
            }
        }
        values[..lasting].sort_unstable();
        values[lasting..].sort_unstable();
        Self {
            kind,
            values,
            lasting,
            newest,
        }
    }
}

impl<'a> Candidates<'a> {
    /// What was observed of the factors of `slot`.
    pub fn of(slot: &'a EnvironmentSlot, observed: &'a Observed) -> Self {
        let mut pools: Vec<Pool<'a>> = Vec::new();
        let mut enrolled = Vec::with_capacity(slot.factors.len());
        for (at, factor) in slot.factors.iter().enumerate() {
            let kind = kind_of(&factor.label);
            if pools.iter().all(|pool| pool.kind != kind) {
                pools.push(Pool::of(kind, slot, observed));
            }
            let pool = pools.iter().find(|pool| pool.kind == kind);
            enrolled.push(match is_asked(&factor.label) {
                true => observed.values_and_revisions(&factor.label).collect(),
                false => {
                    let before = slot.factors[..at].iter();
                    let rank = before.filter(|other| kind_of(&other.label) == kind).count();
                    let value = pool.and_then(|pool| {
                        let lasting = &pool.values[..pool.lasting];
                        Some((*lasting.get(rank)?, pool.newest))
                    });
                    value.into_iter().collect()
                }
            });
        }
        Self {
            slot,
            enrolled,
            pools,
        }
    }

    /// The newest revision among all values.
    pub fn newest(&self) -> u32 {
        let newest = self.pools.iter().map(|pool| pool.newest);
        newest.max().unwrap_or(0)
    }

    /// Whether factor `at` has answered, right or wrong. Where key servers alone bind
    /// a server to its place, one that does not know the key is silent: a proxy or a
    /// loss of keys must not look like a foreign place.
    pub fn has_answered(&self, at: usize) -> bool {
        let alone = self.slot.need.neighbours == 0;
        let is_server = is_key_server(&self.slot.factors[at].label);
        let mut values = self.enrolled[at].iter();
        values.any(|(value, _)| !(alone && is_server && is_unknown_key(value)))
    }

    /// The newest value of factor `at` in the enrolled arrangement.
    pub fn value(&self, at: usize) -> Option<&'a Value> {
        self.enrolled[at].last().map(|(value, _)| *value)
    }

    /// All values of the kind of factor `at`, in the order of the bytes.
    pub fn of_the_kind(&self, at: usize) -> &[&'a Value] {
        let kind = kind_of(&self.slot.factors[at].label);
        let pool = self.pools.iter().find(|pool| pool.kind == kind);
        pool.map_or(&[], |pool| &pool.values)
    }

    /// As [`Candidates::of_the_kind`], without what may be gone at the next boot.
    pub fn lasting_of_the_kind(&self, at: usize) -> &[&'a Value] {
        let kind = kind_of(&self.slot.factors[at].label);
        let pool = self.pools.iter().find(|pool| pool.kind == kind);
        pool.map_or(&[], |pool| &pool.values[..pool.lasting])
    }

    /// Factor `at` with this value; `None` where it was not observed.
    pub fn member_with(&self, at: usize, value: &Value) -> Option<Member<'a>> {
        let mut values = self.of_the_kind(at).iter();
        let value = values.find(|observed| **observed == value)?;
        Some((&self.slot.factors[at].label, *value))
    }

    /// The factors in `members`, by their numbers.
    pub fn members(&self, members: u32) -> impl Iterator<Item = usize> + use<> {
        (0..self.slot.factors.len()).filter(move |at| has_member(members, *at))
    }

    /// The newest revision among the values of `members` in the enrolled arrangement;
    /// `None` while one has none.
    pub fn newest_of(&self, members: u32) -> Option<u32> {
        self.members(members).try_fold(0, |newest: u32, at| {
            let (_, revision) = self.enrolled[at].last()?;
            Some(newest.max(*revision))
        })
    }

    /// The way with this number to give `members` values that they have in the enrolled
    /// arrangement and that were heard up to the revision `heard`, with the newest
    /// revision among them; `None` where there are not so many. The newest values come
    /// first.
    pub fn as_enrolled(
        &self,
        members: u32,
        heard: u32,
        mut number: usize,
    ) -> Option<(Vec<Member<'a>>, u32)> {
        let (mut found, mut newest) = (Vec::new(), 0);
        for at in self.members(members) {
            let values = self.enrolled[at].iter().rev();
            let values = values.filter(|(_, revision)| *revision <= heard);
            let choices = values.clone().count();
            let (value, revision) = values.clone().nth(number.checked_rem(choices)?)?;
            number /= choices;
            newest = newest.max(*revision);
            found.push((&self.slot.factors[at].label, *value));
        }
        (number == 0).then_some((found, newest))
    }

    /// The way with this number to give `members` any values of their kinds; `None`
    /// where there are not so many. Of one kind each set of values comes once: which
    /// member has which does not count. Key servers keep their own. Where values have
    /// been added in front of the enrolled ones, those ways come first in which few
    /// of the first ones are left out.
    pub fn rearranged(&self, members: u32, number: u64) -> Option<Vec<Member<'a>>> {
        let mut found = Vec::new();
        let (own, sets): (Vec<usize>, Vec<usize>) = self
            .members(members)
            .partition(|at| is_key_server(&self.slot.factors[*at].label));
        for at in own {
            found.push((&self.slot.factors[at].label, self.value(at)?));
        }
        let members_of = |pool: &Pool<'_>| -> Vec<usize> {
            let is_of_it = |at: &&usize| kind_of(&self.slot.factors[**at].label) == pool.kind;
            sets.iter().filter(is_of_it).copied().collect()
        };
        let pools: Vec<(Vec<usize>, &Pool<'_>)> = self
            .pools
            .iter()
            .map(|pool| (members_of(pool), pool))
            .collect();
        let ways = pools.iter();
        let ways = ways.map(|(of_it, pool)| binomial(pool.values.len(), of_it.len()));
        let subsets = nth_in_order_of_sum(&ways.collect::<Vec<u64>>(), number)?;
        for ((of_it, pool), number) in pools.into_iter().zip(subsets) {
            let chosen = subset(of_it.len(), number);
            for (at, value) in of_it.into_iter().zip(chosen) {
                found.push((&self.slot.factors[at].label, pool.values[value]));
            }
        }
        Some(found)
    }
}

/// Binomial coefficient, saturating; 0 where `k` is larger than `n`.
fn binomial(n: usize, k: usize) -> u64 {
    if k > n {
        return 0;
    }
    let k = k.min(n - k) as u64;
    (0..k).fold(1, |product: u64, i| {
        match product.checked_mul(n as u64 - i) {
            Some(product) => product / (i + 1),
            None => u64::MAX,
        }
    })
}

/// The set of `k` numbers with this number, in ascending order. All sets of smaller
/// numbers come before one that holds a larger number (colexicographic order).
fn subset(k: usize, mut number: u64) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(k);
    for left in (1..=k).rev() {
        let mut largest = left - 1;
        while binomial(largest + 1, left) <= number {
            largest += 1;
        }
        number -= binomial(largest, left);
        chosen.insert(0, largest);
    }
    chosen
}

/// One number for each of `ways`, smaller than that, by the number of the choice:
/// those with a small sum come first. `None` where there are not so many choices.
fn nth_in_order_of_sum(ways: &[u64], mut number: u64) -> Option<Vec<u64>> {
    let largest = ways.iter().try_fold(0, |sum: u64, ways| {
        Some(sum.saturating_add(ways.checked_sub(1)?))
    })?;
    (0..=largest).find_map(|sum| nth_of_sum(ways, sum, &mut number))
}

/// Of the choices with this sum the one with this number, or the number without them.
fn nth_of_sum(ways: &[u64], sum: u64, number: &mut u64) -> Option<Vec<u64>> {
    let Some((first, rest)) = ways.split_first() else {
        if sum > 0 {
            return None;
        }
        let found = (*number == 0).then(Vec::new);
        *number = number.saturating_sub(1);
        return found;
    };
    let most = (first - 1).min(sum);
    // What the others cannot make up is this one's: no choice leads nowhere.
    let of_others = rest
        .iter()
        .fold(0, |sum: u64, ways| sum.saturating_add(ways - 1));
    (sum.saturating_sub(of_others)..=most).find_map(|own| {
        let mut others = nth_of_sum(rest, sum - own, number)?;
        others.insert(0, own);
        Some(others)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_subset_comes_once_and_those_of_the_first_values_first() {
        for (n, k) in [(0, 0), (3, 0), (5, 5), (6, 2), (7, 4)] {
            let mut seen = BTreeSet::new();
            let mut largest = 0;
            for number in 0..binomial(n, k) {
                let subset = subset(k, number);
                assert!(subset.is_sorted() && subset.len() == k);
                let last = subset.last().copied().unwrap_or(0);
                assert!(last >= largest && last < n.max(1), "{subset:?}");
                largest = last;
                assert!(seen.insert(subset), "{n} {k} {number}");
            }
        }
        assert_eq!((binomial(7, 4), binomial(2, 3)), (35, 0));
        assert_eq!(binomial(300, 150), u64::MAX);
    }

    #[test]
    fn every_choice_comes_once_and_small_changes_first() {
        let ways = [3, 1, 4];
        let all = (0..).map_while(|number| nth_in_order_of_sum(&ways, number));
        let all: Vec<Vec<u64>> = all.collect();
        assert_eq!(all.len(), 12);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 12);
        assert!(all.is_sorted_by_key(|choice| choice.iter().sum::<u64>()));
        assert_eq!(
            nth_in_order_of_sum(&[3, 0], 0),
            None,
            "nothing to choose from"
        );
        assert_eq!(nth_in_order_of_sum(&[], 0), Some(Vec::new()));
        // Found without going through what leads nowhere, which would take days.
        let far = nth_in_order_of_sum(&[1 << 40, 1, 1], 100_000);
        assert_eq!(far, Some(vec![100_000, 0, 0]));
        assert_eq!(nth_in_order_of_sum(&[u64::MAX, 2], 3), Some(vec![1, 1]));
    }
}
