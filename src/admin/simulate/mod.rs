//! `stayput simulate`: what the prompt would say when something is missing.
//! Nothing is changed, nothing is destroyed.

mod foretell;
mod without;

use super::open_vault::look_at_vault;
use super::{Problem, Result};
use std::time::Instant;

use crate::environment::{KeyServers, ON_A_LIVE_NETWORK, look_around};
use crate::theft::{TheftPolicy, TheftState};
use crate::vault::{SlotTable, VaultError};
use foretell::{Server, foretell};
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

pub fn run(options: &SimulateOptions, json: bool) -> Result<()> {
    let vault = look_at_vault()?;
    let slots = vault.slots();
    let none = SlotTable::default();
    let table = slots.as_deref().unwrap_or(&none);
    let labels = || {
        let factors = table.environments.iter().flat_map(|slot| &slot.factors);
        factors.map(|factor| &factor.label)
    };
    for without in &options.without {
        if slots.is_ok() && !without.is_enrolled(table) {
            let known: Vec<&str> = labels().map(|label| label.as_str()).collect();
            return Err(Problem::refused(
                format!("Nothing is enrolled that is called \"{without}\"."),
                format!("These are: place, machine, {}.", known.join(", ")),
            ));
        }
    }
    let servers = KeyServers::of(&table.environments, Instant::now());
    let around = look_around(labels(), servers, ON_A_LIVE_NETWORK, |_| false);
    let observed = without::taken_away(&around, table, &options.without, options.strangers);
    let server = Server {
        header: vault.header(),
        slots: slots.as_deref().map_err(|error: &VaultError| *error),
        state: match vault.state() {
            // A boot finishes it before anything else.
            Ok(TheftState::ResetBegun { cause, time }) => TheftState::Reset { cause, time },
            Ok(state) => state,
            Err(_) => TheftState::Armed,
        },
        policy: vault.unproven_policy().map_or_else(
            |_| TheftPolicy::default(),
            |policy| policy.as_claimed().theft,
        ),
        sticks: vault
            .unproven_sticks()
            .unwrap_or_default()
            .as_claimed()
            .clone(),
    };
    let future = foretell(&server, &observed);
    if json {
        println!("{:#}", future.json(&options.without, options.strangers));
    } else {
        print!("{}", future.text(&options.without, options.strangers));
    }
    Ok(())
}
