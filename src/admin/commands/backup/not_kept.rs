//! What is said of a stick or a share that does not keep what is written to it, as one that
//! lies about its size: its writes wrap round to what lies there already.

use crate::admin::problem::{Problem, ProblemKind};

/// `of_the_new_one`: what became of the backup that was written, unless it is whole. `lost`:
/// the names of the older ones that cannot be read any more.
pub fn not_kept(of_the_new_one: Option<&str>, lost: &[String]) -> Problem {
    let of_older_ones = match lost {
        [] => None,
        [one] => Some(format!("The older backup {one} cannot be read any more.")),
        [first, others @ ..] => Some(format!(
            "The older backup {first} and {} more cannot be read any more.",
            others.len()
        )),
    };
    let told = of_the_new_one.into_iter().chain(of_older_ones.as_deref());
    let told: Vec<&str> = told.chain(["It is left as it is."]).collect();
    Problem::failed(
        told.join(" "),
        "Do not trust this place: make a backup on another stick. `stayput backup verify` reads \
         all that is there.",
    )
    .of_kind(ProblemKind::NotKept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_named_and_what_became_of_the_new_one() {
        let lost = ["000001-20251127T200000Z", "000002-20251128T201500Z"];
        let lost = lost.map(str::to_owned);
        let told = not_kept(Some("The stick forgets."), &lost[..1]).what;
        assert_eq!(
            told,
            "The stick forgets. The older backup 000001-20251127T200000Z cannot be read any \
             more. It is left as it is."
        );
        let told = not_kept(None, &lost);
        assert!(told.what.contains("200000Z and 1 more"), "{told}");
        assert!(!not_kept(Some("It forgets."), &[]).what.contains("older"));
    }
}
