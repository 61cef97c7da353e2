//! `stayput simulate`: what the prompt would say when something is missing.
//! Nothing is changed, nothing is destroyed.

mod forecast;
mod without;

use crate::admin::json;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::cards_left_down;
use std::time::Instant;

use crate::environment::{Cards, KeyServers, LIVE_NETWORK_WAIT, Patience, is_asked, observe_place};
use crate::opening::snapshot::Snapshot;
use crate::theft::TheftState;
use crate::vault::SlotTable;
#[cfg(test)]
pub use forecast::example;
use forecast::forecast;
use without::Without;

/// Looks around as a boot does, takes away what is named, and shows what the
/// prompt would then say. Backup sticks count as not plugged in.
#[derive(clap::Args, Clone, Debug)]
pub struct SimulateOptions {
    /// What is missing: place, machine, neighbour:ADDRESS, tang:ADDRESS, or a part as
    /// `stayput status` names it
    #[arg(long, value_name = "WHAT")]
    without: Vec<Without>,
    /// Others answer in their place, as in another house
    #[arg(long, requires = "without")]
    strangers: bool,
}

/// Runs `stayput simulate`. Nothing is written.
///
/// # Errors
/// When the vault cannot be read.
pub fn run(options: &SimulateOptions, for_scripts: bool) -> Result<()> {
    let mut found = Snapshot::of(&open_vault_read_only()?);
    if let Ok(TheftState::ResetBegun { cause, time }) = found.state {
        // A boot finishes it before anything else.
        found.state = Ok(TheftState::Reset { cause, time });
    }
    let none = SlotTable::default();
    let table = found.slots().unwrap_or(&none);
    let labels = || {
        let factors = table.environments.iter().flat_map(|slot| &slot.factors);
        factors.map(|factor| &factor.label)
    };
    for without in &options.without {
        if found.slots.is_ok() && !without.is_enrolled(table) {
            let known: Vec<&str> = labels().map(|label| label.as_str()).collect();
            return Err(Problem::refused(
                format!("Nothing is enrolled that is called \"{without}\"."),
                format!("These are: place, machine, {}.", known.join(", ")),
            ));
        }
    }
    let servers = KeyServers::of(&table.environments, Instant::now());
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let around = observe_place(labels(), servers, Cards::LeftDown, patience, |_| false);
    let silent = labels().any(|label| is_asked(label) && around.value(label).is_none());
    let unasked = silent.then(cards_left_down).flatten();
    let observed = without::taken_away(&around, table, &options.without, options.strangers);
    let forecast = forecast(found, observed);
    if for_scripts {
        json::print(forecast.document(&options.without, options.strangers));
    } else {
        print!("{}", forecast.text(&options.without, options.strangers));
        if let Some(words) = unasked {
            println!("{words}");
        }
    }
    Ok(())
}
